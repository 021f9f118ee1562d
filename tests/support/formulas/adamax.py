"""Adamax."""

from itertools import product

from formulas._formula import Formula
from trainloop.optim import Adamax

GRID = [
    {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
    for lr, betas, eps, weight_decay, maximize in product(
        (0.1,), ((0.9, 0.999), (0.5, 0.9), (0.0, 0.0)), (1e-8, 1e-2), (0, 1e-2), (False, True)
    )
]

FORMULA = Formula(
    optimizer=Adamax,
    symbols={"lr": "η", "betas": "β1, β2", "eps": "ε", "weight_decay": "λ"},
    start={"$m$ and $u$ start at 0": "m = u = 0.0"},
    lines={
        r"g_t = \nabla L(\theta_{t-1}) + \lambda\,\theta_{t-1}": "g = grad(θ) + λ * θ",
        r"m_t = \beta_1\,m_{t-1} + (1 - \beta_1)\,g_t": "m = β1 * m + (1 - β1) * g",
        r"u_t = \max(\beta_2\,u_{t-1},\; \lvert g_t \rvert + \varepsilon)": "u = max(β2 * u, abs(g) + ε)",
        r"\hat m_t = \frac{m_t}{1 - \beta_1^t}": "m̂ = m / (1 - β1**t)",
        r"\theta_t = \theta_{t-1} - \eta\,\frac{\hat m_t}{u_t}": "θ = θ - η * m̂ / u",
    },
    state={"exp_avg": "m", "exp_inf": "u"},
    options=GRID,
)
