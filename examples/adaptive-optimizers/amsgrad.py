"""Can Adam walk to the worst point of a line, and what stops it?

    python examples/adaptive-optimizers/amsgrad.py

The counterexample of Reddi, Kale and Kumar: on [−1, 1] the loss is 3x in every third step and −x in the two others,
so that −1 is best. Adam, AMSGrad and SGD, with a rate that falls; Adam for other memories; and a slower cycle, in which
Adam's usual memory is too short as well. Takes ten seconds.
"""

import matplotlib.pyplot as plt
import torch

from trainloop.figures import colour, label_ends, line
from trainloop.optim import SGD, Adam

STEPS = 6000
LARGE, CYCLE = 3.0, 3
PAPER = 1 / (1 + LARGE**2)  # β₂
MEMORIES = (PAPER, 0.3, 0.5, 0.9, 0.99, 0.999)
SLOW = {"large": 101.0, "cycle": 101, "steps": 20_000}

RULES = {
    "adam": lambda p: Adam(p, betas=(0.0, PAPER), lr=0.5),
    "amsgrad": lambda p: Adam(p, betas=(0.0, PAPER), lr=0.5, amsgrad=True),
    "sgd": lambda p: SGD(p, lr=0.5),
}


# --8<-- [start:walk]
def walk(make, steps, large=LARGE, cycle=CYCLE):
    """The points visited, from 0; the learning rate falls as 1/√t, and points stay in [−1, 1]."""
    x = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = make([x])
    lr = optimizer.param_groups[0]["lr"]
    points = [0.0]
    for t in range(1, steps + 1):
        optimizer.param_groups[0]["lr"] = lr / t**0.5
        x.grad = torch.full_like(x, large if t % cycle == 1 else -1.0)
        optimizer.step()
        with torch.no_grad():
            x.clamp_(-1, 1)
        points.append(x.item())
    return points


# --8<-- [end:walk]


def run(quick=False):
    steps = 60 if quick else STEPS
    walks = {name: walk(make, steps) for name, make in RULES.items()}
    kept = sorted({round(10 ** (k / 60)) for k in range(600)} & set(range(1, steps + 1)))
    rows = []
    for β2 in MEMORIES:
        end = walk(lambda p, β2=β2: Adam(p, betas=(0.0, β2), lr=0.5), steps)[-1]
        rows.append({"beta2": β2, "memory": 1 / (1 - β2), "end": end})
    count, large, cycle = (200 if quick else SLOW["steps"]), SLOW["large"], SLOW["cycle"]
    slow = {
        name: walk(lambda p, β2=β2, ams=ams: Adam(p, lr=0.5, betas=(0.0, β2), amsgrad=ams), count, large, cycle)[-1]
        for name, β2, ams in (("adam", 0.99, False), ("longer", 0.9999, False), ("amsgrad", 0.99, True))
    }
    return {
        "steps": steps,
        "ends": {name: points[-1] for name, points in walks.items()},
        "walks": {name: [[t, float(f"{points[t]:.4g}")] for t in kept] for name, points in walks.items()},
        "rows": rows,
        "slow": SLOW | slow,
    }


def draw(results):
    figure, ax = plt.subplots()
    inks = {"adam": line("adam"), "amsgrad": {"color": colour("update"), "ls": "--"}, "sgd": line("sgd")}
    names = {"adam": "Adam", "amsgrad": "AMSGrad", "sgd": "SGD"}
    lines = [
        (ax.plot(*zip(*points, strict=True), linewidth=1.4, **inks[name])[0], names[name])
        for name, points in results["walks"].items()
    ]
    ax.axhline(-1, color=colour("truth"), lw=0.8, ls=":")
    ax.set(
        xscale="log",
        xlabel="step",
        ylabel="x; −1 is best, 1 is worst",
        ylim=(-1.15, 1.15),
        title="Adam walks to the wrong end",
    )
    label_ends(ax, lines)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
