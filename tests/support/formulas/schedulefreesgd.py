"""Schedule-Free SGD: z and x, and through the gradients y."""

from itertools import product

from formulas._formula import Formula
from trainloop.optim import ScheduleFreeSGD

GRID = [
    {"lr": lr, "momentum": beta, "weight_decay": decay, "warmup_steps": warmup, "r": r, "weight_lr_power": power}
    for lr, beta, decay, warmup, r, power in product((0.01, 0.3), (0.5, 0.9), (0, 0.1), (0, 7), (0.0, 1.0), (2.0, 0.0))
]
WEIGHTS = {
    r"\eta_t = \eta\,\min(1,\ t / \max(1, T_w))": "η_t = η * min(1, t / max(1, T_w))",
    r"w_t = t^r \max(\eta_1, \dots, \eta_t)^p, \qquad c_{t+1} = \frac{w_t}{w_1 + \dots + w_t}": """\
largest = max(largest, η_t)
w = t**r * largest**p
total = total + w
c = w / total""",
}
START = {"$x_1 = z_1$ are the weights at the start": "x = z = θ; largest = total = 0.0"}


class ThreeSequences(Formula):
    def read(self, optimizer, w):
        """The parameters hold y, of which the next gradient will tell. In eval mode they hold x."""
        optimizer.eval()
        x = w.detach().clone().numpy()
        optimizer.train()
        state = {symbol: optimizer.state[w][entry].numpy() for entry, symbol in self.state.items()}
        return {"x": x, **state}


FORMULA = ThreeSequences(
    optimizer=ScheduleFreeSGD,
    symbols={
        "lr": "η",
        "momentum": "β",
        "weight_decay": "λ",
        "warmup_steps": "T_w",
        "r": "r",
        "weight_lr_power": "p",
    },
    start=START,
    lines={
        **WEIGHTS,
        r"y_t = (1 - \beta)\,z_t + \beta\,x_t": "y = (1 - β) * z + β * x",
        r"g_t = \nabla L(y_t) + \lambda\,y_t": "g = grad(y) + λ * y",
        r"z_{t+1} = z_t - \eta_t\,g_t": "z = z - η_t * g",
        r"x_{t+1} = (1 - c_{t+1})\,x_t + c_{t+1}\,z_{t+1}": "x = (1 - c) * x + c * z",
    },
    state={"z": "z"},
    options=[options | {"maximize": maximize} for options in GRID for maximize in (False, True)],
    scale=1.0,
    pull=0.3,
    steps=60,
    rel=1e-10,
    abs=1e-11,
)
