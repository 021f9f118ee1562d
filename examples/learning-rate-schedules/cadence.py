"""Stepped per update or per epoch: what does the mistake do to the learning rate, and who says something?

    python examples/learning-rate-schedules/cadence.py

Nine epochs of thirty updates. Each scheduler is stepped as it is meant to be and at the other moment, under torch and
as `trainloop.fit` would be asked to. Takes a second.
"""

import warnings

import torch
from torch.optim import lr_scheduler

from trainloop.cadence import check_cadence
from trainloop.schedulers import WarmupCosineLR

EPOCHS, UPDATES = 9, 30  # and updates in an epoch
STEPS = EPOCHS * UPDATES


# --8<-- [start:loop]
def train(optimizer, scheduler, cadence):
    """The rate of every update; the work of training is left out."""
    lrs = []
    for _ in range(EPOCHS):
        for _ in range(UPDATES):
            lrs.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if cadence == "step":
                scheduler.step()
        if cadence == "epoch":
            scheduler.step()
    return lrs
# --8<-- [end:loop]


CASES = (
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": STEPS}, "step"),
    ("WarmupCosineLR", {"warmup_steps": 27, "total_steps": STEPS}, "step"),
    ("CosineAnnealingLR", {"T_max": STEPS}, "step"),
    ("CosineAnnealingLR", {"T_max": EPOCHS}, "epoch"),
    ("StepLR", {"step_size": 3}, "epoch"),
    ("ExponentialLR", {"gamma": 0.7}, "epoch"),
)
OTHER = {"step": "epoch", "epoch": "step"}


def set_up(name, options):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0, momentum=0.9)
    cls = WarmupCosineLR if name == "WarmupCosineLR" else getattr(lr_scheduler, name)
    return optimizer, cls(optimizer, **options)


def said_by_torch(name, options, cadence):
    """The first warning or error of a run, or nothing."""
    with warnings.catch_warnings(record=True, action="always") as caught:
        try:
            train(*set_up(name, options), cadence)
        except ValueError as error:
            return str(error)
    return str(caught[0].message) if caught else "nothing"


def said_by_fit(name, options, cadence):
    """What `trainloop.fit` says before the first update."""
    _, scheduler = set_up(name, options)
    try:
        check_cadence(scheduler, cadence, epochs=EPOCHS, steps_per_epoch=UPDATES)
    except ValueError as error:
        return str(error)
    return "nothing"


def run(quick=False):
    rows = []
    for name, options, cadence in CASES:
        right = train(*set_up(name, options), cadence)
        wrong = train(*set_up(name, options), OTHER[cadence])
        assert said_by_fit(name, options, cadence) == "nothing"
        counts = [f"{key}={value}" for key, value in options.items() if key not in ("max_lr", "gamma")]
        said = said_by_fit(name, options, OTHER[cadence])
        rows.append({
            "name": f"{name}({counts[-1] if counts else 'gamma=0.7'})",
            "made_for": cadence,
            "right_mean": sum(right) / STEPS,
            "wrong_mean": sum(wrong) / STEPS,
            "wrong_highest": max(wrong),
            "wrong_last": wrong[-1],
            "torch": said_by_torch(name, options, OTHER[cadence]),
            "fit": said,
            "refused": "no" if said == "nothing" else "yes",
        })
    return {"epochs": EPOCHS, "updates": UPDATES, "rows": rows}


if __name__ == "__main__":
    from courseware.example import main

    main(run)
