"""SparseAdam, on some rows of a table in every step."""

from itertools import product

import torch

from formulas._formula import Formula
from trainloop.optim import SparseAdam

GRID = [
    {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize}
    for lr, betas, eps, maximize in product((1e-3, 0.1), ((0.9, 0.999), (0.0, 0.5)), (1e-8, 1e-2), (False, True))
]


class ByRows(Formula):
    """A table of four rows, of which a step sees two, or none."""

    def problem(self, shape):
        θ, gradients = super().problem(shape)
        for t, gradient in enumerate(gradients):
            seen = {t % 4, t * t % 3} if t % 5 else set()
            gradient[[i for i in range(len(gradient)) if i not in seen]] = float("nan")  # what nobody may touch
        return θ, gradients

    def step(self, optimizer, w, gradient, t):
        g = torch.from_numpy(gradient)
        rows = (~g.isnan()).all(1).nonzero().T
        w.grad = torch.sparse_coo_tensor(rows, g[rows[0]], g.shape, check_invariants=True)
        optimizer.step()


FORMULA = ByRows(
    optimizer=SparseAdam,
    symbols={"lr": "η", "betas": "β1, β2", "eps": "ε"},
    start={"For each row $i$ in the sparse gradient": "m, v = 0 * θ, 0 * θ"},
    lines={
        r"g_{t,i} = \nabla_i L(\theta_{t-1})": "g = grad(θ); i = rows(g)",
        r"m_{t,i} = m_{t-1,i} + (1 - \beta_1)\,(g_{t,i} - m_{t-1,i})": "m[i] = m[i] + (1 - β1) * (g[i] - m[i])",
        r"v_{t,i} = v_{t-1,i} + (1 - \beta_2)\,(g_{t,i}^2 - v_{t-1,i})": "v[i] = v[i] + (1 - β2) * (g[i]**2 - v[i])",
        r"\theta_{t,i} = \theta_{t-1,i} - \eta\,\frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t}"
        r" \cdot \frac{m_{t,i}}{\sqrt{v_{t,i}} + \varepsilon}": """\
θ[i] = θ[i] - η * sqrt(1 - β2**t) / (1 - β1**t) * m[i] / (sqrt(v[i]) + ε)""",
    },
    said={"$t$ counts the steps of the whole table": "sqrt(1 - β2**t) / (1 - β1**t)"},
    state={"exp_avg": "m", "exp_avg_sq": "v"},
    functions={"rows": lambda g: [i for i, row in enumerate(g) if row[0] == row[0]]},
    options=GRID,
    shapes=((4, 3),),
)
