"""Which surprises do torch's schedulers hold, in numbers?

    python examples/schedules/traps.py

Each is one small run of torch's own class, without training. Takes a second.
"""

import warnings

import torch
from _schedules import EPOCH, UPDATES, optimizer_at
from torch.optim import lr_scheduler


def follow(make, calls, lr=1.0, optimizer=None):
    """The learning rate after 0, 1, … calls of `step()`, and the optimizer."""
    optimizer = optimizer or optimizer_at(lr)
    scheduler = make(optimizer)
    optimizer.step()
    lrs = [optimizer.param_groups[0]["lr"]]
    for _ in range(calls):
        scheduler.step()
        lrs.append(optimizer.param_groups[0]["lr"])
    return lrs, optimizer


def asked_at_a_drop():
    """What `get_lr` and `get_last_lr` say right at StepLR's first drop, from 1."""
    optimizer = optimizer_at()
    scheduler = lr_scheduler.StepLR(optimizer, step_size=2)
    optimizer.step()
    scheduler.step()
    scheduler.step()
    with warnings.catch_warnings(action="ignore"):
        return {"get_lr": scheduler.get_lr()[0], "get_last_lr": scheduler.get_last_lr()[0]}


def cosine_rebuilt_at_the_bottom():
    """The largest learning rate of a cosine that is built for an optimizer whose rate is already 0."""
    lrs, _ = follow(lambda o: lr_scheduler.CosineAnnealingLR(o, 20), 20, lr=0.0)
    return max(lrs)


def one_cycle():
    optimizer = torch.optim.Adam([torch.zeros(1, requires_grad=True)], lr=0.3)
    before = optimizer.param_groups[0]["betas"][0]

    def make(o):
        return lr_scheduler.OneCycleLR(o, max_lr=1.0, total_steps=UPDATES)

    make(optimizer)
    lrs, _ = follow(make, UPDATES - 1)
    per_epoch, _ = follow(make, UPDATES // EPOCH - 1)
    try:
        follow(make, UPDATES + 1)
        refused = "nothing"
    except ValueError as error:
        refused = type(error).__name__
    return {
        "beta_before": before,
        "beta_after": optimizer.param_groups[0]["betas"][0],
        "first": lrs[0],
        "last": lrs[-1],
        "per_epoch_highest": max(per_epoch),
        "one_call_more": refused,
    }


def plateau():
    """At which bad metric in a row the rate drops, with patience 2."""
    optimizer = optimizer_at()
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, patience=2)
    scheduler.step(1.0)
    bad = 0
    while optimizer.param_groups[0]["lr"] == 1.0:
        scheduler.step(1.0)
        bad += 1
    return bad


def peaks(total_iters, milestone=10):
    """How often a warm-up and a cosine in sequence are at the full learning rate."""

    def make(o):
        parts = [
            lr_scheduler.LinearLR(o, start_factor=0.1, total_iters=total_iters),
            lr_scheduler.CosineAnnealingLR(o, T_max=UPDATES - milestone),
        ]
        return lr_scheduler.SequentialLR(o, parts, milestones=[milestone])

    lrs, _ = follow(make, UPDATES)
    return sum(abs(lr - 1) < 1e-12 for lr in lrs)


def chain(*parts, calls):
    def make(o):
        return lr_scheduler.ChainedScheduler([getattr(lr_scheduler, name)(o, **kw) for name, kw in parts], o)

    return follow(make, calls)[0]


def chains():
    cosine, halved = ("CosineAnnealingLR", {"T_max": 20}), ("ConstantLR", {"factor": 0.5, "total_iters": 10**6})
    restarts, decay = ("CosineAnnealingWarmRestarts", {"T_0": 20}), ("ExponentialLR", {"gamma": 0.9})
    line = ("LinearLR", {"start_factor": 0.1, "total_iters": 1000})
    far = chain(halved, cosine, calls=40)
    dead = chain(line, decay, calls=1000)
    return {
        "cosine_top": far[0],
        "cosine_second_top": far[40],
        "restarts_first": chain(restarts, decay, calls=10)[10],
        "restarts_last": chain(decay, restarts, calls=10)[10],
        "product": chain(decay, calls=10)[10] * chain(restarts, calls=10)[10],
        # A warm-up of a thousand updates with a decay per update that is meant for epochs.
        "dead_highest": max(dead),
        "dead_at": dead.index(max(dead)),
        "dead_end": dead[-1],
    }


def run(quick=False):
    restarts, _ = follow(lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, T_0=4, eta_min=0.1), 12)
    sqrt, _ = follow(lambda o: lr_scheduler.LambdaLR(o, lambda t: (100 / (100 + t)) ** 0.5), 1000)
    from_zero, _ = follow(lambda o: lr_scheduler.LambdaLR(o, lambda t: min(t / 10, 1)), 1)
    return {
        "asked": asked_at_a_drop(),
        "restarts_lowest": min(restarts),
        "cosine_rebuilt": cosine_rebuilt_at_the_bottom(),
        "one_cycle": one_cycle(),
        "plateau_bad": plateau(),
        "peaks": {"right": peaks(10), "short": peaks(9)},
        "chains": chains(),
        "sqrt_left": sqrt[-1],
        "from_zero": from_zero[0],
    }


if __name__ == "__main__":
    from courseware.example import main

    main(run)
