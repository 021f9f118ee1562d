"""At which learning rate does training stop converging, found by trying, and how near is that to 2/λmax?

    python examples/visualizing-the-loss-landscape/critical_rate.py

Bisection between a rate that converges and one that diverges, with three ways to tell which is which.
Takes three seconds.
"""

import math

import matplotlib.pyplot as plt
import torch

from trainloop.data import noisy_line
from trainloop.figures import colour, label_ends

START = (-1.0, 2.0)

x, y = noisy_line(dtype=torch.float64)
X = torch.cat([x, torch.ones_like(x)], dim=1)


# --8<-- [start:bisect]
def losses(lr, steps):
    θ = torch.tensor(START, dtype=torch.float64)
    heights = []
    for _ in range(steps + 1):
        residual = X @ θ - y[:, 0]
        heights.append(residual.square().mean().item())
        θ = θ - lr * 2 / len(x) * X.T @ residual
    return heights


def critical_rate(diverges, low=0.1, high=2.0, halvings=45):
    """Halve [low, high]: low converges, high does not."""
    tried = []
    for _ in range(halvings):
        middle = (low + high) / 2
        if diverges(middle):
            high = middle
        else:
            low = middle
        tried.append(middle)
    return (low + high) / 2, tried


# --8<-- [end:bisect]


# --8<-- [start:tests]
def ends_above_its_start(lr, steps=50):
    heights = losses(lr, steps)
    return heights[-1] > heights[0]


def still_rising(lr, steps=50):
    heights = losses(lr, steps)
    # Not the same as heights[-1] > heights[-2]: inf > inf is False.
    return not heights[-1] <= heights[-2] < math.inf


def rising_after_the_rest_has_died(lr, steps=600):
    return still_rising(lr, steps)


# --8<-- [end:tests]


def run(quick=False):
    λmax = torch.linalg.eigvalsh(2 / len(x) * X.T @ X)[1].item()
    wall = 2 / λmax
    tests = {
        "50 steps, last loss above the first": ends_above_its_start,
        "50 steps, last loss above the one before": still_rising,
        "600 steps, last loss above the one before": rising_after_the_rest_has_died,
    }
    rows, tried = [], {}
    for name, diverges in tests.items():
        found, rates = critical_rate(diverges, halvings=8 if quick else 45)
        rows.append({"test": name, "found": found, "error": found / wall - 1})
        tried[name] = [abs(rate / wall - 1) for rate in rates]
    return {"wall": wall, "rows": rows, "tried": list(tried.values())}


def draw(results):
    figure, ax = plt.subplots(figsize=(5.2, 3.5))
    lines = []
    for errors, concept, name in zip(
        results["tried"], ("wrong", "at", "below"), ("50, ends", "50, rising", "600"), strict=True
    ):
        errors = [max(error, 1e-16) for error in errors]
        lines.append((ax.plot(range(1, len(errors) + 1), errors, color=colour(concept), lw=1.3)[0], name))
    ax.set(
        yscale="log",
        xlabel="halving",
        ylabel="|found / (2/λmax) − 1|",
        ylim=(1e-16, 2),
        title="Same search, three tests, three walls",
    )
    label_ends(ax, lines)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
