# ---
# title: Trajectories on Rosenbrock
# number: 1
# description: Sixteen optimizers walk down the same curved valley, each at its own best learning rate, from the same ten starting points.
# objectives:
#   - draw the path of any optimizer over a landscape of two variables
#   - give every optimizer a learning-rate grid of its own, and the same budget
#   - say which optimizers reach the floor of a valley, and which of those get along it
# prerequisites:
#   - "[Visualizing the Loss Landscape](../series/part-1/visualizing-the-loss-landscape.md)"
# ---

# %% [markdown]
# # Trajectories on Rosenbrock
#
# Rosenbrock's function is a test from 1960 that optimizers still fail:
#
# $$
# f(x, y) = (1 - x)^2 + 100\,(y - x^2)^2
# $$
#
# The second term is a steep-walled valley along the parabola $y = x^2$; the first is a slope along its floor, a hundred times gentler, down to the minimum at $(1, 1)$. Getting into the valley is easy. Getting along it is what tells one optimizer from another: a step long enough for the floor hits the walls.
#
# You will walk four optimizers down it, then sixteen. Each chooses its learning rate from the same wide grid, by as many runs as any other.

# %% [markdown]
# ## Setup
#
# <% downloads("trajectories-on-rosenbrock") %>
#
# Everything here is float64: differences of $10^{-5}$ matter at the bottom of the valley.

# %%
import math

import matplotlib.pyplot as plt
import torch

from trainloop import optim
from trainloop.figures import NAMES, colour, label_ends, line
from trainloop.lab import setting, show, spread, sweep
from trainloop.landscapes import descend, rosenbrock

SETTING = setting()  # setting("full") for the long run
STEPS = SETTING.pick(quick=20, small=200, full=2000)
LRS = SETTING.pick(
    quick=(0.001, 0.1),
    small=tuple(10 ** (k / 2) for k in range(-8, 3)),  # 0.0001 … 10
    full=tuple(10 ** (k / 4) for k in range(-16, 5)),
)

# %% [markdown]
# The starting points come from the square around the valley. Three of them choose the learning rate, ten others are what is reported: a rate that was lucky on three points gets no credit for it.

# %%
generator = torch.Generator().manual_seed(0)
n = SETTING.pick(quick=4, small=13, full=23)
points = torch.rand(n, 2, generator=generator, dtype=torch.float64)
STARTS = [(4 * x - 2, 4 * y - 1) for x, y in points.tolist()]
TUNING, FRESH = range(3), range(3, len(STARTS))

RULES = {
    "sgd": optim.SGD,
    "rmsprop": optim.RMSprop,
    "adam": optim.Adam,
    "adamw": optim.AdamW,
}

# %% [markdown]
# ## Predict
#
# ```quiz
# - question: Each of the four at its best learning rate, 200 steps. Which ends with the lowest loss, in the median over ten starts?
#   options:
#     - text: Adam
#       right: <% "true" if value("trajectories-on-rosenbrock.first") == "adam" else "false" %>
#       why: Its moving average points along the floor once the walls' gradients, which alternate, have cancelled. See below by how much.
#     - text: SGD
#       right: <% "true" if value("trajectories-on-rosenbrock.first") == "sgd" else "false" %>
#       why: The walls hold its learning rate below 2/λmax, about 0.002 at the minimum, and at that rate the floor takes thousands of steps.
#     - text: RMSprop
#       right: <% "true" if value("trajectories-on-rosenbrock.first") == "rmsprop" else "false" %>
#       why: It divides each coordinate by the size of its own gradients, but the valley runs diagonally, where that does not tell floor from wall.
#     - text: AdamW, since it decays its weights, too
#       right: <% "true" if value("trajectories-on-rosenbrock.first") == "adamw" else "false" %>
#       why: Decay pulls towards (0, 0), and the minimum is at (1, 1). At its default of 0.01 it costs little or much, depending on the learning rate, by which it is multiplied.
# ```

# %% [markdown]
# ## Four optimizers, each at its best
#
# One run is a walk and its last loss. `sweep` tries every rate with every starting point and keeps the rate whose median loss is lowest.


# %%
def losses_along(path):
    return rosenbrock.f(*torch.tensor(path, dtype=torch.float64).T).tolist()


def final_loss(rule, lr, start):
    path = descend(
        rosenbrock,
        lambda params: rule(params, lr=lr),
        STEPS,
        start=STARTS[start],
    )
    return losses_along(path)[-1]


def compare(rule):
    grid = sweep(lambda lr, i: final_loss(rule, lr, i), LRS, TUNING)
    losses = [final_loss(rule, grid.best, i) for i in FRESH]
    diverged = sum(not math.isfinite(loss) for loss in losses)
    return {
        "lr": grid.best,
        "at_edge": grid.at_edge,
        "loss": None if diverged else spread(losses),
        "diverged": diverged,
        "ends": [x if math.isfinite(x) else None for x in losses],
    }


# %% [markdown]
# Then every one walks from $(-1.2, 1)$, where Rosenbrock's paper starts, at the rate that it chose elsewhere.

# %%
four = {}
for name, rule in RULES.items():
    found = four[name] = compare(rule)
    make = lambda params, rule=rule, lr=found["lr"]: rule(params, lr=lr)
    path = descend(rosenbrock, make, STEPS)
    found["path"] = [[round(x, 5), round(y, 5)] for x, y in path]
    found["losses"] = losses_along(path)
    print(f"{name:8} best lr {found['lr']:<7.3g} f = {found['losses'][-1]:.2g}")

results = {"steps": STEPS, "starts": len(FRESH), "four": four}
results["first"] = min(four, key=lambda name: four[name]["loss"]["median"])


# %% tags=["figure"]
def draw_paths(results):
    figure, axes = plt.subplots(2, 2, figsize=(5.2, 5.0), sharex=True, sharey=True)
    x, y = torch.meshgrid(torch.linspace(-2, 1.6, 120), torch.linspace(-0.7, 2.2, 120), indexing="xy")
    levels = [10 ** (k / 2) for k in range(-2, 7)]
    for ax, (name, found) in zip(axes.flat, results["four"].items(), strict=True):
        ax.contour(x, y, rosenbrock.f(x, y), levels=levels, colors=colour("data"), linewidths=0.5, alpha=0.6)
        ax.plot(*zip(*found["path"], strict=True), **line(name) | {"linestyle": "-", "linewidth": 1.4})
        ax.plot(1, 1, "*", color=colour("truth"), markersize=9)
        ax.set_title(f"{NAMES[name]}, η = {found['lr']:.2g}", color=colour(name))
        ax.set(xlim=(-2, 1.6), ylim=(-0.7, 2.2))
    figure.supxlabel("x")
    figure.supylabel("y")
    return figure


def end_of(found):
    x, y = found["path"][-1]
    return f"({x:.2f}, {y:.2f})"


show(
    draw_paths,
    results,
    alt=lambda r: (
        "Paths of four optimizers over the contours of Rosenbrock's function, from (−1.2, 1). After "
        f"{r['steps']} steps "
        + ", ".join(f"{NAMES[name]} is at {end_of(found)}" for name, found in r["four"].items())
        + ". The minimum is at (1, 1)."
    ),
    caption="The star is the minimum. All four fall into the valley soon.",
)


# %% tags=["figure"]
def draw_losses(results):
    figure, ax = plt.subplots()
    lines = []
    for name, found in results["four"].items():
        (drawn,) = ax.plot(found["losses"], **line(name))
        lines.append((drawn, NAMES[name]))
    ax.set(yscale="log", xlabel="step", ylabel="f(x, y)", title="The walls cost a few steps, the floor the rest")
    ax.set_xlim(0, results["steps"] * 1.22)
    label_ends(ax, lines)
    return figure


show(
    draw_losses,
    results,
    alt=lambda r: (
        "Loss against step, on a logarithmic scale. From 24.2, the losses end at "
        + ", ".join(f"{found['losses'][-1]:.1g} ({NAMES[name]})" for name, found in r["four"].items())
        + "."
    ),
    caption="One walk each, from (−1.2, 1).",
)

# %% [markdown]
# ## All that can walk here
#
# Of torch's fifteen optimizers, two cannot: SparseAdam takes sparse gradients alone, Muon matrices alone. Here are the other thirteen, and three that torch does not have. L-BFGS is given one iteration per step, so that a step costs about what the others' do.

# %%
ALL = RULES | {
    "momentum": lambda params, lr: optim.SGD(params, lr=lr, momentum=0.9),
    "adagrad": optim.Adagrad,
    "adadelta": optim.Adadelta,
    "adamax": optim.Adamax,
    "nadam": optim.NAdam,
    "radam": optim.RAdam,
    "asgd": optim.ASGD,
    "rprop": optim.Rprop,
    "adafactor": optim.Adafactor,
    "lbfgs": lambda params, lr: optim.LBFGS(params, lr=lr, max_iter=1),
    "lion": optim.Lion,
    "lamb": optim.LAMB,
    "soap": optim.SOAP,
}
NONE = {"median": None, "low": None, "high": None}
rows = []
for name, rule in ALL.items():
    found = four.get(name) or compare(rule)
    label = NAMES.get(name, getattr(rule, "__name__", name))
    about = {key: found[key] for key in ("lr", "at_edge", "diverged")}
    wins = sum(  # of the same starting points
        mine is not None and mine < adams
        for mine, adams in zip(found["ends"], four["adam"]["ends"], strict=True)
    )
    rows.append({"name": label, "wins": wins} | about | (found["loss"] or NONE))
rows.sort(key=lambda row: math.inf if row["median"] is None else row["median"])

results["rows"] = rows
results["like_adam"] = [  # ahead of Adam neither mostly nor rarely
    row["name"]
    for row in rows
    if 0.1 * len(FRESH) < row["wins"] < 0.9 * len(FRESH)
]


# %% tags=["figure"]
def draw_all(results):
    rows = [row for row in results["rows"] if row["median"] is not None][::-1]
    figure, ax = plt.subplots(figsize=(5.2, 5.2))
    four = {NAMES[name]: name for name in ("sgd", "rmsprop", "adam", "adamw")}
    for at, row in enumerate(rows):
        ink = colour(four[row["name"]]) if row["name"] in four else colour("truth")
        ax.plot([row["low"], row["high"]], [at, at], color=ink, linewidth=2.5, alpha=0.5)
        ax.plot(row["median"], at, "o", color=ink)
    ax.set_yticks(range(len(rows)), [row["name"] for row in rows])
    ax.set(xscale="log", xlabel=f"f(x, y) after {results['steps']} steps", title="Who gets along the floor")
    return figure


show(
    draw_all,
    results,
    alt=lambda r: (
        f"Last losses of {len(r['rows'])} optimizers, each at its best learning rate: lowest in the median are "
        + ", ".join(f"{row['name']} ({row['median']:.1g})" for row in r["rows"][:3])
        + "; highest "
        + ", ".join(f"{row['name']} ({row['median']:.1g})" for row in r["rows"][-3:] if row["median"] is not None)
        + "."
    ),
    caption="Dot: median over the fresh starting points. Bar: 10–90 %.",
)

# %% [markdown]
# ## What was seen
#
# After <% num("trajectories-on-rosenbrock.steps", "d") %> steps from each of <% num("trajectories-on-rosenbrock.starts", "d") %> fresh starting points, at the rate that three other points chose, plain SGD stands at a loss of <% num("trajectories-on-rosenbrock.four.sgd.loss.median", ".1f") %> in the median, Adam at <% num("trajectories-on-rosenbrock.four.adam.loss.median", ".2f") %>, and L-BFGS, which learns the valley's curvature as it goes, at <% num("trajectories-on-rosenbrock.rows.0.median", ".0e") %>. L-BFGS pays with its bad runs: one in ten ends above <% num("trajectories-on-rosenbrock.rows.0.high", ".1f") %>, having leapt out of the valley on an early, badly informed step; a line search would have caught it ([experiment 4](l-bfgs-with-a-closure.ipynb)).
#
# Second is <% value("trajectories-on-rosenbrock.rows.1.name") %>, which turns its coordinates before it divides by them, and third <% value("trajectories-on-rosenbrock.rows.2.name") %>, which divides by nothing at all: averaging alone cancels the walls. What divides each coordinate by its own gradients, without averaging, gets less: RMSprop ends at <% num("trajectories-on-rosenbrock.four.rmsprop.loss.median", ".1f") %>, hardly better than plain SGD.
#
# Do not read the order as a ranking. All walk from the same ten points, so they can be compared point by point: <% value("trajectories-on-rosenbrock.like_adam") | join(", ") %> are ahead of Adam at some points and behind it at others, and only the rest end above it from nine of ten or more. And mind the rates: Adam's best here is <% num("trajectories-on-rosenbrock.four.adam.lr", ".2f") %>, some hundreds of times its default.
#
# <% table("trajectories-on-rosenbrock.rows", {"name": "optimizer", "lr": ("best η", ".2g"), "median": ("median", ".1e"), "low": ("10 %", ".1e"), "high": ("90 %", ".1e"), "wins": ("below Adam", "d")}, caption="Last loss over the fresh starting points; from how many of them it ends below Adam's") %>

# %% [markdown]
# ## At full size
#
# <% recorded() %>

# %% [markdown]
# ## Tasks
#
# ### Task 1: the wall of the valley
#
# Plain gradient descent converges near a minimum for learning rates below $2/\lambda_{\max}$. Compute the Hessian of $f$ at $(1, 1)$ on paper, its largest eigenvalue, and the wall. Then start at $(1.001, 1)$ and find the wall by running.

# %% [markdown] tags=["solution"]
# The second derivatives at $(1, 1)$ are $f_{xx} = 802$, $f_{xy} = -400$ and $f_{yy} = 200$. The larger eigenvalue of that matrix is about 1001.6, so the wall stands at 0.001997.

# %% tags=["solution"]
hessian = torch.tensor([[802.0, -400.0], [-400.0, 200.0]], dtype=torch.float64)
wall = 2 / torch.linalg.eigvalsh(hessian).max().item()
results["wall"] = {"at": wall}
for name, factor in (("below", 0.99), ("above", 1.01)):
    lr = factor * wall
    x, y = descend(rosenbrock, lambda params, lr=lr: optim.SGD(params, lr=lr), 2000, start=(1.001, 1.0))[-1]
    results["wall"][name] = math.dist((x, y), (1, 1))
    print(f"lr {lr:.6f}: {results['wall'][name]:.2g} from the minimum")

# %% [markdown] tags=["solution"]
# One percent below it the walk ends <% num("trajectories-on-rosenbrock.wall.below", ".1e") %> from the minimum, one percent above <% num("trajectories-on-rosenbrock.wall.above", ".1e") %>. It does not fly off: away from the minimum the valley is less steep across, and the walk settles into a bounce between its walls.

# %% [markdown]
# ### Task 2: an optimizer that blows up
#
# RAdam with a learning rate of 0.1 from $(-1.2, 1)$ ends in NaN, while Adam at the same rate walks. Find out in which steps it happens, and mend it without changing the learning rate.

# %% [markdown] tags=["solution"]
# RAdam does not trust $v$ in its first five steps and leaves the division out: they are plain steps along the moving average, as long as the gradient is large. At the start the gradient's norm is 233, and 0.1 times that is a leap out of the valley. Clipping the gradient's norm to 1 is enough.

# %% tags=["solution"]
for clip in (None, 1.0):
    walked = descend(rosenbrock, lambda params: optim.RAdam(params, lr=0.1), 500, clip=clip)
    losses = losses_along(walked)
    print(f"clip {clip}: " + "  ".join(f"{loss:.3g}" for loss in losses[:7]) + f"  …  {losses[-1]:.2g}")
    results["radam_clipped" if clip else "radam"] = losses[-1] if math.isfinite(losses[-1]) else "NaN"

# %% [markdown]
# ## Summary
#
# - A valley that is steep across and gentle along holds plain gradient descent to steps that fit the walls.
# - An optimizer is compared at its own best learning rate, found with the same number of runs as everybody else's, and reported on runs that had no part in finding it.
# - What divides coordinates helps where steep and gentle directions are coordinates. Here they turn with the valley.
#
# <% run_card() %>
#
# **Up next:** [Convergence of Every Optimizer](convergence-of-every-optimizer.ipynb).
