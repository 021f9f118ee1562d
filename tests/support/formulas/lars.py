"""LARS, with and without its ratio."""

from itertools import product

from formulas._formula import Formula
from trainloop.optim import LARS

GRID = [
    {
        "lr": lr,
        "momentum": momentum,
        "weight_decay": weight_decay,
        "nesterov": nesterov,
        "trust_coefficient": trust,
        "adapt": adapt,
        "maximize": maximize,
    }
    for lr, momentum, weight_decay, nesterov, trust, adapt, maximize in product(
        (0.1, 1.0), (0.0, 0.9), (0, 0.1), (False, True), (1e-3, 0.05), (False, True), (False, True)
    )
    if momentum > 0 or not nesterov
]

FORMULA = Formula(
    optimizer=LARS,
    symbols={
        "lr": "η",
        "momentum": "μ",
        "weight_decay": "λ",
        "nesterov": "nesterov",
        "trust_coefficient": "τ",
        "adapt": "adapt",
    },
    lines={
        r"g_t = \nabla L(\theta_{t-1})": "g = grad(θ)",
        r"r_t = \begin{cases}"
        r" \dfrac{\tau\,\|\theta_{t-1}\|}{\|g_t\| + \lambda\,\|\theta_{t-1}\|}"
        r" & \text{if } \|\theta_{t-1}\| \text{ and the denominator are above 0} \\"
        r" 1 & \text{otherwise}"
        r" \end{cases}": """\
below = norm(g) + λ * norm(θ)
r = τ * norm(θ) / below if adapt and norm(θ) > 0 and below > 0 else 1""",
        r"u_t = r_t\,(g_t + \lambda\,\theta_{t-1})": "u = r * (g + λ * θ)",
        r"b_t = \mu\,b_{t-1} + u_t, \qquad b_0 = 0": "b = μ * (b if t > 1 else 0) + u",
        r"\theta_t = \theta_{t-1} - \eta \cdot \begin{cases}"
        r" b_t & \text{plain} \\ u_t + \mu\,b_t & \text{Nesterov}"
        r" \end{cases}": "θ = θ - η * (u + μ * b if nesterov else b)",
    },
    said={"A group with `adapt=False` has $r = 1$": "if adapt and"},
    options=GRID,
    # Without the ratio, momentum and lr 1 carry the weights far past 0 and back: the errors are those of the largest.
    rel=1e-10,
    abs=1e-11,
)
