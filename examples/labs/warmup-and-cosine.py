# ---
# title: Warm-up and Cosine
# number: 9
# description: A small transformer with and without the standard recipe's warm-up, at growing learning rates – where the first steps break it, where they do not, and two explanations put to the test.
# objectives:
#   - build warm-up and cosine with SequentialLR, without the off-by-one that holds the peak twice
#   - say at which learning rates a warm-up matters, and how much is left of it when both sides are tuned
#   - measure how far Adam's first steps go, and tell an explanation that survives a test from one that sounds good
# prerequisites:
#   - "[Optimization Algorithms Beyond SGD](../series/part-3/optimization-algorithms-beyond-sgd.md)"
#   - "[Four Schedules](four-schedules.ipynb)"
# ---

# %% [markdown]
# # Warm-up and Cosine
#
# Almost every transformer is trained like this: AdamW, a learning rate that climbs in a straight line for the first few per cent of the steps, then falls along half a cosine wave. The cosine is taste. The climb, people say, is a must: without it the run breaks in its first steps.
#
# Here you train a small [character transformer](../api/models.md) with and without the climb, each at learning rates of its own, and look for the place where it breaks. Then you open Adam and measure what its first steps are like.

# %% [markdown]
# ## Setup
#
# <% downloads("warmup-and-cosine") %>
#
# The text is Python's own language reference, which every Python ships with. Of the last tenth of it, one half chooses learning rates (validation), the other half is for the report (test).

# %%
import re
from itertools import islice
from math import sqrt

import matplotlib.pyplot as plt
import torch
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from trainloop.callbacks import Callback
from trainloop.checkpoint import Checkpoints
from trainloop.data import characters
from trainloop.figures import colour, label_ends, line
from trainloop.fit import fit
from trainloop.lab import paired, setting, show, spread, sweep
from trainloop.loop import evaluate, train_step
from trainloop.models import CharTransformer
from trainloop.monitor import UpdateRatios
from trainloop.optim import SGD, AdamW
from trainloop.sampler import ShuffledBatches
from trainloop.schedulers import (
    CosineAnnealingLR,
    LinearLR,
    SequentialLR,
    WarmupCosineLR,
)

SETTING = setting()  # setting("full") for the long run
STEPS = SETTING.pick(quick=12, small=110, full=1600)
WARMUP = SETTING.pick(quick=4, small=22, full=160)
EPOCHS = SETTING.pick(quick=1, small=1, full=4)
BATCH = SETTING.pick(quick=8, small=16, full=32)
CONTEXT = SETTING.pick(quick=16, small=32, full=128)
SHAPE = SETTING.pick(
    quick={"width": 16, "heads": 2, "depth": 1},
    small={"width": 48, "heads": 4, "depth": 2},
    full={"width": 192, "heads": 6, "depth": 6, "dropout": 0.1},
)
LRS = SETTING.pick(
    quick=(0.01, 0.04),
    small=(0.002, 0.006, 0.02, 0.06),
    full=(0.0006, 0.002, 0.006, 0.02),
)
TUNING = range(SETTING.pick(quick=1, small=2, full=2))
FRESH = range(100, 100 + SETTING.pick(quick=2, small=5, full=5))
LARGE = LRS[-1]
FIRST = min(40, STEPS)  # the steps that are looked at closely

# %% [markdown]
# A sample is a piece of the text, as long as the context; the target at every place is the next character.

# %%
text = characters()


def pieces(numbers, stride):
    rows = numbers.unfold(0, CONTEXT + 1, stride)
    order = torch.randperm(
        len(rows), generator=torch.Generator().manual_seed(0)
    )
    rows = rows[order].to(SETTING.device)
    return rows[:, :-1].contiguous(), rows[:, 1:].contiguous()


def next_character(logits, target):
    return F.cross_entropy(logits.flatten(0, 1), target.flatten())


half = len(text.val) // 2
TRAIN = pieces(text.train, stride=min(CONTEXT, 32))
some = SETTING.pick(quick=64, small=256, full=None)
VALIDATION = [tuple(p[:some] for p in pieces(text.val[:half], CONTEXT))]
TEST = [tuple(p[:some] for p in pieces(text.val[half:], CONTEXT))]

counts = torch.bincount(text.train, minlength=len(text.vocabulary))
frequency = ((counts + 1) / (counts + 1).sum()).to(SETTING.device)
UNIGRAM = {
    name: -frequency[targets].log().mean().item()
    for name, targets in (
        ("train", TRAIN[1]),
        ("validation", VALIDATION[0][1]),
        ("test", TEST[0][1]),
    )
}
print({name: round(loss, 2) for name, loss in UNIGRAM.items()})

# %% [markdown]
# These are lines to hold every run against: the loss of a model that knows how frequent each of the characters is, and nothing about which follows which.

# %% [markdown]
# ## Predict
#
# ```quiz
# - question: LinearLR warms up for W steps and hands over to CosineAnnealingLR. Which numbers make the full learning rate appear exactly once?
#   options:
#     - text: total_iters = W − 1, milestone W
#       why: Counting from zero tempts to this. LinearLR is then at the full rate at step W − 1, and the cosine begins with the full rate at step W.
#     - text: total_iters = W, milestone W
#       right: true
#       why: LinearLR would reach the full rate at step W. There the cosine takes over, at its own step 0, which is the full rate.
#     - text: total_iters = W, milestone W − 1
#       why: The climb is cut off two rungs below the top, and the rate jumps.
# - question: In its very first step, how far does Adam move a weight whose gradient is nothing but noise?
#   options:
#     - text: Hardly at all, for noise averages out.
#       why: It does later. After one step there is nothing to average yet.
#     - text: By one learning rate, like every other weight.
#       right: true
#       why: After one step, the average of g over the root of the average of g² is g/|g|, whatever g is.
#     - text: It depends on the size of the gradient.
#       why: Adam divides by that size.
# - question: With and without warm-up, each at its own best learning rate. How large is the gap in test loss over fresh seeds?
#   options:
#     - text: There is none that could be told from zero.
#       right: <% "true" if not value("warmup-and-cosine.best_gap.separable") else "false" %>
#       why: See the interval under "What was seen".
#     - text: Small, but it can be told from zero.
#       right: <% "true" if value("warmup-and-cosine.best_gap.separable") and value("warmup-and-cosine.best_gap.gap") < 0.2 else "false" %>
#       why: See the interval under "What was seen".
#     - text: More than 0.2.
#       right: <% "true" if value("warmup-and-cosine.best_gap.separable") and value("warmup-and-cosine.best_gap.gap") >= 0.2 else "false" %>
#       why: See the interval under "What was seen".
# ```

# %% [markdown]
# ## The schedule, and its off-by-one
#
# SequentialLR runs one schedule until the milestone, then the next from its own step 0. LinearLR refuses to start from a factor of 0, and rightly: a step at rate 0 is a step wasted. Here it starts at one part of $W + 1$.


# %%
def warmup_cosine(optimizer, warmup=WARMUP, steps=STEPS, total_iters=None):
    climb = LinearLR(
        optimizer,
        start_factor=1 / (warmup + 1),
        total_iters=total_iters or warmup,
    )
    fall = CosineAnnealingLR(optimizer, T_max=steps - warmup)
    return SequentialLR(optimizer, [climb, fall], milestones=[warmup])


def rates(make, steps=STEPS):
    """The learning rate of each update, from a base of 1."""
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = make(optimizer)
    found = []
    for _ in range(steps):
        found.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return found


in_parts = rates(warmup_cosine)
in_one = rates(lambda optimizer: WarmupCosineLR(optimizer, WARMUP, STEPS))
early = rates(
    lambda optimizer: warmup_cosine(optimizer, total_iters=WARMUP - 1)
)
results = {
    "steps": STEPS,
    "warmup": WARMUP,
    "large": LARGE,
    "epochs": EPOCHS,
    "width": SHAPE["width"],
    "schedule": {
        "right": in_parts,
        "early": early,
        "plain": rates(lambda o: CosineAnnealingLR(o, T_max=STEPS)),
        "apart": max(abs(a - b) for a, b in zip(in_parts, in_one, strict=True)),
        "peaks": {
            "right": sum(lr > 1 - 1e-9 for lr in in_parts),
            "early": sum(lr > 1 - 1e-9 for lr in early),
        },
    },
}
print(results["schedule"]["peaks"], results["schedule"]["apart"])


# %% tags=["figure"]
def draw_schedule(results):
    figure, (whole, close) = plt.subplots(2, 1, figsize=(5.2, 5.0))
    found, warmup = results["schedule"], results["warmup"]
    lines = [
        (whole.plot(found["plain"], **line("no_warmup"))[0], "no warm-up"),
        (whole.plot(found["right"], color=colour("warmup"))[0], "warm-up"),
    ]
    whole.set_ylim(-0.12, 1.08)
    whole.set_xlim(0, 1.28 * results["steps"])
    whole.set_xticks([0, warmup, results["steps"]])
    whole.set(ylabel="learning rate / η", title="The climb ends where the fall begins")
    around = range(warmup - 3, warmup + 4)
    # one beside the other: at most steps the two are equal
    close.plot(around, [found["early"][t] for t in around], "s--", color=colour("wrong"), markersize=9, fillstyle="none")
    close.plot(around, [found["right"][t] for t in around], "o-", color=colour("warmup"), markersize=4)
    close.annotate("W − 1: the peak twice", (warmup - 1, 1.0), (0, 14), textcoords="offset points", color=colour("wrong"), ha="center", va="center")
    close.annotate("total_iters = W", (warmup - 2, found["right"][warmup - 2]), (8, -10), textcoords="offset points", color=colour("warmup"), va="center")
    close.set_xticks(list(around), [f"W{t - warmup:+d}" if t != warmup else "W" for t in around])
    close.set(xlabel="step", ylabel="learning rate / η")
    close.margins(x=0.12, y=0.3)
    label_ends(whole, lines)
    return figure


show(
    draw_schedule,
    results,
    alt=lambda r: (
        f"Above, the learning rate over {r['steps']} steps: a linear climb of {r['warmup']} steps and half a cosine wave, beside "
        f"a cosine without the climb. Below, the steps around W = {r['warmup']}: with total_iters = W the peak is reached "
        f"{r['schedule']['peaks']['right']} time, with W − 1 it is held {r['schedule']['peaks']['early']} times."
    ),
    caption="Below: the seven steps around the milestone W. Held twice, the peak does no harm you could measure; but a schedule you cannot predict to the step is one you have not understood.",
)

# %% [markdown]
# `WarmupCosineLR` is the same in one piece: the two differ by <% num("warmup-and-cosine.schedule.apart", ".0e") %> at most.

# %% [markdown]
# ## One transformer, three beginnings
#
# The third contestant is there to test an explanation. In its first steps Adam divides by an average of g² that rests on very few samples. If it is that uncertainty which does the damage, then there is another cure: let Adam see the first batches at a learning rate of 0, so that its averages fill while the weights stand still, and then begin at the full rate, with no climb at all. <% cite("liu2020on", "The paper behind RAdam") %> made such an experiment, with the average of g² alone, to argue for that explanation.
#
# The model has its normalisation before attention, in the pre-norm order that modern transformers use. With the original's post-norm order the need for a warm-up is <% cite("xiong2020on", "known to be greater") %>; that is not measured here.


# %%
class Watch(Callback):
    """Notes how far the first steps move the blocks' matrices."""

    def __init__(self):
        self.medians = []

    def on_fit_start(self, run):
        self.watch = UpdateRatios(run.model, run.optimizer)

    def before_step(self, run):
        self.watch.before_step()

    def after_step(self, run):
        self.watch.after_step()
        if run.step <= FIRST:
            matrices = [
                ratio
                for name, ratio in self.watch.ratios.items()
                if "blocks" in name and run.model.get_parameter(name).ndim == 2
            ]
            self.medians.append(torch.tensor(matrices).median().item())

    def state_dict(self):
        return {"medians": self.medians}

    def load_state_dict(self, state):
        self.medians = state["medians"]


def fill_averages(model, optimizer, batches):
    """Let Adam see the first batches without moving."""
    for group in optimizer.param_groups:
        lr, group["lr"] = group["lr"], 0.0
        for x, y in islice(batches, WARMUP):
            train_step(model, next_character, optimizer, x, y)
        group["lr"] = lr


def train(name, lr, seed, steps=STEPS, watch=None):
    torch.manual_seed(seed)
    model = CharTransformer(len(text.vocabulary), CONTEXT, **SHAPE)
    model.to(SETTING.device)
    optimizer = AdamW(model.parameters(), lr=lr)
    samples = steps // EPOCHS * BATCH
    batches = DataLoader(
        TensorDataset(*(part[:samples] for part in TRAIN)),
        sampler=ShuffledBatches(samples, BATCH, seed=seed),
        batch_size=None,
    )
    if name == "filled":
        fill_averages(model, optimizer, batches)
    scheduler = (
        warmup_cosine(optimizer, steps=steps)
        if name == "warmup"
        else CosineAnnealingLR(optimizer, T_max=steps)
    )
    on_gpu = SETTING.device.type == "cuda"
    run = f"{name}-{lr}-{seed}-{steps}"
    folder = SETTING.out / "warmup-and-cosine" / run
    history = fit(
        model,
        next_character,
        optimizer,
        batches,
        EPOCHS,
        scheduler=scheduler,
        cadence="step",
        validation=VALIDATION,
        callbacks=[watch] if watch else [],
        autocast=torch.bfloat16 if on_gpu else None,
        progress=SETTING.full,
        checkpoints=Checkpoints(folder, keep=1) if SETTING.full else None,
    )
    return model, history


# %% [markdown]
# Every contestant tries every learning rate with the same tuning seeds. The losses of the first steps are kept: they are where it breaks, if it breaks.

# %%
CONTESTANTS = {
    "no_warmup": "no warm-up",
    "warmup": "warm-up",
    "filled": "averages first",
}
RATES = {"no_warmup": LRS, "warmup": LRS, "filled": [LARGE]}
COLOURS = {"no_warmup": "no_warmup", "warmup": "warmup", "filled": "adam"}


def median_of(rows):
    return torch.tensor(rows).double().median(dim=0).values.tolist()


results |= {
    "lrs": list(LRS),
    "seeds": len(FRESH),
    "tuning_seeds": len(TUNING),
    "unigram": UNIGRAM,
    "contestants": {},
}
for name, label in CONTESTANTS.items():
    beginnings, moves = {lr: [] for lr in LRS}, []

    def loss_of(lr, seed, name=name, beginnings=beginnings, moves=moves):
        watch = Watch() if lr == LARGE else None
        _, history = train(name, lr, seed, watch=watch)
        beginnings[lr].append(history.loss[:FIRST])
        if watch:
            moves.append(watch.medians)
        return history.validation[-1]["loss"]

    tried = sweep(loss_of, RATES[name], TUNING)
    results["contestants"][name] = {
        "label": label,
        "lr": tried.best,
        "at_edge": tried.at_edge,
        "lrs": list(RATES[name]),
        "grid": [tried.median(lr) for lr in RATES[name]],
        "beginnings": [median_of(beginnings[lr]) for lr in RATES[name]],
        "moves": median_of(moves),
    }
    medians = "  ".join(f"{lr:g}: {tried.median(lr):.2f}" for lr in RATES[name])
    print(f"{label:15} {medians}   best lr {tried.best}")


# %% tags=["figure"]
def draw_rates(results):
    figure, ax = plt.subplots()
    lines = []
    for name, found in results["contestants"].items():
        look = line(COLOURS[name])
        (drawn,) = ax.plot(found["lrs"], found["grid"], **look, marker="o", markersize=4)
        lines.append((drawn, found["label"]))
    ax.axhline(results["unigram"]["validation"], color=colour("data"), linewidth=1)
    ax.annotate("frequencies alone", (results["lrs"][0], results["unigram"]["validation"]), (0, 4), textcoords="offset points", color=colour("data"))
    ax.set_xscale("log")
    ax.set_xticks(results["lrs"], [f"{lr:g}" for lr in results["lrs"]])
    ax.minorticks_off()
    ax.set_xlim(results["lrs"][0] / 1.1, results["lrs"][-1] * 2.6)
    ax.set(xlabel="learning rate η, the highest of the run", ylabel="validation loss", title="Where the warm-up matters")
    ax.margins(y=0.12)
    label_ends(ax, lines)
    return figure


show(
    draw_rates,
    results,
    alt=lambda r: (
        "Validation loss after the run against learning rate. "
        + " ".join(
            f"{found['label'].capitalize()}: "
            + ", ".join(f"{loss:.2f} at {lr:g}" for lr, loss in zip(found["lrs"], found["grid"], strict=True) if loss)
            + "."
            for found in r["contestants"].values()
        )
        + f" A model of frequencies alone has about {r['unigram']['validation']:.2f}."
    ),
    caption=lambda r: f"Median of {r['tuning_seeds']} tuning seeds after {r['steps']} steps.",
)


# %% tags=["figure"]
def draw_beginnings(results):
    figure, axes = plt.subplots(2, 2, figsize=(5.2, 5.0), sharex=True, sharey=True)
    pair = ("no_warmup", "warmup")
    for ax, at in zip(axes.flat, (0, 1, 2, 3) if len(results["lrs"]) > 3 else (0, 0, 1, 1), strict=True):
        for name in pair:
            found = results["contestants"][name]
            ax.plot(found["beginnings"][at], **line(COLOURS[name]), label=found["label"])
        ax.axhline(results["unigram"]["train"], color=colour("data"), linewidth=1)
        ax.set_title(f"η = {results['lrs'][at]:g}")
    axes[0, 0].legend(loc="upper right", fontsize=10.5)
    figure.supxlabel("step", fontsize=11)
    figure.supylabel("training loss", fontsize=11)
    return figure


show(
    draw_beginnings,
    results,
    alt=lambda r: (
        "Training loss over the first steps at four learning rates, with and without warm-up. In the last of these steps: "
        + "; ".join(
            f"at {lr:g}, {r['contestants']['no_warmup']['beginnings'][i][-1]:.2f} without and "
            f"{r['contestants']['warmup']['beginnings'][i][-1]:.2f} with"
            for i, lr in enumerate(r["lrs"][:4])
        )
        + "."
    ),
    caption="Median of the tuning seeds. Grey line: what frequencies alone would give.",
)

# %% [markdown]
# Then the two whose difference is the question, on fresh seeds and the test text, each at its own best rate and both at <% num("warmup-and-cosine.large", "g") %>. A run that does not get 0.05 below the line of frequencies alone counts as stuck there.


# %%
def test_losses(name, lr):
    losses = []
    for seed in FRESH:
        model, _ = train(name, lr, seed)
        losses.append(evaluate(model, next_character, TEST))
    return losses


for place in ("best", "same"):
    for name in ("no_warmup", "warmup"):
        found = results["contestants"][name]
        lr = found["lr"] if place == "best" else LARGE
        known = place == "same" and lr == found["lr"]
        runs = found["best"]["runs"] if known else test_losses(name, lr)
        stuck = sum(loss > UNIGRAM["test"] - 0.05 for loss in runs)
        found[place] = spread(runs) | {"lr": lr, "runs": runs, "stuck": stuck}
    results[place + "_gap"] = paired(
        results["contestants"]["no_warmup"][place]["runs"],
        results["contestants"]["warmup"][place]["runs"],
    )
    print(place, results[place + "_gap"])

# %% [markdown]
# ## What Adam's first steps are like
#
# Two measurements. The first is of the runs themselves: how far each step moves a matrix, in units of its own size, at the largest rate.

# %%
for found in results["contestants"].values():
    percent = "  ".join(f"{100 * move:.1f}" for move in found["moves"][:8])
    print(f"{found['label']:15} {percent} %")

# %% [markdown]
# The second holds the weights still, at their initial values, to see what Adam makes of the noise alone: gradients of 100 batches for 2,000 weights of one matrix, drawn in many random orders. After $t$ of them, how much does Adam's divisor $\sqrt{\hat v}$ vary from order to order? And how long is the step that it would make, $\hat m / \sqrt{\hat v}$, in learning rates?


# %%
def gradient_samples(batches=100, weights=2000):
    torch.manual_seed(0)
    model = CharTransformer(len(text.vocabulary), CONTEXT, **SHAPE)
    model.to(SETTING.device)
    matrix = model.get_parameter("blocks.0.mlp.0.weight")
    rows = []
    for x, y in zip(*(part.split(BATCH) for part in TRAIN), strict=True):
        loss = next_character(model(x), y)
        (gradient,) = torch.autograd.grad(loss, matrix)
        rows.append(gradient.flatten()[:weights])
        if len(rows) == batches:
            return torch.stack(rows).double().cpu()


def first_steps(gradients, orders=50, β1=0.9, β2=0.999):
    generator = torch.Generator().manual_seed(0)
    shape = (orders, gradients.shape[1])
    m, v = torch.zeros(shape).double(), torch.zeros(shape).double()
    found = {"divisor": [], "step": []}
    for t in range(1, FIRST + 1):
        drawn = torch.randint(len(gradients), (orders,), generator=generator)
        g = gradients[drawn]
        m, v = β1 * m + (1 - β1) * g, β2 * v + (1 - β2) * g**2
        root = (v / (1 - β2**t)).sqrt() + 1e-12
        inverse = 1 / root
        varies = inverse.std(dim=0) / inverse.mean(dim=0)
        step = m / (1 - β1**t) / root
        found["divisor"].append(varies.median().item())
        found["step"].append(step.square().mean().sqrt().item())
    return found


results["still"] = first_steps(gradient_samples())
for name, values in results["still"].items():
    print(name, [round(x, 2) for x in values[:: FIRST // 4]])


# %% tags=["figure"]
def draw_updates(results):
    figure, (moving, still) = plt.subplots(2, 1, figsize=(5.2, 5.6), sharex=True)
    lines = []
    for name, found in results["contestants"].items():
        steps = range(1, len(found["moves"]) + 1)
        (drawn,) = moving.plot(steps, [100 * move for move in found["moves"]], **line(COLOURS[name]))
        lines.append((drawn, found["label"]))
    moving.set(yscale="log", ylabel="update / weight (%)", title="Without a climb, the first steps are the longest")
    steps = range(1, len(results["still"]["step"]) + 1)
    (step,) = still.plot(steps, results["still"]["step"], color=colour("update"))
    (divisor,) = still.plot(steps, results["still"]["divisor"], color=colour("measure"), linestyle=(0, (4, 1.5)))
    still.set(xlabel="step", ylim=(0, None))
    still.set_title("… even where the weights stand still", fontsize=12)
    still.set_xlim(0, 1.4 * len(steps))
    still.set_xticks(range(0, len(steps) + 1, max(1, len(steps) // 4)))
    label_ends(moving, lines)
    label_ends(still, [(step, "step / η"), (divisor, "spread of 1/√v̂")])
    return figure


show(
    draw_updates,
    results,
    alt=lambda r: (
        "Above, how far each of the first steps moves a matrix, in per cent of its size. In step 1: "
        + ", ".join(f"{found['label']} {100 * found['moves'][0]:.2g} %" for found in r["contestants"].values())
        + ". Below, with the weights held still: the length of Adam's step falls from "
        f"{r['still']['step'][0]:.2f} to {r['still']['step'][-1]:.2f} learning rates, and the relative spread of one over the "
        f"root of v from {r['still']['divisor'][0]:.2f} to {r['still']['divisor'][-1]:.2f}."
    ),
    caption="Above: the median over the blocks' matrices and the tuning seeds, at the largest rate. Below: root mean square of the step in learning rates, and the relative spread of 1/√v̂ from one order of the batches to another.",
)

# %% [markdown]
# ## A sample
#
# What does such a model write? One run with warm-up, twice as long, then one character after the other.


# %%
@torch.no_grad()
def write(model, start, characters, temperature=0.7):
    generator = torch.Generator().manual_seed(0)
    tokens = text.encode(start)
    for _ in range(characters):
        logits = model(tokens[None, -CONTEXT:].to(SETTING.device))[0, -1]
        chances = (logits / temperature).softmax(0).cpu()
        drawn = torch.multinomial(chances, 1, generator=generator)
        tokens = torch.cat([tokens, drawn])
    return text.decode(tokens[-characters:])


def known_words(sample):
    words = re.findall("[a-z]{3,}", sample.lower())
    return sum(word in WORDS for word in words) / max(1, len(words))


LONG = SETTING.pick(quick=STEPS, small=2 * STEPS, full=STEPS)
WORDS = set(re.findall("[a-z]{3,}", text.decode(text.train).lower()))
best = results["contestants"]["warmup"]["lr"]
writer, _ = train("warmup", best, FRESH[0], steps=LONG)
sample = write(writer.eval(), "The statement ", 300)
unseen = text.decode(text.val[half : half + 20_000])
results["sample"] = {
    "steps": LONG,
    "loss": evaluate(writer, next_character, TEST),
    "text": sample,
    "known": known_words(sample),
    "known_in_test": known_words(unseen),
}
print(sample)

# %% [markdown]
# It writes at a loss of <% num("warmup-and-cosine.sample.loss", ".2f") %>, after <% num("warmup-and-cosine.sample.steps", "d") %> steps. Of its words of three letters or more, <% calc(100 * value("warmup-and-cosine.sample.known"), ".0f") %> % occur in the text it was trained on; of the test text's words, <% calc(100 * value("warmup-and-cosine.sample.known_in_test"), ".0f") %> % do. It has picked up how long words and lines are, and which letters like to stand together. It cannot spell, let alone say anything. A transformer needs thousands of steps for that; this page's budget is two hundred.

# %% [markdown]
# ## What was seen
#
# **Tuned against tuned.** Over <% num("warmup-and-cosine.seeds", "d") %> fresh seeds, each at its own best rate, the test loss is <% num("warmup-and-cosine.contestants.no_warmup.best.median", ".2f") %> without warm-up (η = <% num("warmup-and-cosine.contestants.no_warmup.lr", "g") %>) and <% num("warmup-and-cosine.contestants.warmup.best.median", ".2f") %> with it (η = <% num("warmup-and-cosine.contestants.warmup.lr", "g") %>). Seed by seed, warm-up gains <% num("warmup-and-cosine.best_gap.gap", ".2f") %>, with a 95 % interval from <% num("warmup-and-cosine.best_gap.low", ".2f") %> to <% num("warmup-and-cosine.best_gap.high", ".2f") %><%% if not value("warmup-and-cosine.best_gap.separable") %%>: with these seeds you cannot tell it from nothing<%% else %%>: more than nothing, and not much<%% endif %%>.
#
# Read that with a grain of salt: the size of this experiment was chosen by looking. Of some seven sizes tried, this one shows the break clearly; with a shorter context and more layers the gain at the same rate could not be told from nothing, and with a hundred steps neither could the tuned one.
#
# **At the same rate.** Both at <% num("warmup-and-cosine.large", "g") %>, the gain is <% num("warmup-and-cosine.same_gap.gap", ".2f") %> (<% num("warmup-and-cosine.same_gap.low", ".2f") %> to <% num("warmup-and-cosine.same_gap.high", ".2f") %>)<%% if not value("warmup-and-cosine.same_gap.separable") %%>, which five seeds do not settle<%% endif %%>. Of the <% num("warmup-and-cosine.seeds", "d") %> runs, <% num("warmup-and-cosine.contestants.no_warmup.same.stuck", "d") %> without warm-up and <% num("warmup-and-cosine.contestants.warmup.same.stuck", "d") %> with it are stuck at the line of frequencies alone: they have learned which characters are common, and nothing else. At the smallest rate of the grid the climb changes little: validation losses of <% calc(value("warmup-and-cosine.contestants.no_warmup.grid")[0], ".2f") %> without it and <% calc(value("warmup-and-cosine.contestants.warmup.grid")[0], ".2f") %> with it. So what breaks without a warm-up is the large learning rate. What the warm-up buys is room: a range of rates in which you need not have found the right one.
#
# **The break is over in a few steps.** At the largest rate the loss without the climb jumps to <% calc(value("warmup-and-cosine.contestants.no_warmup.beginnings")[-1] | max, ".1f") %>, above where it began, and ten steps later it is back at the line of frequencies, as if healed. Most of those runs never leave that line. One rate lower there is no jump at all: the loss falls *faster* than with the climb for the first few steps, and a curve of those steps would make you prefer it.
#
# **The first step.** Without a warm-up the first step moves a matrix by <% calc(100 * value("warmup-and-cosine.contestants.no_warmup.moves")[0], ".0f") %> % of its size; with it, by <% calc(100 * value("warmup-and-cosine.contestants.warmup.moves")[0], ".1f") %> %. [A rule of thumb](https://cs231n.github.io/neural-networks-3/) puts healthy steps near 0.1 %. Adam's first step is one learning rate for every weight, signal or noise. Waiting does not shorten it much: with the weights held still, after ten batches the step would still be <% calc(value("warmup-and-cosine.still.step")[9], ".2f") %> learning rates long. At the start most batches agree on where to go, and Adam goes there at full length.
#
# **Uncertainty or length?** The divisor is as uncertain as the RAdam paper says: after one batch $1/\sqrt{\hat v}$ varies by <% calc(100 * value("warmup-and-cosine.still.divisor")[0], ".0f") %> % of its mean, after ten by <% calc(100 * value("warmup-and-cosine.still.divisor")[9], ".0f") %> %. But the cure that should follow from it does not work here. With averages filled before the first step, the divisor is certain, and the validation loss at <% num("warmup-and-cosine.large", "g") %> is <% calc(value("warmup-and-cosine.contestants.filled.grid")[0], ".2f") %>: no better than <% calc(value("warmup-and-cosine.contestants.no_warmup.grid")[-1], ".2f") %> without any cure, and far from the <% calc(value("warmup-and-cosine.contestants.warmup.grid")[-1], ".2f") %> of the climb. Its first step was still <% calc(100 * value("warmup-and-cosine.contestants.filled.moves")[0], ".0f") %> % long. In this run it is the length that does the damage, as <% cite("ma2021on", "Ma and Yarats") %> have argued: certain averages of where you started say little about where so long a step takes you. <% cite("gilmer2021a", "Others") %> find the same on the side of the loss: early curvature is high, and a warm-up leads to flatter places. One small network proves none of this for large ones.

# %% [markdown]
# ## At full size
#
# Six layers of width 192, a context of 128 characters, four epochs of 400 steps with a validation after each: 39 runs. It wants a GPU. Every run has its folder of checkpoints and goes on where it was killed.
#
# <% recorded() %>

# %% [markdown]
# ## Tasks
#
# ### Task 1: the first step, on paper
#
# torch draws a linear layer's weights evenly from $\pm 1/\sqrt{n}$, where $n$ is the number of its inputs. Adam's first step is one learning rate for every weight. By how many per cent of its size does the first step at η = <% num("warmup-and-cosine.large", "g") %> move a matrix with <% num("warmup-and-cosine.width", "d") %> inputs? And with the warm-up? Compare with what was measured above.

# %% [markdown] tags=["solution"]
# Numbers spread evenly over $\pm a$ have the root mean square $a/\sqrt 3$, here $1/\sqrt{3n}$. Every weight moves by η, so the ratio is $\eta\sqrt{3n}$. With the warm-up the first step is taken at $\eta/(W + 1)$. The usual wrong turn is to look for the gradient's size in the answer: it cancels.

# %% tags=["solution"]
on_paper = LARGE * sqrt(3 * SHAPE["width"])
results["on_paper"] = {
    "no_warmup": on_paper,
    "warmup": on_paper / (WARMUP + 1),
}
for name, expected in results["on_paper"].items():
    measured = results["contestants"][name]["moves"][0]
    print(f"{name:10} on paper {expected:.4f}   measured {measured:.4f}")

# %% [markdown]
# ### Task 2: the optimizer that warms itself up
#
# [RAdam](../api/optim.md) multiplies Adam's step by a factor $r_t$ that says how far the average of g² can be trusted by now; its formula is in the API reference. Its authors recommend it instead of a warm-up. Compute $r_t$ for $\beta_2 = 0.999$ at the steps 6, 24, 100, 1,000 and 4,000, and set a linear warm-up of $2/(1 - \beta_2)$ steps beside it. What has RAdam replaced the warm-up with?

# %% [markdown] tags=["solution"]
# With a warm-up. $r_t$ climbs slowly from 0 to 1, and at none of these steps is the straight line over 2,000 steps farther from it than 0.2: that is the observation of <% cite("ma2021on", "Ma and Yarats") %>, who recommend the line. Mind what it means for a short run. After <% num("warmup-and-cosine.steps", "d") %> steps RAdam has never taken a quarter of a full step, so "RAdam is stable at 0.06" and "Adam is stable at 0.012" may be the same sentence.

# %% tags=["solution"]
β2 = 0.999
most = 2 / (1 - β2) - 1
results["radam"] = []
for t in (6, 24, 100, 1000, 4000):
    ρ = most - 2 * t * β2**t / (1 - β2**t)
    r = sqrt((ρ - 4) * (ρ - 2) * most / ((most - 4) * (most - 2) * ρ))
    straight = min(1.0, t * (1 - β2) / 2)
    results["radam"].append({"step": t, "r": r, "line": straight})
    print(f"step {t:4}: r = {r:.3f}   straight line {straight:.3f}")

# %% [markdown]
# ## Summary
#
# - LinearLR with `total_iters` W, CosineAnnealingLR with `T_max` N − W, milestone W: the peak comes once, at step W.
# - A warm-up lets a run use learning rates that would otherwise leave it stuck. At a small rate it changes little.
# - Adam's first step is one learning rate for every weight, and without a climb it is the longest. A run that is harmed by it need not diverge: it may stop learning and look calm.
# - An explanation earns belief by a cure that works where the explanation says it should. Here, shorter first steps were such a cure, and better averages were not.
#
# <% run_card() %>
#
# **Up next:** [Optimization Algorithms Beyond SGD](../series/part-3/optimization-algorithms-beyond-sgd.md), if you came here first; else [the lab](index.md) has eight more.
