"""Which of the four problems is this?

    python examples/four-problems/mystery.py

Two runs with a fault each, on data and networks that the page has not shown, drawn without names: the loss,
and beside it one measurement. Takes a second.
"""

import statistics

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_breast_cancer
from torch import nn
from torch.nn.functional import cosine_similarity, cross_entropy

from trainloop.data import mnist1d
from trainloop.figures import colour
from trainloop.models import MLP
from trainloop.optim import SGD

STEPS, SPOILT = 200, 100


def gradient(model):
    return torch.cat([p.grad.flatten() for p in model.parameters()])


def first(steps):
    """Measurements of tumours in their own units, full batches, a rate just inside the wall."""
    features, labels = load_breast_cancer(return_X_y=True)
    x, y = torch.tensor(features, dtype=torch.float32), torch.tensor(labels)
    torch.manual_seed(3)
    model = nn.Linear(x.shape[1], 2)
    nn.init.normal_(model.weight, std=1e-4)
    optimizer = SGD(model.parameters(), lr=1e-5)
    losses, turns, last = [], [], None
    for _ in range(steps):
        loss = cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        now = gradient(model)
        turns.append(0.0 if last is None else cosine_similarity(now, last, dim=0).item())
        last = now
        optimizer.step()
        losses.append(loss.item())
    return {"losses": losses, "measured": turns[1:]}


def second(steps):
    """One batch of signals that somebody stored in other units."""
    x, y, _, _ = mnist1d(n=2000)
    torch.manual_seed(3)
    model = MLP([40, 64, 64, 10])
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    order = torch.Generator().manual_seed(3)
    losses, norms = [], []
    for k in range(steps):
        i = torch.randint(len(x), (64,), generator=order)
        loss = cross_entropy(model(x[i] * (500 if k == min(SPOILT, steps // 2) else 1)), y[i])
        optimizer.zero_grad()
        loss.backward()
        norms.append(gradient(model).norm().item())
        optimizer.step()
        losses.append(loss.item())
    return {"losses": losses, "measured": norms}


def run(quick=False):
    steps = 40 if quick else STEPS
    a, b = first(steps), second(steps)
    spoilt = min(SPOILT, steps // 2)
    return {
        "a": a,
        "b": b,
        "turn": statistics.median(a["measured"]),
        "fallen": {"middle": a["losses"][steps // 2], "end": a["losses"][-1]},
        "calm": statistics.median(b["measured"][spoilt - 20 : spoilt]),
        "jump": max(b["measured"]),
        "before": statistics.mean(b["losses"][spoilt - 20 : spoilt]),
        "after": statistics.mean(b["losses"][-20:]),
    }


def draw(results):
    figure, axes = plt.subplots(2, 2, figsize=(5.2, 4.8), sharex=True)
    for column, (key, name) in zip(axes.T, (("a", "A"), ("b", "B")), strict=True):
        column[0].plot(results[key]["losses"], color=colour("measure"), lw=1.3)
        column[1].plot(results[key]["measured"], color=colour("differentiate"), lw=1.3)
        column[0].set_title(name)
        column[0].set(yscale="log")
        column[1].set_xlabel("step")
    axes[0, 1].minorticks_off()
    axes[0, 0].set_ylabel("loss")
    axes[1, 0].set(ylim=(-1.1, 1.1))
    axes[1, 0].set_title("cosine of gradients", weight="normal", size=11)
    axes[1, 1].set(yscale="log")
    axes[1, 1].set_title("gradient norm", weight="normal", size=11)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
