"""How long are the first steps of each adaptive rule, and what does bias correction do to Adam's?

    python examples/adaptive-optimizers/first_steps.py

One step of eleven rules at gradients of 0.01, 1 and 100; then Adam with and without its corrections under a steady
gradient, for 5,000 steps. Takes two seconds.
"""

import matplotlib.pyplot as plt
import torch

from trainloop.figures import colour, label_ends, line
from trainloop.optim import Adadelta, Adagrad, Adam, Adamax, AdamW, NAdam, RAdam, RMSprop, Rprop

GRADIENTS = (0.01, 1.0, 100.0)
STEPS = 5000

RULES = {
    "Rprop": lambda p: Rprop(p, lr=1.0, step_sizes=(1e-6, 1e6)),
    "Adagrad": lambda p: Adagrad(p, lr=1.0),
    "RMSprop": lambda p: RMSprop(p, lr=1.0),
    "Adadelta": lambda p: Adadelta(p, lr=1.0),
    "Adam": lambda p: Adam(p, lr=1.0),
    "AdamW": lambda p: AdamW(p, lr=1.0, weight_decay=0),
    "Adamax": lambda p: Adamax(p, lr=1.0),
    "NAdam": lambda p: NAdam(p, lr=1.0),
    "RAdam": lambda p: RAdam(p, lr=1.0),
}


# --8<-- [start:uncorrected]
class Uncorrected(Adam):
    """Adam, its two averages used as they are."""

    def at_step(self, counters, group):
        return super().at_step({"step": 1e9}, group)  # a step at which both corrections are 1


# --8<-- [end:uncorrected]


def steps(make, gradient, count):
    """The length of each of the first steps under a gradient that stays."""
    θ = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = make([θ])
    found, before = [], 0.0
    for _ in range(count):
        θ.grad = torch.full_like(θ, gradient)
        optimizer.step()
        found.append(abs(θ.item() - before))
        before = θ.item()
    return found


def run(quick=False):
    count = 50 if quick else STEPS
    rows = []
    for name, make in RULES.items():
        first = {f"{g:g}": steps(make, g, 1)[0] for g in GRADIENTS}
        rows.append({"name": name, **first, "tenth": steps(make, 1.0, 10)[-1]})
    curves = {
        "corrected": steps(lambda p: Adam(p, lr=1.0), 1.0, count),
        "uncorrected": steps(lambda p: Uncorrected(p, lr=1.0), 1.0, count),
    }
    longest = max(curves["uncorrected"])
    picked = sorted({round(10 ** (k / 20)) for k in range(200)} & set(range(1, count + 1)))
    return {
        "rows": rows,
        "first": curves["uncorrected"][0],
        "longest": longest,
        "longest_at": curves["uncorrected"].index(longest) + 1,
        "corrected": max(curves["corrected"]),
        "still_long": sum(step > 1.1 for step in curves["uncorrected"]),
        "on_paper": {"first": (1 - 0.9) / (1 - 0.999) ** 0.5},
        "curves": {name: [[t, curve[t - 1]] for t in picked] for name, curve in curves.items()},
    }


def draw(results):
    figure, ax = plt.subplots()
    inks = {"corrected": line("adam"), "uncorrected": {"color": colour("wrong"), "ls": "--"}}
    lines = [(ax.plot(*zip(*curve, strict=True), **inks[name])[0], name) for name, curve in results["curves"].items()]
    ax.set(
        xscale="log",
        ylim=(0, 1.1 * results["longest"]),
        xlabel="step",
        ylabel="its length, in learning rates",
        title="Without correction, Adam begins too fast",
    )
    label_ends(ax, lines)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
