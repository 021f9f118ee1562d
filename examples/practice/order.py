"""What happens when the calls between backward and the next batch stand in the wrong order?

    python examples/practice/order.py

Float16 autocast with a GradScaler on the CPU, clipping by norm, a scheduler: in the right order, and with
one call misplaced at a time. Handwritten digits, five starts. Takes about six seconds.
"""

import math
import statistics
import warnings

import matplotlib.pyplot as plt
import torch
from torch.amp import GradScaler
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from trainloop.clip import clip_grad_norm_
from trainloop.data import digits
from trainloop.figures import colour, label_ends
from trainloop.models import MLP
from trainloop.optim import SGD

STEPS, BATCH, LR, MAX_NORM = 150, 64, 0.5, 0.1
SEEDS = range(5)

x, y, _, _ = digits()
x = ((x - x.mean()) / x.std()).flatten(1)


class Run:
    """What one step works with."""

    def __init__(self, seed, scale=2.0**16):
        torch.manual_seed(seed)
        self.model = MLP([64, 64, 64, 10])
        self.optimizer = SGD(self.model.parameters(), lr=LR, momentum=0.9)
        self.scheduler = torch.optim.lr_scheduler.LinearLR(self.optimizer, 1.0, 0.1, total_iters=STEPS)
        self.scaler = GradScaler("cpu", init_scale=scale)
        self.order = torch.Generator().manual_seed(seed)

    def loss(self):
        i = torch.randint(len(x), (BATCH,), generator=self.order)
        with torch.autocast("cpu", dtype=torch.float16):
            return cross_entropy(self.model(x[i]), y[i])

    def clip(self):
        return clip_grad_norm_(self.model.parameters(), MAX_NORM)


# --8<-- [start:right]
def right(run):
    loss = run.loss()
    run.optimizer.zero_grad()
    run.scaler.scale(loss).backward()
    run.scaler.unscale_(run.optimizer)  # gradients in their own units
    run.clip()
    run.scaler.step(run.optimizer)  # leaves out a step with inf or NaN
    run.scaler.update()
    run.scheduler.step()
    return loss
# --8<-- [end:right]


# --8<-- [start:silent]
def clip_before_unscale(run):
    loss = run.loss()
    run.optimizer.zero_grad()
    run.scaler.scale(loss).backward()
    run.clip()  # of gradients 65,536 times too large
    run.scaler.step(run.optimizer)  # unscales them, being the first to
    run.scaler.update()
    run.scheduler.step()
    return loss


def clip_before_backward(run):
    loss = run.loss()
    run.optimizer.zero_grad()
    run.clip()  # there is no gradient yet
    run.scaler.scale(loss).backward()
    run.scaler.step(run.optimizer)
    run.scaler.update()
    run.scheduler.step()
    return loss
# --8<-- [end:silent]


def clip_after_step(run):
    loss = run.loss()
    run.optimizer.zero_grad()
    run.scaler.scale(loss).backward()
    run.scaler.step(run.optimizer)
    run.clip()
    run.scaler.update()
    run.scheduler.step()
    return loss


def scheduler_first(run):
    loss = run.loss()
    run.optimizer.zero_grad()
    run.scaler.scale(loss).backward()
    run.scaler.unscale_(run.optimizer)
    run.clip()
    run.scheduler.step()
    run.scaler.step(run.optimizer)
    run.scaler.update()
    return loss


def no_update(run):
    loss = run.loss()
    run.optimizer.zero_grad()
    run.scaler.scale(loss).backward()
    run.scaler.unscale_(run.optimizer)
    run.clip()
    run.scaler.step(run.optimizer)
    run.scheduler.step()
    return loss


def unscale_twice(run):
    run.optimizer.zero_grad()
    for _ in range(2):  # two micro-batches
        loss = run.loss()
        run.scaler.scale(loss / 2).backward()
        run.scaler.unscale_(run.optimizer)
    run.clip()
    run.scaler.step(run.optimizer)
    run.scaler.update()
    run.scheduler.step()
    return loss


def zero_after_backward(run):
    loss = run.loss()
    run.scaler.scale(loss).backward()
    run.optimizer.zero_grad()
    run.scaler.unscale_(run.optimizer)
    run.clip()
    run.scaler.step(run.optimizer)
    run.scaler.update()
    run.scheduler.step()
    return loss


ORDERS = {
    "in order": right,
    "clip before unscale_": clip_before_unscale,
    "clip before backward": clip_before_backward,
    "clip after step": clip_after_step,
    "scheduler before step": scheduler_first,
    "update forgotten": no_update,
    "unscale_ per micro-batch": unscale_twice,
    "zero_grad after backward": zero_after_backward,
}


def train(step, seed, steps):
    """Losses, and what torch had to say: a warning, or the error that ended the run."""
    run, losses, said = Run(seed), [], ""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(steps):
            try:
                losses.append(step(run).item())
            except (RuntimeError, ValueError, AssertionError) as error:
                said = f"{type(error).__name__}: {error}"
                break
    if caught and not said:
        said = f"{caught[0].category.__name__}: {caught[0].message}"
    return losses, said


def skipped(steps):
    """A scale far too large at first: what the left-out steps do to the schedule."""
    run, left_out = Run(0, scale=2.0**32), 0
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(steps):
            before = run.scaler.get_scale()
            right(run)
            left_out += run.scaler.get_scale() < before
    return {
        "left_out": left_out,
        "scale": math.log2(run.scaler.get_scale()),
        "counted": run.scheduler.last_epoch,
        "steps": steps,
        "warned": str(caught[0].message).split(". ")[0] if caught else "",
    }


def run(quick=False):
    seeds, steps = (range(2), 25) if quick else (SEEDS, STEPS)
    results = {"seeds": len(seeds), "rows": [], "curves": {}, "lr": LR, "max_norm": MAX_NORM}
    for name, step in tqdm(ORDERS.items(), desc="orders", leave=False):
        runs = [train(step, seed, steps) for seed in seeds]
        losses = [min(statistics.mean(curve[-20:]), 100.0) for curve, _ in runs if len(curve) == steps]
        losses = [loss if math.isfinite(loss) else 100.0 for loss in losses]
        results["rows"].append({
            "name": name,
            "loss": statistics.median(losses) if losses else None,
            "worst": max(losses) if losses else None,
            "said": runs[0][1].split(". ")[0].rstrip(".") or "nothing",
        })
        if losses:
            blocks = [[statistics.mean(c[k : k + 5]) for k in range(0, steps, 5)] for c, _ in runs]
            results["curves"][name] = [min(statistics.median(at), 100.0) for at in zip(*blocks, strict=True)]
    results["same_as_after"] = results["curves"]["clip before backward"] == results["curves"]["clip after step"]
    results["skipped"] = skipped(steps)
    results["guessing"] = math.log(10)
    results["first_lr"] = {"right": LR, "scheduler_first": LR * (1 - 0.9 / STEPS)}
    return results


def draw(results):
    figure, ax = plt.subplots(figsize=(5.2, 4.2))
    shown = {
        "in order": ("update", "-"),
        "clip before unscale_": ("wrong", (0, (3, 1, 1, 1))),
        "clip after step": ("measure", (0, (5, 1.5))),
    }
    lines = []
    for name, (concept, dashes) in shown.items():
        curve = results["curves"][name]
        (drawn,) = ax.plot(range(5, 5 * len(curve) + 1, 5), curve, color=colour(concept), linestyle=dashes)
        label = "after step,\nor before\nbackward" if "after" in name else name.replace(" before ", "\nbefore ")
        lines.append((drawn, label))
    ax.set(yscale="log", xlabel="step", ylabel="loss", title="Misplaced clips, and torch says nothing")
    ax.set_xlim(0, 5 * len(curve) * 1.32)
    label_ends(ax, lines, gap=34)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
