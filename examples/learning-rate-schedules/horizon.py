"""What does a schedule cost that was planned for another length of run?

    python examples/learning-rate-schedules/horizon.py

A small network learns a random other one from noisy samples that never repeat, and is asked for after 200, 400
and 800 updates. Each schedule at the best of six peaks, eight fresh seeds. Takes twenty seconds.
"""

import copy

import matplotlib.pyplot as plt
import torch
from torch.nn.functional import mse_loss

from trainloop import schedulers
from trainloop.figures import colour, label_ends, line
from trainloop.lab import paired, spread, sweep
from trainloop.loop import train_step
from trainloop.models import MLP
from trainloop.optim import SGD, ScheduleFreeSGD

STOPS = (200, 400, 800)
PLANNED = 400
PEAKS = (0.004, 0.01, 0.03, 0.08, 0.25, 0.8)
TUNING, FRESH = range(2), range(100, 108)
BATCH, NOISE, DECAY = 16, 0.5, 5
LABELS = {
    "planned": "cosine, planned for each stop",
    "cosine": f"cosine, planned for {PLANNED}",
    "wsd": "WSD, decayed from a checkpoint",
    "inverse_sqrt": "inverse square root",
    "free": "schedule-free",
    "constant": "constant",
}


def samples(seed):
    """An endless stream of batches, and clean points to measure on."""
    torch.manual_seed(1000 + seed)
    teacher = MLP([8, 8, 1], torch.nn.Tanh)
    with torch.no_grad():
        for p in teacher.parameters():
            p.mul_(3)
    generator = torch.Generator().manual_seed(seed)

    def batch(size, noise):
        x = torch.randn(size, 8, generator=generator)
        with torch.no_grad():
            y = teacher(x)
        return x, y + noise * torch.randn(y.shape, generator=generator)

    clean = batch(2000, 0.0)
    return (lambda: batch(BATCH, NOISE)), clean


# --8<-- [start:contestants]
def scheduler_of(name, optimizer, stop):
    """The scheduler of a run that is to be over after `stop` updates."""
    if name in ("planned", "cosine"):
        T = stop if name == "planned" else PLANNED
        return schedulers.CosineAnnealingLR(optimizer, T_max=T)
    if name == "wsd":
        return schedulers.WSDLR(
            optimizer,
            warmup_steps=0,
            total_steps=stop,
            decay_steps=stop // DECAY,
        )
    if name == "inverse_sqrt":
        return schedulers.InverseSqrtLR(
            optimizer, warmup_steps=0, timescale=40
        )
    return None


def finish(model, optimizer, scheduler, batch, updates):
    for _ in range(updates):
        train_step(model, mse_loss, optimizer, *batch())
        if scheduler:
            scheduler.step()
# --8<-- [end:contestants]


def set_up(name, lr, seed):
    batch, clean = samples(seed)
    torch.manual_seed(seed)
    model = MLP([8, 24, 1], torch.nn.Tanh)
    rule = ScheduleFreeSGD if name == "free" else SGD
    return model, rule(model.parameters(), lr=lr, momentum=0.9), batch, clean


def error(model, optimizer, clean):
    """Mean squared distance from the teacher."""
    if isinstance(optimizer, ScheduleFreeSGD):
        optimizer.eval()
    with torch.no_grad():
        found = mse_loss(model(clean[0]), clean[1]).item()
    if isinstance(optimizer, ScheduleFreeSGD):
        optimizer.train()
    return found


def alone(name, lr, seed, stop):
    """One run to one stop."""
    model, optimizer, batch, clean = set_up(name, lr, seed)
    finish(model, optimizer, scheduler_of(name, optimizer, stop), batch, stop)
    return error(model, optimizer, clean)


def carried_on(name, lr, seed):
    """One run that is asked for at every stop, and goes on."""
    model, optimizer, batch, clean = set_up(name, lr, seed)
    scheduler = scheduler_of(name, optimizer, STOPS[-1])
    found, done = [], 0
    for stop in STOPS:
        finish(model, optimizer, scheduler, batch, stop - done)
        found.append(error(model, optimizer, clean))
        done = stop
    return found


# --8<-- [start:branches]
def branches(lr, seed):
    """WSD: one run at the full rate; a copy decays before each stop."""
    model, optimizer, batch, clean = set_up("wsd", lr, seed)
    trunk = scheduler_of("wsd", optimizer, 10 * STOPS[-1])
    found, done = [], 0
    for stop in STOPS:
        begin = stop - stop // DECAY
        finish(model, optimizer, trunk, batch, begin - done)
        done = begin
        branch = copy.deepcopy(model)
        own = SGD(branch.parameters(), lr=lr, momentum=0.9)
        own_schedule = scheduler_of("wsd", own, stop)
        own.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        lengths = {"total_steps": stop, "decay_steps": stop // DECAY}
        own_schedule.load_state_dict(trunk.state_dict() | lengths)
        finish(branch, own, own_schedule, batch, stop - begin)
        found.append(error(branch, own, clean))
    return found
# --8<-- [end:branches]


def at_stops(name, lr, seed):
    if name == "planned":
        return [alone(name, lr, seed, stop) for stop in STOPS]
    return branches(lr, seed) if name == "wsd" else carried_on(name, lr, seed)


def run(quick=False):
    peaks, tuning, fresh = (PEAKS[:2], range(1), range(100, 102)) if quick else (PEAKS, TUNING, FRESH)
    found = {}
    for name in LABELS:
        if name != "cosine":  # to the stop it was planned for, it is the run before
            tried = sweep(lambda lr, seed, it=name: alone(it, lr, seed, PLANNED), peaks, tuning)
        runs = [at_stops(name, tried.best, seed) for seed in fresh]
        found[name] = {"lr": tried.best, "at_edge": tried.at_edge, "runs": list(zip(*runs, strict=True))}
    rows = []
    for name, about in found.items():
        row = {"name": LABELS[name], "lr": about["lr"]}
        about["at"] = {}
        for stop, errors, right in zip(STOPS, about["runs"], found["planned"]["runs"], strict=True):
            about["at"][str(stop)] = spread(errors)
            row[f"at_{stop}"] = 1000 * about["at"][str(stop)]["median"]
            if name != "planned":
                comparisons = (len(found) - 1) * len(STOPS)
                about["at"][str(stop)]["against_planned"] = verdict(errors, right, comparisons)
        rows.append(row)
    for about in found.values():
        about["runs"] = [list(runs) for runs in about["runs"]]
    return {
        "stops": list(STOPS),
        "planned": PLANNED,
        "decay": 100 / DECAY,
        "seeds": len(fresh),
        "peaks": list(peaks),
        "contestants": found,
        "rows": rows,
    }


def verdict(errors, right, comparisons):
    """How many times the error of a cosine that was planned for this stop, with an interval."""
    ratios = torch.tensor([errors, right], dtype=torch.float64).log2()
    gap = paired(*ratios.tolist(), comparisons=comparisons)
    return {
        "times": 2 ** gap["gap"],
        "low": 2 ** gap["low"],
        "high": 2 ** gap["high"],
        "separable": "yes" if gap["separable"] else "no",
    }


def draw(results):
    figure, ax = plt.subplots(figsize=(5.2, 4.2))
    styles = {
        "cosine": line("cosine"),
        "wsd": {"color": colour("warmup"), "linestyle": (0, (5, 1.5))},
        "inverse_sqrt": {"color": colour("plateau"), "linestyle": (0, (4, 1.5))},
        "free": {"color": colour("update"), "linestyle": (0, (6, 1.5, 1, 1.5))},
        "constant": line("constant"),
    }
    short = {
        "cosine": f"cosine for\n{results['planned']}",
        "wsd": "WSD",
        "inverse_sqrt": "inverse\nsqrt",
        "free": "schedule-\nfree",
        "constant": "constant",
    }
    lines = []
    for name, style in styles.items():
        at = results["contestants"][name]["at"]
        against = [at[str(stop)]["against_planned"] for stop in results["stops"]]
        times = [it["times"] for it in against]
        (drawn,) = ax.plot(results["stops"], times, marker="o", markersize=4, **style)
        lines.append((drawn, short[name]))
    ax.axhline(1, color=colour("truth"), linewidth=1)
    ax.set(
        xscale="log", yscale="log", xlabel="stopped after … updates",
        ylabel="error / a cosine planned for that stop", title="Who knows where the run ends?",
    )
    ax.set_xticks(results["stops"], [f"{stop:,}" for stop in results["stops"]])
    ax.set_yticks([0.5, 1, 2, 4, 8], ["½", "1", "2", "4", "8"])
    ax.minorticks_off()
    label_ends(ax, lines, gap=27)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
