"""Why does Adam win where a few words are frequent and most are rare?

    python examples/choosing-an-optimizer/rare_words.py

Sixty-four contexts, each with its own distribution of next words, and a linear layer that has to learn all of them.
Every gradient is exact, so that there is no noise to blame. Once the words are as unequal as in a language, once they
are equal in the mean. Takes about ten seconds.
"""

from math import inf

import matplotlib.pyplot as plt
import torch
from _fair import chosen, compared, contest, decades
from torch import nn
from torch.nn.functional import cross_entropy

from trainloop.figures import NAMES, colour, label_ends, line
from trainloop.loop import train_step
from trainloop.optim import SGD, Adam
from trainloop.schedulers import LinearLR

CONTEXTS, WIDTH, WORDS, STEPS = 64, 64, 256, 150
GROUPS = {"frequent": slice(8), "middling": slice(8, 64), "rare": slice(64, None)}  # by rank
TUNING, FRESH = (100, 101), range(8)
OPTIMIZERS = {"momentum": lambda parameters, lr: SGD(parameters, lr, momentum=0.9), "adam": Adam}
GRIDS = {"momentum": decades(start=-1, stop=3), "adam": decades(start=-3, stop=1)}


# --8<-- [start:language]
def language(seed, unequal):
    """Contexts, (contexts, width); the next word's chances, (contexts, words)."""
    generator = torch.Generator().manual_seed(seed)
    contexts = torch.randn(CONTEXTS, WIDTH, generator=generator) / WIDTH**0.5
    tastes = 1.5 * torch.randn(CONTEXTS, WORDS, generator=generator)
    rank = torch.arange(1.0, WORDS + 1)
    frequency = 1 / rank if unequal else torch.ones(WORDS)  # Zipf, or none
    return contexts, (frequency.log() + tastes).softmax(dim=1)
# --8<-- [end:language]


# --8<-- [start:train]
def train(name, lr, seed, unequal, steps=STEPS, watch=None):
    contexts, words = language(seed, unequal)
    model = nn.Linear(WIDTH, WORDS)
    nn.init.zeros_(model.weight)
    nn.init.zeros_(model.bias)
    optimizer = OPTIMIZERS[name](model.parameters(), lr)
    scheduler = LinearLR(optimizer, start_factor=1, end_factor=0, total_iters=steps)
    for _ in range(steps):
        if watch is not None:
            watch.append(excess(model, contexts, words))
        loss = train_step(model, cross_entropy, optimizer, contexts, words)
        scheduler.step()
        if not loss < 1e3:
            return dict.fromkeys(("loss", *GROUPS), inf)
    return excess(model, contexts, words)
# --8<-- [end:train]


# --8<-- [start:excess]
@torch.no_grad()
def excess(model, contexts, words):
    """How far the loss is above the lowest, in all and for each group's words.

    `terms` are never negative, and over all words their last two parts cancel.
    """
    log_guess = model(contexts).log_softmax(dim=1)
    terms = words * (words.log() - log_guess) - words + log_guess.exp()
    parts = {name: terms[:, rank].sum() / words[:, rank].sum() for name, rank in GROUPS.items()}
    return {"loss": terms.sum(dim=1).mean().item()} | {name: part.item() for name, part in parts.items()}
# --8<-- [end:excess]


def run(quick=False):
    steps, tuning, fresh = (20, TUNING[:1], range(2)) if quick else (STEPS, TUNING, FRESH)
    results = {
        "words": WORDS,
        "contexts": CONTEXTS,
        "steps": steps,
        "rates": len(GRIDS["adam"]),
        "tuning": len(tuning),
        "seeds": len(fresh),
        "shares": shares(fresh[0]),
    }
    for kind, unequal in (("unequal", True), ("equal", False)):

        def trained(name, lr, seed, unequal=unequal):
            return train(name, lr, seed, unequal, steps)

        found = contest(trained, GRIDS, tuning, fresh, "loss")
        results[kind] = {name: chosen(method) for name, method in found.items()}
        results[kind] |= {key: compared(found, key) for key in ("loss", *GROUPS)}
        middle = {name: results[kind]["loss"][name]["median"] for name in OPTIMIZERS}
        results[kind]["times"] = middle["momentum"] / middle["adam"]
    results["curves"] = {name: curves(name, results["unequal"][name]["lr"], fresh[0], steps) for name in OPTIMIZERS}
    return results


def shares(seed):
    """How much of the text each group of words is, on average over the contexts."""
    _, words = language(seed, unequal=True)
    return {name: words[:, rank].sum(dim=1).mean().item() for name, rank in GROUPS.items()}


def curves(name, lr, seed, steps):
    seen = []
    train(name, lr, seed, True, steps, watch=seen)
    return {group: [row[group] for row in seen] for group in GROUPS}


def draw(results):
    return {"groups": draw_groups(results), "rates": draw_rates(results)}


def draw_groups(results):
    figure, axes = plt.subplots(2, 1, figsize=(5.2, 5.4), sharex=True, sharey=True)
    for ax, name in zip(axes, OPTIMIZERS, strict=True):
        lines = []
        for group, width in zip(GROUPS, (3, 2, 1.2), strict=True):
            curve = results["curves"][name][group]
            (drawn,) = ax.plot(curve, color=colour(name), lw=width)
            lines.append((drawn, group))
        ax.set(yscale="log", ylabel="excess loss", xlim=(0, 1.24 * results["steps"]))
        ax.set_xticks(range(0, results["steps"] + 1, max(1, results["steps"] // 3)))
        ax.set_ylim(bottom=0.004)
        ax.set_title(NAMES[name], color=colour(name))
        label_ends(ax, lines)
    axes[1].set_xlabel("step")
    return figure


def draw_rates(results):
    figure, axes = plt.subplots(2, 1, figsize=(5.2, 5.0), sharex=True, sharey=True)
    for ax, kind, title in zip(axes, ("unequal", "equal"), ("Words as in a language", "All words alike"), strict=True):
        lines = []
        for name in OPTIMIZERS:
            rows = [row for row in results[kind][name]["grid"] if row["loss"] is not None]
            (drawn,) = ax.plot([r["lr"] for r in rows], [r["loss"] for r in rows], **line(name), marker="o", ms=4)
            lines.append((drawn, NAMES[name]))
        ax.set(xscale="log", yscale="log", ylabel="excess loss", title=title)
        if kind == "unequal":
            named = lines
    axes[0].set_xlim(right=axes[0].get_xlim()[1] * 30)
    axes[0].minorticks_off()
    axes[1].set_xlabel("learning rate")
    label_ends(axes[0], named)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
