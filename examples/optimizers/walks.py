"""How does each optimizer walk on three landscapes, at its best learning rate?

    python examples/optimizers/walks.py

A ravine along an axis, the same ravine turned by 30 degrees, and Rosenbrock's valley; every optimizer tries
nine learning rates on each and shows the walk that ends lowest. Takes half a minute.
"""

import math

import torch
from _rules import RULES
from matplotlib.figure import Figure

from trainloop import optim
from trainloop.figures import colour
from trainloop.landscapes import descend, quadratic, ravine, rosenbrock

STEPS = 100
LRS = tuple(10 ** (k / 2) for k in range(-7, 2))  # 0.0003 … 3.2
LANDSCAPES = {"ravine": ravine, "turned": quadratic(20, angle=30), "rosenbrock": rosenbrock}
TITLES = {"ravine": "ravine", "turned": "turned by 30°", "rosenbrock": "Rosenbrock"}

# One takes sparse gradients alone, one matrices alone; the third needs an estimate of the curvature, too.
NO_WALK = (optim.SparseAdam, optim.Muon, optim.SophiaG)


def walk(rule, landscape, lr, steps):
    options = {"lr": lr}
    if rule.cls is optim.LBFGS:
        options["max_iter"] = 1  # an iteration a step
    elif rule.cls is optim.Lookahead:
        options = {"lr": lr}
    return descend(landscape, lambda params: rule.make(params, **options), steps)


def best(rule, landscape, lrs, steps):
    """The walk that ends lowest, and its learning rate."""
    found = None
    for lr in lrs:
        path = walk(rule, landscape, lr, steps)
        end = landscape.f(*torch.tensor(path[-1], dtype=torch.float64)).item()
        if math.isfinite(end) and (found is None or end < found["end"]):
            found = {"lr": lr, "end": end, "path": [[round(x, 4), round(y, 4)] for x, y in path]}
    return found


def run(quick=False):
    lrs, steps = (LRS[:2], 10) if quick else (LRS, STEPS)
    return {
        "steps": steps,
        "rules": {
            slug: {name: best(rule, landscape, lrs, steps) for name, landscape in LANDSCAPES.items()}
            for slug, rule in RULES.items()
            if rule.cls not in NO_WALK
        },
    }


def draw_walks(found):
    figure = Figure(figsize=(5.2, 2.4))  # not pyplot's, which warns of twenty-one at a time
    axes = figure.subplots(1, 3)
    for ax, (name, walked) in zip(axes, found.items(), strict=True):
        landscape = LANDSCAPES[name]
        x, y = torch.meshgrid(
            torch.linspace(*landscape.xlim, 50), torch.linspace(*landscape.ylim, 50), indexing="xy"
        )
        z = landscape.f(x, y)
        levels = torch.logspace(-0.5, math.log10(z.max().item()), 8).tolist()
        ax.contour(x, y, z, levels=levels, colors=colour("data"), linewidths=0.5, alpha=0.6)
        ax.plot(*zip(*walked["path"], strict=True), color=colour("update"), linewidth=1.3)
        ax.plot(*landscape.minimum, "*", color=colour("truth"), markersize=8)
        ax.set_title(f"{TITLES[name]}\nη = {walked['lr']:.2g}", fontsize=10.5)
        ax.set(xlim=landscape.xlim, ylim=landscape.ylim, xticks=[], yticks=[])
        ax.grid(False)
    return figure


def draw(results):
    return {slug: draw_walks(found) for slug, found in results["rules"].items()}


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
