"""In sequence or at once: what do two schedules make together?

    python examples/learning-rate-schedules/compose.py

The same climb and the same decay, one after the other and multiplied; and a warm-up with a cosine, from parts and from
one class. Takes a second.
"""

import matplotlib.pyplot as plt
import torch

from trainloop.figures import colour, label_ends
from trainloop.schedulers import (
    ChainedScheduler,
    CosineAnnealingLR,
    ExponentialLR,
    LinearLR,
    SequentialLR,
    WarmupCosineLR,
)

STEPS, WARMUP = 300, 60


# --8<-- [start:compose]
def in_sequence(optimizer):
    """First the climb, then the decay."""
    climb = LinearLR(optimizer, start_factor=0.1, total_iters=WARMUP)
    decay = ExponentialLR(optimizer, gamma=0.98)
    return SequentialLR(optimizer, [climb, decay], milestones=[WARMUP])


def at_once(optimizer):
    """The climb times the decay, which begins at step 0."""
    climb = LinearLR(optimizer, start_factor=0.1, total_iters=WARMUP)
    decay = ExponentialLR(optimizer, gamma=0.98)
    return ChainedScheduler([climb, decay])
# --8<-- [end:compose]


def from_parts(optimizer, wave=STEPS - WARMUP):
    """A warm-up and a cosine, whose `T_max` is the run without the warm-up."""
    climb = LinearLR(optimizer, start_factor=1 / (WARMUP + 1), total_iters=WARMUP)
    fall = CosineAnnealingLR(optimizer, T_max=wave)
    return SequentialLR(optimizer, [climb, fall], milestones=[WARMUP])


def in_one(optimizer):
    return WarmupCosineLR(optimizer, warmup_steps=WARMUP, total_steps=STEPS)


def follow(make):
    """The learning rate of every update, of a base of 1."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = make(optimizer)
    lrs = []
    for _ in range(STEPS):
        lrs.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return lrs


def run(quick=False):
    sequence, product = follow(in_sequence), follow(at_once)
    parts, one = follow(from_parts), follow(in_one)
    whole = follow(lambda optimizer: from_parts(optimizer, wave=STEPS))
    return {
        "steps": STEPS,
        "warmup": WARMUP,
        "sequence": sequence,
        "product": product,
        "peak": {"sequence": max(sequence), "product": max(product), "product_at": product.index(max(product))},
        "same": max(abs(a - b) for a, b in zip(parts, one, strict=True)),
        "cut_off": whole[-1],
    }


def draw(results):
    figure, ax = plt.subplots(figsize=(5.2, 3.0))
    (one,) = ax.plot(results["sequence"], color=colour("warmup"))
    (two,) = ax.plot(results["product"], color=colour("wrong"), linestyle=(0, (5, 1.5)))
    ax.set(
        xlabel="update", ylabel="learning rate / base", xticks=range(0, 251, 50),
        title="The same two parts, composed two ways",
    )
    label_ends(ax, [(one, "in\nsequence"), (two, "at once")], gap=28)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
