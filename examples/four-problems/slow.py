"""A loss that falls slowly: is the rate too small, or is no rate large enough?

    python examples/four-problems/slow.py

A classifier of wines from thirteen measurements in their own units, which differ a thousandfold; the same,
standardised; SGD, and Adam on the raw ones, each with rates in powers of ten. Six starts. Takes about six seconds.
"""

import math
import statistics

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_wine
from torch import nn
from torch.nn.functional import cosine_similarity, cross_entropy
from tqdm import tqdm

from trainloop.figures import colour, label_ends
from trainloop.optim import SGD, Adam

STEPS = 300
CHOOSE, JUDGE = range(2), range(10, 16)
SGD_RATES = tuple(10.0**k for k in range(-7, 2))
ADAM_RATES = tuple(10.0**k for k in range(-5, 2))

features, labels = load_wine(return_X_y=True)
raw, y = torch.tensor(features, dtype=torch.float32), torch.tensor(labels)


# --8<-- [start:fixed]
def standardised(x):
    """Every column in units of its own spread."""
    return (x - x.mean(dim=0)) / x.std(dim=0)
# --8<-- [end:fixed]


INPUTS = {"raw": raw, "standardised": standardised(raw)}
METHODS = {
    "raw, SGD": ("raw", SGD, SGD_RATES),
    "standardised, SGD": ("standardised", SGD, SGD_RATES),
    "raw, Adam": ("raw", Adam, ADAM_RATES),
}


def train(x, make, lr, seed, steps):
    """Losses; the median move of a step relative to the weights; the cosine of successive gradients."""
    torch.manual_seed(seed)
    model = nn.Linear(x.shape[1], 3)
    nn.init.normal_(model.weight, std=0.01)
    optimizer = make(model.parameters(), lr=lr)
    losses, ratios, turns, last = [], [], [], None
    for _ in range(steps):
        loss = cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        gradient = torch.cat([p.grad.flatten() for p in model.parameters()])
        before = model.weight.detach().clone()
        optimizer.step()
        ratios.append(((model.weight.detach() - before).norm() / before.norm()).item())
        if last is not None:
            turns.append(cosine_similarity(gradient, last, dim=0).item())
        last = gradient
        losses.append(loss.item())
    finite = all(map(math.isfinite, losses))
    return {"losses": losses, "ratio": statistics.median(ratios), "turn": statistics.median(turns), "finite": finite}


def settled(seen):
    """The loss at the end: the highest of the last tenth, so that a swinging run does not pass for a good one."""
    return max(seen["losses"][-len(seen["losses"]) // 10 :]) if seen["finite"] else math.inf


def curvature(x):
    """Largest and smallest eigenvalue of xᵀx / n, with the column of ones: what bounds a rate, and what waits."""
    full = torch.cat([x, torch.ones(len(x), 1)], dim=1).double()
    values = torch.linalg.eigvalsh(full.T @ full / len(full))
    return {"largest": values[-1].item(), "smallest": values[0].item(), "ratio": (values[-1] / values[0]).item()}


def run(quick=False):
    choose, judge, steps = (range(1), range(10, 12), 20) if quick else (CHOOSE, JUDGE, STEPS)
    results = {"seeds": len(judge), "steps": steps, "guessing": math.log(3), "rows": [], "curves": {}}
    ends = {}
    for name, (inputs, make, rates) in tqdm(METHODS.items(), desc="methods", leave=False):
        x = INPUTS[inputs]
        tried = {
            lr: statistics.mean(settled(train(x, make, lr, seed, steps)) for seed in choose) for lr in rates
        }
        best = min(tried, key=tried.get)
        runs = [train(x, make, best, seed, steps) for seed in judge]
        ends[name] = [settled(seen) for seen in runs]
        results["curves"][name] = [
            min(statistics.median(seen["losses"][k] for seen in runs), 100.0) for k in range(0, steps, 5)
        ]
        results["rows"].append({
            "name": name, "lr": best, "inside": rates[0] < best < rates[-1],
            "loss": statistics.median(ends[name]),
            "lowest": min(ends[name]), "highest": max(ends[name]),
            "ratio": statistics.median(seen["ratio"] for seen in runs),
            "turn": statistics.median(seen["turn"] for seen in runs),
        })
    # The two that look alike: too small a rate on good inputs, and the best rate on bad ones.
    results["neighbours"] = []
    pairs = (("rate too small", "standardised", 1e-3), ("inputs not scaled", "raw", results["rows"][0]["lr"]))
    for name, inputs, lr in pairs:
        found = {"name": name, "lr": lr}
        for factor in (1, 10):
            runs = [train(INPUTS[inputs], SGD, factor * lr, seed, steps) for seed in judge]
            found[f"loss {factor}"] = min(statistics.median(settled(seen) for seen in runs), 1e6)
            found[f"ratio {factor}"] = statistics.median(seen["ratio"] for seen in runs)
            found[f"turn {factor}"] = statistics.median(seen["turn"] for seen in runs)
            if factor == 1:
                results["curves"][name] = [
                    statistics.median(seen["losses"][k] for seen in runs) for k in range(0, steps, 5)
                ]
        results["neighbours"].append(found)
    results["units"] = {
        "largest": raw.std(dim=0).max().item(), "smallest": raw.std(dim=0).min().item(),
        "ratio": (raw.std(dim=0).max() / raw.std(dim=0).min()).item(),
    }
    results["curvature"] = {name: curvature(x) for name, x in INPUTS.items()}
    return results


def draw(results):
    figure, ax = plt.subplots(figsize=(5.2, 4.0))
    drawn = {
        "rate too small": ("predict", (0, (1, 1.5)), "rate\ntoo small"),
        "raw, SGD": ("wrong", (0, (3, 1, 1, 1)), "own units,\nbest rate"),
        "raw, Adam": ("adam", (0, (5, 1.5)), "own units,\nAdam"),
        "standardised, SGD": ("update", "-", "standardised"),
    }
    lines = []
    for name, (ink, dashes, text) in drawn.items():
        curve = results["curves"][name]
        (shown,) = ax.plot(range(0, 5 * len(curve), 5), curve, color=colour(ink), linestyle=dashes)
        lines.append((shown, text))
    ax.set(yscale="log", xlabel="step", ylabel="loss", title="Two slow losses, and what mends one")
    ax.set_xlim(0, results["steps"] * 1.42)
    label_ends(ax, lines, gap=28)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
