"""AdamW, and AMSGrad with decoupled weight decay."""

from itertools import product

from formulas._formula import Formula
from trainloop.optim import AdamW

GRID = [
    {
        "lr": lr,
        "betas": betas,
        "eps": eps,
        "weight_decay": weight_decay,
        "amsgrad": amsgrad,
        "maximize": maximize,
    }
    for lr, betas, eps, weight_decay, amsgrad, maximize in product(
        (0.1,),
        ((0.9, 0.999), (0.5, 0.9), (0.0, 0.0)),
        (1e-8, 1e-2),
        (0, 0.1),
        (False, True),
        (False, True),
    )
]

FORMULA = Formula(
    optimizer=AdamW,
    symbols={"lr": "η", "betas": "β1, β2", "eps": "ε", "weight_decay": "λ", "amsgrad": "amsgrad"},
    start={"$m$ and $v$ start at 0": "m = v = largest = 0.0"},
    lines={
        r"g_t = \nabla L(\theta_{t-1})": "g = grad(θ)",
        r"m_t = \beta_1\,m_{t-1} + (1 - \beta_1)\,g_t": "m = β1 * m + (1 - β1) * g",
        r"v_t = \beta_2\,v_{t-1} + (1 - \beta_2)\,g_t^2": "v = β2 * v + (1 - β2) * g**2",
        r"\hat m_t = \frac{m_t}{1 - \beta_1^t}, \qquad \hat v_t = \frac{v_t}{1 - \beta_2^t}": """\
largest = max(largest, v)
m̂ = m / (1 - β1**t)
v̂ = (largest if amsgrad else v) / (1 - β2**t)""",
        r"\theta_t = (1 - \eta\lambda)\,\theta_{t-1} - \eta\,\frac{\hat m_t}{\sqrt{\hat v_t} + \varepsilon}": """\
θ = (1 - η * λ) * θ - η * m̂ / (sqrt(v̂) + ε)""",
    },
    said={r"AMSGrad computes $\hat v_t$ from $\max(v_1, \dots, v_t)$": "largest = max(largest, v)"},
    state={"exp_avg": "m", "exp_avg_sq": "v"},
    options=GRID,
)
