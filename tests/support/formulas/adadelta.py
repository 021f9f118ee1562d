"""Adadelta."""

from itertools import product

from formulas._formula import Formula
from trainloop.optim import Adadelta

GRID = [
    {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
    for lr, rho, eps, weight_decay, maximize in product(
        (0.5,), (0.9, 0.5, 0.0, 1.0), (1e-6, 1e-3), (0, 1e-2), (False, True)
    )
]

FORMULA = Formula(
    optimizer=Adadelta,
    symbols={"lr": "η", "rho": "ρ", "eps": "ε", "weight_decay": "λ"},
    start={"$v$ and $u$, the averages of squared gradients and squared steps, start at 0": "v = u = 0.0"},
    lines={
        r"g_t = \nabla L(\theta_{t-1}) + \lambda\,\theta_{t-1}": "g = grad(θ) + λ * θ",
        r"v_t = \rho\,v_{t-1} + (1 - \rho)\,g_t^2": "v = ρ * v + (1 - ρ) * g**2",
        r"d_t = \frac{\sqrt{u_{t-1} + \varepsilon}}{\sqrt{v_t + \varepsilon}}\,g_t": """\
d = sqrt(u + ε) / sqrt(v + ε) * g""",
        r"u_t = \rho\,u_{t-1} + (1 - \rho)\,d_t^2": "u = ρ * u + (1 - ρ) * d**2",
        r"\theta_t = \theta_{t-1} - \eta\,d_t": "θ = θ - η * d",
    },
    state={"square_avg": "v", "acc_delta": "u"},
    options=GRID,
)
