"""Do the optimizers learn the same w and b, and which way do they walk there?

    python examples/optimization-algorithms-beyond-sgd/paths.py

The line of `convergence.py`: w and b after every epoch, at 100 and at 1,000 epochs. Takes three seconds.
"""

import copy
import math

import matplotlib.pyplot as plt
import torch
from torch import nn

from trainloop.data import least_squares, noisy_line
from trainloop.figures import NAMES, colour, line
from trainloop.loop import train_step
from trainloop.optim import SGD, Adam, RMSprop

# --8<-- [start:setup]
EPOCHS = (100, 1000)

OPTIMIZERS = {
    "sgd": lambda parameters: SGD(parameters, lr=0.1),
    "rmsprop": lambda parameters: RMSprop(parameters, lr=0.1, alpha=0.9),
    "adam": lambda parameters: Adam(parameters, lr=0.1),
}
# --8<-- [end:setup]


# --8<-- [start:walk]
def walk(start, make_optimizer, x, y, epochs):
    model = copy.deepcopy(start)
    optimizer = make_optimizer(model.parameters())
    path = [(model.weight.item(), model.bias.item())]
    for _ in range(epochs):
        train_step(model, nn.MSELoss(), optimizer, x, y)
        path.append((model.weight.item(), model.bias.item()))
    return path
# --8<-- [end:walk]


def run(quick=False):
    x, y = noisy_line()
    torch.manual_seed(42)
    start = nn.Linear(1, 1)
    slope, intercept, _ = least_squares(x, y)
    short, long = (10, 20) if quick else EPOCHS

    middle = slope / 2 + intercept  # the line's height at x = 0.5
    rows = [{"optimizer": "best line", "epochs": None, "w": slope, "b": intercept, "middle": middle}]
    paths, late = {}, {}
    for name, make_optimizer in OPTIMIZERS.items():
        path = walk(start, make_optimizer, x, y, long)
        for epochs in (short, long):
            w, b = path[epochs]
            rows.append({"optimizer": NAMES[name], "epochs": epochs, "w": w, "b": b, "middle": w / 2 + b})
        paths[name] = path[: short + 1]
        # How far w still travels up and down over the last 100 epochs.
        tail = [w for w, _ in path[-100:]]
        late[name] = max(tail) - min(tail)
    after_short = [row["w"] for row in rows if row["epochs"] == short]
    far = max(paths["adam"])  # where Adam's slope is largest
    return {
        "rows": rows,
        "paths": paths,
        "late_swing": late,
        "best": {"w": slope, "b": intercept},
        "first_step": {name: math.dist(path[0], path[1]) for name, path in paths.items()},
        "spread_w": max(after_short) - min(after_short),
        "adam_far": {"w": far[0], "b": far[1]},
    }


def draw(results):
    figure, ax = plt.subplots(figsize=(5.2, 4.4))
    best = results["best"]
    x, _ = noisy_line()
    w, b = torch.meshgrid(torch.linspace(0.4, 3.0, 80), torch.linspace(0.5, 4.3, 80), indexing="ij")
    # The loss above the floor is the mean square of the two lines' distance.
    gap = ((w - best["w"])[..., None] * x.flatten() + (b - best["b"])[..., None]).square().mean(dim=-1)
    ax.contour(w, b, gap, levels=[0.003, 0.03, 0.3, 1, 3], colors=colour("data"), linewidths=0.8, alpha=0.8)
    for name, path in results["paths"].items():
        ws, bs = zip(*path, strict=True)
        ax.plot(ws, bs, **line(name), lw=1.4, marker=".", ms=3.5, label=NAMES[name])
    ax.plot(best["w"], best["b"], "*", ms=13, color=colour("truth"))
    ax.annotate("best line", (best["w"], best["b"]), xytext=(-76, 8), textcoords="offset points")
    ax.annotate("start", results["paths"]["sgd"][0], xytext=(8, -4), textcoords="offset points")
    ax.legend(loc="lower right")
    ax.set(xlabel="w (slope)", ylabel="b (intercept)", title="Three ways down the same valley")
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
