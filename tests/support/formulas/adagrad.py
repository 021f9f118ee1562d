"""Adagrad."""

from itertools import product

from formulas._formula import Formula
from trainloop.optim import Adagrad

GRID = [
    {"lr": lr, "lr_decay": lr_decay, "weight_decay": weight_decay, "eps": eps, "maximize": maximize}
    for lr, lr_decay, weight_decay, eps, maximize in product((0.5,), (0, 0.1), (0, 1e-2), (1e-10, 1e-2), (False, True))
]

FORMULA = Formula(
    optimizer=Adagrad,
    symbols={"lr": "η", "lr_decay": "κ", "weight_decay": "λ", "initial_accumulator_value": "G0", "eps": "ε"},
    start={r"initial_accumulator_value: $G_0 \ge 0$": "G = G0"},
    lines={
        r"g_t = \nabla L(\theta_{t-1}) + \lambda\,\theta_{t-1}": "g = grad(θ) + λ * θ",
        r"G_t = G_{t-1} + g_t^2": "G = G + g**2",
        r"\eta_t = \frac{\eta}{1 + (t - 1)\,\kappa}": "η_t = η / (1 + (t - 1) * κ)",
        r"\theta_t = \theta_{t-1} - \eta_t\,\frac{g_t}{\sqrt{G_t} + \varepsilon}": "θ = θ - η_t * g / (sqrt(G) + ε)",
    },
    state={"sum": "G"},
    options=[options | {"initial_accumulator_value": start} for options in GRID for start in (0, 0.1)],
)
