"""What does standardising the inputs do to the condition number, and to the number of epochs?

    python examples/the-simplest-case-linear-regression/standardise.py

The same 100 targets against four versions of the same input, each at its best learning rate. Takes four seconds.
"""

import math

import matplotlib.pyplot as plt
import torch

from trainloop.data import least_squares, noisy_line
from trainloop.figures import colour

MOST = 20_000  # epochs before we give up
LR = 0.1


def inputs(x):
    return {
        "x": x,
        "day": 30 * x,          # 0 … 30
        "year": 1990 + 30 * x,  # 1990 … 2020
        "standardised": (x - x.mean()) / x.std(correction=0),
    }


# --8<-- [start:curvatures]
def curvatures(x):
    """Smallest and largest eigenvalue of the second derivatives."""
    design = torch.cat([x, torch.ones_like(x)], dim=1)
    return torch.linalg.eigvalsh(2 * design.T @ design / len(x)).tolist()
# --8<-- [end:curvatures]


def losses_above(x, y, floor, lr, most, stop_at):
    """Loss minus the floor at every epoch, until it is at most `stop_at`."""
    w = b = torch.zeros((), dtype=x.dtype)
    above = []
    for _ in range(most + 1):
        residual = w * x + b - y
        above.append((residual**2).mean().item() - floor)
        if above[-1] <= stop_at:
            break
        w, b = w - lr * 2 * (residual * x).mean(), b - lr * 2 * residual.mean()
    return above


def epochs_calculated(x, y, lr, stop_at):
    """The same count without running: each eigenvector's share of the loss shrinks by its own factor."""
    design = torch.cat([x, torch.ones_like(x)], dim=1)
    values, vectors = torch.linalg.eigh(2 * design.T @ design / len(x))
    slope, intercept, _ = least_squares(x, y)
    away = vectors.T @ torch.tensor([slope, intercept], dtype=x.dtype)
    shares = 0.5 * values * away**2

    def above(t):
        return (shares * (1 - lr * values).abs() ** (2 * t)).sum().item()

    low, high = 0.0, 1.0
    while above(high) > stop_at:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if above(middle) > stop_at else (low, middle)
    return math.ceil(high - 1e-9)


def run(quick=False):
    most = 50 if quick else MOST
    x, y = noisy_line(dtype=torch.float64)
    floor = least_squares(x, y)[2]
    stop_at = 0.01 * floor
    rows, curves = [], {}
    for name, z in inputs(x).items():
        smallest, largest = curvatures(z)
        best_lr = 2 / (smallest + largest)
        counted = losses_above(z, y, floor, best_lr, most, stop_at)
        rows.append({
            "input": name,
            "condition": largest / smallest,
            "best_lr": best_lr,
            "epochs": len(counted) - 1 if counted[-1] <= stop_at else None,
            "calculated": epochs_calculated(z, y, best_lr, stop_at),
            "left": counted[-1] + floor,
        })
        if name in ("x", "standardised"):
            curves[name] = {
                "best": counted,
                "same": losses_above(z, y, floor, LR, most, stop_at),
            }
    at_same = {name: len(curve["same"]) - 1 for name, curve in curves.items()}

    # Back to the reader's units; and the usual wrong turn, the standardised line fed with raw x.
    mean, scale = x.mean().item(), x.std(correction=0).item()
    slope, intercept, _ = least_squares((x - mean) / scale, y)
    return {
        "rows": rows,
        "curves": curves,
        "at_same_lr": at_same,
        "level": stop_at,
        "mean": mean,
        "scale": scale,
        "standardised": {"w": slope, "b": intercept},
        "back": {"w": slope / scale, "b": intercept - slope * mean / scale},
        "raw_fed_loss": (slope * x + intercept - y).square().mean().item(),
        "ratio": rows[0]["condition"] / rows[-1]["condition"],
        "most": most,
    }


def draw(results):
    figure, ax = plt.subplots()
    for name, concept in {"x": "data", "standardised": "predict"}.items():
        for which, rate in {"same": "lr 0.1", "best": "best lr"}.items():
            width = 1.3 if which == "same" else 2.8
            ax.plot(results["curves"][name][which], color=colour(concept), lw=width, label=f"{name}, {rate}")
    ax.axhline(results["level"], color=colour("truth"), lw=1, ls=":")
    ax.annotate("1 % above", (118, results["level"]), xytext=(0, -14), textcoords="offset points", ha="right")
    ax.set(
        yscale="log",
        xlabel="epoch",
        ylabel="loss above the best line's",
        title="Standardised, the best rate needs one step",
        ylim=(results["level"] / 8, 40),
    )
    ax.legend(loc="upper right")
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
