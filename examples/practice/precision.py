"""Which of the 16-bit ways to train keeps up with float32, and which breaks first when gradients get small?

    python examples/practice/precision.py

A classifier of handwritten digits: float32, autocast to bfloat16, weights in bfloat16, autocast to float16
without and with a GradScaler, on the CPU. Five starts; then a loss multiplied by ever smaller powers of two.
Takes about ten seconds.
"""

import math
import statistics

import matplotlib.pyplot as plt
import torch
from torch.amp import GradScaler
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from trainloop.data import digits
from trainloop.figures import colour, label_ends
from trainloop.models import MLP
from trainloop.optim import AdamW
from trainloop.window import train_window

STEPS, BATCH, LR = 200, 64, 3e-4
SEEDS = range(5)
POWERS, SHORT = (0, 8, 12, 16, 24, 28, 32, 36), 100

# --8<-- [start:ways]
WAYS = {
    "float32": {},
    "bfloat16": {"autocast": torch.bfloat16},
    "float16, unscaled": {"autocast": torch.float16},
    "float16, scaled": {"autocast": torch.float16, "scaler": True},
    "bfloat16 weights": {"weights": torch.bfloat16},
}
# --8<-- [end:ways]
INKS = {
    "float32": ("truth", "-"),
    "bfloat16": ("update", (0, (4, 4))),
    "float16, unscaled": ("wrong", (0, (3, 1, 1, 1))),
    "float16, scaled": ("predict", (0, (1, 2))),
    "bfloat16 weights": ("measure", "-"),
}

x, y, _, _ = digits()
x = ((x - x.mean()) / x.std()).flatten(1)


# --8<-- [start:train]
def train(way, seed, steps, *, factor=1.0, lr=LR):
    """The loss of every step, its factor divided out again."""
    options = dict(WAYS[way])
    dtype = options.pop("weights", torch.float32)
    scaler = GradScaler("cpu") if options.pop("scaler", False) else None
    torch.manual_seed(seed)
    model = MLP([64, 128, 128, 10]).to(dtype)
    # A tiny ε, or AdamW itself would mind small gradients.
    optimizer = AdamW(model.parameters(), lr=lr, eps=1e-16)
    order, losses = torch.Generator().manual_seed(seed), []
    for _ in range(steps):
        i = torch.randint(len(x), (BATCH,), generator=order)
        update = train_window(
            model,
            lambda p, target: cross_entropy(p, target) * factor,
            optimizer,
            [(x[i].to(dtype), y[i])],
            scaler=scaler,
            **options,
        )
        losses.append(update.loss.item() / factor)
    return losses
# --8<-- [end:train]


def end(losses):
    """Mean of the last twenty losses; None if they are not finite."""
    mean = statistics.mean(losses[-20:])
    return mean if math.isfinite(mean) else None


def averaged(curves, over=10):
    """The median over runs of each run's mean over ten steps."""
    blocks = [[statistics.mean(curve[k : k + over]) for k in range(0, len(curve), over)] for curve in curves]
    return [statistics.median(at) for at in zip(*blocks, strict=True)]


def stuck(lr):
    """The share of bfloat16 weights that one AdamW step leaves as they are."""
    torch.manual_seed(0)
    model = MLP([64, 128, 128, 10]).bfloat16()
    before = [p.detach().clone() for p in model.parameters()]
    cross_entropy(model(x[:BATCH].bfloat16()), y[:BATCH]).backward()
    AdamW(model.parameters(), lr=lr).step()
    same = [((p == b) & (p.grad != 0)).sum() for p, b in zip(model.parameters(), before, strict=True)]
    pushed = [(p.grad != 0).sum() for p in model.parameters()]
    return (sum(same) / sum(pushed)).item()


def run(quick=False):
    seeds, steps, powers = (range(2), 20, (0, 36)) if quick else (SEEDS, STEPS, POWERS)
    results = {"seeds": len(seeds), "steps": steps, "lr": LR, "curves": {}, "rows": [], "small": {}}
    reference = None
    for way in tqdm(WAYS, desc="ways", leave=False):
        curves = [train(way, seed, steps) for seed in seeds]
        ends = [end(losses) for losses in curves]
        reference = reference or ends
        results["curves"][way] = averaged(curves)
        results["rows"].append({
            "way": way,
            "loss": statistics.median(ends),
            "apart": max(abs(a / b - 1) for a, b in zip(ends, reference, strict=True)) * 100,
            "worse": sum(a > b for a, b in zip(ends, reference, strict=True)),
        })
        if way != "bfloat16 weights":
            results["small"][way] = [
                end(train(way, 0, min(steps, SHORT), factor=2.0**-k, lr=3e-3)) for k in powers
            ]
    results["powers"] = list(powers)
    results["stuck"] = [{"lr": lr, "stuck": 100 * stuck(lr)} for lr in (3e-3, 3e-4, 3e-5)]
    results["guessing"] = math.log(10)
    return results


def draw(results):
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(5.2, 6.2))
    lines = []
    for way, curve in results["curves"].items():
        ink, dashes = INKS[way]
        at = [10 * k + 5 for k in range(len(curve))]
        (shown,) = top.plot(at, curve, color=colour(ink), linestyle=dashes, lw=2)
        if way in ("float32", "bfloat16 weights"):
            lines.append((shown, "the other four" if way == "float32" else "bfloat16\nweights"))
    top.set(xlabel="step", ylabel="loss", ylim=(0, 2.5), title="Four of five ways draw one curve")
    top.set_xlim(0, results["steps"] * 1.42)
    label_ends(top, lines, gap=34)
    lines = []
    for way, ends in results["small"].items():
        ink, dashes = INKS[way]
        shown = [math.nan if e is None else e for e in ends]
        bottom.plot(results["powers"], shown, color=colour(ink), linestyle=dashes, lw=2, marker="o", ms=3.5, label=way)
    bottom.set(yscale="log", ylim=(0.04, 1e4), ylabel="loss, factor divided out")
    bottom.set_xlabel("loss multiplied by 2 to the minus …")
    bottom.set_title("Small gradients: float16 falls off first")
    bottom.legend(loc="upper left")
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
