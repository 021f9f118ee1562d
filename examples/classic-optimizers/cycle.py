"""Can heavy-ball momentum circle for ever on a smooth convex function?

    python examples/classic-optimizers/cycle.py

The counterexample of Lessard, Recht and Packard: a function of one variable with curvatures 25, 1 and 25, on which
momentum with Polyak's best settings ends in a cycle; Nesterov's form and plain SGD beside it. Takes a second.
"""

import math

import matplotlib.pyplot as plt
import torch

from trainloop.figures import NAMES, colour, label_ends, line
from trainloop.optim import SGD

STEPS = 40
START = 3.3
FLAT, STEEP = 1.0, 25.0

# --8<-- [start:setup]
ROOT = math.sqrt(STEEP / FLAT)
POLYAK = {"lr": (2 / (math.sqrt(STEEP) + math.sqrt(FLAT))) ** 2, "momentum": ((ROOT - 1) / (ROOT + 1)) ** 2}
OPTIONS = {
    "sgd": {"lr": 2 / (STEEP + FLAT)},
    "momentum": POLYAK,
    "nesterov": {"lr": 1 / STEEP, "momentum": (ROOT - 1) / (ROOT + 1), "nesterov": True},
}  # for each, the settings that theory gives for these curvatures


def slope(x):
    """25x below 1, then x + 24, then 25x − 24 from 2 on: never falling, so the function is convex."""
    return torch.where(x < 1, 25 * x, torch.where(x < 2, x + 24, 25 * x - 24))


# --8<-- [end:setup]


def walk(options, steps, start=START):
    x = torch.tensor([start], dtype=torch.float64, requires_grad=True)
    optimizer = SGD([x], **options)
    points = [start]
    for _ in range(steps):
        x.grad = slope(x.detach())
        optimizer.step()
        points.append(x.item())
    return points


def run(quick=False):
    steps = 10 if quick else STEPS
    walks = {name: walk(options, steps) for name, options in OPTIONS.items()}
    late = walk(POLYAK, 10 * steps)
    small = walk(POLYAK, steps, start=0.9)
    return {
        "steps": steps,
        "options": OPTIONS,
        "walks": walks,
        "ends": {name: abs(points[-1]) for name, points in walks.items()},
        "cycle": sorted(late[-3:]),
        "returns": abs(late[-1] - late[-4]),
        "from_near": abs(small[-1]),
    }


def draw(results):
    figure, ax = plt.subplots()
    lines = [
        (ax.plot(points, marker=".", linewidth=1.2, **line(name))[0], NAMES[name])
        for name, points in results["walks"].items()
    ]
    ax.axhline(0, color=colour("truth"), lw=0.8, ls=":")
    ax.set(xlabel="step", ylabel="x; the minimum is at 0", title="Heavy ball: three points, for ever")
    label_ends(ax, lines)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
