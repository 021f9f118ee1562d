"""Rprop, in the variant iRprop−."""

from itertools import product

from formulas._formula import Formula
from trainloop.optim import Rprop

GRID = [
    {"lr": lr, "etas": etas, "step_sizes": step_sizes, "maximize": maximize}
    for lr, etas, step_sizes, maximize in product(
        (0.1, 60.0),
        ((0.5, 1.2), (0.3, 1.7), (0.9, 1.1)),
        ((1e-6, 50), (1e-3, 0.05), (0, 1.0)),
        (False, True),
    )
]

FORMULA = Formula(
    optimizer=Rprop,
    symbols={"lr": "η", "etas": "η_minus, η_plus", "step_sizes": "s_min, s_max"},
    start={r"$g_0 = 0$ and $s_0 = \eta$": "before, s = 0.0, η"},
    lines={
        r"g_t = \nabla L(\theta_{t-1})": "g = grad(θ)",
        r"s_t = \begin{cases}"
        r" \eta_+\,s_{t-1} & \text{if } g_t\,g_{t-1} > 0 \\"
        r" \eta_-\,s_{t-1} & \text{if } g_t\,g_{t-1} < 0 \text{, and then } g_t \leftarrow 0 \\"
        r" s_{t-1} & \text{if } g_t\,g_{t-1} = 0"
        r" \end{cases}": """\
s = where(g * before > 0, η_plus * s, where(g * before < 0, η_minus * s, s))
g = where(g * before < 0, 0, g)""",
        r"s_t \leftarrow \min(\max(s_t,\, s_{\min}),\, s_{\max})": "s = min(max(s, s_min), s_max)",
        r"\theta_t = \theta_{t-1} - s_t\,\operatorname{sign}(g_t)": "θ = θ - s * sign(g); before = g",
    },
    state={"step_size": "s", "prev": "g"},
    options=GRID,
    steps=60,
)
