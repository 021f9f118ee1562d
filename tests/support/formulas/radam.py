"""RAdam, with both kinds of weight decay."""

from itertools import product

from formulas._formula import Formula
from trainloop.optim import RAdam

GRID = [
    {
        "lr": lr,
        "betas": betas,
        "eps": eps,
        "weight_decay": weight_decay,
        "decoupled_weight_decay": decoupled,
        "maximize": maximize,
    }
    for lr, betas, eps, (weight_decay, decoupled), maximize in product(
        (0.1,),
        ((0.9, 0.999), (0.5, 0.9), (0.0, 0.0)),
        (1e-8, 1e-2),
        ((0, False), (0.1, False), (0.1, True)),
        (False, True),
    )
]

FORMULA = Formula(
    optimizer=RAdam,
    symbols={
        "lr": "η",
        "betas": "β1, β2",
        "eps": "ε",
        "weight_decay": "λ",
        "decoupled_weight_decay": "decoupled",
    },
    start={"$m$ and $v$ start at 0": "m = v = 0.0"},
    lines={
        r"g_t = \nabla L(\theta_{t-1}) + \lambda\,\theta_{t-1}": "g = grad(θ) + (0 if decoupled else λ * θ)",
        r"m_t = \beta_1\,m_{t-1} + (1 - \beta_1)\,g_t": "m = β1 * m + (1 - β1) * g",
        r"v_t = \beta_2\,v_{t-1} + (1 - \beta_2)\,g_t^2": "v = β2 * v + (1 - β2) * g**2",
        r"\hat m_t = \frac{m_t}{1 - \beta_1^t}": "m̂ = m / (1 - β1**t)",
        r"\rho_\infty = \frac{2}{1 - \beta_2} - 1, \qquad"
        r" \rho_t = \rho_\infty - \frac{2\,t\,\beta_2^t}{1 - \beta_2^t}": """\
limit = 2 / (1 - β2) - 1
ρ = limit - 2 * t * β2**t / (1 - β2**t)""",
        r"r_t = \sqrt{\frac{(\rho_t - 4)(\rho_t - 2)\,\rho_\infty}{(\rho_\infty - 4)(\rho_\infty - 2)\,\rho_t}}": """\
r = sqrt((ρ - 4) * (ρ - 2) * limit / ((limit - 4) * (limit - 2) * ρ)) if ρ > 5 else None""",
        r"\theta_t = \theta_{t-1} - \eta\,\hat m_t \cdot \begin{cases}"
        r" 1 & \text{if } \rho_t \le 5 \\"
        r" r_t\,\sqrt{1 - \beta_2^t} \,/\, (\sqrt{v_t} + \varepsilon) & \text{if } \rho_t > 5"
        r" \end{cases}": """\
factor = 1 if ρ <= 5 else r * sqrt(1 - β2**t) / (sqrt(v) + ε)
θ = (1 - η * λ if decoupled else 1) * θ - η * m̂ * factor""",
    },
    said={
        r"With decoupled decay, $g_t$ has no $\lambda\,\theta_{t-1}$": "0 if decoupled else λ * θ",
        r"$\theta$ is multiplied by $1 - \eta\lambda$ instead": "(1 - η * λ if decoupled else 1) * θ",
    },
    state={"exp_avg": "m", "exp_avg_sq": "v"},
    options=GRID,
)
