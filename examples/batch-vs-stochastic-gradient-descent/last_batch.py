"""What does a last, smaller batch do when it is averaged as if it were full?

    python examples/batch-vs-stochastic-gradient-descent/last_batch.py

The full gradient collected from slices of 30 or 33 of 100 examples, weighted by slices and by samples;
twenty data sets. Takes two seconds.
"""

import matplotlib.pyplot as plt
import torch

from trainloop.data import least_squares, noisy_line
from trainloop.figures import label_ends, line

LEARNING_RATE = 0.5
EPOCHS = 200
SIZES = (30, 33)
SEEDS = range(20)


def gradient(θ, x, y):
    w, b = θ
    r = w * x + b - y
    return torch.stack([(2 * r * x).mean(), (2 * r).mean()])


# --8<-- [start:broken]
def by_slices(θ, x, y, size):
    """Every slice counts the same, full or not."""
    parts = list(zip(x.split(size), y.split(size), strict=True))
    return sum(gradient(θ, xi, yi) for xi, yi in parts) / len(parts)
# --8<-- [end:broken]


# --8<-- [start:fixed]
def by_samples(θ, x, y, size):
    """Every example counts the same."""
    parts = zip(x.split(size), y.split(size), strict=True)
    return sum(gradient(θ, xi, yi) * len(xi) / len(x) for xi, yi in parts)
# --8<-- [end:fixed]


def descend(rule, x, y, size, lr, epochs):
    """Loss above the best line's after every epoch, and the last θ."""
    slope, intercept, _ = least_squares(x[:, None], y[:, None])
    θ = torch.zeros(2, dtype=x.dtype)
    losses = []
    for epoch in range(epochs + 1):
        losses.append(((θ[0] - slope) * x + θ[1] - intercept).square().mean().item())
        if epoch < epochs:
            θ = θ - lr * rule(θ, x, y, size)
    return losses, θ


def spread(values):
    low, median, high = torch.tensor(values, dtype=torch.float64).quantile(
        torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    ).tolist()
    return {"low": low, "median": median, "high": high}


def run(quick=False):
    seeds, epochs = (SEEDS[:2], 10) if quick else (SEEDS, EPOCHS)
    results = {"seeds": len(seeds), "curves": {}, "rows": []}
    x, y = (t.flatten() for t in noisy_line(dtype=torch.float64))
    for size in SIZES:
        wrong, _ = descend(by_slices, x, y, size, LEARNING_RATE, epochs)
        right, _ = descend(by_samples, x, y, size, LEARNING_RATE, epochs)
        results["curves"][f"{size}"] = wrong[::4]
        results["curves"]["samples"] = [max(loss, 1e-15) for loss in right[::4]]
        plateaus = []
        for seed in seeds:
            data = (t.flatten() for t in noisy_line(seed=seed, dtype=torch.float64))
            plateaus.append(descend(by_slices, *data, size, LEARNING_RATE, epochs)[0][-1])
        last = len(x) % size
        slices = -(-len(x) // size)
        results["rows"].append({
            "size": size,
            "last": last,
            "share": 100 / slices,
            "fair": 100 * last / len(x),
            "times": (1 / slices) / (last / len(x)),
        } | spread(plateaus))
        results["right_end"] = right[-1]
    # A report that averages the batches' losses is off in the same way.
    results["report"] = {}
    w, b, mean = least_squares(x[:, None], y[:, None])
    for size in SIZES:
        losses = [(w * xi + b - yi).square().mean().item() for xi, yi in zip(x.split(size), y.split(size), strict=True)]
        results["report"][f"{size}"] = sum(losses) / len(losses)
    results["report"]["true"] = mean
    return results


def draw(results):
    figure, ax = plt.subplots(figsize=(5.2, 3.8))
    curves, lines = results["curves"], []
    for key, concept, name in (
        ("33", "wrong", "33, 33, 33, 1"),
        ("30", "minibatch", "30, 30, 30, 10"),
        ("samples", "batch", "by samples"),
    ):
        at = [4 * k for k in range(len(curves[key]))]
        lines.append((ax.plot(at, curves[key], **line(concept))[0], name))
    ax.set(
        yscale="log", xlabel="epoch", ylabel="loss above the best line's",
        title="Weighted by slices, it settles on another line",
    )
    label_ends(ax, lines)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
