"""Which ways to resume a run give every schedule its learning rate back?

    python examples/schedules/resume.py

Each of torch's schedulers, and each of ours, is stopped after 37 calls of `step()` and set up anew in three
ways; then the learning rates are compared with those of a run that was never stopped. Takes two seconds.
"""

import copy

import matplotlib.pyplot as plt
from _schedules import SCHEDULES, metric_of, optimizer_at
from torch.optim import lr_scheduler

from trainloop import schedulers
from trainloop.figures import colour, label_ends

DONE, LEFT = 37, 62
DRAWN = "sequential_lr"  # torch's warm-up and cosine
LABELS = {
    "load_both": "load both",
    "load_the_optimizer_then_build": "load optimizer,\nthen build",
    "load_the_scheduler_alone": "load scheduler\nalone",
}


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


def compared(schedule, module, way):
    """The learning rates of a resumed run, and of the run that went on, from where it was stopped."""
    metric = schedule.cadence == "metric"

    def make(optimizer):
        return schedule.make(optimizer, schedule.settings[0], module)

    optimizer = optimizer_at()
    scheduler = make(optimizer)
    go_on(optimizer, scheduler, metric, 0, DONE)
    saved = {"optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()}
    resumed = go_on(*way(make, copy.deepcopy(saved)), metric, DONE, LEFT)
    return resumed, go_on(optimizer, scheduler, metric, DONE, LEFT)


def is_right(schedule, module, way):
    """Whether a resumed run has the learning rates of the run that went on."""
    return max(abs(a - b) for a, b in zip(*compared(schedule, module, way), strict=True)) < 1e-9


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
    optimizer = optimizer_at()
    before = go_on(optimizer, SCHEDULES[DRAWN].make(optimizer, SCHEDULES[DRAWN].settings[0]), False, 0, DONE)
    curves = {way.__name__: compared(SCHEDULES[DRAWN], lr_scheduler, way)[0] for way in WAYS}
    return {
        "done": DONE,
        "right": found,
        "wrong": wrong,
        "of": {"ours": len(SCHEDULES), "torch": len(known)},
        "before": before,
        "curves": curves,
        "at_once": {way: lrs[0] for way, lrs in curves.items()},
        "highest": {way: max(lrs) for way, lrs in curves.items()},
    }


def draw(results):
    figure, ax = plt.subplots(figsize=(5.2, 3.2))
    ax.plot(results["before"], color=colour("warmup"))
    lines = []
    for (way, lrs), style in zip(results["curves"].items(), ("-", (0, (5, 1.5)), (0, (1, 1.5))), strict=True):
        ink = colour("warmup" if way == "load_both" else "wrong")
        (drawn,) = ax.plot(range(DONE, DONE + len(lrs)), lrs, color=ink, linestyle=style)
        lines.append((drawn, LABELS[way]))
    ax.axvline(DONE, color=colour("data"), linewidth=0.8)
    ax.set(xlabel="update", ylabel="learning rate / base", xticks=range(0, 80, 20))
    ax.set_title("Three ways to resume, one is right")
    label_ends(ax, lines, gap=27)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
