"""What does each optimizer do at learning rates 0.01, 0.05, 0.1 and 0.2 – and where does it break?

    python examples/optimization-algorithms-beyond-sgd/lr_grid.py

The line of `convergence.py`, 100 epochs a run, and two runs on either side of SGD's wall at 2/λmax.
Takes two seconds.
"""

import copy

import matplotlib.pyplot as plt
import torch
from torch import nn

from trainloop.data import least_squares, noisy_line
from trainloop.figures import NAMES, colour, label_ends
from trainloop.loop import train_step
from trainloop.optim import SGD, Adam, RMSprop

# --8<-- [start:setup]
LEARNING_RATES = (0.01, 0.05, 0.1, 0.2)
EPOCHS = 100

OPTIMIZERS = {
    "sgd": SGD,
    "rmsprop": lambda parameters, lr: RMSprop(parameters, lr=lr, alpha=0.9),
    "adam": Adam,
}
# --8<-- [end:setup]


def train(start, make_optimizer, lr, x, y, epochs):
    model = copy.deepcopy(start)
    optimizer = make_optimizer(model.parameters(), lr=lr)
    loss_fn = nn.MSELoss()
    return [train_step(model, loss_fn, optimizer, x, y) for _ in range(epochs)]


# --8<-- [start:wall]
def curvatures(x):
    """λmin and λmax of a line's mean squared error, anywhere."""
    design = torch.cat([x, torch.ones_like(x)], dim=1)
    hessian = 2 * design.T @ design / len(x)
    return torch.linalg.eigvalsh(hessian).tolist()
# --8<-- [end:wall]


# --8<-- [start:run]
def run(quick=False):
    epochs = 10 if quick else EPOCHS
    x, y = noisy_line()
    torch.manual_seed(42)
    start = nn.Linear(1, 1)
    floor = least_squares(x, y)[2]

    rows, curves = [], {}
    for name, make_optimizer in OPTIMIZERS.items():
        curves[name] = {}
        for lr in LEARNING_RATES:
            losses = train(start, make_optimizer, lr, x, y, epochs)
            curves[name][f"{lr}"] = losses
            near = next((epoch for epoch, loss in enumerate(losses) if loss < 1.1 * floor), None)
            rows.append({"optimizer": NAMES[name], "lr": lr, "mse": losses[-1], "near": near})

    λmin, λmax = curvatures(x)
    wall = 2 / λmax
    beside = {
        side: train(start, SGD, factor * wall, x, y, epochs)
        for side, factor in {"below": 0.98, "above": 1.02}.items()
    }
    return {
        "floor": floor,
        "rows": rows,
        "curves": curves,
        "curvature": {"min": λmin, "max": λmax, "condition": λmax / λmin},
        "wall": {"lr": wall, "below": 0.98 * wall, "above": 1.02 * wall},
        "beside_the_wall": beside,
    }
# --8<-- [end:run]


def draw_grid(results):
    figure, axes = plt.subplots(3, 1, figsize=(5.2, 7.6), sharex=True, sharey=True)
    for ax, (name, curves) in zip(axes, results["curves"].items(), strict=True):
        for i, losses in enumerate(curves.values()):
            shade = 0.4 + 0.6 * i / (len(curves) - 1)
            ax.plot(losses, color=colour(name), alpha=shade, lw=1 + 0.4 * i)
        ax.axhline(results["floor"], color=colour("truth"), ls=":", lw=1)
        ax.set(yscale="log", ylabel="mean squared error", title=NAMES[name])
    axes[0].set_ylim(bottom=0.02)
    axes[-1].set_xlabel("epoch")
    for ax, curves in zip(axes, results["curves"].values(), strict=True):
        label_ends(ax, list(zip(ax.get_lines()[:-1], curves, strict=True)))
    return figure


def draw_wall(results):
    figure, ax = plt.subplots()
    lines = []
    for side, concept in {"below": "sgd", "above": "wrong"}.items():
        losses = results["beside_the_wall"][side]
        drawn = ax.plot(losses, color=colour(concept))[0]
        lines.append((drawn, f"lr {results['wall'][side]:.3f}"))
    ax.set(yscale="log", xlabel="epoch", ylabel="mean squared error")
    ax.set_title("Two per cent either side of 2/λmax")
    label_ends(ax, lines)
    return figure


def draw(results):
    return {"grid": draw_grid(results), "wall": draw_wall(results)}


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
