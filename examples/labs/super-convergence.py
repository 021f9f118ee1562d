# ---
# title: Super-Convergence
# number: 8
# description: One cycle of the learning rate, up and down again – which rates it bears, and whether it is faster than a constant rate and than a cosine.
# objectives:
#   - choose the peak of OneCycleLR by a learning-rate range test, and check the choice
#   - say what OneCycleLR does to rate and momentum at every step, in numbers
#   - measure how many epochs a constant rate needs for the accuracy of a one-cycle run
# prerequisites:
#   - "[Optimization Algorithms Beyond SGD](../series/part-3/optimization-algorithms-beyond-sgd.md)"
# ---

# %% [markdown]
# # Super-Convergence
#
# In 2017 Smith and Topin trained a ResNet-56 on CIFAR-10 with a learning rate that rose from 0.1 to 3.0 and came down again. Their logs end at 92.4 % after 10,000 iterations; with the usual steps, at 90.3 % after 80,000. They called it <% cite("smith2019super", "super-convergence") %>.
#
# Picture a car on an empty road: it can go fast as long as it has time to speed up first and to brake at the end. A constant rate has to be one at which the car could also park.
#
# You will choose the peak by a range test, take `OneCycleLR` apart, and then hold it beside a constant rate and a cosine, each at its own best rate. Is there super-convergence in a network of two thousand weights?

# %% [markdown]
# ## Setup
#
# <% downloads("super-convergence") %>
#
# At its default size this is a small network with BatchNorm on scikit-learn's digits. `--full` is ResNet-18 on CIFAR-10 for 30 epochs, with everything that makes it fast on a GPU: the data set lies on the device as one tensor, images are cropped and flipped there a batch at a time, convolutions run in bfloat16 and in the channels-last layout, and the optimizer's step is one fused kernel.

# %%
import math
import statistics
from functools import partial

import matplotlib.pyplot as plt
import torch
from matplotlib.ticker import MaxNLocator
from torch import nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR

from trainloop.cadence import check_cadence
from trainloop.callbacks import Callback
from trainloop.checkpoint import Checkpoints
from trainloop.data import digits, find_cifar10, stratified_split
from trainloop.figures import colour, label_ends, line
from trainloop.fit import fit
from trainloop.lab import paired, setting, show, spread, sweep
from trainloop.lr_finder import LRFinder
from trainloop.models import ResNet18
from trainloop.sampler import ShuffledBatches
from trainloop.validation import measure

SETTING = setting()  # setting("full") for the long run
EPOCHS = SETTING.pick(quick=2, small=6, full=30)
LONGER = 2  # times as many epochs, to see when a constant rate is there
BATCH = SETTING.pick(quick=64, small=64, full=512)
LRS = SETTING.pick(
    quick=(0.03, 0.3),
    small=(0.005, 0.02, 0.08, 0.3, 1.2),
    full=(0.02, 0.1, 0.5),
)
TUNING = SETTING.pick(quick=range(1), small=range(2), full=range(1))
FRESH = SETTING.pick(quick=range(1, 3), small=range(2, 12), full=range(1, 4))
TARGETS = SETTING.pick(
    quick=(0.5,), small=(0.8, 0.9, 0.94), full=(0.8, 0.85, 0.9, 0.93, 0.94)
)
ON_GPU = SETTING.device.type == "cuda"
AUTOCAST = torch.bfloat16 if ON_GPU else None
torch.backends.cudnn.benchmark = ON_GPU

# %% [markdown]
# The test part is put aside until the end. A quarter of the training images (a tenth of CIFAR-10's) is for validation: it chooses learning rates, and is what every epoch is measured on.


# %%
def load():
    """The images, and what the page shall call them."""
    if not SETTING.full:
        return digits(), "scikit-learn's digits"
    return find_cifar10(SETTING.data)


def prepare(whole):
    """Training, validation and test part on the device, standardised."""
    share = 0.1 if SETTING.full else 0.25
    parts = stratified_split(
        whole.x_train, whole.y_train, test_fraction=share, seed=0
    )
    std, mean = torch.std_mean(parts.x_train, dim=(0, 2, 3), keepdim=True)
    pairs = {
        "train": parts[:2],
        "validation": parts[2:],
        "test": (whole.x_test, whole.y_test),
    }
    return {
        name: (((x - mean) / std).to(SETTING.device), y.to(SETTING.device))
        for name, (x, y) in pairs.items()
    }


# %% [markdown]
# The batches are made where the images lie. Each image is padded by its own reflection, once; then a batch is one look-up with a row, a column and a direction of its own for every image. Digits are moved by up to one pixel and never flipped, CIFAR's pictures by up to four and half of them flipped.


# %%
class Batches:
    """Shuffled batches of randomly moved images, made on their device."""

    def __init__(self, x, y, size, seed, pad, flip):
        self.y, self.side, self.pad, self.flip = y, x.shape[-1], pad, flip
        self.x = F.pad(x, (pad,) * 4, mode="reflect")
        self.sampler = ShuffledBatches(len(x), size, seed=seed, drop_last=True)

    def __len__(self):
        return len(self.sampler)

    def places(self, n):
        """For n images, which rows or columns of the padded ones to take."""
        device = self.x.device
        first = torch.randint(2 * self.pad + 1, (n, 1), device=device)
        return first + torch.arange(self.side, device=device)

    def __iter__(self):
        for chosen in self.sampler:
            chosen = torch.tensor(chosen, device=self.x.device)
            rows, columns = self.places(len(chosen)), self.places(len(chosen))
            if self.flip:
                flipped = torch.rand(len(chosen), 1, device=self.x.device) < 0.5
                columns = torch.where(flipped, columns.flip(1), columns)
            x = self.x[
                chosen[:, None, None], :, rows[:, :, None], columns[:, None]
            ]
            # The look-up puts the channels last, where fast convolutions want them.
            yield x.permute(0, 3, 1, 2), self.y[chosen]


def in_order(x, y, size=1000):
    """Batches to measure on."""
    x = x.contiguous(memory_format=torch.channels_last)
    return list(zip(x.split(size), y.split(size), strict=True))


# %%
whole, name = load()
DATA = prepare(whole)
x, y = DATA["train"]
results = {
    "data": name,
    "samples": len(x),
    "epochs": EPOCHS,
    "longer": LONGER,
    "batch": BATCH,
    "steps": EPOCHS * (len(x) // BATCH),
    "lrs": list(LRS),
    "seeds": len(FRESH),
    "schedules": {},
}
print(f"{name}: {len(x)} images to train on, {results['steps']} steps a run")

# %% [markdown]
# ## Predict
#
# ```quiz
# - question: A one-cycle run lasts 6 epochs. How many does a constant rate, at its best, need for the same accuracy?
#   options:
#     - text: 6 or 7
#       right: <% "true" if value("super-convergence.long.factor") is not none and value("super-convergence.long.factor") < 1.3 else "false" %>
#       why: That would mean that one rate can be large enough for the beginning and nearly small enough for the end.
#     - text: 8 to 12
#       right: <% "true" if value("super-convergence.long.factor") is not none and value("super-convergence.long.factor") >= 1.3 else "false" %>
#       why: That would mean that a falling rate saves epochs, but no multiple of them.
#     - text: More than 12, if it gets there at all
#       right: <% "true" if value("super-convergence.long.factor") is none else "false" %>
#       why: That is what the name promises, and what the paper's logs show for a ResNet-56 on CIFAR-10.
# - question: And a cosine, which starts at its highest rate and only falls, in the same 6 epochs?
#   options:
#     - text: It ends clearly below the one-cycle run
#       right: <% "true" if value("super-convergence.separable.cosine") == "one_cycle" else "false" %>
#       why: That would mean that the warm-up, and the peak it allows, are what counts.
#     - text: The two cannot be told apart
#       right: <% "true" if value("super-convergence.separable.cosine") == "neither" else "false" %>
#       why: That would mean that what counts is to end at a rate near zero, as both do.
#     - text: It ends clearly above
#       right: <% "true" if value("super-convergence.separable.cosine") == "cosine" else "false" %>
#       why: That would mean that the steps spent on warming up are missing later.
# ```

# %% [markdown]
# ## One run
#
# Same network, optimizer and batches for all three; only the schedule differs. Each is stepped after every update, not after every epoch. A full-size run saves a checkpoint after each epoch: killed and started again, the script skips the runs that are done and goes on in the one that is not.


# %%
def network():
    if SETTING.full:
        return ResNet18()
    return nn.Sequential(
        *(nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)),
        *(nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(8, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)),
        *(nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(64, 10)),
    )


def set_up(lr, seed):
    """A network, its optimizer, and its batches."""
    torch.manual_seed(seed)
    model = network().to(SETTING.device, memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=lr,
        momentum=0.9,
        nesterov=True,
        weight_decay=5e-4,
        fused=True,
    )
    pad, flip = (4, True) if SETTING.full else (1, False)
    return model, optimizer, Batches(*DATA["train"], BATCH, seed, pad, flip)


SCHEDULES = {
    "constant": lambda optimizer, lr, steps: None,
    "cosine": lambda optimizer, lr, steps: CosineAnnealingLR(optimizer, steps),
    "one_cycle": lambda optimizer, lr, steps: OneCycleLR(
        optimizer, max_lr=lr, total_steps=steps
    ),
}
LABELS = {"constant": "constant", "cosine": "cosine", "one_cycle": "one cycle"}
LOSS = partial(F.cross_entropy, label_smoothing=0.1 if SETTING.full else 0.0)


def accuracy(logits, y):
    return (logits.argmax(dim=1) == y).float().mean()


def train(name, lr, seed, epochs=None, schedule=None, callbacks=()):
    """Train, and return the network with what was measured on the way."""
    epochs = epochs or EPOCHS
    model, optimizer, batches = set_up(lr, seed)
    steps = len(batches) * epochs
    schedule = (schedule or SCHEDULES[name])(optimizer, lr, steps)
    folder = SETTING.out / "super-convergence" / f"{name}-{lr:.3g}-{seed}"
    folder = folder / f"{epochs}-epochs"
    history = fit(
        model,
        LOSS,
        optimizer,
        batches,
        epochs,
        scheduler=schedule,
        cadence="step" if schedule else None,
        autocast=AUTOCAST,
        validation=in_order(*DATA["validation"]),
        metrics={"accuracy": accuracy},
        callbacks=callbacks,
        progress=SETTING.full,
        checkpoints=Checkpoints(folder, keep=1) if SETTING.full else None,
    )
    return model, history


def curve(history):
    return [epoch["accuracy"] for epoch in history.validation]


def on_test(model):
    metrics = {"accuracy": accuracy}
    test = in_order(*DATA["test"])
    return measure(model, metrics, test, autocast=AUTOCAST)["accuracy"]


# %% [markdown]
# ## The peak, by a range test
#
# The range test trains one network for a hundred steps at rates that rise from far too small to far too large, and then puts everything back as it was. What it shows is a curve, and there are several habits of reading a rate off it.

# %%
model, optimizer, batches = set_up(lr=0.1, seed=0)
sweep_of = SETTING.pick(quick=40, small=100, full=200)
finder = LRFinder(model, LOSS, optimizer)
test = finder.run(batches, 1e-3, 10, steps=sweep_of, smoothing=0.9)
results["range"] = {
    "steps": sweep_of,
    "lrs": test.lrs,
    "losses": test.smoothed,
    "stopped": test.stopped,
    "lowest": test.lrs[test.smoothed.index(min(test.smoothed))],
    "readings": {
        how: test.suggestion(how) for how in ("steepest", "valley", "minimum")
    },
}
for how, lr in results["range"]["readings"].items():
    print(f"{how:9} {lr:.3f}")
print(f"lowest loss at {results['range']['lowest']:.3f}; it {test.stopped}")


# %% tags=["figure"]
def draw_range(results):
    found = results["range"]
    figure, ax = plt.subplots()
    ax.plot(found["lrs"], found["losses"], color=colour("truth"))
    lowest = min(found["losses"])
    ax.set(
        xscale="log", xlabel="learning rate", ylabel="smoothed training loss"
    )
    ax.set_ylim(0, found["losses"][0] * 1.25)
    for how, lr in found["readings"].items():
        at = min(
            range(len(found["lrs"])), key=lambda k: abs(found["lrs"][k] - lr)
        )
        place = (lr, found["losses"][at])
        ax.plot(*place, "o", color=colour("one_cycle"))
        above = how == "steepest"
        ax.annotate(
            {"minimum": "minimum / 10"}.get(how, how),
            place,
            xytext=(6, 4) if above else (-6, -4),
            textcoords="offset points",
            color=colour("one_cycle"),
            ha="left" if above else "right",
            va="bottom" if above else "top",
        )
    ax.plot(found["lowest"], lowest, "o", color=colour("wrong"))
    ax.annotate(
        "lowest",
        (found["lowest"], lowest),
        xytext=(0, -8),
        textcoords="offset points",
        color=colour("wrong"),
        ha="center",
        va="top",
    )
    ax.set_title("Three readings of one range test")
    return figure


show(
    draw_range,
    results,
    alt=lambda r: (
        f"Smoothed training loss against a learning rate that rises from 0.001 to {r['range']['lrs'][-1]:.2g}: it stands "
        f"nearly still, falls to {min(r['range']['losses']):.2g} at a rate of {r['range']['lowest']:.2g}, then rises. "
        + ", ".join(
            f"{how} reads {lr:.2g}"
            for how, lr in r["range"]["readings"].items()
        )
        + "."
    ),
    caption="A range test of one network. Each dot is a common way to read a rate off it.",
)

# %% [markdown]
# The readings lie up to a factor of <% calc((value("super-convergence.range.readings").values() | max) / (value("super-convergence.range.readings").values() | min), ".1f") %> apart, on one curve. The peak of a cycle is held for a few steps only, so take the largest that is still on the way down: here <% calc(value("super-convergence.range.readings").values() | max, ".2f") %>. Below it competes with a grid.

# %%
FOUND = max(results["range"]["readings"].values())

# %% [markdown]
# ## What OneCycleLR does
#
# Give it an optimizer and two numbers, `max_lr` and `total_steps`. This cell steps it through a whole run without training anything, and writes down what it does to the optimizer.

# %%
model, optimizer, batches = set_up(lr=0.1, seed=0)
steps = results["steps"]
schedule = OneCycleLR(optimizer, max_lr=FOUND, total_steps=steps)
group = optimizer.param_groups[0]
lrs, momenta = [], []
for step in range(steps):
    lrs.append(group["lr"])
    momenta.append(group["momentum"])
    optimizer.step()  # no gradients: it changes nothing
    if step < steps - 1:
        schedule.step()
schedule.step()  # call number total_steps is still allowed …
try:
    schedule.step()  # … and one more is not
    refused = "nothing was raised"
except ValueError as error:
    refused = str(error)
print(f"the optimizer was given 0.1 and begins at {lrs[0]:.4f}")
print(
    f"highest {max(lrs):.4f} at step {lrs.index(max(lrs))}, last {lrs[-1]:.3g}"
)
print(f"momentum {momenta[0]} -> {min(momenta):.2f} -> {momenta[-1]:.2f}")
print(refused)

# %%
every = max(1, steps // 150)
results["cycle"] = {
    "max_lr": FOUND,
    "initial": lrs[0],
    "final": lrs[-1],
    "peak_at": lrs.index(max(lrs)),
    "momentum": {
        "first": momenta[0],
        "least": min(momenta),
        "last": momenta[-1],
    },
    "refused": refused,
    "steps": [*range(0, steps, every)],
    "lrs": lrs[::every],
    "momenta": momenta[::every],
}


# %% tags=["figure"]
def draw_cycle(results):
    cycle = results["cycle"]
    figure, (top, bottom) = plt.subplots(
        2, 1, figsize=(5.2, 4.2), sharex=True, height_ratios=(3, 2)
    )
    top.plot(
        cycle["steps"], cycle["lrs"], **line("one_cycle") | {"linestyle": "-"}
    )
    top.set(
        ylabel="learning rate", title="Up in 30 % of the steps, down in 70 %"
    )
    bottom.plot(cycle["steps"], cycle["momenta"], color=colour("momentum"))
    bottom.axhline(0.9, color=colour("data"), linewidth=1, linestyle=":")
    bottom.set(ylabel="momentum", xlabel="step")
    return figure


show(
    draw_cycle,
    results,
    alt=lambda r: (
        f"Above, the learning rate rises from {r['cycle']['initial']:.2g} to {r['cycle']['max_lr']:.2g} at step "
        f"{r['cycle']['peak_at']} of {r['steps']} and falls to {r['cycle']['final']:.1g}. Below, the momentum mirrors it: "
        f"{r['cycle']['momentum']['first']:.2f}, {r['cycle']['momentum']['least']:.2f}, {r['cycle']['momentum']['last']:.2f}."
    ),
    caption="Dotted: the momentum that the optimizer was given.",
)

# %% [markdown]
# Five things to know about it, each in the output above:
#
# - **It overwrites your rate.** The optimizer was given 0.1; the first step is made at `max_lr / 25`, which is <% num("super-convergence.cycle.initial", ".4f") %>.
# - **The last rate counts from the first one**, not from the peak: it is `max_lr / 25 / 10,000`, here <% num("super-convergence.cycle.final", ".1e") %>.
# - **It cycles the momentum too**, <% num("super-convergence.cycle.momentum.first", ".2f") %> → <% num("super-convergence.cycle.momentum.least", ".2f") %> → <% num("super-convergence.cycle.momentum.last", ".2f") %>, whatever you asked for; with Adam it is β₁ that moves. `cycle_momentum=False` leaves it alone. A compiled optimizer step has its momentum baked in, so it would be compiled anew at every step: this script uses `fused=True` instead.
# - **It is stepped per batch.** `total_steps` counts updates; task 1 shows what stepping it per epoch does.
# - **It raises when stepped past its end**: “<% num("super-convergence.cycle.refused") %>”.

# %% [markdown]
# ## Three schedules, each at its own best rate
#
# Every schedule gets the same grid and the same tuning seeds, and is then reported on fresh ones. The best rate is the one with the best validation accuracy after the last epoch.


# %%
def bands(curves):
    """Per epoch, the median and the 10-90 % range over runs."""
    spreads = [spread(list(column)) for column in zip(*curves, strict=True)]
    return {key: [s[key] for s in spreads] for key in ("median", "low", "high")}


def report(name, lr, epochs=None):
    """Runs on fresh seeds: curves, test accuracy, and seconds on a GPU."""
    curves, tests, seconds = [], [], []
    for seed in FRESH:
        model, history = train(name, lr, seed, epochs)
        curves.append(curve(history))
        tests.append(on_test(model))
        seconds.append(history.seconds)
    return {
        "lr": lr,
        "curve": bands(curves),
        "final": spread([run[-1] for run in curves]),
        "tests": tests,
        "test": spread(tests),
        "mean": sum(tests) / len(tests),
        "times": seconds if SETTING.full else None,
        "curves": curves,
    }


for name in ("cosine", "one_cycle"):
    tried = sweep(
        lambda lr, seed, name=name: curve(train(name, lr, seed)[1])[-1],
        LRS,
        TUNING,
        higher_is_better=True,
    )
    results["schedules"][name] = report(name, tried.best) | {
        "grid": [tried.median(lr) for lr in LRS],
        "at_edge": tried.at_edge,
    }

# %% [markdown]
# A constant rate has no end to prepare for: the first <% num("super-convergence.epochs", "d") %> epochs of a long run are a short run. So its grid is run for <% calc(value("super-convergence.long.epochs"), "d") %> epochs, and gives two answers: the best rate for the short budget, and the best one for the long.

# %%
long = EPOCHS * LONGER
tried = {
    (lr, seed): curve(train("constant", lr, seed, long)[1])
    for lr in LRS
    for seed in TUNING
}
for epochs in (EPOCHS, long):
    at_end = sweep(
        lambda lr, seed, epochs=epochs: tried[lr, seed][epochs - 1],
        LRS,
        TUNING,
        higher_is_better=True,
    )
    found = report("constant", at_end.best, epochs) | {
        "grid": [at_end.median(lr) for lr in LRS],
        "at_edge": at_end.at_edge,
    }
    if epochs == EPOCHS:
        results["schedules"]["constant"] = found
    else:
        results["long"] = found | {"epochs": epochs}

for name, found in results["schedules"].items():
    print(f"{LABELS[name]:10} lr {found['lr']:<5g} test {found['mean']:.3f}")


# %% [markdown]
# When do the constant run's epochs reach what the one-cycle run had at its end? The comparison is kind to the constant rate: one median epoch at the level is enough, and it may be a lucky one.

# %%
target = results["schedules"]["one_cycle"]["final"]["median"]
rising = results["long"]["curve"]["median"]
reached = next((k for k, a in enumerate(rising, start=1) if a >= target), None)
results["long"] |= {
    "target": target,
    "reached": reached,
    "factor": None if reached is None else reached / EPOCHS,
}
print(
    f"one cycle: {target:.3f} after {EPOCHS} epochs; constant: after {reached}"
)


# %% tags=["figure"]
def draw_rates(results):
    figure, ax = plt.subplots()
    lines = []
    for name in ("constant", "cosine", "one_cycle"):
        grid = results["schedules"][name]["grid"]
        (drawn,) = ax.plot(results["lrs"], grid, marker="o", **line(name))
        lines.append((drawn, LABELS[name]))
    ax.set(xscale="log", xlabel="learning rate (the highest of the run)")
    ax.set(ylabel="validation accuracy", ylim=(0, 1.02))
    ax.set_xlim(results["lrs"][0] / 1.3, results["lrs"][-1] * 6)
    ax.set_xticks(results["lrs"], [f"{lr:g}" for lr in results["lrs"]])
    ax.minorticks_off()
    ax.set_title("Which rates a schedule bears")
    label_ends(ax, lines)
    return figure


def by_rate(r, name):
    grid = r["schedules"][name]["grid"]
    return ", ".join(
        f"{a:.2f} at {lr:g}" for lr, a in zip(r["lrs"], grid, strict=True)
    )


show(
    draw_rates,
    results,
    alt=lambda r: (
        f"Validation accuracy after {r['epochs']} epochs against the learning rate. "
        + " ".join(
            f"{LABELS[name].capitalize()}: {by_rate(r, name)}."
            for name in r["schedules"]
        )
    ),
    caption="Medians over the tuning seeds.",
)


# %% tags=["figure"]
def draw_long(results):
    figure, ax = plt.subplots()
    long, lines = results["long"], []
    shown = {
        "constant": long,
        **{k: results["schedules"][k] for k in ("cosine", "one_cycle")},
    }
    for name, found in shown.items():
        band = found["curve"]
        epochs = range(1, len(band["median"]) + 1)
        ax.fill_between(
            epochs,
            band["low"],
            band["high"],
            color=colour(name),
            alpha=0.13,
            linewidth=0,
        )
        (drawn,) = ax.plot(epochs, band["median"], **line(name))
        lines.append((drawn, f"{LABELS[name]}, η = {found['lr']:g}"))
    ax.axhline(
        long["target"], color=colour("one_cycle"), linewidth=1, linestyle=":"
    )
    if long["reached"] is not None:
        ax.plot(
            long["reached"],
            long["curve"]["median"][long["reached"] - 1],
            "o",
            color=colour("constant"),
        )
    low = min(
        found["curve"]["low"][min(1, results["epochs"] - 1)]
        for found in shown.values()
    )
    ax.set(
        xlabel="epoch",
        ylabel="validation accuracy",
        ylim=(max(0, low - 0.02), 1),
    )
    ax.set_xlim(1, long["epochs"])
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_title("How long until the constant rate is there?")
    ax.legend(
        [drawn for drawn, _ in lines],
        [text for _, text in lines],
        loc="lower right",
    )
    return figure


show(
    draw_long,
    results,
    alt=lambda r: (
        f"Validation accuracy of a constant rate over {r['long']['epochs']} epochs beside a cosine and a one-cycle run of "
        f"{r['epochs']}, which end at {r['schedules']['cosine']['final']['median']:.3f} and {r['long']['target']:.3f}, in the "
        "median. The constant rate's "
        + (
            f"is there after {r['long']['reached']} epochs."
            if r["long"]["reached"] is not None
            else "does not get there."
        )
    ),
    caption="Medians and 10–90 % of the fresh seeds. Dotted: where the one-cycle runs end. Dot: where the constant rate is there.",
)

# %% [markdown]
# Last, three numbers for the page: how far the schedules' test accuracies are apart, seed by seed, with Student's margin for so many seeds; what the range test's rate gives, on the tuning seeds; and when a one-cycle run first sees each of a few accuracies, in epochs and, where times are recorded, in seconds.


# %%
def first_seen(found, level):
    """The median run's first epoch at an accuracy, and its seconds so far."""
    epochs = [
        next((k for k, a in enumerate(run, start=1) if a >= level), math.inf)
        for run in found["curves"]
    ]
    seconds = [
        sum(run[:epoch]) if epoch < math.inf else math.inf
        for run, epoch in zip(found["times"] or [], epochs, strict=False)
    ]
    middle = [
        statistics.median(column or [math.inf]) for column in (epochs, seconds)
    ]
    epoch, second = (m if math.isfinite(m) else None for m in middle)
    return {"accuracy": level, "epoch": epoch, "seconds": second}


once = results["schedules"]["one_cycle"]
at_found = [curve(train("one_cycle", FOUND, seed)[1])[-1] for seed in TUNING]
results["found"] = {"lr": FOUND, "validation": spread(at_found)["median"]}
results["seen"] = [first_seen(once, level) for level in TARGETS]
results["apart"], results["separable"] = {}, {}
for name in ("constant", "cosine"):
    other = results["schedules"][name]
    apart = paired(once["tests"], other["tests"])
    results["apart"][name] = apart
    better = "one_cycle" if apart["gap"] > 0 else name
    results["separable"][name] = better if apart["separable"] else "neither"
    print(f"one cycle - {name}: {apart['gap']:+.4f} ± {apart['margin']:.4f}")
results["rows"] = [
    {
        "schedule": LABELS[name],
        "lr": found["lr"],
        "final": found["final"]["median"],
        **{key: found[key] for key in ("mean", "at_edge")},
        "low": found["test"]["low"],
        "high": found["test"]["high"],
    }
    for name, found in results["schedules"].items()
]

# %% [markdown]
# ## What was seen
#
# After <% num("super-convergence.epochs", "d") %> epochs, over <% num("super-convergence.seeds", "d") %> fresh seeds:
#
# <% table("super-convergence.rows", {"schedule": "schedule", "lr": ("best η", "g"), "final": ("validation, median", ".3f"), "mean": ("test, mean", ".3f"), "low": ("10 %", ".3f"), "high": ("90 %", ".3f")}, caption="Accuracy after the last epoch; the quantiles are the test accuracy's") %>
#
# **Which rates they bear.** At a peak of <% num("super-convergence.lrs.3", "g") %> the one-cycle run has <% num("super-convergence.schedules.one_cycle.grid.3", ".2f") %>, the cosine <% num("super-convergence.schedules.cosine.grid.3", ".2f") %>, the constant rate <% num("super-convergence.schedules.constant.grid.3", ".2f") %>. The cosine has the same average rate; what it lacks is the way up: it makes its first step at the full rate.
#
# **Which is better.** The one-cycle runs differ from the constant rate by <% calc(100 * value("super-convergence.apart.constant.gap"), "+.1f") %> ± <% calc(100 * value("super-convergence.apart.constant.margin"), ".1f") %> points of test accuracy, and from the cosine by <% calc(100 * value("super-convergence.apart.cosine.gap"), "+.1f") %> ± <% calc(100 * value("super-convergence.apart.cosine.margin"), ".1f") %> (means over the same seeds, with their 95 % margins). <%% if value("super-convergence.separable.cosine") == "neither" %%>Cosine and one cycle cannot be told apart here.<%% elif value("super-convergence.separable.cosine") == "cosine" %%>Small as it is, that is a lead of the cosine's. At the rate that is best for it, it needs no warm-up.<%% else %%>The cycle is ahead of the cosine.<%% endif %%> Bearing a higher rate is not the same as profiting from it: at the rate that is best for it, the cycle does no more than the cosine does at its own.
#
# **How much faster.** <%% if value("super-convergence.long.reached") is none %%>The constant rate does not get to <% num("super-convergence.long.target", ".3f") %> within <% num("super-convergence.long.epochs", "d") %> epochs.<%% else %%>The constant rate reaches the <% num("super-convergence.long.target", ".3f") %> of the one-cycle run after <% num("super-convergence.long.reached", "d") %> epochs instead of <% num("super-convergence.epochs", "d") %>: a factor of <% num("super-convergence.long.factor", ".1f") %>.<%% endif %%> The paper's factor was eight, for a network of 56 layers; this one has three, and is no evidence against theirs. Given all its <% num("super-convergence.long.epochs", "d") %> epochs, the constant rate ends at a test accuracy of <% num("super-convergence.long.mean", ".3f") %>. A short cycle is for when you are short of time.
#
# **Was the range test right?** It proposed <% num("super-convergence.found.lr", ".2g") %>, and that rate's validation accuracy is <% num("super-convergence.found.validation", ".3f") %>, beside <% calc(value("super-convergence.schedules.one_cycle.grid") | max, ".3f") %> for the best of the grid, on the same seeds. It cost <% num("super-convergence.range.steps", "d") %> steps, about one run; the grid cost ten.

# %% [markdown]
# ## At full size
#
# The lab's target for ResNet-18 on CIFAR-10 is 93 % in 30 epochs. It is the lab's own, and not from Smith's paper. What others have published, all on the original images: 92–93 % in 20–30 epochs in [Lightning's tutorial](https://lightning.ai/docs/pytorch/stable/notebooks/lightning_examples/cifar10-baseline.html), with this network, SGD and OneCycleLR; 93.02 % for the ResNet-18 of [pytorch-cifar](https://github.com/kuangliu/pytorch-cifar); with networks made for speed, a median of 94.08 % after 24 epochs in [cifar10-fast](https://github.com/davidcpage/cifar10-fast) and 94.01 % in 3.8 seconds on an A100 in [airbench](https://github.com/KellerJordan/cifar10-airbench).
#
# <%% if is_recorded() %%>
# Recorded on **<% record("data") %>**, trained on <% record("samples", ",d") %> images, the rest of the training part being kept for validation.<%% if record_value("data") != "CIFAR-10" %%> Compression has taken detail out of these images, and with it accuracy: compare the numbers below with each other, and not with those above.<%% endif %%> One cycle with a peak of <% record("schedules.one_cycle.lr", "g") %> ends at a test accuracy of <% record("schedules.one_cycle.mean", ".4f") %>, the mean of <% record("seeds", "d") %> seeds; a cosine at <% record("schedules.cosine.mean", ".4f") %>, a constant rate at <% record("schedules.constant.mean", ".4f") %>, and after <% record("long.epochs", "d") %> epochs at <% record("long.mean", ".4f") %>. On the validation part, one cycle first sees <%% for row in record_value("seen") %%><%% if row.epoch is not none and row.seconds is not none %%><% calc(100 * row.accuracy, ".0f") %> % after <% calc(row.epoch, ".0f") %> epochs or <% calc(row.seconds, ".0f") %> seconds<%% else %%><% calc(100 * row.accuracy, ".0f") %> % not within the <% record("epochs", "d") %> epochs<%% endif %%>; <%% endfor %%>seconds are those of training and validating, without loading the data.
# <%% endif %%>
#
# <% recorded() %>

# %% [markdown]
# ## Tasks
#
# ### Task 1: once per epoch
#
# The commonest mistake with `OneCycleLR` is to step it after each epoch, as one steps most schedules. Take the best peak from above. On paper: what is the highest rate that a run of <% num("super-convergence.epochs", "d") %> epochs then gets to see? Then run it, and compare with the right cadence.

# %% [markdown] tags=["solution"]
# The way up is a cosine from `max_lr / 25` over the first 30 % of `total_steps`, less one. In a run of <% num("super-convergence.steps", "d") %> steps that is <% num("super-convergence.per_epoch.warm_up", ".1f") %> steps long, and the last epoch is trained after only <% calc(value("super-convergence.epochs") - 1, "d") %> of them.

# %% tags=["solution"]
PEAK, STEPS = once["lr"], results["steps"]
warm_up = 0.3 * STEPS - 1
done = (EPOCHS - 1) / warm_up
on_paper = PEAK / 25 + (PEAK - PEAK / 25) * (1 - math.cos(math.pi * done)) / 2


class OncePerEpoch(Callback):
    def on_fit_start(self, run):
        self.schedule = OneCycleLR(run.optimizer, PEAK, total_steps=STEPS)

    def on_epoch_end(self, run):
        self.schedule.step()


wrong, right = [], results["schedules"]["one_cycle"]
for seed in FRESH:
    model, history = train(
        "per-epoch",
        PEAK,
        seed,
        schedule=SCHEDULES["constant"],
        callbacks=[OncePerEpoch()],
    )
    wrong.append(on_test(model))
results["per_epoch"] = {
    "warm_up": warm_up,
    "on_paper": on_paper,
    "highest": max(history.lr_of()),
    "mean": sum(wrong) / len(wrong),
}
print(f"highest rate: {max(history.lr_of()):.5f}, on paper {on_paper:.5f}")
print(
    f"test accuracy {results['per_epoch']['mean']:.3f} instead of {right['mean']:.3f}"
)

model, optimizer, batches = set_up(PEAK, seed=0)
schedule = OneCycleLR(optimizer, PEAK, total_steps=STEPS)
try:
    check_cadence(
        schedule, "epoch", epochs=EPOCHS, steps_per_epoch=len(batches)
    )
except ValueError as error:
    print(error)

# %% [markdown] tags=["solution"]
# The rate never passes <% num("super-convergence.per_epoch.highest", ".4f") %>, where its peak should have been <% num("super-convergence.schedules.one_cycle.lr", "g") %>, and the test accuracy is <% num("super-convergence.per_epoch.mean", ".3f") %> instead of <% num("super-convergence.schedules.one_cycle.mean", ".3f") %>. Nothing warned: the loss falls, only slowly. `fit` asks for a cadence, and refuses this one before the run begins; its last line above is what it says.

# %% [markdown]
# ### Task 2: does the momentum's cycle matter?
#
# Run the same cycle with `cycle_momentum=False`, on the same seeds. How far apart are the two, and is that more than chance?

# %% tags=["solution"]
steady = []
for seed in FRESH:
    model, _ = train(
        "steady-momentum",
        PEAK,
        seed,
        schedule=lambda optimizer, lr, steps: OneCycleLR(
            optimizer, lr, total_steps=steps, cycle_momentum=False
        ),
    )
    steady.append(on_test(model))
apart = paired(right["tests"], steady)
results["momentum"] = apart | {
    "mean_steady": sum(steady) / len(steady),
    "clear": "yes" if apart["separable"] else "no",
}
print(f"cycled - steady: {apart['gap']:+.4f} ± {apart['margin']:.4f}")

# %% [markdown] tags=["solution"]
# With momentum held at 0.9 the mean test accuracy is <% num("super-convergence.momentum.mean_steady", ".3f") %>. Cycled minus steady, seed by seed: <% calc(100 * value("super-convergence.momentum.gap"), "+.1f") %> ± <% calc(100 * value("super-convergence.momentum.margin"), ".1f") %> points. <%% if value("super-convergence.momentum.clear") == "no" %%>That is not separable. It is no proof that the cycle of the momentum does nothing; it says that these runs are too few to show what it does.<%% else %%>That is more than chance. The usual wrong turn is to stop here: the peak was chosen with the momentum cycled, and a fair comparison gives the steady one a grid of its own.<%% endif %%>

# %% [markdown]
# ## Summary
#
# - OneCycleLR sets rate and momentum of every step itself. It needs the number of steps in advance, one call per step, and not one more.
# - The warm-up lets a network bear a peak at which a constant rate and a cosine break down. Whether it profits is another question, and here it does not.
# - A schedule that ends near zero is ahead of a constant rate at the end of a short run. To catch up, the constant rate takes <%% if value("super-convergence.long.factor") is none %%>more than <% num("super-convergence.longer", "d") %><%% else %%><% num("super-convergence.long.factor", ".1f") %><%% endif %%> times the epochs here, not eight.
#
# <% run_card() %>
#
# **Up next:** [Warm-up and Cosine](warmup-and-cosine.ipynb).
