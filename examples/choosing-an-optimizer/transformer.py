"""How far behind is SGD with momentum on a small transformer, once its learning rate is tuned?

    python examples/choosing-an-optimizer/transformer.py

Two blocks of width 32 read Python's manual, character by character. Both methods have five learning rates, a warm-up
and a linear decay to zero; two seeds choose, six fresh ones judge. Takes about twenty seconds.
"""

from math import inf

import matplotlib.pyplot as plt
import torch
from _fair import chosen, compared, contest, decades
from torch.nn import functional as F

from trainloop.data import characters
from trainloop.figures import NAMES, label_ends, line
from trainloop.loop import train_step
from trainloop.models import CharTransformer
from trainloop.optim import SGD, Adam
from trainloop.schedulers import WarmupLinearLR

CONTEXT, BATCH, STEPS = 24, 16, 120
MODEL = {"width": 32, "depth": 2, "heads": 4, "tied": False}
WINDOWS = 300  # to measure on, of training, validation and test text each
TUNING, FRESH = (100, 101), range(6)
OPTIMIZERS = {"momentum": lambda parameters, lr: SGD(parameters, lr, momentum=0.9), "adam": Adam}
GRIDS = {"momentum": decades(start=-2, stop=0), "adam": decades(start=-3, stop=-1)}

text = characters()
later, latest = text.val.chunk(2)
PARTS = {"loss": text.train, "validation": later, "test": latest}


def next_character(logits, following):
    return F.cross_entropy(logits.flatten(0, 1), following.flatten())


# --8<-- [start:train]
def train(name, lr, seed, steps=STEPS):
    torch.manual_seed(seed)
    model = CharTransformer(len(text.vocabulary), CONTEXT, **MODEL)
    optimizer = OPTIMIZERS[name](model.parameters(), lr)
    scheduler = WarmupLinearLR(optimizer, warmup_steps=steps // 10, total_steps=steps)
    for _ in range(steps):
        starts = torch.randint(len(text.train) - CONTEXT, (BATCH, 1))
        window = text.train[starts + torch.arange(CONTEXT + 1)]
        loss = train_step(model, next_character, optimizer, window[:, :-1], window[:, 1:])
        scheduler.step()
        if not loss < 1e3:
            return dict.fromkeys((*PARTS, "error"), inf)
    return measured(model)
# --8<-- [end:train]


@torch.no_grad()
def measured(model):
    """Mean loss on each part of the text; on the test text also the characters guessed wrong, in per cent."""
    found = {}
    for name, part in PARTS.items():
        windows = part[: WINDOWS * (CONTEXT + 1)].view(WINDOWS, CONTEXT + 1)
        logits = model(windows[:, :-1])
        found[name] = next_character(logits, windows[:, 1:]).item()
    return {**found, "error": 100 * (logits.argmax(2) != windows[:, 1:]).float().mean().item()}


def run(quick=False):
    steps, tuning, fresh = (10, TUNING[:1], range(2)) if quick else (STEPS, TUNING, FRESH)
    found = contest(lambda *given: train(*given, steps), GRIDS, tuning, fresh, "validation")
    return {
        "steps": steps,
        "rates": len(GRIDS["adam"]),
        "tuning": len(tuning),
        "seeds": len(fresh),
        **{key: compared(found, key) for key in ("loss", "test", "error")},
        **{name: chosen(method) for name, method in found.items()},
    }


def draw(results):
    figure, ax = plt.subplots()
    lines = []
    for name in OPTIMIZERS:
        rows = [row for row in results[name]["grid"] if row["loss"] is not None]
        (drawn,) = ax.plot([r["lr"] for r in rows], [r["validation"] for r in rows], **line(name), marker="o", ms=4)
        lines.append((drawn, NAMES[name]))
    ax.set(
        xscale="log",
        xlabel="learning rate, the highest of the run",
        ylabel="validation loss",
        title="At its best, momentum stays above Adam",
    )
    ax.set_xlim(right=ax.get_xlim()[1] * 12)
    label_ends(ax, lines)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
