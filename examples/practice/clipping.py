"""What do the three kinds of clipping change in a gradient, step by step?

    python examples/practice/clipping.py

A recurrent network that reads a handwritten digit two pixels at a time, 32 readings with the same weights.
One rate for all; no clipping, by norm, by value, adaptive; five starts. Takes about ten seconds.
"""

import math
import statistics

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn.functional import cosine_similarity, cross_entropy
from tqdm import tqdm

from trainloop.clip import clip_grad_adaptive_, clip_grad_norm_, clip_grad_value_
from trainloop.data import digits
from trainloop.figures import colour
from trainloop.optim import SGD

LR, MOMENTUM, BATCH, EPOCHS = 0.01, 0.9, 32, 2
SEEDS = range(5)

x, y, _, _ = digits()
x = ((x - x.mean()) / x.std()).view(len(x), 32, 2)


# --8<-- [start:network]
class Reader(nn.Module):
    """Reads a row of numbers with a recurrent ReLU layer."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(2, 64, nonlinearity="relu", batch_first=True)
        self.head = nn.Linear(64, 10)
        nn.init.eye_(self.rnn.weight_hh_l0)  # remember everything

    def forward(self, x):
        states, _ = self.rnn(x)
        return self.head(states[:, -1])
# --8<-- [end:network]


PARAMETERS = sum(p.numel() for p in Reader().parameters())

# --8<-- [start:rules]
RULES = {
    "unclipped": lambda net: None,
    "norm": lambda net: clip_grad_norm_(net.parameters(), 1.0),
    # 1 / √n for n parameters: no gradient stays longer than 1
    "value": lambda net: clip_grad_value_(
        net.parameters(), 1 / math.sqrt(PARAMETERS)
    ),
    # as its paper asks, not the last layer
    "adaptive": lambda net: clip_grad_adaptive_(
        net.rnn.parameters(), 0.02
    ),
}
# --8<-- [end:rules]
LABELS = {
    "unclipped": "not clipped",
    "norm": "by norm, to 1",
    "value": "by value",
    "adaptive": "adaptive, factor 0.02",
}


def gradient(net):
    return torch.cat([p.grad.flatten() for p in net.parameters()]).double()


def train(rule, seed, epochs):
    """Train, and note the gradient's norm before and after clipping, and the cosine between the two."""
    torch.manual_seed(seed)
    net = Reader()
    optimizer = SGD(net.parameters(), lr=LR, momentum=MOMENTUM)
    order = torch.Generator().manual_seed(seed)
    seen = {"before": [], "after": [], "cosine": [], "loss": []}
    for _ in range(epochs):
        for i in torch.randperm(len(x), generator=order).split(BATCH):
            loss = cross_entropy(net(x[i]), y[i])
            optimizer.zero_grad()
            loss.backward()
            before = gradient(net)
            rule(net)
            after = gradient(net)
            optimizer.step()
            seen["before"].append(before.norm().item())
            seen["after"].append(after.norm().item())
            seen["cosine"].append(cosine_similarity(before, after, dim=0).item())
            seen["loss"].append(loss.item())
    return seen


def run(quick=False):
    seeds, epochs = (range(2), 1) if quick else (SEEDS, EPOCHS)
    results = {"seeds": len(seeds), "parameters": PARAMETERS, "guessing": math.log(10), "rows": [], "watched": {}}
    for name, rule in RULES.items():
        runs = [train(rule, seed, epochs) for seed in tqdm(seeds, desc=name, leave=False)]
        ends = [statistics.mean(seen["loss"][-len(seen["loss"]) // epochs :]) for seen in runs]
        ends = [min(end, 100.0) if math.isfinite(end) else 100.0 for end in ends]  # blew up
        cosines = [c for seen in runs for c in seen["cosine"] if math.isfinite(c)]
        norms = [n for seen in runs for n in seen["before"] if math.isfinite(n)]
        cosine = min(1.0, statistics.median(cosines))
        results["rows"].append({
            "name": LABELS[name],
            "median_before": statistics.median(norms),
            "highest_before": max(norms),
            "highest_after": max(n for seen in runs for n in seen["after"] if math.isfinite(n)),
            "acted": 100 * statistics.mean(
                a < b * (1 - 1e-6) for seen in runs for a, b in zip(seen["after"], seen["before"], strict=True)
            ),
            "cosine": cosine,
            "lowest_cosine": min(cosines),
            "angle": 0.0 if cosine > 1 - 1e-9 else math.degrees(math.acos(cosine)),
            "first_three": statistics.median(max(seen["before"][:3]) for seen in runs),
            "soon_after": statistics.median(n for seen in runs for n in seen["before"][5:40]),
            "loss": statistics.median(ends),
            "best": min(ends),
            "worst": max(ends),
            "blew_up": sum(end == 100.0 for end in ends),
            "learned": sum(end < 2.1 for end in ends),
        })
        results["watched"][name] = {
            key: [round(value, 4) if math.isfinite(value) else None for value in runs[0][key]]
            for key in ("before", "after", "cosine", "loss")
        }
    return results


def draw(results):
    figure, axes = plt.subplots(4, 1, figsize=(5.2, 8.4), sharex=True, sharey=True)
    kinds = zip(axes, RULES, ("unclipped", "clip_norm", "clip_value", "adaptive"), strict=True)
    for ax, name, concept in kinds:
        seen = results["watched"][name]
        ink = colour("update" if concept == "adaptive" else concept)
        before = [math.nan if n is None else n for n in seen["before"]]
        after = [math.nan if n is None else n for n in seen["after"]]
        ax.plot(before, color=colour("data"), lw=1.1, label="before")
        if name != "unclipped":
            ax.plot(after, color=ink, lw=1.6, label="after")
            ax.legend(loc="upper right", ncols=2, borderaxespad=0, handlelength=1.4, columnspacing=1)
        ax.set(yscale="log", ylabel="gradient norm", title=LABELS[name].capitalize(), ylim=(0.03, 3e3))
        ax.minorticks_off()
    axes[-1].set_xlabel("step")
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
