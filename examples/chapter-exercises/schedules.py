"""Which of five schedules trains digits best, when all get the same budget?

    python examples/chapter-exercises/schedules.py

SGD with momentum for twelve epochs, first at one peak learning rate for all, then at each schedule's
own best of four. Twelve fresh seeds, and half of the digits to test on. Takes about ten seconds.
"""

import matplotlib.pyplot as plt
import torch
from torch import nn
from tqdm import tqdm

from trainloop import schedulers
from trainloop.data import digits, stratified_split
from trainloop.figures import colour, label_ends, line
from trainloop.lab import paired, sweep
from trainloop.loop import evaluate, train_step
from trainloop.models import MLP
from trainloop.optim import SGD
from trainloop.sampler import ShuffledBatches

# --8<-- [start:setup]
EPOCHS, BATCH = 12, 64
TUNING, FRESH = range(2), range(100, 112)
ONE_RATE = 0.1
RATES = (0.1, 0.3, 0.6, 1.0)

SCHEDULES = {
    "constant": lambda optimizer, lr, steps: None,
    "step_decay": lambda optimizer, lr, steps: schedulers.StepLR(
        optimizer, step_size=steps // 3
    ),
    "cosine": lambda optimizer, lr, steps: schedulers.CosineAnnealingLR(
        optimizer, T_max=steps
    ),
    "one_cycle": lambda optimizer, lr, steps: schedulers.OneCycleLR(
        optimizer, max_lr=lr, total_steps=steps, cycle_momentum=False
    ),
    "warmup": lambda optimizer, lr, steps: schedulers.WarmupCosineLR(
        optimizer, warmup_steps=steps // 10, total_steps=steps
    ),
}
# --8<-- [end:setup]
NAMES = {
    "constant": "none",
    "step_decay": "StepLR",
    "cosine": "cosine",
    "one_cycle": "OneCycleLR",
    "warmup": "warm-up, cosine",
}
TO_NONE = {name: (name, "constant") for name in SCHEDULES if name != "constant"}
AMONG = {f"{a}_{b}": (a, b) for a, b in (("one_cycle", "cosine"), ("warmup", "cosine"), ("one_cycle", "warmup"))}


def split():
    """Digits in three: 674 to train on, 225 to choose by, 898 to report."""
    x, y, x_test, y_test = digits(test_fraction=0.5)
    x, y, x_val, y_val = stratified_split(x, y, test_fraction=0.25)
    return x, y, (x_val, y_val), (x_test, y_test)


# --8<-- [start:train]
def train(schedule, lr, seed, epochs, parts):
    """Train, with the schedule stepped after every update."""
    x, y, validation, test = parts
    torch.manual_seed(seed)
    model = MLP([64, 64, 10])
    optimizer = SGD(model.parameters(), lr=lr, momentum=0.9)
    batches = ShuffledBatches(len(x), BATCH, seed=seed)
    scheduler = SCHEDULES[schedule](optimizer, lr, epochs * len(batches))
    loss_fn = nn.CrossEntropyLoss()
    curve = []
    for epoch in range(epochs):
        batches.set_epoch(epoch)
        for i in batches:
            train_step(model, loss_fn, optimizer, x[i], y[i])
            if scheduler is not None:
                scheduler.step()
        curve.append(evaluate(model, loss_fn, [validation]))
    return {
        "validation": curve,
        "loss": evaluate(model, loss_fn, [test]),
        "accuracy": evaluate(model, accuracy, [test]),
    }


def accuracy(logits, y):
    return (logits.argmax(dim=1) == y).float().mean()
# --8<-- [end:train]


def rates_over(schedule, lr, steps):
    """The learning rate of every update."""
    weight = nn.Parameter(torch.zeros(1))
    optimizer = SGD([weight], lr=lr)
    scheduler = SCHEDULES[schedule](optimizer, lr, steps)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
    return rates


def mean(values):
    return sum(values) / len(values)


def compared(runs, pairs):
    """Every pair's difference in test accuracy, with intervals that hold together."""
    scores = {name: [run["accuracy"] for run in own] for name, own in runs.items()}
    return {pair: paired(scores[a], scores[b], comparisons=len(pairs)) for pair, (a, b) in pairs.items()}


def epoch_below(curve, target):
    """The first epoch after which the validation loss is below a target; None if there is none."""
    return next((epoch for epoch, loss in enumerate(curve, 1) if loss < target), None)


def summary(runs, best):
    """A row per schedule: what its fresh seeds came to."""
    target = 1.25 * min(mean([run["validation"][-1] for run in own]) for own in runs.values())
    rows = []
    for name, own in runs.items():
        curve = [mean(losses) for losses in zip(*(run["validation"] for run in own), strict=True)]
        rows.append({
            "schedule": NAMES[name],
            "lr": best[name],
            "loss": mean([run["loss"] for run in own]),
            "accuracy": mean([run["accuracy"] for run in own]),
            "least_accuracy": min(run["accuracy"] for run in own),
            "most_accuracy": max(run["accuracy"] for run in own),
            "epoch": epoch_below(curve, target),
        })
    return rows, target


def run(quick=False):
    epochs, tuning, fresh, rates = (2, TUNING[:1], FRESH[:2], RATES[1:3]) if quick else (EPOCHS, TUNING, FRESH, RATES)
    parts = split()
    steps = epochs * len(ShuffledBatches(len(parts[0]), BATCH))
    one, tuned, best, searched = {}, {}, {}, {}
    for name in tqdm(SCHEDULES, desc="schedules", leave=False):

        def score(lr, seed, name=name):
            return train(name, lr, seed, epochs, parts)["validation"][-1]

        found = sweep(score, rates, tuning)
        best[name] = found.best
        tuned[name] = [train(name, best[name], seed, epochs, parts) for seed in fresh]
        one[name] = [train(name, ONE_RATE, seed, epochs, parts) for seed in fresh]
        searched[name] = [found.median(lr) for lr in rates]
    found = {"shapes": {name: rates_over(name, 1.0, 60) for name in SCHEDULES}, "searched": searched}
    for kind, runs, chosen in (("one", one, dict.fromkeys(SCHEDULES, ONE_RATE)), ("tuned", tuned, best)):
        rows, target = summary(runs, chosen)
        winners = [max(SCHEDULES, key=lambda name: runs[name][i]["accuracy"]) for i in range(len(fresh))]
        found[kind] = {
            "rows": rows,
            "target": target,
            "gains": compared(runs, TO_NONE),
            "winners": {name: winners.count(name) for name in SCHEDULES},
            "different_winners": len(set(winners)),
            "curves": {
                name: [mean(losses) for losses in zip(*(run["validation"] for run in runs[name]), strict=True)]
                for name in SCHEDULES
            },
        }
    found["among"] = compared(tuned, AMONG)
    return {
        **found,
        "epochs": epochs,
        "steps": steps,
        "fresh": len(fresh),
        "tuning": len(tuning),
        "rates": len(rates),
        "test_images": len(parts[3][1]),
    }


def style_of(name):
    """Cosine with a warm-up is drawn as cosine, dashed."""
    return line(name) if name != "warmup" else {"color": colour("cosine"), "linestyle": (0, (3, 2))}


def draw(results):
    return {"curves": draw_curves(results), "intervals": draw_intervals(results)}


def draw_curves(results):
    figure, (above, below) = plt.subplots(2, 1, figsize=(5.2, 6.2), height_ratios=(2, 3))
    for name, shape in results["shapes"].items():
        above.plot([i / len(shape) * results["epochs"] for i in range(len(shape))], shape, **style_of(name))
    above.set(ylabel="lr / peak", title="Five plans for one budget", xlim=(0, results["epochs"]))
    lines = []
    for name, curve in results["tuned"]["curves"].items():
        drawn = below.plot(range(1, len(curve) + 1), curve, **style_of(name))[0]
        lines.append((drawn, NAMES[name]))
    below.set(xlabel="epoch", ylabel="validation loss", yscale="log", xlim=(0, results["epochs"]))
    below.set_title("What they come to")
    below.set_yticks([0.2, 0.4, 0.8, 1.6], ["0.2", "0.4", "0.8", "1.6"])
    below.minorticks_off()
    label_ends(below, lines)
    return figure


def draw_intervals(results):
    figure, axes = plt.subplots(2, 1, figsize=(5.2, 4.6), sharex=True)
    titles = {"one": f"One peak for all: {ONE_RATE}", "tuned": "Each at its own best peak"}
    for ax, (kind, title) in zip(axes, titles.items(), strict=True):
        gains = list(reversed(results[kind]["gains"].items()))
        for i, (name, gain) in enumerate(gains):
            points = [100 * gain[key] for key in ("low", "gap", "high")]
            ink = style_of(name)["color"]
            ax.plot([points[0], points[2]], [i, i], color=ink, lw=2.5)
            ax.plot(points[1], i, "o", ms=8, color=ink, mfc=None if gain["separable"] else "none")
        ax.axvline(0, color=colour("truth"), lw=1)
        ax.set_yticks(range(len(gains)), [NAMES[name] for name, _ in gains])
        ax.set(title=title, ylim=(-0.6, len(gains) - 0.4))
    axes[1].set_xlabel("test accuracy above no schedule's, points")
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
