"""What do the loss curves of three common slips look like, and which slip hides?

    python examples/the-simplest-case-linear-regression/mistakes.py

The line of `three_loops.py` with gradients never cleared, with a learning rate too high, and with w
updated before b's gradient is taken. Takes a second.
"""

import math
from itertools import pairwise

import matplotlib.pyplot as plt
import torch
from three_loops import by_hand, with_autograd

from trainloop.data import least_squares, noisy_line
from trainloop.figures import colour, line

EPOCHS = 100
TOO_HIGH = 1.0


# --8<-- [start:not_cleared]
def not_cleared(x, y, epochs, lr=0.1):
    w = torch.zeros((), requires_grad=True)
    b = torch.zeros((), requires_grad=True)
    path = []
    for _ in range(epochs):
        loss = ((w * x + b - y) ** 2).mean()
        loss.backward()  # adds to w.grad and b.grad
        path.append((w.item(), b.item(), loss.item()))
        with torch.no_grad():
            w -= lr * w.grad
            b -= lr * b.grad
    return path
# --8<-- [end:not_cleared]


# --8<-- [start:one_after_the_other]
def one_after_the_other(x, y, epochs, lr=0.1):
    w = torch.zeros((), dtype=x.dtype)
    b = torch.zeros((), dtype=x.dtype)
    path = []
    for _ in range(epochs):
        loss = ((w * x + b - y) ** 2).mean()
        path.append((w.item(), b.item(), loss.item()))
        w = w - lr * 2 * ((w * x + b - y) * x).mean()
        b = b - lr * 2 * (w * x + b - y).mean()  # the line has moved
    return path
# --8<-- [end:one_after_the_other]


def first(losses, wanted):
    """The epoch of the first loss that `wanted` accepts, or None."""
    return next((epoch for epoch, loss in enumerate(losses) if wanted(loss)), None)


def run(quick=False):
    epochs = 20 if quick else EPOCHS
    x, y = noisy_line()
    floor = least_squares(x, y)[2]
    healthy = with_autograd(x, y, epochs + 1)
    swinging = not_cleared(x, y, epochs + 1)
    sequential = one_after_the_other(x, y, epochs + 1)

    overflow = [loss for _, _, loss in by_hand(x, y, 200, lr=TOO_HIGH)]
    inf_at, nan_at = first(overflow, math.isinf), first(overflow, math.isnan)
    tolerant = one_after_the_other(x, y, 200, lr=TOO_HIGH)[-1]
    late = [loss for _, _, loss in swinging[-20:]]
    return {
        "floor": floor,
        "healthy": [loss for _, _, loss in healthy],
        "not_cleared": [loss for _, _, loss in swinging],
        "too_high": overflow[:41],
        "one_after_the_other": [loss for _, _, loss in sequential],
        "last_20": {"lowest": min(late), "highest": max(late)},
        # How many epochs the loss falls before it first rises.
        "dip": first([after[2] - before[2] for before, after in pairwise(swinging)], lambda rise: rise > 0),
        "growth": overflow[21] / overflow[20],
        "inf_at": inf_at,
        "nan_at": nan_at,
        "after_one": {
            "right": {"w": healthy[1][0], "b": healthy[1][1]},
            "sequential": {"w": sequential[1][0], "b": sequential[1][1]},
        },
        "at_the_end": {
            "right": {"w": healthy[-1][0], "b": healthy[-1][1], "loss": healthy[-1][2]},
            "sequential": {"w": sequential[-1][0], "b": sequential[-1][1], "loss": sequential[-1][2]},
        },
        # At the rate where the right loop diverges:
        "tolerant": {"loss": tolerant[2], "w": tolerant[0], "b": tolerant[1]},
        "too_high_lr": TOO_HIGH,
    }


def draw(results):
    figure, axes = plt.subplots(3, 1, figsize=(5.2, 7), sharex=True)
    panels = {
        "not_cleared": "Gradients never cleared: a swing that lasts",
        "too_high": f"Learning rate {results['too_high_lr']:g}: up from the first epoch",
        "one_after_the_other": "w first, then b: nothing to see",
    }
    for ax, (name, title) in zip(axes, panels.items(), strict=True):
        ax.plot(results["healthy"][:61], color=colour("with_autograd"), label="as it should be")
        ax.plot(results[name][:61], **line("wrong"), label="with the slip")
        ax.axhline(results["floor"], **line("truth"), lw=1)
        ax.set(yscale="log", ylabel="loss", title=title)
    axes[0].set_ylim(top=3e2)
    axes[0].legend(loc="upper right", ncols=2, borderaxespad=0)
    axes[-1].set_xlabel("epoch")
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
