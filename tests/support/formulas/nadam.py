"""NAdam, with both kinds of weight decay."""

from itertools import product

from formulas._formula import Formula
from trainloop.optim import NAdam

GRID = [
    {
        "lr": lr,
        "betas": betas,
        "eps": eps,
        "weight_decay": weight_decay,
        "momentum_decay": momentum_decay,
        "decoupled_weight_decay": decoupled,
        "maximize": maximize,
    }
    for lr, betas, eps, (weight_decay, decoupled), momentum_decay, maximize in product(
        (0.1,),
        ((0.9, 0.999), (0.5, 0.9), (0.0, 0.0)),
        (1e-3, 1e-2),
        ((0, False), (0.1, False), (0.1, True)),
        (4e-3, 0.2),
        (False, True),
    )
]

FORMULA = Formula(
    optimizer=NAdam,
    symbols={
        "lr": "η",
        "betas": "β1, β2",
        "eps": "ε",
        "weight_decay": "λ",
        "momentum_decay": "ψ",
        "decoupled_weight_decay": "decoupled",
    },
    start={"$m$ and $v$ start at 0": "m = v = 0.0"},
    lines={
        r"g_t = \nabla L(\theta_{t-1}) + \lambda\,\theta_{t-1}": "g = grad(θ) + (0 if decoupled else λ * θ)",
        r"\mu_t = \beta_1\,\bigl(1 - \tfrac{1}{2}\,0.96^{\,t\,\psi}\bigr)": """\
μ = [β1 * (1 - 0.5 * 0.96 ** (i * ψ)) for i in range(t + 2)]""",
        r"m_t = \beta_1\,m_{t-1} + (1 - \beta_1)\,g_t": "m = β1 * m + (1 - β1) * g",
        r"v_t = \beta_2\,v_{t-1} + (1 - \beta_2)\,g_t^2": "v = β2 * v + (1 - β2) * g**2",
        r"\hat m_t = \frac{\mu_{t+1}\,m_t}{1 - \mu_1 \cdots \mu_{t+1}}"
        r" + \frac{(1 - \mu_t)\,g_t}{1 - \mu_1 \cdots \mu_t}, \qquad"
        r" \hat v_t = \frac{v_t}{1 - \beta_2^t}": """\
m̂ = μ[t + 1] * m / (1 - product(μ[1 : t + 2])) + (1 - μ[t]) * g / (1 - product(μ[1 : t + 1]))
v̂ = v / (1 - β2**t)""",
        r"\theta_t = \theta_{t-1} - \eta\,\frac{\hat m_t}{\sqrt{\hat v_t} + \varepsilon}": """\
θ = (1 - η * λ if decoupled else 1) * θ - η * m̂ / (sqrt(v̂) + ε)""",
    },
    said={
        r"With decoupled decay, $g_t$ has no $\lambda\,\theta_{t-1}$": "0 if decoupled else λ * θ",
        r"$\theta$ is multiplied by $1 - \eta\lambda$ instead": "(1 - η * λ if decoupled else 1) * θ",
    },
    state={"exp_avg": "m", "exp_avg_sq": "v"},
    options=GRID,
    # The product of all μ is kept in float32: it is off by up to 6e-8 of itself, and only the first steps feel it.
    rel=1e-7,
    abs=1e-8,
)
