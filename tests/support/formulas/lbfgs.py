"""L-BFGS with steps of fixed length, one iteration a step, H written out."""

from itertools import product

import numpy as np
import torch

from formulas._formula import Formula
from trainloop.optim import LBFGS

CURVATURE = np.diag([0.1, 0.5, 1.0, 3.0, 10.0]) + 0.05


class OnABowl(Formula):
    """The gradient is that of ½ θᵀAθ + ¼ Σθ⁴; there is nothing random in it."""

    def slope(self, θ, gradient, options):
        return CURVATURE @ θ + θ**3  # with `maximize`, −L is the bowl

    def build(self, w, options):
        return LBFGS([w], max_iter=1, tolerance_grad=0, tolerance_change=0, **options)

    def step(self, optimizer, w, gradient, t):
        sign = -1 if optimizer.param_groups[0]["maximize"] else 1
        bowl = torch.from_numpy(CURVATURE)

        def closure():
            optimizer.zero_grad()
            loss = sign * (w @ bowl @ w / 2 + w.pow(4).sum() / 4)
            loss.backward()
            return loss

        optimizer.step(closure)


FORMULA = OnABowl(
    optimizer=LBFGS,
    symbols={"lr": "η", "history_size": "h"},
    unused=frozenset({"max_iter", "max_eval", "tolerance_grad", "tolerance_change", "line_search_fn"}),
    lines={
        r"g_k = \nabla L(\theta_k)": "g = grad(θ)",
        r"s_k = \theta_k - \theta_{k-1}, \qquad y_k = g_k - g_{k-1}, \qquad \rho_k = \frac{1}{y_k \cdot s_k}": """\
if t > 1:
    s, y = θ - θ_before, g - g_before
    if y @ s > 1e-10:
        pairs = [*pairs, (s, y, 1 / (y @ s))][-h:]""",
        r"H \leftarrow \gamma_k\,I, \qquad \gamma_k = \frac{y_k \cdot s_k}{y_k \cdot y_k}": """\
H = I
if pairs:
    s, y, _ = pairs[-1]
    H = (y @ s) / (y @ y) * I""",
        r"H \leftarrow (I - \rho_i\,s_i\,y_i^\top)\,H\,(I - \rho_i\,y_i\,s_i^\top) + \rho_i\,s_i\,s_i^\top"
        r" \qquad \text{for } i = k - h + 1, \dots, k": """\
for s, y, ρ in pairs:
    H = (I - ρ * outer(s, y)) @ H @ (I - ρ * outer(y, s)) + ρ * outer(s, s)""",
        r"d_k = -H\,g_k": "d = -H @ g",
        r"\theta_{k+1} = \theta_k + t_k\,d_k": """\
length = η if t > 1 else η * min(1, 1 / sum(abs(g)))
θ_before, g_before = θ, g
θ = θ + length * d""",
    },
    start={"what the last $h$ iterations have shown": "pairs, I = [], eye(len(θ))"},
    said={
        r"A pair with $y \cdot s \le 10^{-10}$ shows no positive curvature, and is left out": "if y @ s > 1e-10",
        "The first direction is $-g$, as long as `lr` at most in the sum of its elements' sizes": """\
η * min(1, 1 / sum(abs(g)))""",
    },
    functions={"eye": np.eye},
    options=[
        {"lr": lr, "history_size": h, "maximize": maximize}
        for lr, h, maximize in product((1, 0.3), (3, 100), (False, True))
    ],
    shapes=((5,),),
    steps=20,
    # y is a difference of gradients, and loses the digits that they share.
    rel=1e-8,
    abs=1e-9,
)
