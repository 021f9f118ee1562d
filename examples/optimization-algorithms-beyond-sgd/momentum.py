"""What does momentum add to SGD on this line, and is 0.9 the right amount?

    python examples/optimization-algorithms-beyond-sgd/momentum.py

Momentum 0 and 0.9 at learning rate 0.1, 100 epochs; then seven momenta from 0 to 0.95, each at its own
best of 22 learning rates, 40 epochs. Takes about five seconds.
"""

import copy
from itertools import pairwise

import matplotlib.pyplot as plt
import torch
from torch import nn

from trainloop.data import least_squares, noisy_line
from trainloop.figures import NAMES, colour, label_ends, line
from trainloop.loop import train_step
from trainloop.optim import SGD

# --8<-- [start:setup]
EPOCHS = 100
SHORT = 40  # for the search: at 100 the best runs have met the limit of float64
BETAS = (0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95)
RATES = tuple(0.02 * 1.25**i for i in range(22))  # 0.02 … 2.2

AT_ONE_RATE = {
    "sgd": {"lr": 0.1},
    "momentum": {"lr": 0.1, "momentum": 0.9},
    "nesterov": {"lr": 0.1, "momentum": 0.9, "nesterov": True},
}
# --8<-- [end:setup]


def excess(start, options, x, y, floor, epochs):
    """The loss above the best line's, after each number of epochs from 0; stops where it diverges."""
    model = copy.deepcopy(start)
    optimizer = SGD(model.parameters(), **options)
    loss_fn = nn.MSELoss()
    curve = []
    for _ in range(epochs + 1):
        above = train_step(model, loss_fn, optimizer, x, y) - floor
        if not above < 1e6:
            break
        curve.append(max(above, 1e-14))  # float64 cannot resolve less
    return curve


# --8<-- [start:run]
def run(quick=False):
    epochs = 20 if quick else EPOCHS
    x, y = noisy_line(dtype=torch.float64)
    torch.manual_seed(42)
    start = nn.Linear(1, 1, dtype=torch.float64)
    floor = least_squares(x, y)[2]

    curves = {name: excess(start, options, x, y, floor, epochs) for name, options in AT_ONE_RATE.items()}

    rows = []
    short = 10 if quick else SHORT
    for β in BETAS:
        ends = {}
        for lr in RATES:
            curve = excess(start, {"lr": lr, "momentum": β}, x, y, floor, short)
            if len(curve) == short + 1:
                ends[lr] = max(curve[-5:])  # an oscillating run may be low by luck at its last epoch
        best = min(ends, key=ends.get)
        rows.append({"momentum": β, "best_lr": best, "excess": ends[best]})

    # Polyak's optimum for a quadratic whose curvatures lie between λmin and λmax.
    design = torch.cat([x, torch.ones_like(x)], dim=1)
    root_min, root_max = torch.linalg.eigvalsh(2 * design.T @ design / len(x)).sqrt().tolist()
    theory = {
        "momentum": ((root_max - root_min) / (root_max + root_min)) ** 2,
        "lr": (2 / (root_max + root_min)) ** 2,
    }
    return {
        "theory": theory,
        "curves": curves,
        "rises": {name: sum(b > a for a, b in pairwise(c)) for name, c in curves.items()},
        "rows": rows,
    }
# --8<-- [end:run]


def draw_one_rate(results):
    figure, ax = plt.subplots()
    lines = [(ax.plot(curve, **line(name))[0], NAMES[name]) for name, curve in results["curves"].items()]
    ax.set(
        yscale="log",
        xlabel="epoch",
        ylabel="loss above the best line's",
        title="At lr 0.1, momentum overshoots, then wins",
    )
    label_ends(ax, lines)
    return figure


def draw_best_rates(results):
    figure, ax = plt.subplots()
    betas = [row["momentum"] for row in results["rows"]]
    ends = [row["excess"] for row in results["rows"]]
    ax.plot(betas, ends, "o-", color=colour("momentum"))
    for row in results["rows"]:
        ax.annotate(
            f"lr {row['best_lr']:.2f}",
            (row["momentum"], row["excess"]),
            # The optimum is labelled below; the steep right flank to its left.
            xytext={0.4: (0, -17)}.get(row["momentum"], (-7, 4) if row["momentum"] > 0.4 else (0, 9)),
            textcoords="offset points",
            ha="right" if row["momentum"] > 0.4 else "center",
            fontsize=10.5,
        )
    ax.set(
        yscale="log",
        xlabel="momentum μ, each at its best learning rate",
        ylabel="loss above the best line's",
        title="After 40 epochs, 0.9 is too much here",
        xlim=(-0.08, 1.03),
    )
    ax.margins(y=0.15)
    return figure


def draw(results):
    return {"one_rate": draw_one_rate(results), "best_rates": draw_best_rates(results)}


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
