# ---
# title: Exploding Gradients
# number: 6
# description: You make gradients explode in a deep ReLU network, predict by how much from its initialisation, hold them with two kinds of clipping, and then remove the cause.
# objectives:
#   - measure how signals and gradients grow from layer to layer, and compute the factor on paper
#   - clip gradients by norm and by value, and say what each does to their length and direction
#   - tell a symptom that clipping treats from a cause that it leaves in place
# prerequisites:
#   - "[Convergence of Every Optimizer](convergence-of-every-optimizer.ipynb)"
#   - "[Visualizing the Loss Landscape](../series/part-1/visualizing-the-loss-landscape.md)"
# ---

# %% [markdown]
# # Exploding Gradients
#
# A deep network multiplies. Each layer makes its signal a little larger or a little smaller, and a dozen layers do it a dozen times. You will build a network in which the factor is too large, see the first gradients, and try to train it three ways: as it is, with every entry of the gradient cut to a bound, and with the whole gradient shortened to a bound. Then you will look for the cause.

# %% [markdown]
# ## Setup
#
# <% downloads("exploding-gradients") %>
#
# The data are scikit-learn's handwritten digits. A fifth is the test set, of which nothing here depends; a fifth of the rest chooses learning rates.

# %%
import itertools
import math

import matplotlib.pyplot as plt
import torch
from torch.nn.functional import cosine_similarity, cross_entropy
from torch.utils.data import DataLoader, TensorDataset
from tqdm.auto import tqdm

from trainloop.checkpoint import Checkpoints
from trainloop.clip import clip_grad_norm_, clip_grad_value_, total_norm
from trainloop.data import digits, mnist5k, stratified_split
from trainloop.figures import colour, label_ends, line
from trainloop.fit import fit
from trainloop.lab import setting, show, spread, sweep
from trainloop.models import deep_relu_net
from trainloop.monitor import NonFiniteError, NonFiniteWatch, grad_norms
from trainloop.optim import SGD
from trainloop.sampler import ShuffledBatches
from trainloop.validation import measure

SETTING = setting()  # setting("full") for the long run
DEPTH = SETTING.pick(quick=4, small=12, full=20)  # hidden layers
WIDTH = SETTING.pick(quick=32, small=64, full=256)
EPOCHS = SETTING.pick(quick=1, small=8, full=20)
RATES = SETTING.pick(quick=3, small=7, full=13)  # per method
TUNING = range(SETTING.pick(quick=1, small=2, full=3))
FRESH = range(100, SETTING.pick(quick=102, small=106, full=110))
GAIN, BATCH = 2.0, 64

# %%
x, y, x_test, y_test = SETTING.pick(quick=digits, small=digits, full=mnist5k)()
x, y, x_val, y_val = stratified_split(x, y, seed=1)
mean, scale = x.mean(), x.std()


def ready(part):
    return ((part - mean) / scale).flatten(1).to(SETTING.device)


x, x_val, x_test = ready(x), ready(x_val), ready(x_test)
y, y_val, y_test = (part.to(SETTING.device) for part in (y, y_val, y_test))


def network(seed, gain=GAIN):
    """DEPTH hidden layers; the weights' standard deviation is gain / √fan_in."""
    net = deep_relu_net(
        DEPTH,
        WIDTH,
        inputs=x.shape[1],
        outputs=10,
        gain=gain,
        generator=torch.Generator().manual_seed(seed),
    )
    return net.to(SETTING.device)


# %% [markdown]
# The weights of this network are normal with a standard deviation of $g / \sqrt{n}$, where $n$ is how many numbers a layer reads, and $g$, the gain, is 2. A sum of $n$ such products has $g^2$ times the mean square of its inputs; the ReLU sets half of the sums to 0, and with them half of the mean square (<% cite("he2015delving", "He et al., 2015") %>). So on paper each layer multiplies a signal's size by
#
# $$
# \frac{g}{\sqrt 2} = \sqrt 2 \approx 1.41 \qquad \text{for } g = 2.
# $$
#
# Backwards the same weights are used, transposed, and the same half is set to 0: the same factor again.

# %% [markdown]
# ## Predict
#
# ```quiz
# - question: Before the first step you print the norm of the gradient of each weight matrix, first layer to last. What do you see?
#   options:
#     - text: It grows by about 1.4 per layer towards the input
#       right: <% "true" if value("exploding-gradients.growth.weights.spread") >= 8 else "false" %>
#       why: That holds for the gradient of a layer's sums. A weight's gradient is that times the layer's input, and the inputs grow the other way.
#     - text: It is about the same size in all layers, and large
#       right: <% "true" if value("exploding-gradients.growth.weights.spread") < 8 else "false" %>
#       why: A weight's gradient is the gradient of the layer's sums, which has grown on its way back, times the layer's input, which has grown on its way forward. Every layer collects all the factors but its own.
#     - text: It is largest in the last layer, many times the first's
#       right: false
#       why: The last layer has the largest inputs, but the gradient that meets them has not grown yet.
# - question: Which training, each at its own best learning rate, ends with the highest test accuracy?
#   options:
#     - text: clipped by norm, since it keeps the gradient's direction
#       right: <% "true" if value("exploding-gradients.winner") == "clip_norm" else "false" %>
#       why: The usual advice. See below what the direction was worth here.
#     - text: clipped by value, though it does not
#       right: <% "true" if value("exploding-gradients.winner") == "clip_value" else "false" %>
#       why: Cutting entries makes large and small ones alike, in all layers, much as optimizers do that divide by each entry's own size.
#     - text: not clipped at all, but with weights of the right size
#       right: <% "true" if value("exploding-gradients.winner") == "right_init" else "false" %>
#       why: Clipping shortens a step. It does not change the network in which the step is made.
# ```

# %% [markdown]
# ## Where does it grow?
#
# For one batch, three numbers per layer: the size of its sums, the size of the loss's gradient with respect to them, and the norm of its weights' gradient. `grad_norms` gives the last; for the other two, the sums keep their gradients. Several networks are measured, since one of width 64 is a small sample of what the paper promises.


# %%
def through_the_layers(seed, gain=GAIN):
    """Signals, their gradients, and weights' gradients, layer by layer."""
    net, sums, here = network(seed, gain), [], x[:BATCH]
    for layer in net:
        here = layer(here)
        if isinstance(layer, torch.nn.Linear):
            here.retain_grad()
            sums.append(here)
    cross_entropy(here, y[:BATCH]).backward()
    norms = grad_norms(net)
    return {
        "signal": [a.norm().item() / math.sqrt(a.numel()) for a in sums],
        "gradient": [a.grad.norm().item() for a in sums],
        "weights": [norm for name, norm in norms.items() if name.endswith("weight")],
        "total": total_norm([p.grad for p in net.parameters()]).item(),
    }


def geometric_mean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def over_networks(gain):
    """Each layer's geometric mean over networks, and the factor per layer."""
    seen = [through_the_layers(seed, gain) for seed in range(8)]
    found = {"total": geometric_mean([each["total"] for each in seen])}
    for what in ("signal", "gradient", "weights"):
        by_layer = zip(*(each[what] for each in seen), strict=True)
        layers = [geometric_mean(at) for at in by_layer]
        # Among hidden layers alone: the last one has no ReLU.
        ratio = layers[DEPTH - 1] / layers[0]
        found[what] = {
            "layers": layers,
            "factor": ratio ** (1 / (DEPTH - 1)),
            "spread": max(layers) / min(layers),
        }
    found["gradient"]["factor"] = 1 / found["gradient"]["factor"]  # backwards
    return found


gains = {"small": 1.0, "right": math.sqrt(2), "large": GAIN}
results = {
    "depth": DEPTH,
    "width": WIDTH,
    "growth": over_networks(GAIN),
    "gains": [
        {"gain": gain, "paper": gain / math.sqrt(2)}
        | {
            "signal": found["signal"]["factor"],
            "gradient": found["gradient"]["factor"],
            "total": found["total"],
        }
        for gain in gains.values()
        for found in [over_networks(gain)]
    ],
}
for row in results["gains"]:
    print("  ".join(f"{key} {value:.2f}" for key, value in row.items()))


# %% tags=["figure"]
def draw_layers(results):
    figure, ax = plt.subplots()
    growth, lines = results["growth"], []
    at = range(1, results["depth"] + 2)
    drawn = (
        ("signal", "signal", "predict", "o"),
        ("gradient", "its gradient", "differentiate", "s"),
        ("weights", "weights'\ngradient", "update", "^"),
    )
    for what, text, concept, marker in drawn:
        layers = growth[what]["layers"]
        (shown,) = ax.plot(at, layers, color=colour(concept), marker=marker, markersize=4)
        lines.append((shown, text))
    hidden = at[:-1]
    for what, sign in (("signal", 1), ("gradient", -1)):
        start = growth[what]["layers"][0]
        paper = [start * math.sqrt(2) ** (sign * k) for k in range(len(hidden))]
        ax.plot(hidden, paper, color=colour("truth"), linestyle=":", linewidth=1.2)
    ax.set(yscale="log", xlabel="layer", ylabel="size", title="Growth both ways, and its product")
    ax.set_xticks(range(1, results["depth"] + 2, 2 * (1 + results["depth"] // 16)))
    ax.set_xlim(0.5, (results["depth"] + 1) * 1.25)
    label_ends(ax, lines)
    return figure


def first_and_last(r, what):
    layers = r["growth"][what]["layers"]
    return f"from {layers[0]:.2g} in the first layer to {layers[-1]:.2g} in the last"


show(
    draw_layers,
    results,
    alt=lambda r: (
        f"Three sizes against the layer, logarithmic, in a network of {r['depth']} hidden layers with gain 2. Signals "
        f"grow {first_and_last(r, 'signal')}; the gradients with respect to them go {first_and_last(r, 'gradient')}; "
        f"the weights' gradients stay large, {first_and_last(r, 'weights')}."
    ),
    caption=(
        "Geometric means over eight networks, before the first step. Dotted: a factor of √2 per layer, from the first "
        "layer's value. Signals: root mean square; gradients: norms."
    ),
)

# %% [markdown]
# The factors measured are <% num("exploding-gradients.growth.signal.factor", ".2f") %> forwards and <% num("exploding-gradients.growth.gradient.factor", ".2f") %> backwards per layer, where the paper says 1.41: <% num("exploding-gradients.width", "d") %> units are a small sample of the average that the paper takes. The gain decides on which side of 1 the factor lies:
#
# <% table("exploding-gradients.gains", {"gain": ("gain", ".2f"), "paper": ("factor on paper", ".2f"), "signal": ("measured forwards", ".2f"), "gradient": ("measured backwards", ".2f"), "total": ("norm of the whole gradient", ".3g")}, caption="Eight networks each, before the first step") %>
#
# The weights' gradients tell nothing about the place: they are large in every layer, and the largest is only <% num("exploding-gradients.growth.weights.spread", ".1f") %> times the smallest. Whoever looks for an explosion in the first layer's weights finds it there, and everywhere else. A bias has no such second factor; its gradient shows the growth.

# %% [markdown]
# ## What clipping does to a gradient
#
# `clip_grad_norm_` multiplies the whole gradient by one number, so that its norm is at most a bound (<% cite("pascanu2013on", "Pascanu et al., 2013") %>); `clip_grad_value_` cuts every entry to a bound of its own. To make them comparable, the bound per entry is $1/\sqrt{n}$ for $n$ parameters: then neither leaves a gradient longer than 1. `fit` takes any rule for clipping, and this one takes notes.

# %%
PARAMETERS = sum(p.numel() for p in network(0).parameters())
CLIP = {
    "unclipped": {},
    "clip_value": {"clip_value": 1 / math.sqrt(PARAMETERS)},
    "clip_norm": {"clip_norm": 1.0},
    "right_init": {},
}
LABELS = {
    "unclipped": "unclipped",
    "clip_value": "clipped by value",
    "clip_norm": "clipped by norm",
    "right_init": "gain √2, unclipped",
}
MIDDLES = {
    "unclipped": SETTING.pick(quick=0.001, small=0.001, full=0.0001),
    "clip_value": 0.3,
    "clip_norm": 0.1,
    "right_init": 0.03,
}


class Watched:
    """A rule for clipping that writes down what it changes, step by step."""

    def __init__(self, rule):
        self.rule = rule
        self.before, self.after, self.cosine = [], [], []

    def __call__(self, parameters):
        parameters = list(parameters)
        old = torch.cat([p.grad.flatten() for p in parameters]).double()
        returned = self.rule(parameters)  # fit logs it
        new = torch.cat([p.grad.flatten() for p in parameters]).double()
        self.before.append(old.norm().item())
        self.after.append(new.norm().item())
        self.cosine.append(cosine_similarity(old, new, dim=0).item())
        return returned


def accuracy(logits, y):
    return (logits.argmax(dim=1) == y).float().mean()


def train(name, lr, seed, gain=None, checkpoints=None, **options):
    """Train; return the model and its history."""
    if gain is None:
        gain = math.sqrt(2) if name == "right_init" else GAIN
    net = network(seed, gain)
    order = ShuffledBatches(len(x), BATCH, seed=seed)
    batches = DataLoader(TensorDataset(x, y), sampler=order, batch_size=None)
    history = fit(
        net,
        cross_entropy,
        SGD(net.parameters(), lr=lr),
        batches,
        EPOCHS,
        validation=[(x_val, y_val)],
        metrics={"accuracy": accuracy},
        checkpoints=checkpoints,
        **(options or CLIP[name]),
    )
    return net, history


# %%
BY = {
    "clip_norm": lambda p: clip_grad_norm_(p, max_norm=1.0),
    "clip_value": lambda p: clip_grad_value_(p, **CLIP["clip_value"]),
}
results["watched"] = {}
for name, by in BY.items():
    watch = Watched(by)
    _, history = train(name, MIDDLES[name], seed=0, clip=watch)
    results["watched"][name] = {
        "before": [round(norm, 4) for norm in watch.before],
        "after": [round(norm, 4) for norm in watch.after],
        "cosine": [round(cosine, 5) for cosine in watch.cosine],
        "clipped": sum(norm > 1 for norm in watch.before) / len(watch.before),
        "lowest_cosine": min(watch.cosine),
        "mean_cosine": sum(watch.cosine) / len(watch.cosine),
        "longest_after": max(watch.after),
    }
    seen = results["watched"][name]
    if name == "clip_norm":  # the other returns nothing
        logged = zip(history.grad_norm, watch.before, strict=True)
        seen["log_error"] = max(abs(a / b - 1) for a, b in logged)
    seen["angle"] = math.degrees(math.acos(min(1.0, seen["mean_cosine"])))
    first, cosine = seen["before"][0], seen["mean_cosine"]
    print(f"{name}: first norm {first:.0f}, mean cosine {cosine:.3f}")


# %% tags=["figure"]
def draw_clipped(results):
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(5.2, 4.8), sharex=True)
    short = {"clip_norm": "by norm", "clip_value": "by value"}
    ends = {top: [], bottom: []}
    for name, seen in results["watched"].items():
        (shown,) = top.plot(seen["before"], **line(name) | {"linewidth": 1.1})
        ends[top].append((shown, short[name]))
        (shown,) = bottom.plot(seen["cosine"], **line(name) | {"linewidth": 1.3})
        ends[bottom].append((shown, short[name]))
    top.axhline(1, color=colour("truth"), linestyle=":", linewidth=1.2)
    top.set(yscale="log", ylabel="norm before", title="All steps are cut short…")
    bottom.set(ylim=(0, 1.08), xlabel="step", ylabel="cosine", title="…and by value also turned")
    steps = len(seen["before"])
    bottom.set_xticks([tick for tick in bottom.get_xticks() if 0 <= tick <= steps])
    bottom.set_xlim(0, 1.2 * steps)
    for ax in (top, bottom):
        label_ends(ax, ends[ax])
    return figure


show(
    draw_clipped,
    results,
    alt=lambda r: (
        "Two panels against the step. Above, the gradient's norm before clipping: it begins at "
        f"{r['watched']['clip_norm']['before'][0]:.0f} and ends at {r['watched']['clip_norm']['before'][-1]:.2g} with "
        f"clipping by norm, {r['watched']['clip_value']['before'][-1]:.2g} by value; the bound is 1. Below, the cosine "
        "between the gradient before and after: 1 at every step by norm, "
        f"{r['watched']['clip_value']['mean_cosine']:.2f} on average by value."
    ),
    caption="One run each, at the middle of its grid. Dotted: the bound, 1, on the norm after clipping.",
)

# %% [markdown]
# By norm, <% calc(100 * value("exploding-gradients.watched.clip_norm.clipped"), ".0f") %> % of the steps were cut, by value <% calc(100 * value("exploding-gradients.watched.clip_value.clipped"), ".0f") %> % were longer than the bound. Clipping by norm left the direction: the lowest cosine was <% num("exploding-gradients.watched.clip_norm.lowest_cosine", ".6f") %>. By value it was <% num("exploding-gradients.watched.clip_value.mean_cosine", ".2f") %> on average, an angle of <% num("exploding-gradients.watched.clip_value.angle", ".0f") %>°. And what `clip_grad_norm_` returns, and `fit` writes into its log, was at every step the norm **before** clipping, to within a relative error of <% num("exploding-gradients.watched.clip_norm.log_error", ".0e") %>.
#
# ## Three trainings, each at its best
#
# Now the comparison: plain SGD, seven learning rates for each way, half a decade apart around a middle that one earlier look chose, two tuning seeds, six fresh ones. A run whose loss is NaN at the end counts as worse than any other. The fourth way does not clip; its network starts with a gain of √2, for which the paper promises a factor of 1.


# %%
def grid(name):
    steps = RATES // 2
    return [MIDDLES[name] * 10 ** (1.5 * k / steps) for k in range(-steps, steps + 1)]


def run(name, lr, seed):
    """A run and its score; at full size a killed one goes on where it was."""
    folder = SETTING.out / "exploding" / f"{name}-{lr:.4g}-{seed}"
    kept = Checkpoints(folder, keep=1) if SETTING.full else None
    net, history = train(name, lr, seed, checkpoints=kept)
    last = history.validation[-1]
    score = last["accuracy"] if math.isfinite(last["loss"]) else math.nan
    return net, history, score


def compare(name):
    found = sweep(
        lambda lr, seed: run(name, lr, seed)[2],
        grid(name),
        TUNING,
        higher_is_better=True,
    )
    tests, losses, scores = [], [], []
    for seed in FRESH:
        net, history, score = run(name, found.best, seed)
        test = measure(net, {"accuracy": accuracy}, [(x_test, y_test)])
        tests.append(test["accuracy"])
        losses.append(history.train_loss)
        scores.append(score)
    alive = all(map(math.isfinite, scores))
    by_epoch = [
        spread(epoch) if all(map(math.isfinite, epoch)) else None  # a run diverged
        for epoch in zip(*losses, strict=True)
    ]
    return {
        "name": name,
        "label": LABELS[name],
        "lr": found.best,
        "at_edge": found.at_edge,
        "grid": [[lr, found.median(lr)] for lr in grid(name)],
        "highest": max(lr for lr in grid(name) if found.median(lr) is not None),
        "tests": [round(test, 5) for test in tests],
        "loss": by_epoch,
        "diverged": sum(not math.isfinite(score) for score in scores),
        "steps": len(history.loss),
    } | (spread(tests) if alive else dict.fromkeys(("median", "low", "high")))


results["rows"] = [compare(name) for name in tqdm(CLIP, disable=not SETTING.full)]
ranked = sorted(results["rows"], key=lambda row: -(row["median"] or 0))
results["winner"] = ranked[0]["name"]
results["edges"] = sum(row["at_edge"] for row in results["rows"])
results |= {"seeds": len(FRESH), "rates": RATES, "tuning": len(TUNING)}


def wins(a, b):
    """On how many seeds a was better than b."""
    return sum(mine > other for mine, other in zip(a["tests"], b["tests"], strict=True))


by_name = {row["name"]: row for row in results["rows"]}
results["wins"] = [wins(a, b) for a, b in itertools.pairwise(ranked)]
results["value_over_norm"] = wins(by_name["clip_value"], by_name["clip_norm"])
for row in results["rows"]:
    found = f"η {row['lr']:<7.2g} test accuracy {row['median'] or 0:.3f}"
    print(f"{row['label']:18} {found}")


# %% tags=["figure"]
def way(name):
    return line(name) if name != "right_init" else {"color": colour("truth"), "linestyle": "-"}


def draw_rates(results):
    figure, ax = plt.subplots()
    places = {  # which point is named, how far from it, on which side
        "unclipped": ("unclipped", -1, (-3, 9), "right"),
        "clip_value": ("by value", 0, (8, -2), "left"),
        "clip_norm": ("by norm", 0, (0, -13), "center"),
        "right_init": ("gain √2", "best", (0, 9), "center"),
    }
    for row in results["rows"]:
        points = [(lr, median) for lr, median in row["grid"] if median is not None]
        (shown,) = ax.plot(*zip(*points, strict=True), marker="o", markersize=4, **way(row["name"]))
        text, at, offset, side = places[row["name"]]
        point = max(points, key=lambda point: point[1]) if at == "best" else points[at]
        ax.annotate(
            text, point, xytext=offset, textcoords="offset points", ha=side, va="center", color=shown.get_color()
        )
        lost = [lr for lr, median in row["grid"] if median is None]
        ax.plot(lost, [0.02] * len(lost), "x", color=shown.get_color(), markersize=6)
    ax.set(xscale="log", ylim=(0, 1.08), xlabel="learning rate η", ylabel="validation accuracy")
    ax.set_title("Clipping buys larger rates")
    return figure


show(
    draw_rates,
    results,
    alt=lambda r: (
        "Validation accuracy against learning rate, four hills. Their tops: "
        + "; ".join(f"{row['label']} {max(m for _, m in row['grid'] if m):.2f} at {row['lr']:.2g}" for row in r["rows"])
        + ". Unclipped, rates above "
        + f"{r['rows'][0]['highest']:.2g} end in NaN."
    ),
    caption="Medians of the tuning seeds. Crosses at the bottom: the run ended in NaN.",
)


# %% tags=["figure"]
def draw_training(results):
    figure, ax = plt.subplots()
    lines = []
    short = {"unclipped": "unclipped", "clip_value": "by value", "clip_norm": "by norm", "right_init": "gain √2"}
    for row in results["rows"]:
        epochs = [k + 1 for k, at in enumerate(row["loss"]) if at]
        at = {which: [a[which] for a in row["loss"] if a] for which in ("median", "low", "high")}
        (shown,) = ax.plot(epochs, at["median"], **way(row["name"]))
        ax.fill_between(epochs, at["low"], at["high"], color=shown.get_color(), alpha=0.2, linewidth=0)
        lines.append((shown, short[row["name"]]))
    ax.set(yscale="log", xlabel="epoch", ylabel="training loss", title="The right start needs no clipping")
    last = len(results["rows"][0]["loss"])
    ax.set_xticks(range(1, last + 1, 1 + last // 10))
    ax.set_xlim(1, last * 1.25)
    label_ends(ax, lines)
    return figure


show(
    draw_training,
    results,
    alt=lambda r: (
        "Training loss per epoch, logarithmic. After the first epoch and the last: "
        + "; ".join(
            f"{row['label']} {row['loss'][0]['median']:.2g} and {row['loss'][-1]['median']:.2g}"
            for row in r["rows"]
            if row["loss"][0] and row["loss"][-1]
        )
        + "."
    ),
    caption=lambda r: f"Median and 10–90 % over {r['seeds']} fresh seeds, each way at its own best learning rate.",
)

# %% [markdown]
# ## When the norm is not a number
#
# Clipping does not save a run whose gradient is already NaN or infinite. One bad entry among three:

# %%
results["bad"] = []
for bad in (math.nan, math.inf):
    for name, by in BY.items():
        w = torch.zeros(3, requires_grad=True)
        w.grad = torch.tensor([3.0, -4.0, bad])
        by([w])
        after = ", ".join(f"{g:.4g}" for g in w.grad.tolist())
        results["bad"] += [{"entry": str(bad), "name": name, "after": after}]
        print(f"(3, −4, {bad}) {name:10} → ({after})")

w.grad = torch.tensor([3.0, -4.0, math.nan])
try:
    clip_grad_norm_([w], max_norm=1.0, error_if_nonfinite=True)
except RuntimeError as error:
    results["raised"] = str(error)
    print("RuntimeError:", error)

# %% [markdown]
# By norm, a NaN spreads to every weight of the model, and an infinity turns all healthy entries into 0; both happen without a word unless you ask for an error with `error_if_nonfinite=True`. By value, an infinity becomes the bound and a NaN stays where it is.
#
# Where does such an entry come from? `NonFiniteWatch` names the first place. Here it watches the unclipped network at thirty times its best learning rate.

# %%
net = network(seed=0)
optimizer = SGD(net.parameters(), lr=30 * results["rows"][0]["lr"])
watch = NonFiniteWatch(net)
losses = []
try:
    with watch:
        for _ in range(100):
            loss = cross_entropy(net(x[:BATCH]), y[:BATCH])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
except NonFiniteError as error:
    results["first_nan"] = str(error)
results["before_nan"] = [float(f"{loss:.3g}") for loss in losses]
print("losses", results["before_nan"])
print(results.get("first_nan", "all finite"))

# %% [markdown]
# ## What was seen
#
# <% table("exploding-gradients.rows", {"label": "training", "lr": ("best η", ".1g"), "median": ("test accuracy", ".3f"), "low": ("10&nbsp;%", ".3f"), "high": ("90&nbsp;%", ".3f"), "diverged": ("diverged", "d")}, caption="Six fresh seeds at the best of seven learning rates") %>
#
# Every way had <% num("exploding-gradients.rates", "d") %> rates and <% num("exploding-gradients.tuning", "d") %> runs at each to choose by, and <% num("exploding-gradients.rows.0.steps", "d") %> steps per run. <%% if value("exploding-gradients.edges") == 0 %%>No best rate lies at the edge of its grid.<%% else %%>At the edge of their grid lie <% num("exploding-gradients.edges", "d") %> best rates.<%% endif %%>
#
# **Unclipped, the learning rate is held down by the first steps.** The gradient is <% num("exploding-gradients.watched.clip_norm.before.0", ".0f") %> long at the start. Those of its rates that are above <% num("exploding-gradients.rows.0.highest", ".1g") %> end in NaN, and the best one is the last before that wall: it survives the beginning and is too small for the rest. `NonFiniteWatch` found the first infinity in a layer's output, in the forward pass after <% calc(value("exploding-gradients.before_nan") | length, "d") %> steps: <% calc(value("exploding-gradients.first_nan")) %>.
#
# **Clipping buys rates <% calc(value("exploding-gradients.rows.2.lr") / value("exploding-gradients.rows.0.lr"), ".0f") %> to <% calc(value("exploding-gradients.rows.1.lr") / value("exploding-gradients.rows.0.lr"), ".0f") %> times larger**, and with them an accuracy of <% num("exploding-gradients.rows.2.median", ".2f") %> by norm and <% num("exploding-gradients.rows.1.median", ".2f") %> by value, where the unclipped network has <% num("exploding-gradients.rows.0.median", ".2f") %>. The two clippings: by value was better on <% num("exploding-gradients.value_over_norm", "d") %> of <% num("exploding-gradients.seeds", "d") %> seeds<%% if value("exploding-gradients.value_over_norm") == value("exploding-gradients.seeds") %%>, all of them<%% else %%>, which does not separate them<%% endif %%>. The usual objection to clipping by value is that it turns the gradient. It did, by <% num("exploding-gradients.watched.clip_value.angle", ".0f") %>°, and did no worse: here the long gradient's own direction was not worth keeping.
#
# **The cause was the start.** With a gain of √2 the same network, unclipped, reaches <% num("exploding-gradients.rows.3.median", ".2f") %>, better than any other way in the median, and better than clipping by value on <% num("exploding-gradients.wins.0", "d") %> of <% num("exploding-gradients.seeds", "d") %> seeds<%% if value("exploding-gradients.wins.0") < value("exploding-gradients.seeds") %%>: by the measure of experiment 2, the accuracies of those two are not separable<%% endif %%>. What is separable is the way there. Clipping treats the step and leaves the network: signals still grow <% num("exploding-gradients.growth.signal.spread", ".0f") %>-fold from the first layer to the last, and the mean loss over the first epoch is <% num("exploding-gradients.rows.2.loss.0.median", ".0f") %> by norm and <% num("exploding-gradients.rows.1.loss.0.median", ".0f") %> by value, where a guess among ten digits has 2.3. With the right start it is <% num("exploding-gradients.rows.3.loss.0.median", ".1f") %>.

# %% [markdown]
# ## At full size
#
# The full run has twenty hidden layers of 256 units, where a gain of 2 means a factor of 1,000 in each direction, and 5,000 digits of MNIST; thirteen rates with three tuning runs each, and ten fresh seeds.
#
# <% recorded() %>

# %% [markdown]
# ## Tasks
#
# ### Task 1: half the bound, twice the rate
#
# As long as every step is clipped by norm, what does a run with half the bound and twice the learning rate do? Work it out from the formula, then train both for one epoch and compare the weights.

# %% [markdown] tags=["solution"]
# A clipped step is $\eta \cdot c\, \mathbf g / \|\mathbf g\|$ for a bound $c$: only the product $\eta c$ counts. While all gradients are longer than both bounds, the two runs are one.


# %% tags=["solution"]
def weights(net):
    return torch.cat([p.detach().flatten() for p in net.parameters()])


ends, norms = [], []
for bound, lr in ((1.0, 0.1), (0.5, 0.2)):
    net = network(seed=0)
    optimizer = SGD(net.parameters(), lr=lr)
    for k in range(len(x) // BATCH):
        part = slice(BATCH * k, BATCH * (k + 1))
        optimizer.zero_grad()
        cross_entropy(net(x[part]), y[part]).backward()
        norms.append(clip_grad_norm_(net.parameters(), bound).item())
        optimizer.step()
    ends.append(weights(net))
results["halved"] = {
    "apart": (ends[0] - ends[1]).abs().max().item(),
    "moved": (ends[0] - weights(network(seed=0))).norm().item(),
    "shortest": min(norms),
}
found = results["halved"]
print(f"moved {found['moved']:.2f}, apart {found['apart']:.1g}, shortest {found['shortest']:.0f}")

# %% [markdown] tags=["solution"]
# The weights have moved by <% num("exploding-gradients.halved.moved", ".2f") %>, and the largest difference between the two runs is <% num("exploding-gradients.halved.apart", ".1g") %>. The shortest of all gradients was <% num("exploding-gradients.halved.shortest", ".0f") %> long, so every step was clipped; and a factor of two changes no digit of a floating-point number. The usual wrong turn is to tune both, as if they were two knobs. In this regime there is one, and the norm of the gradient has no say at all: each step is as long as any other.

# %% [markdown]
# ### Task 2: the seat belt after the repair
#
# The network with gain √2 trained without clipping. Put the clipping by norm back in, with a bound of 1 and the same learning rate. What does it cost? Then choose the bound from what you have logged, so that one step in ten is clipped.

# %% tags=["solution"]
row = results["rows"][-1]
free = Watched(lambda parameters: None)
train("right_init", row["lr"], TUNING[0], clip=free)
tenth = torch.tensor(free.before).quantile(0.9).item()
results["belt"] = {"usual": torch.tensor(free.before).median().item()}
for name, bound in (("one", 1.0), ("tenth", tenth)):
    kept, acted = [], []
    for seed in FRESH:
        watch = Watched(lambda p, bound=bound: clip_grad_norm_(p, bound))
        net, _ = train("right_init", row["lr"], seed, clip=watch)
        test = measure(net, {"accuracy": accuracy}, [(x_test, y_test)])
        kept.append(test["accuracy"])
        acted.append(sum(norm > bound for norm in watch.before) / len(watch.before))
    results["belt"][name] = {
        "bound": bound,
        "median": spread(kept)["median"],
        "better": sum(a > b for a, b in zip(kept, row["tests"], strict=True)),
        "worse": sum(a < b for a, b in zip(kept, row["tests"], strict=True)),
        "acted": spread(acted)["median"],
    }
    found = results["belt"][name]
    print(f"bound {bound:.2f} acts on {found['acted']:.0%}, accuracy {found['median']:.3f}")

# %% [markdown] tags=["solution"]
# A bound of 1 acts on <% calc(100 * value("exploding-gradients.belt.one.acted"), ".0f") %> % of the steps, since a healthy gradient of this network is about <% num("exploding-gradients.belt.usual", ".1f") %> long; at a learning rate chosen without it, the accuracy falls to <% num("exploding-gradients.belt.one.median", ".3f") %>. A bound of <% num("exploding-gradients.belt.tenth.bound", ".1f") %>, taken from the log, acts on <% calc(100 * value("exploding-gradients.belt.tenth.acted"), ".0f") %> %, and the median accuracy is <% num("exploding-gradients.belt.tenth.median", ".3f") %>, better than without on <% num("exploding-gradients.belt.tenth.better", "d") %> of <% num("exploding-gradients.seeds", "d") %> seeds and worse on <% num("exploding-gradients.belt.tenth.worse", "d") %>. A belt should be slack: 1 is a habit, not a number that knows your network.

# %% [markdown]
# ## Summary
#
# - A ReLU layer multiplies signals and gradients by gain/√2; a dozen layers, by the dozenth power.
# - Gradients of sums grow towards the input, gradients of weights are large everywhere.
# - Clipping by norm shortens and keeps the direction; by value it turns, too, and here that won. Both buy larger learning rates.
# - A bound shortens the steps of a network that explodes. A gain of √2 makes one that does not.
# - Log what `clip_grad_norm_` returns, the norm before clipping, and have it raise when that is not finite.
#
# <% run_card() %>
#
# **Up next:** [Four Schedules](four-schedules.ipynb).
