"""Does RMSprop with Nesterov's momentum beat RMSprop, and RMSprop with the plain kind?

    python examples/chapter-exercises/nesterov_rmsprop.py

The rule is checked against two transcriptions. Then three rules, each at its own best of six learning
rates, on Rosenbrock's valley from ten starts and on scikit-learn's digits with ten fresh seeds.
Takes about twelve seconds.
"""

import math
from functools import partial

import matplotlib.pyplot as plt
import torch
from torch import nn
from tqdm import tqdm

from trainloop.data import digits, stratified_split
from trainloop.figures import label_ends, line
from trainloop.lab import paired, sweep
from trainloop.landscapes import rosenbrock
from trainloop.loop import evaluate, train_epoch
from trainloop.models import MLP
from trainloop.optim import RMSprop
from trainloop.sampler import ShuffledBatches

EPOCHS, BATCH = 6, 64
TUNING, FRESH = range(3), range(100, 110)
RATES = tuple(10 ** (i / 3 - 4) for i in range(2, 8))  # 0.0005 … 0.02
ONE_RATE = RATES[4]  # 0.01
STEPS, STARTS, TARGET = 2200, 10, 0.01  # on Rosenbrock


# --8<-- [start:rule]
class NesterovRMSprop(RMSprop):
    """RMSprop's direction u = g / (√v + ε), with Nesterov's momentum."""

    def __init__(
        self, params, lr=1e-2, alpha=0.99, eps=1e-8, momentum=0.9
    ):
        super().__init__(params, lr, alpha, eps, momentum=momentum)

    def check(self, group):
        super().check(group)
        if group["momentum"] == 0:
            raise ValueError("momentum must be > 0, got 0")

    def update(self, θ, g, state, group):
        η, α = group["lr"], group["alpha"]
        ε, μ = group["eps"], group["momentum"]
        v, b = state["square_avg"], state["momentum_buffer"]
        v.mul_(α).addcmul_(g, g, value=1 - α)  # v = αv + (1 − α)g²
        root = v.sqrt().add_(ε)  # u = g / root
        b.mul_(μ).addcdiv_(g, root)  # b = μb + u
        θ.addcdiv_(g, root, value=-η)  # θ = θ − η(u + μb),
        θ.add_(b, alpha=-η * μ)  # in two parts
# --8<-- [end:rule]


pairs = partial(zip, strict=True)


# --8<-- [start:transcriptions]
def slope(θ):
    return [d.item() for d in rosenbrock.grad(*θ)]


def transcribed(θ, steps, η=0.002, α=0.99, ε=1e-8, μ=0.9):
    """The formulas, number by number."""
    v, b = [0.0, 0.0], [0.0, 0.0]
    points = [list(θ)]
    for _ in range(steps):
        g = slope(points[-1])
        v = [α * vi + (1 - α) * gi**2 for vi, gi in pairs(v, g)]
        u = [gi / (math.sqrt(vi) + ε) for gi, vi in pairs(g, v)]
        b = [μ * bi + ui for bi, ui in pairs(b, u)]
        moved = pairs(points[-1], u, b)
        points.append([θi - η * (ui + μ * bi) for θi, ui, bi in moved])
    return points


def looking_ahead(θ, steps, η=0.002, α=0.99, ε=1e-8, μ=0.9):
    """Nesterov's own reading: measure the slope where b is about to lead.

    Returns the points at which the slope was measured.
    """
    v, b, θ = [0.0, 0.0], [0.0, 0.0], list(θ)
    aheads = []
    for _ in range(steps + 1):
        ahead = [θi - η * μ * bi for θi, bi in pairs(θ, b)]
        aheads.append(ahead)
        g = slope(ahead)
        v = [α * vi + (1 - α) * gi**2 for vi, gi in pairs(v, g)]
        u = [gi / (math.sqrt(vi) + ε) for gi, vi in pairs(g, v)]
        b = [μ * bi + ui for bi, ui in pairs(b, u)]
        θ = [θi - η * bi for θi, bi in pairs(θ, b)]
    return aheads
# --8<-- [end:transcriptions]


def walked(steps, lr=0.002):
    """Our rule's points on the same walk."""
    xy = torch.tensor(rosenbrock.start, dtype=torch.float64)
    optimizer = NesterovRMSprop([xy], lr=lr)
    points = [xy.tolist()]
    for _ in range(steps):
        xy.grad = torch.stack(rosenbrock.grad(*xy))
        optimizer.step()
        points.append(xy.tolist())
    return points


def apart(walk, other):
    """The largest distance between two walks in any coordinate."""
    pairs = zip(walk, other, strict=True)
    return max(abs(a - b) for p, q in pairs for a, b in zip(p, q, strict=True))


RULES = {
    "rmsprop": lambda params, lr: RMSprop(params, lr=lr),
    "momentum": lambda params, lr: RMSprop(params, lr=lr, momentum=0.9),
    "nesterov": lambda params, lr: NesterovRMSprop(params, lr=lr, momentum=0.9),
}
NAMES = {"rmsprop": "no momentum", "momentum": "momentum", "nesterov": "Nesterov"}


def arrivals(make_optimizer, rates, steps):
    """The step from which a walk stays below the target: (rates, starts)."""
    generator = torch.Generator().manual_seed(0)
    scatter = torch.randn(STARTS, 2, generator=generator, dtype=torch.float64)
    start = torch.tensor(rosenbrock.start, dtype=torch.float64) + 0.1 * scatter
    walkers = [start.clone() for _ in rates]
    groups = [{"params": [xy], "lr": lr} for xy, lr in zip(walkers, rates, strict=True)]
    optimizer = make_optimizer(groups, rates[0])
    above = torch.zeros(len(rates), STARTS, dtype=torch.int64)
    points = torch.stack(walkers)
    for step in range(1, steps + 1):
        slopes = torch.stack(rosenbrock.grad(*points.unbind(-1)), dim=-1)
        for xy, g in zip(walkers, slopes, strict=True):
            xy.grad = g
        optimizer.step()
        points = torch.stack(walkers)
        above[rosenbrock.f(*points.unbind(-1)) >= TARGET] = step
    return above + 1


def train(make_optimizer, lr, seed, epochs, parts):
    """Train on digits; the loss on the validation and the test part."""
    x, y, validation, test = parts
    torch.manual_seed(seed)
    model = MLP([64, 32, 10])
    optimizer = make_optimizer(model.parameters(), lr)
    loss_fn = nn.CrossEntropyLoss()
    batches = ShuffledBatches(len(x), BATCH, seed=seed)
    for epoch in range(epochs):
        batches.set_epoch(epoch)
        train_epoch(model, loss_fn, optimizer, ((x[i], y[i]) for i in batches))
    return [evaluate(model, loss_fn, [part]) for part in (validation, test)]


def split():
    """Digits in three: 1,079 to train on, 358 to choose by, 360 to report."""
    x, y, x_test, y_test = digits()
    x, y, x_val, y_val = stratified_split(x, y, test_fraction=0.25)
    return x, y, (x_val, y_val), (x_test, y_test)


PAIRS = (("nesterov", "momentum"), ("nesterov", "rmsprop"), ("momentum", "rmsprop"))


def run(quick=False):
    steps, epochs, tuning, fresh = (80, 1, TUNING[:1], FRESH[:2]) if quick else (STEPS, EPOCHS, TUNING, FRESH)
    parts, check = split(), 200
    ours = walked(check)
    curves, rows, logs, tested = {}, [], {}, {}
    for name, make_optimizer in tqdm(RULES.items(), desc="rules", leave=False):

        def trained(lr, seed, part, make_optimizer=make_optimizer):
            return train(make_optimizer, lr, seed, epochs, parts)[part]

        # --8<-- [start:choose]
        found = sweep(partial(trained, part=0), RATES, tuning)
        tested[name] = [trained(found.best, seed, part=1) for seed in fresh]
        # --8<-- [end:choose]
        arrived = arrivals(make_optimizer, RATES, steps)
        medians = arrived.median(dim=1).values
        quickest = int(medians.argmin())
        logs[name] = arrived[quickest].double().log().tolist()  # a difference is then a ratio of steps
        curves[name] = {
            "lr": list(RATES),
            "valley": [t if t <= steps else None for t in medians.tolist()],
            "digits": [found.median(lr) for lr in RATES],
        }
        rows.append({
            "rule": NAMES[name],
            "valley_lr": RATES[quickest],
            "valley": curves[name]["valley"][quickest],
            "digits_lr": found.best,
            "digits": sum(tested[name]) / len(tested[name]),
        })
    one = RATES.index(ONE_RATE)
    valley = {f"{a}_{b}": paired(logs[a], logs[b], comparisons=len(PAIRS)) for a, b in PAIRS}
    return {
        "curves": curves,
        "rows": rows,
        "at_one_rate": {name: curve["digits"][one] for name, curve in curves.items()},
        "one_rate": ONE_RATE,
        "valley": valley,
        "valley_ratio": {pair: math.exp(found["gap"]) for pair, found in valley.items()},
        "digits": {f"{a}_{b}": paired(tested[a], tested[b], comparisons=len(PAIRS)) for a, b in PAIRS},
        "to_transcription": apart(ours, transcribed(rosenbrock.start, check)),
        "to_look_ahead": apart(ours, looking_ahead(rosenbrock.start, check)),
        "check_steps": check,
        "most": steps,
        "rates": len(RATES),
        "tuning": len(tuning),
        "fresh": len(fresh),
        "starts": STARTS,
    }


def draw(results):
    figure, axes = plt.subplots(2, 1, figsize=(5.2, 6.0), sharex=True)
    for ax, kind in zip(axes, ("valley", "digits"), strict=True):
        lines = []
        for name, curve in results["curves"].items():
            points = [
                (lr, value)
                for lr, value in zip(curve["lr"], curve[kind], strict=True)
                if value is not None
            ]
            if points:
                drawn = ax.plot(*zip(*points, strict=True), marker=".", ms=8, **line(name))[0]
                lines.append((drawn, NAMES[name]))
        ax.set(xscale="log", xlim=(3.8e-4, 0.03), yscale="log")
        if kind == "digits":
            ax.set(xlabel="learning rate", ylabel="validation loss", title="Digits")
            ax.set_yticks([0.15, 0.3, 0.6, 1.2], ["0.15", "0.3", "0.6", "1.2"])
            ax.minorticks_off()
        else:
            ax.set(ylabel="steps until f stays < 0.01", title="Rosenbrock")
            ax.set_yticks([1000, 1500, 2000], ["1,000", "1,500", "2,000"])
            ax.minorticks_off()
        label_ends(ax, lines)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
