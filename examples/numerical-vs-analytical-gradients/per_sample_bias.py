"""How can a loss fall below the best that any line can reach?

    python examples/numerical-vs-analytical-gradients/per_sample_bias.py

The course's line by hand-written gradient descent, once right and once with the mean over the samples
forgotten in ∂L/∂b. Takes a tenth of a second.
"""

import matplotlib.pyplot as plt
import torch

from trainloop.data import least_squares, noisy_line
from trainloop.figures import colour, label_ends, line

LEARNING_RATE = 0.1
EPOCHS = 100


# --8<-- [start:train]
def train(x, y, epochs, forget):
    w, b = torch.zeros(1, dtype=x.dtype), torch.zeros(1, dtype=x.dtype)
    losses = []
    for _ in range(epochs):
        residual = w * x + b - y
        losses.append(residual.square().mean().item())
        dw = (2 * residual * x).mean()
        db = 2 * residual if forget else (2 * residual).mean()
        w = w - LEARNING_RATE * dw
        b = b - LEARNING_RATE * db
    return losses, w, b
# --8<-- [end:train]


def shape_of(tensor):
    return " × ".join(str(size) for size in tensor.shape)


def run(quick=False):
    x, y = noisy_line(dtype=torch.float64)
    epochs = 20 if quick else EPOCHS
    right, w_right, b_right = train(x, y, epochs, forget=False)
    wrong, w_wrong, b_wrong = train(x, y, epochs, forget=True)
    floor = least_squares(x, y)[2]
    below = next((epoch for epoch, value in enumerate(wrong) if value < floor), None)
    return {
        "right": right,
        "wrong": wrong,
        "floor": floor,
        "below_from": below,
        "end": {"right": right[-1], "wrong": wrong[-1]},
        "shape": {"right": shape_of(b_right), "wrong": shape_of(b_wrong)},
        "w": {"right": w_right.item(), "wrong": w_wrong.item()},
        "biases": b_wrong.numel(),
    }


def draw(results):
    figure, ax = plt.subplots()
    right = ax.plot(results["right"], **line("autograd"))[0]
    wrong = ax.plot(results["wrong"], **line("wrong"))[0]
    ax.axhline(results["floor"], color=colour("data"), ls=":", lw=1.2)
    place = (len(results["right"]) - 1, results["floor"] / 200)
    ax.text(*place, "the best any line can do", color=colour("data"), ha="right")
    ax.set(yscale="log", xlabel="epoch", ylabel="mean squared error", title="Too good to be a line")
    label_ends(ax, [(right, "right"), (wrong, "no mean")])
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
