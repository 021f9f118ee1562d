"""Sophia-G, with given estimates of the curvature."""

from itertools import product

import numpy as np
import torch

from formulas._formula import Formula
from trainloop.optim import SophiaG

GRID = [
    {"lr": lr, "betas": betas, "gamma": gamma, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
    for lr, betas, gamma, eps, weight_decay, maximize in product(
        (1e-3, 0.1), ((0.965, 0.99), (0.5, 0.0)), (0.05, 2.0), (1e-12, 0.1), (0, 0.3), (False, True)
    )
]


def estimate(t):
    """Of both signs."""
    return 5 * np.cos(t / 7 + np.arange(3))


class WithEstimates(Formula):
    def step(self, optimizer, w, gradient, t):
        if optimizer.hessian_due:
            optimizer.update_hessian([torch.from_numpy(estimate(t))])
        super().step(optimizer, w, gradient, t)


FORMULA = WithEstimates(
    optimizer=SophiaG,
    symbols={
        "lr": "η",
        "betas": "β1, β2",
        "gamma": "γ",
        "eps": "ε",
        "weight_decay": "λ",
        "hessian_every": "k",
    },
    start={"$m$ and $h$ start at 0": "m = h = 0.0"},
    lines={
        r"g_t = \nabla L(\theta_{t-1})": "g = grad(θ)",
        r"m_t = \beta_1\,m_{t-1} + (1 - \beta_1)\,g_t": "m = β1 * m + (1 - β1) * g",
        r"h_t = \begin{cases}"
        r" \beta_2\,h_{t-1} + (1 - \beta_2)\,\hat h_t & \text{for } t = 1,\, k + 1,\, 2k + 1,\, \dots \\"
        r" h_{t-1} & \text{otherwise}"
        r" \end{cases}": "h = β2 * h + (1 - β2) * estimate(t) if (t - 1) % k == 0 else h",
        r"\theta_t = (1 - \eta\,\lambda)\,\theta_{t-1}"
        r" - \eta\,\operatorname{clip}\left(\frac{m_t}{\max(\gamma\,h_t,\ \varepsilon)},\ -1,\ 1\right)": """\
θ = (1 - η * λ) * θ - η * clip(m / max(γ * h, ε), -1, 1)""",
    },
    functions={"estimate": estimate},
    state={"exp_avg": "m", "hessian": "h"},
    options=[options | {"hessian_every": k} for options in GRID for k in (1, 4)],
    scale=1.0,
    steps=30,
    rel=1e-10,
)
