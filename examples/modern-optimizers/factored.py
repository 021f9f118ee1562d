"""How much of a second moment do its row and column means keep?

    python examples/modern-optimizers/factored.py

Adam's average of squared gradients for a layer of 64 × 64 weights, after 200 steps on a text, beside the product
of its row and column means, which is what Adafactor keeps. Takes five seconds.
"""

import statistics

import matplotlib.pyplot as plt
import torch
from _text import LOSS, batches, network
from matplotlib.colors import LogNorm

from trainloop.lab import spread
from trainloop.loop import train_step
from trainloop.optim import Adam

STEPS = 200
SEEDS = range(5)
WIDTH = 64  # of the hidden layers; the matrix between them is looked at


# --8<-- [start:factored]
def factored(V):
    """What Adafactor has of V: its rows' means times its columns' means."""
    R, C = V.mean(dim=1, keepdim=True), V.mean(dim=0, keepdim=True)
    return R * C / R.mean()


# --8<-- [end:factored]


def moments(seed, steps):
    model = network(seed, WIDTH)
    optimizer = Adam(model.parameters(), lr=1e-3)
    for x, y in batches(steps, seed):
        train_step(model, LOSS, optimizer, x, y)
    state = optimizer.state[model.layers[2].weight]
    return state["exp_avg"].double(), state["exp_avg_sq"].double() / (1 - 0.999**steps)


def cosine(a, b):
    return ((a * b).sum() / (a.norm() * b.norm())).item()


def compare(m, V, kept):
    """How a stand-in for V differs, in V itself and in the step m/√V."""
    alive = (V > 0) & (kept > 0)
    u, stand_in = m[alive] / V[alive].sqrt(), m[alive] / kept[alive].sqrt()
    factors = (kept[alive] / V[alive]).sqrt()  # by which each weight's step is too short
    low, high = factors.quantile(torch.tensor([0.1, 0.9], dtype=V.dtype)).tolist()
    return {
        "error": ((V - kept).norm() / V.norm()).item(),
        "cosine": cosine(u, stand_in),
        "low": low,
        "high": high,
        "within_2": ((factors > 0.5) & (factors < 2)).double().mean().item(),
    }


def run(quick=False):
    steps, seeds = (20, range(1)) if quick else (STEPS, SEEDS)
    runs = []
    for seed in seeds:
        m, V = moments(seed, steps)
        U, S, W = torch.linalg.svd(V)
        best = S[0] * (U[:, :1] @ W[:1]).abs()  # the nearest matrix of rank one
        stand_ins = {"one": V.mean().expand_as(V), "factored": factored(V), "best": best}
        found = {name: compare(m, V, kept) for name, kept in stand_ins.items()}
        runs.append(found)
        if seed == 0:
            rows, columns = V.sum(1).argsort(descending=True), V.sum(0).argsort(descending=True)
            picture = V[rows][:, columns], factored(V)[rows][:, columns]
    n, k = picture[0].shape
    kept = {
        "one": (1, "one number"),
        "factored": (n + k, "a mean per row and per column"),
        "best": (n + k, "the nearest of rank one"),
    }
    return {
        "weights": n * k,
        "shape": [n, k],
        "seeds": len(seeds),
        "rows": [
            {"kept": label, "numbers": numbers}
            | {key: statistics.median(r[name][key] for r in runs) for key in runs[0][name]}
            for name, (numbers, label) in kept.items()
        ],
        "cosine": spread([r["factored"]["cosine"] for r in runs]),
        "picture": [[[float(f"{v:.3g}") for v in row] for row in part.tolist()] for part in picture],
    }


def draw(results):
    parts = [torch.tensor(part) for part in results["picture"]]
    scale = LogNorm(vmin=parts[0].flatten().quantile(0.05).clamp(min=1e-12).item(), vmax=parts[0].max().item())
    figure, axes = plt.subplots(1, 2, figsize=(5.2, 2.6))
    titles = ("the average of g²", "row means × column means")
    for ax, part, title in zip(axes, parts, titles, strict=True):
        shown = part.clamp(min=scale.vmin).numpy()
        ax.imshow(shown, norm=scale, cmap="viridis", aspect="auto", interpolation="nearest")
        ax.set_title(title, fontsize=11)
        ax.set(xticks=[], yticks=[], xlabel="inputs")
        ax.grid(False)
    axes[0].set_ylabel("outputs")
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
