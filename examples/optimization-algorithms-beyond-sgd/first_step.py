"""How long is Adam's first step, and what happens without its bias correction?

    python examples/optimization-algorithms-beyond-sgd/first_step.py

One step on gradients from a millionth to a million; then Adam on the line of `convergence.py` with the
correction and without. Takes a second.
"""

import copy

import matplotlib.pyplot as plt
import torch
from torch import nn

from trainloop.data import noisy_line
from trainloop.figures import NAMES, colour, label_ends, line
from trainloop.loop import train_step
from trainloop.optim import SGD, Adam, RMSprop

LEARNING_RATE = 0.1
EPOCHS = 60
GRADIENTS = tuple(10.0**k for k in range(-6, 7, 2))

OPTIMIZERS = {
    "sgd": lambda parameters: SGD(parameters, lr=LEARNING_RATE),
    "rmsprop": lambda parameters: RMSprop(parameters, lr=LEARNING_RATE, alpha=0.9),
    "adam": lambda parameters: Adam(parameters, lr=LEARNING_RATE),
}


# --8<-- [start:uncorrected]
class UncorrectedAdam(Adam):
    """Adam retyped from memory, without the bias corrections."""

    def update(self, θ, g, state, group):
        β1, β2 = group["betas"]
        m, v = state["exp_avg"], state["exp_avg_sq"]
        m.lerp_(g, 1 - β1)
        v.mul_(β2).addcmul_(g, g, value=1 - β2)
        θ.addcdiv_(m, v.sqrt().add_(group["eps"]), value=-group["lr"])
# --8<-- [end:uncorrected]


# --8<-- [start:one_step]
def first_step(make_optimizer, gradient):
    θ = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    θ.grad = torch.tensor([gradient], dtype=torch.float64)
    make_optimizer([θ]).step()
    return abs(θ.item())
# --8<-- [end:one_step]


def train(make_optimizer, epochs):
    x, y = noisy_line()
    torch.manual_seed(42)
    model = nn.Linear(1, 1)
    optimizer = make_optimizer(model.parameters())
    losses, steps = [], []
    for _ in range(epochs):
        before = copy.deepcopy(model.state_dict())
        losses.append(train_step(model, nn.MSELoss(), optimizer, x, y))
        steps.append((model.weight - before["weight"]).abs().item())
    return {"losses": losses, "steps": steps}


def run(quick=False):
    epochs = 10 if quick else EPOCHS
    with_it = train(OPTIMIZERS["adam"], epochs)
    without = train(lambda parameters: UncorrectedAdam(parameters, lr=LEARNING_RATE), epochs)
    steps = {name: [first_step(make, g) for g in GRADIENTS] for name, make in OPTIMIZERS.items()}
    steps["uncorrected"] = [first_step(lambda p: UncorrectedAdam(p, lr=LEARNING_RATE), g) for g in GRADIENTS]
    middle = GRADIENTS.index(1.0)
    return {
        "gradients": list(GRADIENTS),
        "first": steps,
        "at_one": {name: values[middle] for name, values in steps.items()},
        "ratio": steps["uncorrected"][middle] / steps["adam"][middle],
        "longest": {"with": max(with_it["steps"]), "without": max(without["steps"])},
        "peak_epoch": without["steps"].index(max(without["steps"])) + 1,
        "with": with_it,
        "without": without,
    }


def draw_first(results):
    figure, ax = plt.subplots()
    lines = [
        (ax.plot(results["gradients"], results["first"][name], **line(name), marker=".")[0], NAMES[name])
        for name in OPTIMIZERS
    ]
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="size of the first gradient",
        ylabel="length of the first step",
        title="Only SGD's first step follows the gradient",
    )
    label_ends(ax, lines)
    return figure


def draw_uncorrected(results):
    figure, ax = plt.subplots()
    lines = [
        (ax.plot(results["with"]["steps"], **line("adam"))[0], "Adam"),
        (ax.plot(results["without"]["steps"], color=colour("wrong"), ls="--")[0], "uncorrected"),
    ]
    ax.set(xlabel="epoch", ylabel="step of w", title="Without correction, the early steps are too long")
    label_ends(ax, lines)
    return figure


def draw(results):
    return {"first": draw_first(results), "uncorrected": draw_uncorrected(results)}


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
