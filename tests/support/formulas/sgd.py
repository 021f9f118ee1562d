"""SGD, with and without momentum."""

from itertools import product

from formulas._formula import Formula
from trainloop.optim import SGD

GRID = [
    {
        "lr": lr,
        "momentum": momentum,
        "dampening": dampening,
        "weight_decay": weight_decay,
        "nesterov": nesterov,
        "maximize": maximize,
    }
    for lr, momentum, dampening, weight_decay, nesterov, maximize in product(
        (1e-3, 0.1), (0, 0.5, 0.9), (0, 0.3, 1), (0, 1e-2), (False, True), (False, True)
    )
    if not nesterov or (momentum > 0 and dampening == 0)
]

FORMULA = Formula(
    optimizer=SGD,
    symbols={"lr": "η", "momentum": "μ", "dampening": "τ", "weight_decay": "λ", "nesterov": "nesterov"},
    lines={
        r"g_t = \nabla L(\theta_{t-1}) + \lambda\,\theta_{t-1}": "g = grad(θ) + λ * θ",
        r"b_t = \mu\,b_{t-1} + (1 - \tau)\,g_t, \qquad b_1 = g_1": "b = μ * b + (1 - τ) * g if t > 1 else g",
        r"\theta_t = \theta_{t-1} - \eta \cdot \begin{cases}"
        r" g_t & \text{if } \mu = 0 \\ b_t & \text{if } \mu > 0 \\"
        r" g_t + \mu\,b_t & \text{if } \mu > 0 \text{, Nesterov}"
        r" \end{cases}": "θ = θ - η * (g if μ == 0 else g + μ * b if nesterov else b)",
    },
    options=GRID,
    scale=1.0,
)
