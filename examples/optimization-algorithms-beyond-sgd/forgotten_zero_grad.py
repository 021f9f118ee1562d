"""What does a loop look like that forgets `optimizer.zero_grad()`, with each optimizer?

    python examples/optimization-algorithms-beyond-sgd/forgotten_zero_grad.py

The line of `convergence.py` at learning rate 0.1, 100 epochs, with the line of code and without it.
Takes a second.
"""

import copy

import matplotlib.pyplot as plt
import torch
from torch import nn

from trainloop.data import least_squares, noisy_line
from trainloop.figures import NAMES, colour, line
from trainloop.optim import SGD, Adam, RMSprop

EPOCHS = 100

OPTIMIZERS = {
    "sgd": lambda parameters: SGD(parameters, lr=0.1),
    "rmsprop": lambda parameters: RMSprop(parameters, lr=0.1, alpha=0.9),
    "adam": lambda parameters: Adam(parameters, lr=0.1),
}


# --8<-- [start:broken]
def train(start, make_optimizer, x, y, epochs, forget):
    model = copy.deepcopy(start)
    optimizer = make_optimizer(model.parameters())
    loss_fn = nn.MSELoss()
    losses = []
    for _ in range(epochs):
        loss = loss_fn(model(x), y)
        if not forget:
            optimizer.zero_grad()
        loss.backward()  # adds to whatever .grad holds
        optimizer.step()
        losses.append(loss.item())
    return losses
# --8<-- [end:broken]


def run(quick=False):
    x, y = noisy_line()
    torch.manual_seed(42)
    start = nn.Linear(1, 1)
    results = {"floor": least_squares(x, y)[2]}
    for name, make_optimizer in OPTIMIZERS.items():
        results[name] = {
            word: train(start, make_optimizer, x, y, 10 if quick else EPOCHS, forget)
            for word, forget in {"kept": False, "forgotten": True}.items()
        }
    late = {name: results[name]["forgotten"][-20:] for name in OPTIMIZERS}
    results["last_20"] = {name: {"lowest": min(losses), "highest": max(losses)} for name, losses in late.items()}
    results["adam_dip"] = {
        word: losses.index(min(losses[:30])) for word, losses in results["adam"].items()
    }
    return results


def draw(results):
    figure, axes = plt.subplots(3, 1, figsize=(5.2, 6.6), sharex=True, sharey=True)
    for ax, name in zip(axes, OPTIMIZERS, strict=True):
        ax.plot(results[name]["forgotten"], **line("wrong"), lw=1.5, label="zero_grad forgotten")
        ax.plot(results[name]["kept"], color=colour(name), label="as it should be")
        ax.set(yscale="log", ylabel="mean squared error", title=NAMES[name])
    axes[0].legend(loc="upper right", ncols=2, borderaxespad=0, handlelength=1.4, columnspacing=1)
    axes[0].set_ylim(top=400)
    axes[-1].set_xlabel("epoch")
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
