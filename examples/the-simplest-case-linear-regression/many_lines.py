"""If the noise were drawn again, which slope would the best line have, and which slope would our loop have?

    python examples/the-simplest-case-linear-regression/many_lines.py

A thousand data sets from the same true line, all trained side by side. Takes two seconds.
"""

import math

import matplotlib.pyplot as plt
import torch

from trainloop.data import noisy_line
from trainloop.figures import colour, line

SEEDS = 1000
NOISE = 0.2
STOPS = (100, 500)


def best_lines(x, y):
    """Slope and intercept of the best line for every row of y."""
    x_mean, y_mean = x.mean(), y.mean(dim=1, keepdim=True)
    slope = ((x - x_mean) * (y - y_mean)).sum(dim=1) / ((x - x_mean) ** 2).sum()
    return slope, y_mean.squeeze(1) - slope * x_mean


# --8<-- [start:loops]
def train_all(x, y, epochs, lr=0.1):
    """The loop by hand, once for every row of y."""
    w = torch.zeros(len(y), 1, dtype=y.dtype)
    b = torch.zeros(len(y), 1, dtype=y.dtype)
    for _ in range(epochs):
        residual = w * x + b - y  # (data sets, points)
        w_grad = 2 * (residual * x).mean(dim=1, keepdim=True)
        b_grad = 2 * residual.mean(dim=1, keepdim=True)
        w, b = w - lr * w_grad, b - lr * b_grad
    return w.squeeze(1), b.squeeze(1)
# --8<-- [end:loops]


def mean_and_margin(values):
    """The mean, and half the width of its 95 % interval."""
    return {"mean": values.mean().item(), "margin": 1.96 * values.std().item() / math.sqrt(len(values))}


def run(quick=False):
    seeds = 50 if quick else SEEDS
    sets = [noisy_line(noise=NOISE, seed=seed, dtype=torch.float64) for seed in range(seeds)]
    x = sets[0][0].flatten()
    y = torch.stack([y.flatten() for _, y in sets])

    slope, intercept = best_lines(x, y)
    floors = (slope[:, None] * x + intercept[:, None] - y).square().mean(dim=1)
    textbook = NOISE / ((x - x.mean()) ** 2).sum().sqrt().item()
    spread = slope.std().item()
    slopes = {"best": slope} | {str(stop): train_all(x, y, stop)[0] for stop in STOPS}

    # The one data set of this post: its slope's standard error, with σ estimated from its own residuals.
    own_x, own_y = noisy_line(dtype=torch.float64)
    own_slope, own_intercept = best_lines(own_x.flatten(), own_y.T)
    own_residual = own_slope * own_x + own_intercept - own_y
    own_sigma = math.sqrt(own_residual.square().sum().item() / (len(own_x) - 2))
    return {
        "seeds": seeds,
        "textbook": textbook,
        "measured": spread,
        "measured_margin": 1.96 * spread / math.sqrt(2 * (seeds - 1)),
        "covered": 100 * ((slope - 2).abs() < 1.96 * textbook).double().mean().item(),
        "floor": mean_and_margin(floors),
        "truth_loss": mean_and_margin((2 * x + 3 - y).square().mean(dim=1)),
        "best_beats_truth": int((floors < (2 * x + 3 - y).square().mean(dim=1)).sum()),
        "slopes": {name: mean_and_margin(values) | {"std": values.std().item()} for name, values in slopes.items()},
        "own": {
            "slope": own_slope.item(),
            "sigma": own_sigma,
            "error": own_sigma / ((x - x.mean()) ** 2).sum().sqrt().item(),
        },
        "values": {name: values.tolist() for name, values in slopes.items()},
    }


def draw(results):
    figure, axes = plt.subplots(2, 1, figsize=(5.2, 5), sharex=True, sharey=True)
    figure.suptitle("Stopped early, the slope is too low", fontsize=12, fontweight="bold", x=0.02, ha="left")
    names = {"best": "least squares", "100": "the loop, stopped after 100 epochs"}
    grid = torch.linspace(1.7, 2.3, 61)
    width = 0.02
    density = torch.exp(-0.5 * ((grid - 2) / results["textbook"]) ** 2) / (
        results["textbook"] * math.sqrt(2 * math.pi)
    )
    for ax, (name, words) in zip(axes, names.items(), strict=True):
        found = results["slopes"][name]
        edges = [1.68 + width * i for i in range(33)]
        ax.hist(results["values"][name], bins=edges, color=colour("data" if name == "best" else "by_hand"), alpha=0.55)
        ax.plot(grid, density * results["seeds"] * width, color=colour("truth"), lw=1.6)
        ax.axvline(2, **line("truth"), lw=1)
        ax.set_title(f"{words}: {found['mean']:.2f} ± {found['std']:.2f}", fontweight="normal", fontsize=11)
        ax.set_ylabel("data sets")
    axes[0].annotate("textbook", (2.06, 84), xytext=(8, 4), textcoords="offset points")
    axes[-1].set_xlabel("fitted slope (the true one is 2)")
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
