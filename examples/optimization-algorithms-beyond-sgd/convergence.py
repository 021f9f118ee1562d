"""How do SGD, RMSprop and Adam fit the same line from the same start at the same learning rate?

    python examples/optimization-algorithms-beyond-sgd/convergence.py

One linear layer, 100 noisy points of y = 2x + 3, 100 epochs at learning rate 0.1; then the same with
twenty other data sets and starts. Takes about three seconds.
"""

import copy

import matplotlib.pyplot as plt
import torch
from torch import nn

from trainloop.data import least_squares, noisy_line
from trainloop.figures import NAMES, colour, label_ends, line
from trainloop.loop import train_step
from trainloop.optim import SGD, Adam, RMSprop

# --8<-- [start:setup]
LEARNING_RATE = 0.1
EPOCHS = 100
OTHER_SEEDS = range(20)

OPTIMIZERS = {
    "sgd": lambda weights: SGD(weights, lr=LEARNING_RATE),
    "rmsprop": lambda weights: RMSprop(weights, lr=LEARNING_RATE, alpha=0.9),
    "adam": lambda weights: Adam(weights, lr=LEARNING_RATE),
}
# --8<-- [end:setup]


# --8<-- [start:train]
def train(start, make_optimizer, x, y, epochs):
    model = copy.deepcopy(start)
    optimizer = make_optimizer(model.parameters())
    loss_fn = nn.MSELoss()
    losses = []
    for _ in range(epochs):
        losses.append(train_step(model, loss_fn, optimizer, x, y))
    return model, losses
# --8<-- [end:train]


def first_below(losses, level=0.1):
    return next((epoch for epoch, loss in enumerate(losses) if loss < level), None)


def times_first(seeds, epochs):
    """How often each optimizer alone is the first below 0.1, over data and starts of each seed."""
    firsts = dict.fromkeys(OPTIMIZERS, 0)
    for seed in seeds:
        x, y = noisy_line(seed=seed)
        torch.manual_seed(1000 + seed)  # not the bits the noise was drawn from
        start = nn.Linear(1, 1)
        arrivals = {name: first_below(train(start, make, x, y, epochs)[1]) for name, make in OPTIMIZERS.items()}
        arrived = sorted((epoch, name) for name, epoch in arrivals.items() if epoch is not None)
        epochs_of_arrival = [epoch for epoch, _ in arrived]
        if arrived and epochs_of_arrival.count(arrived[0][0]) == 1:  # a tie has no first
            firsts[arrived[0][1]] += 1
    return firsts | {"seeds": len(seeds)}


# --8<-- [start:run]
def run(quick=False):
    x, y = noisy_line(100, slope=2.0, intercept=3.0, noise=0.2, seed=42)
    torch.manual_seed(42)
    start = nn.Linear(1, 1)
    slope, intercept, floor = least_squares(x, y)
    epochs = 10 if quick else EPOCHS

    results = {
        "least_squares": {"w": slope, "b": intercept, "mse": floor},
        "start": {"w": start.weight.item(), "b": start.bias.item()},
        "data": {"x": x.flatten().tolist(), "y": y.flatten().tolist()},
    }
    for name, make_optimizer in OPTIMIZERS.items():
        model, losses = train(start, make_optimizer, x, y, epochs)
        results[name] = {
            "w": model.weight.item(),
            "b": model.bias.item(),
            "mse": nn.functional.mse_loss(model(x), y).item(),
            "losses": losses,
            "below_0.1": first_below(losses),
        }
    results["first"] = times_first(OTHER_SEEDS, epochs)
    return results
# --8<-- [end:run]


def draw_losses(results):
    figure, ax = plt.subplots()
    lines = [
        (ax.plot(results[name]["losses"], **line(name))[0], NAMES[name]) for name in OPTIMIZERS
    ]
    floor = results["least_squares"]["mse"]
    ax.axhline(floor, **line("truth"), linewidth=1)
    ax.text(0.3, floor * 0.93, "best possible line", va="top", transform=ax.get_yaxis_transform())
    ax.set_ylim(bottom=0.022)
    ax.set(yscale="log", xlabel="epoch", ylabel="mean squared error")
    ax.set_title("At lr 0.1, plain SGD arrives first")
    label_ends(ax, lines)
    return figure


def draw_fits(results):
    figure, ax = plt.subplots()
    ax.plot(results["data"]["x"], results["data"]["y"], "o", ms=3, alpha=0.6, color=colour("data"))
    lines = []
    for name in OPTIMIZERS:
        w, b = results[name]["w"], results[name]["b"]
        lines.append((ax.plot([0, 1], [b, w + b], **line(name))[0], NAMES[name]))
    ax.set(xlabel="x", ylabel="y", title="The lines after 100 epochs")
    label_ends(ax, lines)
    return figure


def draw(results):
    return {"losses": draw_losses(results), "fits": draw_fits(results)}


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
