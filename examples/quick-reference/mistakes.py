"""What do four quiet mistakes in the training loop look like in its numbers?

    python examples/quick-reference/mistakes.py

The same small network on scikit-learn's digits, right and wrong, with five seeds each. Takes three seconds.
"""

import math
import statistics

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_, get_total_norm
from training_step import accuracy, batches

from trainloop.data import digits
from trainloop.optim import SGD
from trainloop.schedulers import OneCycleLR

SEEDS, EPOCHS = 5, 6
BOUND, PEAK = 0.5, 0.5


def network(dropout=0.0, softmax=False):
    layers = [nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Dropout(dropout), nn.Linear(64, 10)]
    return nn.Sequential(*layers, *([nn.Softmax(1)] if softmax else []))


def norm(model):
    return get_total_norm([p.grad for p in model.parameters()]).item()


# --8<-- [start:train]
def train(model, data, epochs, generator, mistake=""):
    per_epoch = -(-len(data.x_train) // 64)
    optimizer = SGD(model.parameters(), lr=0.1)
    scheduler = OneCycleLR(optimizer, PEAK, epochs * per_epoch)
    losses, norms, rates = [], [], []
    for _ in range(epochs):
        for x, y in batches(data.x_train, data.y_train, generator):
            optimizer.zero_grad()
            if mistake == "clip first":
                clip_grad_norm_(model.parameters(), BOUND)
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            if mistake != "clip first":
                clip_grad_norm_(model.parameters(), BOUND)
            norms.append(norm(model))
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if mistake != "once an epoch":
                scheduler.step()
            losses.append(loss.item())
        if mistake == "once an epoch":
            scheduler.step()
    return losses, norms, rates
# --8<-- [end:train]


def once(data, epochs, seed):
    """What each mistake does to one number, right and wrong, from the same start and in the same order."""

    def trained(mistake="", **options):
        torch.manual_seed(seed)
        model = network(**options)
        return model, *train(model, data, epochs, torch.Generator().manual_seed(seed), mistake)

    model, losses, norms, rates = trained()
    found = {
        "clip_first": {"right": max(norms), "wrong": max(trained("clip first")[2])},
        "once_an_epoch": {"right": max(rates), "wrong": max(trained("once an epoch")[3])},
        "softmax_twice": {"right": losses[-1], "wrong": trained(softmax=True)[1][-1]},
    }
    model = trained(dropout=0.5)[0]
    right = accuracy(model, data.x_test, data.y_test)
    forgotten = model.train()(data.x_test).argmax(1)
    wrong = (forgotten == data.y_test).float().mean().item()
    return found | {"no_eval": {"right": right, "wrong": wrong}}


def run(quick=False):
    data, seeds, epochs = digits(), 1 if quick else SEEDS, 1 if quick else EPOCHS
    runs = [once(data, epochs, seed) for seed in range(seeds)]
    return {
        "seeds": seeds,
        "bound": BOUND,
        "peak": PEAK,
        # Outputs between 0 and 1, the right one 1 and the nine others 0, in a second softmax.
        "softmax_floor": math.log(1 + 9 * math.exp(-1)),
        **{
            name: {
                side: {
                    "median": statistics.median(values := [one[name][side] for one in runs]),
                    "lowest": min(values),
                    "highest": max(values),
                }
                for side in ("right", "wrong")
            }
            for name in runs[0]
        },
    }


if __name__ == "__main__":
    from courseware.example import main

    main(run)
