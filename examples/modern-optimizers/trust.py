"""What does a step in proportion to the layer do to layers of different scale?

    python examples/modern-optimizers/trust.py

A network without biases, and the same function with its first layer 8 times as large and its last layer 8 times
as small; four optimizers on both, each at the rate of five that is best on the first. Takes ten seconds.
"""

import math
import statistics

import matplotlib.pyplot as plt
import torch
from _text import CONTEXT, LOSS, batches, text
from torch import nn

from trainloop.figures import colour
from trainloop.lab import spread
from trainloop.loop import train_step
from trainloop.optim import LAMB, LARS, SGD, AdamW

# --8<-- [start:setup]
FACTOR = 8.0  # a power of two: scaling by it rounds nothing
STEPS = 50
TUNING, FRESH = range(1), range(10, 15)

OPTIMIZERS = {
    "SGD + momentum": (lambda p, lr: SGD(p, lr=lr, momentum=0.9), 0.8),
    "AdamW": (lambda p, lr: AdamW(p, lr=lr, weight_decay=0), 0.04),
    "LARS": (lambda p, lr: LARS(p, lr=lr, trust_coefficient=0.01), 1.0),
    "LAMB": (lambda p, lr: LAMB(p, lr=lr, weight_decay=0), 0.08),
}  # and the middle of each grid of learning rates


def network(seed, stretched):
    torch.manual_seed(seed)
    letters = len(text().vocabulary)
    layers = [nn.Linear(a, b, bias=False) for a, b in ((CONTEXT * letters, 64), (64, 64), (64, letters))]
    if stretched:
        with torch.no_grad():
            layers[0].weight.mul_(FACTOR)
            layers[-1].weight.div_(FACTOR)
    return nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])


# --8<-- [end:setup]


def train(make, lr, seed, stretched, steps):
    """The mean loss over the last ten steps, and how far each layer went in the first ten, as shares of its size."""
    model = network(seed, stretched)
    optimizer = make(model.parameters(), lr)
    losses, shares = [], []
    for step, (x, y) in enumerate(batches(steps, seed)):
        before = [p.detach().clone() for p in model.parameters()] if step < 10 else []
        losses.append(train_step(model, LOSS, optimizer, x, y))
        if before:
            moved = zip(model.parameters(), before, strict=True)
            shares.append([((p.detach() - old).norm() / old.norm()).item() for p, old in moved])
    end = statistics.fmean(losses[-10:])
    return (end if math.isfinite(end) else 1e9), [statistics.fmean(layer) for layer in zip(*shares, strict=True)]


def run(quick=False):
    steps, tuning, fresh = (12, range(1), range(10, 11)) if quick else (STEPS, TUNING, FRESH)
    rows = []
    for name, (make, middle) in OPTIMIZERS.items():
        ends = {}
        for lr in (middle,) if quick else [middle * 2.0**k for k in range(-2, 3)]:
            ends[lr] = statistics.median(train(make, lr, seed, False, steps)[0] for seed in tuning)
        lr = min(ends, key=ends.get)
        row = {"name": name, "lr": lr, "at_edge": not quick and lr in (min(ends), max(ends))}
        losses = {}
        for kind in ("even", "stretched"):
            runs = [train(make, lr, seed, kind == "stretched", steps) for seed in fresh]
            losses[kind] = [end for end, _ in runs]
            shares = [statistics.median(layer) for layer in zip(*(shares for _, shares in runs), strict=True)]
            row[kind] = {"loss": spread(losses[kind]), "shares": shares, "uneven": max(shares) / min(shares)}
        gaps = [b - a for a, b in zip(losses["even"], losses["stretched"], strict=True)]
        rows.append(row | {"apart": max(map(abs, gaps)), "lower": sum(gap < 0 for gap in gaps)})
    return {"factor": FACTOR, "steps": steps, "seeds": len(fresh), "rows": rows}


def draw(results):
    figure, axes = plt.subplots(1, 4, figsize=(5.2, 3.3), sharey=True)
    for ax, row in zip(axes, results["rows"], strict=True):
        layers = range(1, 4)
        ax.plot(layers, row["even"]["shares"], "o--", color=colour("data"), mfc="none", ms=9)
        ax.plot(layers, row["stretched"]["shares"], "o-", color=colour("update"), ms=5)
        ax.set(yscale="log", xticks=layers, xlim=(0.6, 3.4))
        ax.set_title(row["name"].replace(" + ", " +\n"), fontsize=10.5)
    axes[0].set_ylabel("step / size of the layer")
    axes[0].annotate("even", (3, axes[0].lines[0].get_ydata()[2]), xytext=(-4, 9), textcoords="offset points",
                     ha="right", color=colour("data"))  # fmt: skip
    axes[1].annotate(
        "stretched",
        (1, axes[1].lines[1].get_ydata()[0]),
        xytext=(-4, -14),
        textcoords="offset points",
        ha="left",
        color=colour("update"),
    )
    figure.supxlabel("layer", fontsize=11)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
