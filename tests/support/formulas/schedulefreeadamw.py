"""Schedule-Free AdamW: z and x, and through the gradients y."""

from itertools import product

from formulas.schedulefreesgd import START, WEIGHTS, ThreeSequences
from trainloop.optim import ScheduleFreeAdamW

GRID = [
    {"lr": lr, "betas": betas, "eps": eps, "weight_decay": decay, "warmup_steps": warmup, "r": r}
    for lr, betas, eps, decay, warmup, r in product(
        (0.01, 0.3), ((0.9, 0.999), (0.5, 0.9)), (1e-8, 1e-2), (0, 0.1), (0, 7), (0.0, 1.0)
    )
]

FORMULA = ThreeSequences(
    optimizer=ScheduleFreeAdamW,
    symbols={
        "lr": "η",
        "betas": "β1, β2",
        "eps": "ε",
        "weight_decay": "λ",
        "warmup_steps": "T_w",
        "r": "r",
        "weight_lr_power": "p",
    },
    start=START | {"$v$ starts at 0": "v = 0.0"},
    lines={
        **WEIGHTS,
        r"y_t = (1 - \beta_1)\,z_t + \beta_1\,x_t": "y = (1 - β1) * z + β1 * x",
        r"g_t = \nabla L(y_t)": "g = grad(y)",
        r"v_t = \beta_2\,v_{t-1} + (1 - \beta_2)\,g_t^2, \qquad \hat v_t = \frac{v_t}{1 - \beta_2^t}": """\
v = β2 * v + (1 - β2) * g**2
v̂ = v / (1 - β2**t)""",
        r"u_t = \frac{g_t}{\sqrt{\hat v_t} + \varepsilon} + \lambda\,y_t": "u = g / (sqrt(v̂) + ε) + λ * y",
        r"z_{t+1} = z_t - \eta_t\,u_t": "z = z - η_t * u",
        r"x_{t+1} = (1 - c_{t+1})\,x_t + c_{t+1}\,z_{t+1}": "x = (1 - c) * x + c * z",
    },
    state={"z": "z", "exp_avg_sq": "v"},
    options=[
        options | {"weight_lr_power": power, "maximize": maximize}
        for options in GRID
        for power, maximize in ((2.0, False), (0.0, True))
    ],
    scale=1.0,
    steps=60,
    pull=0.3,
    rel=1e-9,
    abs=1e-10,
)
