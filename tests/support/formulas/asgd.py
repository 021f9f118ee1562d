"""ASGD: the weights, and the average beside them."""

from itertools import product

from formulas._formula import Formula
from trainloop.optim import ASGD

GRID = [
    {"lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay, "maximize": maximize}
    for lr, lambd, alpha, t0, weight_decay, maximize in product(
        (1e-2,), (1e-4, 0.1), (0.75, 1.0), (1e6, 20), (0, 1e-2), (False, True)
    )
]

FORMULA = Formula(
    optimizer=ASGD,
    symbols={"lr": "η", "lambd": "λ", "alpha": "α", "t0": "t0", "weight_decay": "w"},
    start={r"$a_t$ is a copy of $\theta_t$ until step $t_0 + 2$": "a = 0.0"},
    lines={
        r"g_t = \nabla L(\theta_{t-1}) + w\,\theta_{t-1}": "g = grad(θ) + w * θ",
        r"\eta_t = \frac{\eta}{(1 + \lambda\,\eta\,(t - 1))^{\alpha}}, \qquad"
        r" \mu_t = \frac{1}{\max(1,\; t - 1 - t_0)}": """\
η_t = float32(η / (1 + λ * η * (t - 1)) ** α)
μ = float32(1 / max(1, t - 1 - t0))""",
        r"\theta_t = (1 - \lambda\,\eta_t)\,\theta_{t-1} - \eta_t\,g_t": "θ = (1 - λ * η_t) * θ - η_t * g",
        r"a_t = a_{t-1} + \mu_t\,(\theta_t - a_{t-1})": "a = a + μ * (θ - a)",
    },
    said={r"$\eta_{t+1}$ and $\mu_{t+1}$ are computed, and rounded to float32": "float32("},
    state={"ax": "a"},
    options=GRID,
    scale=1.0,
)
