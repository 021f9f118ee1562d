"""Training goes well and validation does not: too few samples, or a fault on the way to the validation set?

    python examples/four-problems/gap.py

A classifier of handwritten digits on 80 samples; the same, validated on images that nobody standardised; and
four remedies, each with a grid of three strengths chosen on three starts and judged on eight others.
Takes about twelve seconds.
"""

import statistics

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from trainloop.data import digits, stratified_split
from trainloop.figures import colour
from trainloop.lab import paired, spread
from trainloop.loop import evaluate, train_epoch
from trainloop.optim import AdamW
from trainloop.sampler import shuffled

FEW, EPOCHS, LR = 80, 40, 3e-3
CHOOSE, JUDGE = range(3), range(10, 18)

pixels, labels, x_test, y_test = digits()
pixels, labels, x_val, y_val = stratified_split(pixels, labels, seed=1)
mean, scale = pixels.mean(), pixels.std()


def ready(images):
    return ((images - mean) / scale).flatten(1)


def forgotten(images):
    """What the model gets where bytes from 0 to 255 go in as they are."""
    return (images * 255).flatten(1)


# --8<-- [start:remedies]
REMEDIES = {  # name: strengths
    "nothing": (),
    "weight decay": (0.1, 1.0, 10.0),
    "dropout": (0.2, 0.4, 0.6),
    "smaller network": (8, 16, 32),
    "more data": (160, 320, 640),
}
# --8<-- [end:remedies]


def network(remedy, strength):
    width = strength if remedy == "smaller network" else 128
    dropout = strength if remedy == "dropout" else 0.0
    return nn.Sequential(
        nn.Linear(64, width), nn.ReLU(), nn.Dropout(dropout),
        nn.Linear(width, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, 10),
    )


def train(remedy, strength, seed, epochs, *, few=FEW):
    """Train on the same number of updates, whatever the remedy; return the model and its curves."""
    torch.manual_seed(seed)
    samples = strength if remedy == "more data" else few
    x, y = ready(pixels[:samples]), labels[:samples]
    model = network(remedy, strength)
    decay = strength if remedy == "weight decay" else 0.0
    optimizer = AdamW(model.parameters(), lr=LR, weight_decay=decay)
    curves = {"train": [], "val": [], "raw": [], "train as val": []}
    epochs = max(1, epochs * few // samples)
    for epoch in range(epochs):
        parts = shuffled(len(x), seed, epoch).split(20)
        train_epoch(model, cross_entropy, optimizer, [(x[i], y[i]) for i in parts])
        if remedy == "nothing":
            curves["train"].append(evaluate(model, cross_entropy, [(x, y)]))
            curves["val"].append(evaluate(model, cross_entropy, [(ready(x_val), y_val)]))
            curves["raw"].append(evaluate(model, cross_entropy, [(forgotten(x_val), y_val)]))
            curves["train as val"].append(evaluate(model, cross_entropy, [(forgotten(pixels[:samples]), y)]))
    return model, curves


def score(model, images, targets):
    return evaluate(model, cross_entropy, [(ready(images), targets)])


def accuracy(model, images, targets):
    def share(logits, y):
        return (logits.argmax(dim=1) == y).float().mean()

    return evaluate(model, share, [(ready(images), targets)])


def run(quick=False):
    choose, judge, epochs = (range(1), range(10, 12), 5) if quick else (CHOOSE, JUDGE, EPOCHS)
    results = {"few": FEW, "seeds": len(judge), "rows": [], "epochs": epochs}
    plain = [train("nothing", None, seed, epochs) for seed in judge]
    runs = [curves for _, curves in plain]
    results["curves"] = {
        key: [statistics.median(run[key][k] for run in runs) for k in range(epochs)] for key in runs[0]
    }
    lowest = [run["val"].index(min(run["val"])) for run in runs]
    results["lowest"] = {
        "epoch": statistics.median(lowest) + 1,
        "loss": statistics.median(min(run["val"]) for run in runs),
        "last": statistics.median(run["val"][-1] for run in runs),
        "train": statistics.median(run["train"][-1] for run in runs),
    }
    results["first"] = {key: results["curves"][key][0] for key in results["curves"]}
    tests = {}
    for remedy, strengths in tqdm(REMEDIES.items(), desc="remedies", leave=False):
        best, models = None, [model for model, _ in plain]
        if remedy != "nothing":
            tried = {
                strength: statistics.mean(score(train(remedy, strength, s, epochs)[0], x_val, y_val) for s in choose)
                for strength in strengths
            }
            best = min(tried, key=tried.get)
            models = [train(remedy, best, seed, epochs)[0] for seed in judge]
        tests[remedy] = [score(model, x_test, y_test) for model in models]
        right = [100 * accuracy(model, x_test, y_test) for model in models]
        row = {
            "remedy": remedy, "strength": "" if best is None else f"{best:g}",
            "accuracy": statistics.mean(right), "loss": statistics.mean(tests[remedy]),
        } | dict.fromkeys(("gap", "margin")) | {"verdict": "–"}
        if remedy != "nothing":
            compared = paired(tests[remedy], tests["nothing"], comparisons=len(REMEDIES) - 1)
            row |= {"gap": compared["gap"], "margin": compared["margin"]}
            row["verdict"] = (
                "not separable" if not compared["separable"] else "better" if compared["gap"] < 0 else "worse"
            )
        results["rows"].append(row | {"spread": spread(tests[remedy])})
    return results


def draw(results):
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(5.2, 5.6), sharex=True, sharey=True)
    at = range(1, results["epochs"] + 1)
    curves = results["curves"]
    for ax, keys, title in (
        (top, ("train", "val"), "Too few samples: the gap opens with time"),
        (bottom, ("train", "raw", "train as val"), "A fault in the pipeline: it is there at once"),
    ):
        for key in keys:
            ink = {"train": "update", "val": "wrong", "raw": "wrong", "train as val": "predict"}[key]
            text = {
                "train": "training set", "val": "validation set", "raw": "validation set",
                "train as val": "training set, the validation way",
            }[key]
            dashes = {"train": "-", "train as val": (0, (1, 1.5))}.get(key, (0, (3, 1, 1, 1)))
            ax.plot(at, curves[key], color=colour(ink), linestyle=dashes, label=text)
        ax.set(yscale="log", ylabel="loss", ylim=(1e-6, 300), title=title)
        ax.legend(loc="lower left")
    bottom.set_xlabel("epoch")
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
