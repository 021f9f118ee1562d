"""What does `scheduler.step()` before `optimizer.step()` change?

    python examples/learning-rate-schedules/order.py

The learning rates that the updates see, in both orders, and what torch says. Takes a second.
"""

import warnings

import torch
from torch.optim.lr_scheduler import OneCycleLR, StepLR

SCHEDULERS = {
    "StepLR": lambda optimizer: StepLR(optimizer, step_size=3),
    "OneCycleLR": lambda optimizer: OneCycleLR(optimizer, max_lr=1.0, total_steps=10),
}
UPDATES = 10


def updates_see(make, scheduler_first):
    """The learning rate with which each update is made."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0, momentum=0.9)
    scheduler = make(optimizer)
    seen = []
    for _ in range(UPDATES):
        if scheduler_first:
            scheduler.step()
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if not scheduler_first:
            scheduler.step()
    return seen


def run(quick=False):
    found = {}
    for name, make in SCHEDULERS.items():
        with warnings.catch_warnings(record=True, action="always") as caught:
            wrong = updates_see(make, scheduler_first=True)
        right = updates_see(make, scheduler_first=False)
        found[name] = {
            "right": right,
            "wrong": wrong,
            "shifted": "yes" if wrong[:-1] == right[1:] else "no",
            "warnings": len(caught),
            "message": str(caught[0].message).partition(". ")[0],
        }
    rows = [
        {"update": t + 1, **{f"{name}_{way}": it[way][t] for name, it in found.items() for way in ("right", "wrong")}}
        for t in range(UPDATES)
    ]
    return {"schedulers": found, "rows": rows, "updates": UPDATES}


if __name__ == "__main__":
    from courseware.example import main

    main(run)
