"""How does each optimizer walk down a ravine – along the axes, and turned by 45 degrees?

    python examples/optimization-algorithms-beyond-sgd/ravine.py

f = ½ (x² + 20 y²), fifty steps, each optimizer at its best of 41 learning rates, chosen anew for the
turned ravine. Takes about five seconds.
"""

import math

import matplotlib.pyplot as plt
import torch

from trainloop.figures import NAMES, colour, line
from trainloop.landscapes import Landscape, descend, ravine
from trainloop.optim import SGD, Adam, RMSprop

# --8<-- [start:setup]
STEPS = 50
RATES = tuple(10 ** (-3 + i / 10) for i in range(41))  # 0.001 … 10

OPTIMIZERS = {
    "sgd": SGD,
    "momentum": lambda parameters, lr: SGD(parameters, lr=lr, momentum=0.9),
    "rmsprop": lambda parameters, lr: RMSprop(parameters, lr=lr, alpha=0.9),
    "adam": Adam,
}


def turned(x, y):
    """The ravine turned by 45 degrees: its long valley no longer lies along an axis."""
    s = math.sqrt(0.5)
    return ravine.f(s * (x + y), s * (y - x))


x0, y0 = ravine.start
ROTATED = Landscape(
    name="turned by 45°",
    f=turned,
    start=(math.sqrt(0.5) * (x0 - y0), math.sqrt(0.5) * (x0 + y0)),
    minimum=(0.0, 0.0),
    xlim=(-4.4, 1.6),
    ylim=(-3.6, 1.6),
)
# --8<-- [end:setup]


def height(landscape, point):
    return landscape.f(*(torch.tensor(c, dtype=torch.float64) for c in point)).item()


def mean_height(landscape, make_optimizer, lr, steps):
    """Mean of log10 f over the second half of the walk: where it is, not where it is by luck at the end."""
    path = descend(landscape, lambda p: make_optimizer(p, lr=lr), steps)
    heights = [height(landscape, point) for point in path[steps // 2 :]]
    if not all(h < 1e12 for h in heights):
        return math.inf
    return sum(math.log10(max(h, 1e-16)) for h in heights) / len(heights)


# --8<-- [start:run]
def run(quick=False):
    steps, rates = (10, RATES[::8]) if quick else (STEPS, RATES)
    paths, rows = {"along": {}, "turned": {}}, []
    for name, make_optimizer in OPTIMIZERS.items():
        row = {"optimizer": NAMES[name]}
        for word, landscape in {"along": ravine, "turned": ROTATED}.items():
            scores = {lr: mean_height(landscape, make_optimizer, lr, steps) for lr in rates}
            best = min(scores, key=scores.get)
            path = descend(landscape, lambda p, lr=best, make=make_optimizer: make(p, lr=lr), steps)
            paths[word][name] = [list(point) for point in path]
            row |= {f"{word}_lr": best, f"{word}_height": 10 ** scores[best]}
        row["loss_by_turning"] = row["turned_height"] / row["along_height"]
        rows.append(row)
    return {"paths": paths, "rows": rows}
# --8<-- [end:run]


def draw(results):
    figure, axes = plt.subplots(4, 2, figsize=(5.2, 7.4), sharex="col", sharey="col")
    for column, (word, landscape) in enumerate({"along": ravine, "turned": ROTATED}.items()):
        x, y = torch.meshgrid(
            torch.linspace(*landscape.xlim, 90), torch.linspace(*landscape.ylim, 90), indexing="ij"
        )
        levels = [0.05, 0.5, 2, 6, 14, 30]
        for row, name in enumerate(OPTIMIZERS):
            ax = axes[row, column]
            height_map = landscape.f(x, y)
            ax.contour(x, y, height_map, levels=levels, colors=colour("data"), linewidths=0.6, alpha=0.7)
            xs, ys = zip(*results["paths"][word][name], strict=True)
            ax.plot(xs, ys, color=line(name)["color"], lw=1.3, marker=".", ms=3)
            ax.plot(*landscape.minimum, "*", color=colour("truth"), ms=8)
            ax.set(xlim=landscape.xlim, ylim=landscape.ylim)
            ax.grid(visible=False)
            if column == 0:
                ax.set_title(NAMES[name], color=colour(name))
    axes[0, 1].set_title("… turned by 45°", fontweight="normal")
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
