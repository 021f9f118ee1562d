"""Lion."""

from itertools import product

from formulas._formula import Formula
from trainloop.optim import Lion

GRID = [
    {"lr": lr, "betas": betas, "weight_decay": weight_decay, "maximize": maximize}
    for lr, betas, weight_decay, maximize in product(
        (1e-3, 0.1), ((0.9, 0.99), (0.5, 0.9), (0.0, 0.0)), (0, 0.3), (False, True)
    )
]

FORMULA = Formula(
    optimizer=Lion,
    symbols={"lr": "η", "betas": "β1, β2", "weight_decay": "λ"},
    start={"$m$ starts at 0": "m = 0.0"},
    lines={
        r"g_t = \nabla L(\theta_{t-1})": "g = grad(θ)",
        r"u_t = \operatorname{sign}\bigl(\beta_1\,m_{t-1} + (1 - \beta_1)\,g_t\bigr)": """\
u = sign(β1 * m + (1 - β1) * g)""",
        r"\theta_t = (1 - \eta\,\lambda)\,\theta_{t-1} - \eta\,u_t": "θ = (1 - η * λ) * θ - η * u",
        r"m_t = \beta_2\,m_{t-1} + (1 - \beta_2)\,g_t": "m = β2 * m + (1 - β2) * g",
    },
    state={"exp_avg": "m"},
    options=GRID,
)
