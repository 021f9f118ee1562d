"""RMSprop, plain and centered, with and without momentum."""

from itertools import product

from formulas._formula import Formula
from trainloop.optim import RMSprop

GRID = [
    {
        "lr": lr,
        "alpha": alpha,
        "eps": eps,
        "weight_decay": weight_decay,
        "momentum": momentum,
        "centered": centered,
        "maximize": maximize,
    }
    for lr, alpha, eps, weight_decay, momentum, centered, maximize in product(
        (0.1,), (0.9, 0.99), (1e-8, 1e-2), (0, 1e-2), (0, 0.9), (False, True), (False, True)
    )
]

FORMULA = Formula(
    optimizer=RMSprop,
    symbols={"lr": "η", "alpha": "α", "eps": "ε", "weight_decay": "λ", "momentum": "μ", "centered": "centered"},
    start={"$v$, $m$ and $b$ start at 0": "v = m = b = 0.0"},
    lines={
        r"g_t = \nabla L(\theta_{t-1}) + \lambda\,\theta_{t-1}": "g = grad(θ) + λ * θ",
        r"v_t = \alpha\,v_{t-1} + (1 - \alpha)\,g_t^2": "v = α * v + (1 - α) * g**2",
        r"\theta_t = \theta_{t-1} - \eta\,\frac{g_t}{\sqrt{v_t} + \varepsilon}": """\
m = α * m + (1 - α) * g
root = sqrt(v - m**2 if centered else v)
b = μ * b + g / (root + ε)
θ = θ - η * (b if μ > 0 else g / (root + ε))""",
    },
    said={
        r"Centered, $v_t - m_t^2$ stands under the root": "sqrt(v - m**2 if centered else v)",
        r"where $m_t = \alpha\,m_{t-1} + (1 - \alpha)\,g_t$": "m = α * m + (1 - α) * g",
        r"With momentum, the step is $-\eta\,b_t$": "b if μ > 0",
        r"where $b_t = \mu\,b_{t-1} + g_t / (\sqrt{v_t} + \varepsilon)$": "b = μ * b + g / (root + ε)",
    },
    state={"square_avg": "v"},
    options=GRID,
    # Centered, the difference under the root loses up to half its digits where all gradients so far are alike.
    rel=1e-10,
)
