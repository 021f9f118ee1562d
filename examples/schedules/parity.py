"""By how much does each scheduler differ from torch's of the same name, and from its own function?

    python examples/schedules/parity.py

Every setting of the figures, with base learning rates of 0.1 and 3, stepped well past the end of its run: the
largest difference of any learning rate or momentum. Takes a second.
"""

from _schedules import SCHEDULES, UPDATES, metric_of, optimizer_at
from torch.optim import lr_scheduler

from trainloop import schedulers

STEPS = 300
RATES = (0.1, 3.0)


def values(schedule, setting, module, lr, steps):
    """Learning rate and momentum after 0, 1, … calls of `step()`."""
    optimizer = optimizer_at(lr)
    scheduler = schedule.make(optimizer, setting, module)
    group = optimizer.param_groups[0]
    found = [(group["lr"], group["momentum"])]
    for call in range(steps):
        scheduler.step(*([metric_of(call)] if schedule.cadence == "metric" else []))
        found.append((group["lr"], group["momentum"]))
    return found


def largest(pairs):
    return max(abs(a - b) for a, b in pairs)


def differences(schedule, steps):
    """From torch's scheduler, and from the schedule's own function in units of the base learning rate."""
    torchs, function = [], []
    for setting in schedule.settings:
        for lr in RATES:
            ours = values(schedule, setting, schedulers, lr, steps)
            rates = [rate for rate, _ in ours]
            asked = schedule.function(setting, steps + 1, lr)
            function.append(largest(zip(rates, asked, strict=True)) / lr)
            if schedule.twin:
                theirs = values(schedule, setting, lr_scheduler, lr, steps)
                pairs = zip(ours, theirs, strict=True)
                torchs.append(max(largest(zip(a, b, strict=True)) for a, b in pairs))
    return {"torch": max(torchs) if torchs else None, "function": max(function), "steps": steps}


def run(quick=False):
    steps = 20 if quick else STEPS
    return {
        "schedules": {
            # One call more than it has updates is an error, in torch, too.
            stem: differences(schedule, min(steps, UPDATES) if stem == "one_cycle_lr" else steps)
            for stem, schedule in SCHEDULES.items()
        },
        "rates": list(RATES),
    }


if __name__ == "__main__":
    from courseware.example import main

    main(run)
