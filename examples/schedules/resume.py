"""Which ways to resume a run give every schedule its learning rate back?

    python examples/schedules/resume.py

Each of torch's schedulers, and each of ours, is stopped after 37 calls of `step()` and set up anew in three
ways; then the learning rates are compared with those of a run that was never stopped. Takes two seconds.
"""

import copy

from _schedules import SCHEDULES, metric_of, optimizer_at
from torch.optim import lr_scheduler

from trainloop import schedulers

DONE, LEFT = 37, 40


def go_on(optimizer, scheduler, metric, begin, calls):
    """The learning rates of the next calls of `step()`."""
    lrs = [optimizer.param_groups[0]["lr"]]
    for call in range(begin, begin + calls):
        scheduler.step(*([metric_of(call)] if metric else []))
        lrs.append(optimizer.param_groups[0]["lr"])
    return lrs


# --8<-- [start:ways]
def load_both(make, saved):
    optimizer = optimizer_at()
    scheduler = make(optimizer)
    optimizer.load_state_dict(saved["optimizer"])
    scheduler.load_state_dict(saved["scheduler"])
    return optimizer, scheduler


def load_the_optimizer_then_build(make, saved):
    optimizer = optimizer_at()
    optimizer.load_state_dict(saved["optimizer"])
    scheduler = make(optimizer)
    scheduler.load_state_dict(saved["scheduler"])
    return optimizer, scheduler


def load_the_scheduler_alone(make, saved):
    optimizer = optimizer_at()
    scheduler = make(optimizer)
    scheduler.load_state_dict(saved["scheduler"])
    return optimizer, scheduler
# --8<-- [end:ways]


WAYS = (load_both, load_the_optimizer_then_build, load_the_scheduler_alone)


def is_right(schedule, module, way):
    """Whether a resumed run has the learning rates of the run that went on."""
    metric = schedule.cadence == "metric"

    def make(optimizer):
        return schedule.make(optimizer, schedule.settings[0], module)

    optimizer = optimizer_at()
    scheduler = make(optimizer)
    go_on(optimizer, scheduler, metric, 0, DONE)
    saved = {"optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()}
    resumed = go_on(*way(make, copy.deepcopy(saved)), metric, DONE, LEFT)
    expected = go_on(optimizer, scheduler, metric, DONE, LEFT)
    return max(abs(a - b) for a, b in zip(resumed, expected, strict=True)) < 1e-9


def run(quick=False):
    found = {}
    for word, module in (("ours", schedulers), ("torch", lr_scheduler)):
        known = {stem: it for stem, it in SCHEDULES.items() if module is schedulers or it.twin}
        found[word] = {
            way.__name__: {stem: "yes" if is_right(it, module, way) else "no" for stem, it in known.items()}
            for way in WAYS
        }
    wrong = {
        word: {way: sum(answer == "no" for answer in answers.values()) for way, answers in ways.items()}
        for word, ways in found.items()
    }
    return {"done": DONE, "right": found, "wrong": wrong, "of": {"ours": len(SCHEDULES), "torch": len(known)}}


if __name__ == "__main__":
    from courseware.example import main

    main(run)
