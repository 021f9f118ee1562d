"""Three losses that explode: which number tells a rate that is too high from bad data and from bad arithmetic?

    python examples/four-problems/exploding.py

A classifier of handwritten digits: at a rate beyond the wall, with a batch whose pixels are 1,000 times too
large, with a logarithm of a probability that rounds to 1; and each of them repaired. Five starts.
Takes about four seconds.
"""

import math
import statistics

import matplotlib.pyplot as plt
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, one_hot
from tqdm import tqdm

from trainloop.clip import clip_grad_norm_
from trainloop.data import digits
from trainloop.figures import colour
from trainloop.models import MLP
from trainloop.monitor import Monitor, NonFiniteError, NonFiniteWatch, dead_units
from trainloop.optim import SGD

STEPS, BATCH, LR, BAD_STEP = 150, 64, 0.05, 60
SEEDS = range(5)
CEILING = 1e6

x, y, _, _ = digits()
x = ((x - x.mean()) / x.std()).flatten(1)


def squares(outputs, y):
    """The squared distance to the one-hot vector of the class."""
    return (outputs - one_hot(y, 10)).square().sum(dim=1).mean()


# --8<-- [start:by_hand]
def by_hand(outputs, y):
    """Is it a zero? The cross-entropy as the book has it."""
    p, t = outputs[:, 0].sigmoid(), (y == 0).float()
    return -(t * p.log() + (1 - t) * (1 - p).log()).mean()


def with_epsilon(outputs, y):
    """The repair that is passed around."""
    p, t = outputs[:, 0].sigmoid(), (y == 0).float()
    ε = 1e-8
    return -(t * (p + ε).log() + (1 - t) * (1 - p + ε).log()).mean()


def from_logits(outputs, y):
    """The same function, computed without making p first."""
    t = (y == 0).float()
    return binary_cross_entropy_with_logits(outputs[:, 0], t)
# --8<-- [end:by_hand]


# What differs from the ordinary run: a rate of 0.05, cross-entropy, no clipping.
CASES = {
    "rate": {"lr": 1.0, "loss_fn": squares},
    "rate, clipped": {"lr": 1.0, "loss_fn": squares, "clip": 1.0},
    "rate, fixed": {"loss_fn": squares},
    "batch": {"bad": True},
    "batch, fixed": {"bad": True, "clip": 1.0},
    "arithmetic": {"lr": 0.2, "loss_fn": by_hand},
    "arithmetic, fixed": {"lr": 0.2, "loss_fn": from_logits},
}


def train(seed, steps, *, lr=LR, bad=False, clip=math.inf, loss_fn=cross_entropy):
    torch.manual_seed(seed)
    model = MLP([64, 64, 64, 10])
    optimizer = SGD(model.parameters(), lr=lr, momentum=0.9)
    monitor = Monitor(model, optimizer)
    order = torch.Generator().manual_seed(seed)
    for k in range(steps):
        i = torch.randint(len(x), (BATCH,), generator=order)
        inputs = x[i] * 1000 if bad and k == min(BAD_STEP, steps // 2) else x[i]
        loss = loss_fn(model(inputs), y[i])
        optimizer.zero_grad()
        loss.backward()
        norm = clip_grad_norm_(model.parameters(), clip)
        if not norm.isfinite():
            return monitor, k, model
        monitor.before_step(norm)
        optimizer.step()
        monitor.after_step(loss)
    return monitor, None, model


def summary(monitor, stopped, model):
    """Shown numbers stop at a ceiling: a run that blew up has no value of its own."""
    losses = [min(loss, CEILING) if math.isfinite(loss) else CEILING for loss in monitor.column("loss")]
    norms = [min(norm, CEILING) for norm in monitor.column("grad_norm")]
    ratios = [
        min(max((r for r in record.values() if math.isfinite(r)), default=0.0), CEILING)
        for record in monitor.column("update_ratios")
    ]
    dead = 100 * max(dead_units(model, [x]).values())
    return {"losses": losses, "norms": norms, "ratios": ratios, "stopped": stopped, "dead": dead}


def first_find(lr):
    """What the watch says about the arithmetic: in which module, in which direction."""
    torch.manual_seed(0)
    model = MLP([64, 64, 64, 10])
    optimizer = SGD(model.parameters(), lr=lr, momentum=0.9)
    order = torch.Generator().manual_seed(0)
    try:
        with NonFiniteWatch(model):
            for _ in range(STEPS):
                i = torch.randint(len(x), (BATCH,), generator=order)
                loss = by_hand(model(x[i]), y[i])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
    except NonFiniteError as error:
        return {"said": str(error), "where": error.found.where}
    return {"said": "", "where": ""}


def push(loss_fn, margin):
    """How hard a zero is pushed that the network denies with an output of minus `margin`."""
    logits = torch.full((1, 1), -margin, requires_grad=True)
    loss_fn(logits, torch.tensor([0])).backward()
    return abs(logits.grad.item())


def saturates(dtype):
    """The first whole number whose sigmoid is 1 in this type."""
    return next(k for k in range(100) if torch.tensor(float(k), dtype=dtype).sigmoid() == 1)


def run(quick=False):
    seeds, steps = (range(2), 30) if quick else (SEEDS, STEPS)
    results = {"seeds": len(seeds), "rows": [], "curves": {}, "guessing": math.log(10), "bad_step": BAD_STEP}
    for name, options in tqdm(CASES.items(), desc="cases", leave=False):
        runs = [summary(*train(seed, steps, **options)) for seed in seeds]
        first = runs[0]
        ends = [CEILING if seen["stopped"] is not None else statistics.mean(seen["losses"][-10:]) for seen in runs]
        results["curves"][name] = {"losses": first["losses"], "norms": first["norms"]}
        # Where the bad batch comes: the ten steps before it.
        before = [seen["norms"][min(BAD_STEP, steps // 2) - 10 : min(BAD_STEP, steps // 2)] for seen in runs]
        calm = statistics.median(n for part in before for n in part) if all(before) else None
        results["rows"].append({
            "name": name,
            "loss": statistics.median(ends) if statistics.median(ends) < CEILING else None,
            "worst": max(ends) if max(ends) < CEILING else None,
            "ratio": statistics.median(r for seen in runs for r in seen["ratios"]),
            "first_ratio": statistics.median(seen["ratios"][0] for seen in runs),
            "calm": calm,
            "highest": statistics.median(max(seen["norms"]) for seen in runs),
            "lowest": statistics.median(min(seen["losses"]) for seen in runs),
            "dead": statistics.median(seen["dead"] for seen in runs),
            "stopped": sum(seen["stopped"] is not None for seen in runs),
            "first_stop": min((seen["stopped"] for seen in runs if seen["stopped"] is not None), default=None),
        })
    results["saturates"] = {name: saturates(getattr(torch, name)) for name in ("float32", "float16", "bfloat16")}
    results["watch"] = first_find(0.2)
    results["push"] = [
        {"margin": margin, "exact": push(from_logits, margin), "epsilon": push(with_epsilon, margin)}
        for margin in (5.0, 15.0, 25.0)
    ]
    return results


def draw(results):
    figure, axes = plt.subplots(3, 1, figsize=(5.2, 7.2), sharex=True, sharey=True)
    titles = {
        "rate": "The rate: grows from the first step",
        "batch": "One bad batch: a jump, then damage",
        "arithmetic": "The arithmetic: a good run, then NaN",
    }
    for ax, (name, title) in zip(axes, titles.items(), strict=True):
        broken, fixed = results["curves"][name]["losses"], results["curves"][f"{name}, fixed"]["losses"]
        ax.plot(fixed, color=colour("update"), lw=1.6, label="fixed")
        ax.plot(broken, color=colour("wrong"), linestyle=(0, (3, 1, 1, 1)), lw=1.8, label="broken")
        if len(broken) < len(fixed):
            end = (len(broken) - 1, broken[-1])
            ax.plot(*end, "x", ms=9, mew=2, color=colour("wrong"))
            ax.annotate("NaN", end, xytext=(8, 0), textcoords="offset points", color=colour("wrong"), va="bottom")
        ax.set(yscale="log", ylabel="loss", ylim=(1e-4, 1e8), title=title)
    axes[0].legend(loc="upper right", ncols=2, borderaxespad=0)
    axes[-1].set_xlabel("step")
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
