"""What is the learning rate worth that a finder suggests?

    python examples/practice/lr_finder.py

A network on handwritten digits. Sweeps of 100 and of 300 steps from six starts, and three ways to read a
rate off them; training for three epochs at a tenth of the rate, at the rate and at three times it; and a grid
of rates for comparison. At the end, a finder that does not put back what it found. Takes about ten seconds.
"""

import math
import statistics

import matplotlib.pyplot as plt
import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset
from tqdm import tqdm

from trainloop.data import digits, stratified_split
from trainloop.figures import colour, line
from trainloop.lab import spread
from trainloop.loop import evaluate, train_epoch
from trainloop.lr_finder import LRFinder
from trainloop.models import MLP
from trainloop.optim import SGD
from trainloop.sampler import ShuffledBatches

EPOCHS = 3
SEEDS = range(6)
GRID = tuple(10 ** (-3 + k / 3) for k in range(10))  # 0.001 … 1
FACTORS = (0.1, 1.0, 3.0)
READINGS = {"steepest": 100, "valley": 100, "steepest, longer": 300}

# The package's test set stays shut: rates are compared on a part of the training set.
x, y, _, _ = digits()
x, y, x_val, y_val = stratified_split(((x - x.mean()) / x.std()).flatten(1), y, seed=1)


def fresh(seed):
    """A network, its optimizer and its batches: the same for the same seed."""
    torch.manual_seed(seed)
    model = MLP([64, 64, 64, 10])
    order = ShuffledBatches(len(x), 64, seed=seed)
    batches = DataLoader(TensorDataset(x, y), sampler=order, batch_size=None)
    return model, SGD(model.parameters(), lr=0.1, momentum=0.9), batches


# --8<-- [start:sweep]
def sweep(seed, steps):
    model, optimizer, batches = fresh(seed)
    finder = LRFinder(model, cross_entropy, optimizer)
    return finder.run(batches, start_lr=1e-5, end_lr=10, steps=steps)


def suggestions(seed):
    """Three rates, read off two sweeps."""
    short, long = sweep(seed, steps=100), sweep(seed, steps=300)
    return {
        "steepest": short.suggestion("steepest"),
        "valley": short.suggestion("valley"),
        "steepest, longer": long.suggestion("steepest"),
    }
# --8<-- [end:sweep]


def train(lr, seed, epochs):
    """Validation loss after training, 10 at most: a run that blew up is worse than any guess."""
    model, optimizer, batches = fresh(seed)
    optimizer.param_groups[0]["lr"] = lr
    for epoch in range(epochs):
        batches.sampler.set_epoch(epoch)
        train_epoch(model, cross_entropy, optimizer, batches)
    loss = evaluate(model, cross_entropy, [(x_val, y_val)])
    return min(loss, 10.0) if math.isfinite(loss) else 10.0


# --8<-- [start:shallow]
def shallow_finder(model, optimizer, batches):
    """Sweeps as well, and keeps its state the way that looks right."""
    state = model.state_dict()  # refers to the weights, copies nothing
    for k, (xi, yi) in enumerate(batches):
        optimizer.param_groups[0]["lr"] = 1e-3 * 1.5**k
        optimizer.zero_grad()
        cross_entropy(model(xi), yi).backward()
        optimizer.step()
    model.load_state_dict(state)  # the weights, from themselves
# --8<-- [end:shallow]


def restored(finder):
    """How far the weights are from their start after a sweep, relative to their size."""
    model, optimizer, batches = fresh(0)
    start = torch.cat([p.detach().flatten().clone() for p in model.parameters()])
    finder(model, optimizer, batches)
    end = torch.cat([p.detach().flatten() for p in model.parameters()])
    return {
        "moved": ((end - start).norm() / start.norm()).item(),
        "loss": evaluate(model, cross_entropy, [(x_val, y_val)]),
    }


def run(quick=False):
    seeds, epochs, grid = (range(2), 1, GRID[::5]) if quick else (SEEDS, EPOCHS, GRID)
    found = [suggestions(seed) for seed in seeds]
    results = {"seeds": len(seeds), "epochs": epochs, "rows": [], "grid": [], "at": {}}
    for lr in tqdm(grid, desc="grid", leave=False):
        losses = [train(lr, 100 + seed, epochs) for seed in seeds]  # starts that no sweep has seen
        results["grid"].append({"lr": lr} | spread(losses))
    best = min(results["grid"], key=lambda row: row["median"])
    results["best"] = best
    for name, steps in READINGS.items():
        rates = [each[name] for each in found]
        tried = {
            f"{factor:g}": [train(factor * lr, seed, epochs) for seed, lr in zip(seeds, rates, strict=True)]
            for factor in FACTORS
        }
        results["at"][name] = {factor: spread(losses) for factor, losses in tried.items()}
        results["rows"].append(
            {"name": name, "steps": steps, "least": min(rates), "most": max(rates), "rate": statistics.median(rates)}
            | {f"times {factor}": statistics.median(losses) for factor, losses in tried.items()}
            | {f"better {factor}": sum(a < b for a, b in zip(losses, tried["1"], strict=True))
               for factor, losses in tried.items()}
        )
    results["sweeps"] = {
        f"{steps}": [
            {"lrs": seen.lrs, "smoothed": seen.smoothed} for seen in (sweep(seed, steps) for seed in list(seeds)[:3])
        ]
        for steps in (100, 300)
    }
    results["restored"] = {
        "ours": restored(lambda m, o, b: LRFinder(m, cross_entropy, o).run(b, start_lr=1e-3, end_lr=10, steps=23)),
        "shallow": restored(shallow_finder),
        "guessing": math.log(10),
    }
    return results


def draw(results):
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(5.2, 6.2), sharex=True)
    lines = []
    for steps, concept in (("100", "above"), ("300", "below")):
        for k, seen in enumerate(results["sweeps"][steps]):
            (shown,) = top.plot(seen["lrs"], seen["smoothed"], **line(concept) | {"lw": 1.4})
            if k == 0:
                lines.append((shown, f"{steps} steps"))
    top.set(ylabel="smoothed batch loss", ylim=(0, 4), title="One sweep, two lengths: the short one lags")
    top.legend([shown for shown, _ in lines], [text for _, text in lines], loc="lower left")
    grid = results["grid"]
    rates = [row["lr"] for row in grid]
    bottom.fill_between(
        rates, [row["low"] for row in grid], [row["high"] for row in grid], color=colour("sgd"), alpha=0.25, lw=0
    )
    bottom.plot(rates, [row["median"] for row in grid], color=colour("sgd"))
    named = {row["name"]: row["rate"] for row in results["rows"]}
    marks = (
        ("steepest", "steepest", "above", 0.045),
        ("steepest, longer", "steepest,\n300 steps", "below", 1.6),
        ("valley", "valley", "at", 0.045),
    )
    for name, text, concept, height in marks:
        for ax in (top, bottom):
            ax.axvline(named[name], **line(concept) | {"lw": 1.2})
        right = name != "valley"
        bottom.annotate(
            text, (named[name], height), xytext=(4 if right else -4, 0), textcoords="offset points",
            ha="left" if right else "right", va="bottom", color=colour(concept),
        )
    bottom.set(
        xscale="log", yscale="log", xlabel="learning rate", ylabel="validation loss", xlim=(6e-4, 2), ylim=(0.04, 10),
        title=f"After {results['epochs']} epochs at each rate",
    )
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
