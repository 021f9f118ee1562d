"""Muon, with Newton and Schulz's iteration in float64."""

from itertools import product
from unittest import mock

import torch

from formulas._formula import Formula
from trainloop.optim import Muon

GRID = [
    {"lr": lr, "weight_decay": weight_decay, "momentum": momentum, "nesterov": nesterov, "adjust_lr_fn": adjust}
    for lr, (weight_decay, momentum), nesterov, adjust in product(
        (1e-3, 0.1), ((0, 0), (0.1, 0.95)), (True, False), (None, "match_rms_adamw")
    )
]
ITERATIONS = [
    {},
    {"ns_steps": 2, "adjust_lr_fn": "original"},
    {"ns_coefficients": (1.5, -0.5, 0.0), "adjust_lr_fn": "spectral_unclamped"},
    {"eps": 0.1},
]
DEFAULTS = {"ns_coefficients": (3.4445, -4.7750, 2.0315), "eps": 1e-7, "ns_steps": 5}


class Wide(Formula):
    """Without the rounding to bfloat16, which would hide all but the first two digits."""

    def step(self, optimizer, w, gradient, t):
        with mock.patch.object(torch.Tensor, "bfloat16", lambda x: x):
            super().step(optimizer, w, gradient, t)


FORMULA = Wide(
    optimizer=Muon,
    symbols={
        "lr": "η",
        "weight_decay": "λ",
        "momentum": "μ",
        "nesterov": "nesterov",
        "ns_coefficients": "a, b, c",
        "eps": "ε",
        "ns_steps": "n",
        "adjust_lr_fn": "adjust",
    },
    start={
        "$B$ starts at 0": "B = 0.0",
        r'`"original"`: $\sqrt{\max(1, \text{out} / \text{in})}$': "out, in_ = θ.shape; r = sqrt(max(1, out / in_))",
        r'`"match_rms_adamw"`: $0.2\sqrt{\max(\text{out}, \text{in})}$': """\
r = 0.2 * sqrt(max(out, in_)) if adjust == 'match_rms_adamw' else r""",
        r'`"spectral_unclamped"`: $\sqrt{\text{out} / \text{in}}$': """\
r = sqrt(out / in_) if adjust == 'spectral_unclamped' else r""",
    },
    lines={
        r"g_t = \nabla L(\theta_{t-1})": "g = grad(θ)",
        r"B_t = \mu\,B_{t-1} + (1 - \mu)\,g_t": "B = μ * B + (1 - μ) * g",
        r"\tilde B_t = \begin{cases}"
        r" \mu\,B_t + (1 - \mu)\,g_t & \text{Nesterov} \\ B_t & \text{otherwise}"
        r" \end{cases}": "B̃ = μ * B + (1 - μ) * g if nesterov else B",
        r"Q \leftarrow \tilde B_t / \max(\|\tilde B_t\|,\ \varepsilon)": "Q = B̃ / max(norm(B̃), ε)",
        r"Q \leftarrow a\,Q + b\,(Q Q^\top)\,Q + c\,(Q Q^\top)^2\,Q \qquad n \text{ times}": """\
for _ in range(n): Q = a * Q + b * (Q @ Q.T) @ Q + c * (Q @ Q.T) @ (Q @ Q.T) @ Q""",
        r"\theta_t = (1 - \eta\lambda)\,\theta_{t-1} - \eta\,r\,Q": "θ = (1 - η * λ) * θ - η * r * Q",
    },
    state={"momentum_buffer": "B"},
    options=[DEFAULTS | first | iteration for first in GRID for iteration in ITERATIONS],
    shapes=((6, 4), (3, 5)),
    # Five iterations multiply a small singular value by 3.4445⁵ = 485, and its rounding, too.
    rel=1e-9,
    abs=1e-11,
)
