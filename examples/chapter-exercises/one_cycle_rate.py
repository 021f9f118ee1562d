"""Can a learning-rate finder choose the peak of OneCycleLR, and what if it does not clean up?

    python examples/chapter-exercises/one_cycle_rate.py

Three ways to read a rate off the finder's curve against a search over eight rates, and a finder that
leaves the weights as its sweep left them. Ten seeds. Takes about eight seconds.
"""

import copy

import matplotlib.pyplot as plt
import torch
from torch import nn
from tqdm import tqdm

from trainloop.data import digits, stratified_split
from trainloop.figures import colour
from trainloop.lab import paired, sweep
from trainloop.loop import evaluate, train_step
from trainloop.lr_finder import LRFinder
from trainloop.models import MLP
from trainloop.optim import SGD
from trainloop.sampler import ShuffledBatches
from trainloop.schedulers import OneCycleLR

EPOCHS, BATCH = 12, 64
TUNING, FRESH = range(3), range(100, 110)
RATES = (0.01, 0.03, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
METHODS = ("steepest", "valley", "minimum")


def split():
    """Digits in three: 674 to train on, 225 to choose by, 898 to report."""
    x, y, x_test, y_test = digits(test_fraction=0.5)
    x, y, x_val, y_val = stratified_split(x, y, test_fraction=0.25)
    return x, y, (x_val, y_val), (x_test, y_test)


def accuracy(logits, y):
    return (logits.argmax(dim=1) == y).float().mean()


def fresh_model(seed):
    torch.manual_seed(seed)
    return MLP([64, 64, 10])


def train(model, peak, seed, epochs, parts):
    """One cycle up to the peak and down; the loss on the validation part, the accuracy on the test part."""
    x, y, validation, test = parts
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    batches = ShuffledBatches(len(x), BATCH, seed=seed)
    scheduler = OneCycleLR(
        optimizer,
        max_lr=peak,
        total_steps=epochs * len(batches),
        cycle_momentum=False,
    )
    loss_fn = nn.CrossEntropyLoss()
    for epoch in range(epochs):
        batches.set_epoch(epoch)
        for i in batches:
            train_step(model, loss_fn, optimizer, x[i], y[i])
            scheduler.step()  # once per batch
    return evaluate(model, loss_fn, [validation]), evaluate(model, accuracy, [test])


# --8<-- [start:find]
def find(model, seed, parts):
    """What the finder sees, and the peaks that it suggests."""
    x, y, _, _ = parts
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    batches = ShuffledBatches(len(x), BATCH, seed=seed)
    finder = LRFinder(model, nn.CrossEntropyLoss(), optimizer)
    pieces = [(x[i], y[i]) for i in batches]
    seen = finder.run(pieces, start_lr=1e-4, end_lr=10, smoothing=0.9)
    return seen, {method: seen.suggestion(method) for method in METHODS}
# --8<-- [end:find]


# --8<-- [start:careless]
def careless_find(model, seed, parts):
    """A sweep that believes it puts the weights back."""
    x, y, _, _ = parts
    saved = model.state_dict()  # the live weights, under their names
    optimizer = SGD(model.parameters(), lr=1e-4, momentum=0.9)
    batches = ShuffledBatches(len(x), BATCH, seed=seed)
    loss_fn, lr = nn.CrossEntropyLoss(), 1e-4
    while lr < 10:
        for i in batches:
            optimizer.param_groups[0]["lr"] = lr
            train_step(model, loss_fn, optimizer, x[i], y[i])
            lr *= 10 ** (5 / 99)
    model.load_state_dict(saved)  # copies each weight onto itself
# --8<-- [end:careless]


def mean(values):
    return sum(values) / len(values)


def run(quick=False):
    epochs, tuning, fresh, rates = (2, TUNING[:1], FRESH[:2], RATES[2:5]) if quick else (EPOCHS, TUNING, FRESH, RATES)
    parts = split()
    found = sweep(lambda lr, seed: train(fresh_model(seed), lr, seed, epochs, parts)[0], rates, tuning)
    searched = found.best
    scores = {name: [] for name in ("searched", *METHODS, "careless")}
    peaks = {method: [] for method in METHODS}
    kept, broken = 0.0, []
    for seed in tqdm(fresh, desc="seeds", leave=False):
        model = fresh_model(seed)
        before = copy.deepcopy(model.state_dict())
        seen, suggested = find(model, seed, parts)
        kept = max(kept, *((model.state_dict()[k] - v).abs().max().item() for k, v in before.items()))
        scores["searched"].append(train(fresh_model(seed), searched, seed, epochs, parts)[1])
        for method, peak in suggested.items():
            peaks[method].append(peak)
            scores[method].append(train(fresh_model(seed), peak, seed, epochs, parts)[1])
        careless_find(model, seed, parts)
        broken.append(evaluate(model, nn.CrossEntropyLoss(), [parts[:2]]))
        scores["careless"].append(train(model, searched, seed, epochs, parts)[1])
    return {
        "rates": list(rates),
        "searched_losses": [found.median(lr) for lr in rates],
        "searched": searched,
        "search_runs": len(rates) * len(tuning),
        "finder": {"lrs": seen.lrs, "smoothed": seen.smoothed, "stopped": seen.stopped, "suggested": suggested},
        "finder_changed_weights_by": kept,
        "rows": [
            {
                "choice": {"searched": "search"}.get(name, name),
                "least_peak": min(peaks.get(name, [searched])),
                "most_peak": max(peaks.get(name, [searched])),
                "accuracy": mean(own),
            }
            for name, own in scores.items()
        ],
        "to_search": {
            name: paired(own, scores["searched"], comparisons=len(scores) - 1)
            for name, own in scores.items()
            if name != "searched"
        },
        "careless_least": min(scores["careless"]),
        "careless_start_loss": sorted(broken)[len(broken) // 2],
        "fresh": len(fresh),
    }


def draw(results):
    figure, ax = plt.subplots(figsize=(5.2, 3.8))
    finder = results["finder"]
    ax.plot(finder["lrs"], finder["smoothed"], color=colour("data"))
    for i, (method, lr) in enumerate(finder["suggested"].items()):
        ink = colour(("start_a", "start_b", "start_c")[i])
        height = finder["smoothed"][finder["lrs"].index(min(finder["lrs"], key=lambda x: abs(x - lr)))]
        ax.plot(lr, height, "o", color=ink, ms=8)
        ax.annotate(method, (lr, height), xytext=(-6, -4), textcoords="offset points", ha="right", va="top", color=ink)
    ax.axvline(results["searched"], color=colour("one_cycle"), ls="--")
    ax.annotate("search", (results["searched"], ax.get_ylim()[1]), xytext=(4, -4), textcoords="offset points",
                va="top", color=colour("one_cycle"))
    ax.set(xscale="log", xlabel="learning rate", ylabel="training loss, smoothed")
    ax.set(ylim=(0, 1.25 * finder["smoothed"][0]), title="One sweep, three readings")
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
