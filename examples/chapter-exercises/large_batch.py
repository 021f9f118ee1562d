"""How large may a batch be if every run sees the same images: what do the linear scaling rule, warm-up and LARS buy?

    python examples/chapter-exercises/large_batch.py

Twenty epochs of scikit-learn's digits, at batches of 32 to 1,024, which is all of them. The learning
rate stays, follows the linear scaling rule, follows it with warm-up; then SGD, LARS and Adam search among
six rates each. Takes about fifteen seconds.
"""

import matplotlib.pyplot as plt
import torch
from torch import nn
from tqdm import tqdm

from trainloop.data import digits
from trainloop.figures import colour, label_ends
from trainloop.lab import paired, sweep
from trainloop.loop import evaluate, train_step
from trainloop.models import MLP
from trainloop.optim import LARS, SGD, Adam
from trainloop.sampler import ShuffledBatches
from trainloop.schedulers import WarmupCosineLR

EPOCHS = 20
BASE_RATES = (0.0125, 0.025, 0.05)
BATCHES = (32, 128, 256, 512, 1024)
SEEDS, TUNING = range(100, 106), range(2)
WARMUP = 0.2  # of all updates
SGD_RATES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
LARS_RATES = (5, 10, 20, 40, 80, 160)
ADAM_RATES = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032)


def split():
    """Standardised digits in three: 1,024 to train on, 257 to choose by, 516 to report."""
    data = digits()
    x = torch.cat([data.x_train, data.x_test])
    y = torch.cat([data.y_train, data.y_test])
    x = (x - x[:1024].mean()) / x[:1024].std()
    return x[:1024], y[:1024], (x[1024:1281], y[1024:1281]), (x[1281:], y[1281:])


def accuracy(logits, y):
    return (logits.argmax(dim=1) == y).float().mean()


# --8<-- [start:optimizers]
def sgd(model, lr):
    return SGD(model.parameters(), lr=lr, momentum=0.9)


def lars(model, lr):
    """LARS for the matrices; biases, whose norms start small, get SGD."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    biases = [p for p in model.parameters() if p.ndim == 1]
    groups = [
        {"params": matrices},
        {"params": biases, "adapt": False, "lr": lr / 100},
    ]
    return LARS(groups, lr=lr, momentum=0.9, trust_coefficient=1e-3)


def adam(model, lr):
    return Adam(model.parameters(), lr=lr)
# --8<-- [end:optimizers]


def train(make_optimizer, lr, batch, seed, epochs, parts, warmup=0.0):
    """The accuracy on the validation and on the test part; cosine decay in all runs."""
    x, y, validation, test = parts
    torch.manual_seed(seed)
    model = MLP([64, 64, 64, 64, 10])
    optimizer = make_optimizer(model, lr)
    batches = ShuffledBatches(len(x), batch, seed=seed)
    steps = epochs * len(batches)
    scheduler = WarmupCosineLR(optimizer, warmup_steps=round(warmup * steps), total_steps=steps)
    loss_fn = nn.CrossEntropyLoss()
    for epoch in range(epochs):
        batches.set_epoch(epoch)
        for i in batches:
            train_step(model, loss_fn, optimizer, x[i], y[i])
            scheduler.step()
    return [evaluate(model, accuracy, [part]) for part in (validation, test)]


SEARCHED = {
    "sgd": (sgd, SGD_RATES),
    "lars": (lars, LARS_RATES),
    "adam": (adam, ADAM_RATES),
}
NAMES = {
    "same": "same rate",
    "scaled": "scaled",
    "warmed": "scaled, warm-up",
    "sgd": "SGD, searched",
    "lars": "LARS, searched",
    "adam": "Adam, searched",
}
COLOURS = {"same": "start_a", "scaled": "start_b", "warmed": "start_c", "sgd": "sgd", "lars": "start_d", "adam": "adam"}


PAIRS = (("lars", "sgd"), ("lars", "adam"), ("warmed", "scaled"), ("scaled", "same"))


def mean(values):
    return sum(values) / len(values)


def run(quick=False):
    epochs, batches = (1, BATCHES[3:]) if quick else (EPOCHS, BATCHES)
    seeds, tuning = (SEEDS[:2], TUNING[:1]) if quick else (SEEDS, TUNING)
    parts = split()

    def search(make_optimizer, rates, batch, warmup, tuning=tuning):
        """The rate with the best validation accuracy."""

        def score(lr, seed):
            return train(make_optimizer, lr, batch, seed, epochs, parts, warmup)[0]

        return sweep(score, rates, tuning, higher_is_better=True).best

    base_lr = search(sgd, BASE_RATES, batches[0], 0.0, tuning[:1])  # its runs are the longest
    fixed = {
        "same": lambda batch: (base_lr, 0.0),
        # --8<-- [start:rule]
        "scaled": lambda batch: (base_lr * batch / batches[0], 0.0),
        "warmed": lambda batch: (base_lr * batch / batches[0], WARMUP),
        # --8<-- [end:rule]
    }
    tested = {name: {} for name in NAMES}
    rates = {name: {} for name in SEARCHED}
    for batch in tqdm(batches, desc="batch sizes", leave=False):
        for name, rule in fixed.items():
            if batch == batches[0] and name != "same":
                tested[name][batch] = tested["same"][batch]  # where the rules start from
                continue
            lr, warmup = rule(batch)
            tested[name][batch] = [train(sgd, lr, batch, seed, epochs, parts, warmup)[1] for seed in seeds]
        if batch < 512:
            continue
        for name, (make_optimizer, grid) in SEARCHED.items():
            lr = rates[name][batch] = search(make_optimizer, grid, batch, WARMUP)
            tested[name][batch] = [train(make_optimizer, lr, batch, seed, epochs, parts, WARMUP)[1] for seed in seeds]
    return {
        "curves": {
            name: {"batch": list(found), "mean": [mean(own) for own in found.values()],
                   "least": [min(own) for own in found.values()], "most": [max(own) for own in found.values()]}
            for name, found in tested.items()
        },
        "at": {name: {str(batch): mean(own) for batch, own in found.items()} for name, found in tested.items()},
        "rates": {name: {str(batch): lr for batch, lr in found.items()} for name, found in rates.items()},
        "base_lr": base_lr,
        "scaled_rates": {str(batch): fixed["scaled"](batch)[0] for batch in batches},
        "over": {
            f"{a}_{b}": {
                str(batch): paired(tested[a][batch], tested[b][batch], comparisons=2)
                for batch in batches[1:]
                if batch in tested[a]
            }
            for a, b in PAIRS
        },
        "updates": {str(batch): epochs * len(ShuffledBatches(len(parts[0]), batch)) for batch in batches},
        "seeds": len(seeds),
        "epochs": epochs,
        "grid": len(SGD_RATES),
    }


def draw(results):
    figure, ax = plt.subplots(figsize=(5.2, 4.2))
    lines = []
    for name, curve in results["curves"].items():
        ink = colour(COLOURS[name])
        style = "--" if name in SEARCHED else "-"
        drawn = ax.plot(curve["batch"], [100 * m for m in curve["mean"]], style, marker=".", ms=9, color=ink)[0]
        band = [[100 * m for m in curve[k]] for k in ("least", "most")]
        ax.fill_between(curve["batch"], *band, color=ink, alpha=0.13, lw=0)
        lines.append((drawn, NAMES[name]))
    ax.set(xscale="log", xlabel="batch size", ylabel="test accuracy, %", title="The same images, fewer updates")
    ax.set_xticks(results["curves"]["same"]["batch"], [f"{b:,}" for b in results["curves"]["same"]["batch"]])
    ax.minorticks_off()
    label_ends(ax, lines)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
