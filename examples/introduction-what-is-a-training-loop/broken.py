"""What do you see when one verb of the loop is wrong, forgotten, out of place or too strong?

    python examples/introduction-what-is-a-training-loop/broken.py

The rod and its three nails, twenty turns, five times broken: the loss each loop prints, and what its weight
really does. Takes a second.
"""

import matplotlib.pyplot as plt
import torch
from torch import nn

from trainloop.figures import colour

LEARNING_RATE = 0.05
TURNS = 20
REST = 2.0

NAILS = (torch.tensor([[1.0], [2.0], [4.0]]), torch.tensor([[2.0], [6.0], [7.0]]))


def as_it_should_be(points, turns, lr=LEARNING_RATE):
    w, log = torch.zeros(1), []
    for x, y in turns * [points]:
        prediction = w * x
        loss = ((prediction - y) ** 2).mean()
        gradient = (2 * (prediction - y) * x).mean(0)
        log.append((loss.item(), w.item()))
        w = w - lr * gradient
    return log


def wrong_sign(points, turns, lr=LEARNING_RATE):
    w, log = torch.zeros(1), []
    for x, y in turns * [points]:
        prediction = w * x
        loss = ((prediction - y) ** 2).mean()
        gradient = (2 * (prediction - y) * x).mean(0)
        log.append((loss.item(), w.item()))
        # --8<-- [start:wrong_sign]
        w = w + lr * gradient
        # --8<-- [end:wrong_sign]
    return log


def no_zero_grad(points, turns, lr=LEARNING_RATE):
    log = []
    # --8<-- [start:no_zero_grad]
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    criterion = nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    for x, y in turns * [points]:
        prediction = model(x)
        loss = criterion(prediction, y)
        log.append((loss.item(), model.weight.item()))
        loss.backward()  # adds to .grad, which nobody has emptied
        optimizer.step()
    # --8<-- [end:no_zero_grad]
    return log


def update_too_late(points, turns, lr=LEARNING_RATE):
    log = []
    # --8<-- [start:update_too_late]
    w = torch.zeros(1)
    for x, y in turns * [points]:
        prediction = w * x
        loss = ((prediction - y) ** 2).mean()
        gradient = (2 * (prediction - y) * x).mean(0)
        log.append((loss.item(), w.item()))
    w = w - lr * gradient  # one indent too far to the left
    # --8<-- [end:update_too_late]
    return log


def stale_prediction(points, turns, lr=LEARNING_RATE):
    log = []
    # --8<-- [start:stale_prediction]
    w = torch.zeros(1)
    prediction = w * points[0]  # made once, before the loop
    for x, y in turns * [points]:
        loss = ((prediction - y) ** 2).mean()
        gradient = (2 * (prediction - y) * x).mean(0)
        log.append((loss.item(), w.item()))
        w = w - lr * gradient
    # --8<-- [end:stale_prediction]
    return log


def too_long(points, turns, lr=0.15):
    return as_it_should_be(points, turns, lr)


# --8<-- [start:torch_refuses]
def torch_refuses(points):
    """What torch says to a prediction made before the loop."""
    x, y = points
    model = nn.Linear(1, 1, bias=False)
    prediction = model(x)
    for turn in (1, 2):
        try:
            nn.functional.mse_loss(prediction, y).backward()
        except RuntimeError as error:
            return {"turn": turn, "message": str(error).partition(" (")[0]}
    return {"turn": None, "message": "nothing"}


# --8<-- [end:torch_refuses]


LOOPS = {
    "wrong sign": wrong_sign,
    "step too long": too_long,
    "zero_grad forgotten": no_zero_grad,
    "update after the loop": update_too_late,
    "prediction before the loop": stale_prediction,
}


def swing_of(weights):
    """Mean number of turns from one crossing of the resting slope to the next but one: a whole swing."""
    above = [w > REST for w in weights]
    crossings = [t for t in range(1, len(above)) if above[t] != above[t - 1]]
    return 2 * (crossings[-1] - crossings[0]) / (len(crossings) - 1) if len(crossings) > 1 else None


def run(quick=False):
    healthy = as_it_should_be(NAILS, TURNS)
    loops = {name: loop(NAILS, TURNS) for name, loop in LOOPS.items()}
    long_swing = [w for _, w in no_zero_grad(NAILS, 400)]
    return {
        "healthy": {"loss": [loss for loss, _ in healthy], "w": [w for _, w in healthy]},
        "loops": {
            name: {
                "loss": [loss for loss, _ in log],
                "w": [w for _, w in log],
                "last_loss": log[-1][0],
                "last_w": log[-1][1],
            }
            for name, log in loops.items()
        },
        "swing": {
            "turns": swing_of(long_swing),
            "lowest": min(long_swing[-100:]),
            "highest": max(long_swing[-100:]),
        },
        "torch": torch_refuses(NAILS),
    }


def draw(results):
    figure, axes = plt.subplots(5, 2, figsize=(5.2, 7.6), sharex=True, sharey="col")
    for (left, right), (name, loop) in zip(axes, results["loops"].items(), strict=True):
        for ax, what in ((left, "loss"), (right, "w")):
            ax.plot(results["healthy"][what], color=colour("data"), lw=1.2)
            ax.plot(loop[what], color=colour("wrong"), lw=1.8)
        left.set_title(name, fontsize=10.6)
        left.set_ylabel("loss")
        right.set_ylabel("w", labelpad=1)
        right.axhline(REST, color=colour("truth"), ls=":", lw=1)
    axes[0, 0].set(yscale="log", ylim=(0.7, 2000))
    axes[0, 0].set_yticks((1, 10, 100, 1000), ("1", "10", "100", "1000"))
    for ax in axes.flat:
        ax.minorticks_off()
        ax.grid(False, axis="x")
        ax.tick_params(axis="x", bottom=ax in axes[-1])
    axes[0, 1].set(ylim=(-6, 10), yticks=(-4, 0, 4, 8))
    for ax in axes[-1]:
        ax.set(xlabel="turn", xticks=(0, 5, 10, 15, 20))
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
