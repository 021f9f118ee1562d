"""Lookahead around SGD with momentum: a step of the formula is a round of k steps of SGD."""

from itertools import product

import torch

from formulas import sgd
from formulas._formula import FUNCTIONS, Formula
from trainloop.optim import Lookahead

RATE, MOMENTUM = 0.1, 0.9
LONGEST = 7


class Inner:
    """Steps of SGD by its formula, on gradients that are handed out one by one."""

    def __init__(self):
        self.names = {**FUNCTIONS, "η": RATE, "μ": MOMENTUM, "τ": 0, "λ": 0, "nesterov": False, "t": 0}

    @property
    def b(self):
        return self.names["b"]

    @b.setter
    def b(self, b):
        self.names["b"] = b

    def begin(self, gradients):
        self.gradients = iter(gradients)

    def step(self, θ):
        gradient = next(self.gradients)
        self.names |= {"θ": θ, "t": self.names["t"] + 1, "grad": lambda θ: gradient}
        for code in sgd.FORMULA.lines.values():
            exec(code, self.names)
        return self.names["θ"]


class AroundSGD(Formula):
    def problem(self, shape):
        θ, gradients = super().problem((LONGEST, *shape))
        return θ[0], gradients

    def names(self, θ, options):
        inner = Inner()
        return {**super().names(θ, options), "inner": inner, "A": inner.step}

    def build(self, w, options):
        return Lookahead(torch.optim.SGD([w], lr=RATE, momentum=MOMENTUM), **options)

    def step(self, optimizer, w, gradient, t):
        for g in gradient[: optimizer.k]:
            super().step(optimizer, w, g, t)

    def read(self, optimizer, w):
        return {"θ": w.detach().numpy(), "φ": optimizer.slow[w]["slow"].numpy()}


FORMULA = AroundSGD(
    optimizer=Lookahead,
    symbols={"k": "k", "alpha": "α", "momentum": "momentum"},
    start={r"The slow weights $\phi$ are copied from them before the first step": "φ, slow_b = θ, 0.0"},
    lines={
        r"\theta_{t,0} = \phi_t": "inner.begin(grad(0 * θ)); θ = φ",
        r"\theta_{t,i} = A(\theta_{t,i-1}) \qquad \text{for } i = 1, \dots, k": "for _ in range(k): θ = A(θ)",
        r"\phi_{t+1} = \phi_t + \alpha\,(\theta_{t,k} - \phi_t)": "φ = φ + α * (θ - φ)",
    },
    after={
        r"then $\theta$ starts again from $\phi$": "θ = φ",
        '"reset" sets it to 0': "inner.b = 0 * inner.b if momentum == 'reset' else inner.b",
        '"pull" treats it as it treats the weights, with slow momentum that starts at 0': """\
if momentum == 'pull':
    slow_b = slow_b + α * (inner.b - slow_b)
    inner.b = slow_b""",
    },
    options=[
        {"k": k, "alpha": alpha, "momentum": momentum}
        for k, alpha, momentum in product((1, 5, LONGEST), (0.0, 0.5, 0.8, 1.0), ("keep", "reset", "pull"))
    ],
    scale=1.0,
    steps=20,
)
