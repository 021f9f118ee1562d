"""Adafactor, on a matrix and on a vector."""

from itertools import product

from formulas._formula import Formula
from trainloop.optim import Adafactor

GRID = [
    {"lr": lr, "beta2_decay": decay, "eps": eps, "d": d, "weight_decay": weight_decay, "maximize": maximize}
    for lr, decay, eps, d, (weight_decay, maximize) in product(
        (1e-2, 0.5), (-0.8, -0.3), ((None, 1e-3), (1e-2, 0.1)), (1.0, 2.0), ((0, False), (1e-2, True))
    )
]

FORMULA = Formula(
    optimizer=Adafactor,
    symbols={"lr": "η", "beta2_decay": "τ", "eps": "ε1, ε2", "d": "d", "weight_decay": "λ"},
    start={
        "both start at 0": "R = C = V = 0.0",
        "None takes the machine epsilon of the parameter's type": "ε1 = 2.0**-52 if ε1 is None else ε1",
    },
    lines={
        r"g_t = \nabla L(\theta_{t-1}), \qquad \hat\beta_t = 1 - t^{\tau}": "g = grad(θ); β̂ = 1 - t**τ",
        r"\alpha_t = \max(\varepsilon_2, \operatorname{RMS}(\theta_{t-1})) \cdot \min(\eta, 1/\sqrt{t})": """\
α = max(ε2, rms(θ)) * min(η, 1 / sqrt(t))""",
        r"R_t = \hat\beta_t\,R_{t-1} + (1 - \hat\beta_t)\,\operatorname{mean}_{\text{columns}}(g_t^2)": """\
R = β̂ * R + (1 - β̂) * mean(g**2, axis=-1)""",
        r"C_t = \hat\beta_t\,C_{t-1} + (1 - \hat\beta_t)\,\operatorname{mean}_{\text{rows}}(g_t^2)": """\
C = β̂ * C + (1 - β̂) * mean(g**2, axis=0)""",
        r"V_t = \frac{R_t\,C_t}{\max(\operatorname{mean}(R_t), \varepsilon_1)}": """\
V = outer(R, C) / max(mean(R), ε1) if g.ndim > 1 else β̂ * V + (1 - β̂) * g**2""",
        r"u_t = \frac{g_t}{\max(\sqrt{V_t}, \varepsilon_1)}": "u = g / max(sqrt(V), ε1)",
        r"\theta_t = (1 - \eta\lambda)\,\theta_{t-1}"
        r" - \alpha_t\,\frac{u_t}{\max(1, \operatorname{RMS}(u_t) / d)}": """\
θ = (1 - η * λ) * θ - α * u / max(1, rms(u) / d)""",
    },
    said={
        r"keeps $V$ itself: $V_t = \hat\beta_t V_{t-1} + (1 - \hat\beta_t) g_t^2$": "else β̂ * V + (1 - β̂) * g**2",
    },
    options=GRID,
    shapes=((3, 4), (5,)),
    abs=1e-12,
)
