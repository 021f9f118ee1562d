"""How long are the steps of Lion and Sophia beside Adam's, in learning rates?

    python examples/modern-optimizers/signs.py

Three networks on a text, 200 steps: the root mean square of each step over all weights, divided by the learning
rate; and the share of Sophia's elements that its clipping cuts. Takes ten seconds.
"""

import statistics

import matplotlib.pyplot as plt
import torch
from _text import LOSS, batches, network

from trainloop.figures import colour, label_ends, line
from trainloop.optim import Adam, Lion, SophiaG

STEPS = 200
SEEDS = range(5)

OPTIMIZERS = {
    "adam": lambda p: Adam(p, lr=1e-3),
    "lion": lambda p: Lion(p, lr=2e-4),
    "sophia": lambda p: SophiaG(p, lr=2e-4, weight_decay=0),
}


# --8<-- [start:lengths]
def lengths(make, seed, steps):
    """The root mean square of each step over all weights, in learning rates; the share of full ones in the last."""
    model = network(seed)
    optimizer = make(model.parameters())
    flat = torch.nn.utils.parameters_to_vector
    found = []
    for x, y in batches(steps, seed):
        before = flat(model.parameters()).detach()
        optimizer.zero_grad()
        logits = model(x)
        if isinstance(optimizer, SophiaG) and optimizer.hessian_due:
            optimizer.update_hessian_gnb(logits)
        LOSS(logits, y).backward()
        optimizer.step()
        step = (flat(model.parameters()).detach() - before) / optimizer.param_groups[0]["lr"]
        found.append(step.square().mean().sqrt().item())
    full = (step.abs() > 0.999).double().mean().item()  # of the last step: as long as a sign
    return found, full


# --8<-- [end:lengths]


def run(quick=False):
    steps, seeds = (20, range(1)) if quick else (STEPS, SEEDS)
    runs = {name: [lengths(make, seed, steps) for seed in seeds] for name, make in OPTIMIZERS.items()}
    curves = {
        name: [float(f"{statistics.median(values):.4g}") for values in zip(*(c for c, _ in found), strict=True)]
        for name, found in runs.items()
    }
    late = {name: statistics.median(curve[-50:]) for name, curve in curves.items()}
    return {
        "steps": steps,
        "seeds": len(seeds),
        "curves": curves,
        "late": late,
        "lion_over_adam": late["lion"] / late["adam"],
        "clipped": statistics.median(full for _, full in runs["sophia"]),
        "moved": statistics.median(full for _, full in runs["lion"]),
    }


def draw(results):
    figure, ax = plt.subplots()
    inks = {"adam": line("adam"), "lion": {"color": colour("update")}, "sophia": {"color": colour("data")}}
    names = {"adam": "Adam", "lion": "Lion", "sophia": "Sophia-G"}
    lines = [
        (ax.plot(range(1, results["steps"] + 1), curve, **{"linewidth": 1.3, **inks[name]})[0], names[name])
        for name, curve in results["curves"].items()
    ]
    ax.set(
        ylim=(0, 1.08),
        xlabel="step",
        ylabel="RMS of a step, in learning rates",
        title="Lion's steps never shorten, Adam's do",
    )
    label_ends(ax, lines)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
