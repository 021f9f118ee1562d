"""Five flat losses: which number tells why a network does not learn?

    python examples/four-problems/flat.py

A classifier of handwritten digits with one thing wrong at a time – an optimizer that holds another model,
a rate far too small, dead units, labels that do not belong to their images, a detached tensor – and with
nothing wrong. Five starts. Takes about four seconds.
"""

import math
import statistics

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from trainloop.data import digits
from trainloop.figures import colour, label_ends
from trainloop.models import MLP
from trainloop.monitor import Monitor, dead_units
from trainloop.optim import SGD

STEPS, BATCH, LR = 150, 64, 0.1
SEEDS = range(5)

x, y, _, _ = digits()
x = ((x - x.mean()) / x.std()).flatten(1)


# --8<-- [start:broken]
def other_model(model):
    """The cell that makes the model was run again, after this one."""
    optimizer = SGD(model.parameters(), lr=LR, momentum=0.9)
    model = MLP([64, 64, 64, 10])
    return model, optimizer
# --8<-- [end:broken]


# --8<-- [start:fixed]
def healthy(model):
    """The optimizer is made last, from the model that is trained."""
    return model, SGD(model.parameters(), lr=LR, momentum=0.9)
# --8<-- [end:fixed]


def tiny_rate(model):
    return model, SGD(model.parameters(), lr=LR / 100_000, momentum=0.9)


def dead(model):
    for layer in model.layers:
        if isinstance(layer, nn.Linear) and layer is not model.layers[-1]:
            nn.init.constant_(layer.bias, -30.0)
    return healthy(model)


class Detached(nn.Module):
    """Somebody detached the features to print them."""

    def __init__(self, model):
        super().__init__()
        self.features, self.head = model.layers[:-1], model.layers[-1]

    def forward(self, x):
        return self.head(self.features(x)).detach().requires_grad_()


CASES = {
    "nothing": healthy,
    "optimizer of another model": other_model,
    "rate too small": tiny_rate,
    "dead units": dead,
    "labels shuffled": healthy,
    "output detached": lambda model: healthy(Detached(model)),
}


def train(name, seed, steps):
    """The losses, and what the monitor saw."""
    torch.manual_seed(seed)
    model, optimizer = CASES[name](MLP([64, 64, 64, 10]))
    order = torch.Generator().manual_seed(seed)
    labels = y[torch.randperm(len(y), generator=order)] if name == "labels shuffled" else y
    ours = SGD(model.parameters(), lr=LR)  # the monitor watches the model that computes the loss
    monitor = Monitor(model, ours)
    # --8<-- [start:watch]
    for _ in range(steps):
        i = torch.randint(len(x), (BATCH,), generator=order)
        loss = cross_entropy(model(x[i]), labels[i])
        optimizer.zero_grad()
        model.zero_grad()  # in one run, not the optimizer's
        loss.backward()
        monitor.before_step()
        optimizer.step()
        monitor.after_step(loss)
    # --8<-- [end:watch]
    ratios = [max(record.values(), default=0.0) for record in monitor.column("update_ratios")]
    return {
        "losses": monitor.column("loss"),
        "no_gradient": sum(p.grad is None for p in model.parameters()),
        "norm": statistics.median(monitor.column("grad_norm")),
        "ratio": statistics.median(ratios),
        "dead": max(dead_units(model, [x[:256]]).values()),
    }


def one_batch(name, steps):
    """The loss on one batch that is shown again and again: can the network learn anything by heart?"""
    torch.manual_seed(0)
    model, optimizer = CASES[name](MLP([64, 64, 64, 10]))
    labels = y[torch.randperm(len(y), generator=torch.Generator().manual_seed(0))] if "labels" in name else y
    for _ in range(steps):
        loss = cross_entropy(model(x[:BATCH]), labels[:BATCH])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


def run(quick=False):
    seeds, steps = (range(2), 20) if quick else (SEEDS, STEPS)
    results = {"seeds": len(seeds), "guessing": math.log(10), "rows": [], "curves": {}}
    for name in tqdm(CASES, desc="cases", leave=False):
        runs = [train(name, seed, steps) for seed in seeds]
        ends = [statistics.mean(seen["losses"][-20:]) for seen in runs]
        results["curves"][name] = [
            statistics.median(seen["losses"][k] for seen in runs) for k in range(0, steps, 5)
        ]
        results["rows"].append({
            "name": name,
            "loss": statistics.median(ends),
            "lowest": min(ends),
            "highest": max(ends),
            "no_gradient": runs[0]["no_gradient"],
            "norm": statistics.median(seen["norm"] for seen in runs),
            "ratio": statistics.median(seen["ratio"] for seen in runs),
            "dead": 100 * statistics.median(seen["dead"] for seen in runs),
            "one_batch": one_batch(name, 2 * steps),
        })
    return results


def draw(results):
    figure, ax = plt.subplots(figsize=(5.2, 3.8))
    lines = []
    inks = ("update", "wrong", "predict", "measure", "differentiate", "data")
    dashes = ("-", "-", (0, (5, 1.5)), (0, (1, 1.5)), (0, (6, 1.5, 1, 1.5)), (0, (3, 1, 1, 1)))
    for (name, curve), ink, dash in zip(results["curves"].items(), inks, dashes, strict=True):
        (shown,) = ax.plot(range(0, 5 * len(curve), 5), curve, color=colour(ink), linestyle=dash, lw=1.5)
        if name in ("nothing", "optimizer of another model"):
            lines.append((shown, "in order" if name == "nothing" else "five faults"))
    ax.set(xlabel="step", ylabel="loss", title="Five faults, one picture", ylim=(0, 2.8))
    ax.set_xlim(0, 5 * len(curve) * 1.25)
    label_ends(ax, lines)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
