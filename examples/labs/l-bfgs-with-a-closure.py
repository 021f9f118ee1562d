# ---
# title: L-BFGS with a Closure
# number: 4
# description: Four numbers of a damped oscillator, fitted by L-BFGS, Adam and SGD, and counted in what they cost.
# objectives:
#   - write a closure, and name three ways in which it breaks L-BFGS
#   - compare optimizers by gradient evaluations, not by steps
#   - fit physical parameters, with their uncertainties, and check the starting point
# prerequisites:
#   - "[Optimization Algorithms Beyond SGD](../series/part-3/optimization-algorithms-beyond-sgd.md)"
# ---

# %% [markdown]
# # L-BFGS with a Closure
#
# A mass on a spring swings, and friction takes its energy. Four numbers describe what a sensor sees: an amplitude $A$, a damping $\delta$, a frequency $\omega$ and a phase $\varphi$.
#
# $$
# x(t) = A\,e^{-\delta t} \cos(\omega t + \varphi)
# $$
#
# There is no mini-batch here and no noise in the gradient, only a smooth function of four numbers. It is the home ground of <% cite("liu1989on", "L-BFGS") %>, which learns the curvature from its last steps and steps accordingly. In return it wants to evaluate the loss whenever it likes, and so you hand it a *closure*: a function that computes the loss and its gradient.

# %% [markdown]
# ## Setup
#
# <% downloads("l-bfgs-with-a-closure") %>
#
# Everything is float64, so that the curves can fall far. A later section asks whether float32 would do.

# %%
import functools
import math

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn.functional import mse_loss
from tqdm import tqdm

from trainloop import optim
from trainloop.data import damped_oscillator
from trainloop.figures import NAMES, colour, label_ends, line
from trainloop.lab import setting, show, spread, sweep
from trainloop.models import MLP

SETTING = setting()  # setting("full") for the long run
EVALUATIONS = SETTING.pick(quick=60, small=300, full=1000)
TUNING = range(SETTING.pick(quick=2, small=3, full=5))
FRESH = range(5, SETTING.pick(quick=7, small=15, full=35))

OMEGA, ZETA, NOISE, DURATION, POINTS = 3.0, 0.01, 0.05, 20.0, 200

# %% [markdown]
# `damped_oscillator` lets a mass go at $x = 1$, at rest, with frequency 3 and damping ratio 0.01, and adds noise with a standard deviation of 0.05 to 200 points. In our four numbers that is:

# %%
δ, ω = ZETA * OMEGA, OMEGA * math.sqrt(1 - ZETA**2)
TRUE = {"A": math.hypot(1, δ / ω), "δ": δ, "ω": ω, "φ": -math.atan2(δ, ω)}
results = {
    "true": TRUE,
    "noise": NOISE,
    "points": POINTS,
    "budget": EVALUATIONS,
}
print("  ".join(f"{name} = {value:.4f}" for name, value in TRUE.items()))


@functools.cache
def measured(seed):
    t, x = damped_oscillator(
        POINTS,
        duration=DURATION,
        omega=OMEGA,
        damping=ZETA,
        noise=NOISE,
        seed=seed,
    )
    return t.double(), x.double()


class Oscillator(nn.Module):
    def __init__(self, start, damping=None):
        super().__init__()
        self.θ = nn.Parameter(torch.tensor(start, dtype=torch.float64))
        self.damping = damping  # a number, where it is known

    def forward(self, t):
        A, δ, ω, φ = self.θ
        δ = δ if self.damping is None else self.damping
        return A * (-δ * t).exp() * (ω * t + φ).cos()


# %% [markdown]
# ## Predict
#
# ```quiz
# - question: L-BFGS with a line search evaluates the gradient several times per step. How many evaluations does it need to get within a millionth of the lowest loss, beside Adam at its best learning rate?
#   options:
#     - text: Fewer than a quarter of Adam's
#       right: <% "true" if value("l-bfgs-with-a-closure.ratio") > 4 else "false" %>
#       why: Near the minimum every step squares the accuracy, almost. Adam has to shrink its oscillations by constant factors.
#     - text: About as many. What it saves in steps it spends in the line search
#       right: <% "true" if 0.5 < value("l-bfgs-with-a-closure.ratio") <= 4 else "false" %>
#       why: Most line searches accept the first length they try, so a step costs little more than one evaluation.
#     - text: More, since every step starts a search
#       right: <% "true" if value("l-bfgs-with-a-closure.ratio") <= 0.5 else "false" %>
#       why: That would be so if the first length tried were seldom right. Once the curvature is known, 1 is nearly always right.
# - question: You start with a frequency of 2.4, where the truth is 3. Amplitude and phase are about right, the damping is exactly right and held fixed. Where does L-BFGS end?
#   options:
#     - text: At the true frequency. The problem has only three parameters
#       right: <% "true" if value("l-bfgs-with-a-closure.from_2_4.reached") else "false" %>
#       why: The number of parameters is not what makes a problem hard. Draw the loss along the frequency and look for valleys.
#     - text: In another valley, with a loss many times too high
#       right: <% "false" if value("l-bfgs-with-a-closure.from_2_4.reached") else "true" %>
#       why: A cosine that is off by one whole turn over the recording fits better than one that is off by half a turn more. In between is a hill.
#     - text: Nowhere. It runs away, to infinity or NaN
#       right: false
#       why: That takes a damping that can turn negative. Here it is held fixed, and a cosine cannot grow.
# ```

# %% [markdown]
# ## The closure
#
# It clears the gradients, computes the loss, computes the gradients, and returns the loss. Every optimizer of torch takes one, so that the same lines run all four methods; only L-BFGS calls it more than once per step. Each call is one [gradient evaluation](../glossary.md#gradient-evaluation), and that is what is counted.


# %%
def minimise(model, optimizer, t, x, evaluations):
    """The loss at each evaluation, until there are as many or nothing moves."""
    losses = []

    def closure():
        optimizer.zero_grad()
        loss = mse_loss(model(t), x)
        loss.backward()
        losses.append(loss.item())
        return loss

    while len(losses) < evaluations and math.isfinite(sum(losses[-1:])):
        before = len(losses)
        optimizer.step(closure)
        stopped = (
            isinstance(optimizer, optim.LBFGS) and len(losses) == before + 1
        )
        if stopped:
            break
    return losses[:evaluations]


# %% [markdown]
# The default tolerances of L-BFGS stop it when the loss changes by less than $10^{-9}$. Here they are lowered, so that the curves show what it can do, and the budget ends the run. Ten remembered pairs are plenty for four parameters.

# %%
lbfgs = functools.partial(
    optim.LBFGS, history_size=10, tolerance_grad=1e-13, tolerance_change=1e-16
)
RULES = {
    "sgd": optim.SGD,
    "adam": optim.Adam,
    "fixed": lbfgs,
    "wolfe": functools.partial(lbfgs, line_search_fn="strong_wolfe"),
}
LABELS = {
    "sgd": NAMES["sgd"],
    "adam": NAMES["adam"],
    "fixed": "L-BFGS, fixed step",
    "wolfe": "L-BFGS, strong Wolfe",
}
LRS = {
    "sgd": [0.003, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5],
    "adam": [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1],
    "fixed": [0.01, 0.03, 0.1, 0.2, 0.5, 1, 2],
    "wolfe": [0.1, 0.2, 0.5, 1, 2, 5, 10],
}

# %% [markdown]
# ## Loss against evaluations
#
# A seed draws the noise and a starting point: a frequency within 0.1 of the truth, the other three anywhere that is sensible. How low the loss can go depends on the noise, so the curves show the *excess*: how far the loss is above the lowest, relative to it. L-BFGS finds the lowest, started at the truth.


# %%
def start_of(seed):
    generator = torch.Generator().manual_seed(seed)
    u = torch.rand(4, generator=generator, dtype=torch.float64).tolist()
    ranges = ((0.5, 1.5), (0.01, 0.1), (2.9, 3.1), (-0.6, 0.6))
    return [
        low + (high - low) * v for (low, high), v in zip(ranges, u, strict=True)
    ]


@functools.cache
def best_fit(seed):
    model = Oscillator(list(TRUE.values()))
    losses = minimise(
        model, RULES["wolfe"](model.parameters()), *measured(seed), 200
    )
    return min(losses), model.θ.tolist()


def excess_of(losses, lowest, evaluations):
    """Lowest so far, above the lowest there is; a run that has stopped stays where it is."""
    so_far, curve = math.inf, []
    for loss in losses:
        so_far = min(so_far, loss if math.isfinite(loss) else math.inf)
        curve.append(max(so_far / lowest - 1, 1e-13))
    return curve + curve[-1:] * (evaluations - len(curve))


@functools.cache
def curve(name, lr, seed):
    model = Oscillator(start_of(seed))
    optimizer = RULES[name](model.parameters(), lr=lr)
    losses = minimise(model, optimizer, *measured(seed), EVALUATIONS)
    return excess_of(losses, best_fit(seed)[0], EVALUATIONS)


# %% [markdown]
# Every method gets seven rates. The score by which one is chosen is the mean height of the curve on its logarithmic axis, which rewards both falling early and falling far. Three seeds choose, ten fresh ones report how many evaluations it takes to bring the excess below $10^{-6}$.


# %%
def height(name, lr, seed):
    return sum(map(math.log10, curve(name, lr, seed))) / EVALUATIONS


def first_below(excess, limit=1e-6):
    return next(
        (at + 1 for at, value in enumerate(excess) if value < limit), None
    )


TIMES = sorted({round(EVALUATIONS ** (k / 60)) for k in range(61)})
grid_of = {
    name: lrs[2:5] if SETTING.size == "quick" else lrs
    for name, lrs in LRS.items()
}
results["methods"] = {}
for name in RULES:
    found = sweep(functools.partial(height, name), grid_of[name], TUNING)
    curves = torch.tensor(
        [curve(name, found.best, seed) for seed in FRESH], dtype=torch.float64
    )
    counted = [first_below(curve.tolist()) for curve in curves]
    reached = [count for count in counted if count is not None]
    results["methods"][name] = {
        "name": LABELS[name],
        "lr": found.best,
        "rates": len(found.scores),
        "at_edge": found.at_edge,
        "reached": len(reached),
        "evaluations": spread(reached) if reached else None,
        "median": [[at, curves[:, at - 1].median().item()] for at in TIMES],
        "last": curves[:, -1].median().item(),
    }
    print(
        f"{LABELS[name]:21} lr {found.best:<6g} {len(reached):2} of {len(curves)} runs",
        end="",
    )
    print(
        f", in {results['methods'][name]['evaluations']['median']:.0f} evaluations"
        if reached
        else ""
    )
results["fresh"] = len(FRESH)
both = [results["methods"][name]["evaluations"] for name in ("adam", "wolfe")]
results["ratio"] = both[0]["median"] / both[1]["median"] if all(both) else 0.0

# %% [markdown]
# The same with a network in place of the formula: time in, position out, tanh between. It knows nothing of springs, and has hundreds of parameters (at full size thousands). The loss is shown over the variance of the noise: below 1 the network begins to fit the noise.

# %%
WIDTH = SETTING.pick(quick=8, small=16, full=64)
NETWORK_EVALUATIONS = SETTING.pick(quick=40, small=300, full=5000)
NETWORK_TUNING = range(SETTING.pick(quick=1, small=2, full=3))
NETWORK_FRESH = range(5, SETTING.pick(quick=6, small=10, full=15))
SECONDS = SETTING.pick(quick=5, small=5, full=20)
NETWORK_LRS = {
    "sgd": [0.01, 0.03, 0.1, 0.3, 1],
    "adam": [0.003, 0.01, 0.03, 0.1, 0.3],
    "fixed": [0.1, 0.2, 0.5, 1, 2],
    "wolfe": [0.1, 0.2, 0.5, 1, 2],
}
BAR = tqdm(
    total=4 * (5 * len(NETWORK_TUNING) + len(NETWORK_FRESH)),
    disable=not SETTING.full,
    unit=" network",
)


@functools.cache
def network_curve(name, lr, seed):
    torch.manual_seed(seed)
    model = MLP([1, WIDTH, WIDTH, 1], nn.Tanh).double().to(SETTING.device)
    history = {"history_size": SETTING.pick(quick=10, small=10, full=100)}
    optimizer = RULES[name](
        model.parameters(),
        lr=lr,
        **(history if name in ("fixed", "wolfe") else {}),
    )
    first = slice(round(POINTS * SECONDS / DURATION))
    t, x = (value[first].to(SETTING.device) for value in measured(seed))
    scaled = t - SECONDS / 2  # 0 in the middle, where tanh bends
    losses = minimise(model, optimizer, scaled, x, NETWORK_EVALUATIONS)
    BAR.update()
    so_far, curve = math.inf, []
    for loss in losses + losses[-1:] * (NETWORK_EVALUATIONS - len(losses)):
        so_far = min(so_far, loss / NOISE**2)  # a NaN is not smaller
        curve.append(so_far)
    return curve


results["network"] = {
    "parameters": sum(
        p.numel() for p in MLP([1, WIDTH, WIDTH, 1]).parameters()
    ),
    "budget": NETWORK_EVALUATIONS,
    "seconds": SECONDS,
    "fresh": len(NETWORK_FRESH),
    "methods": {},
}
times = sorted({round(NETWORK_EVALUATIONS ** (k / 60)) for k in range(61)})
for name, lrs in NETWORK_LRS.items():
    found = sweep(
        lambda lr, seed, name=name: sum(
            map(math.log, network_curve(name, lr, seed))
        ),
        lrs,
        NETWORK_TUNING,
    )
    curves = torch.tensor(
        [network_curve(name, found.best, seed) for seed in NETWORK_FRESH]
    )
    results["network"]["methods"][name] = {
        "name": LABELS[name],
        "lr": found.best,
        "at_edge": found.at_edge,
        "rates": len(lrs),
        "last": spread(curves[:, -1].tolist()),
        "median": [[at, curves[:, at - 1].median().item()] for at in times],
    }
    print(
        f"{LABELS[name]:21} lr {found.best:<6g} loss / noise variance", end=" "
    )
    print(
        f"{curves[:, -1].median().item():.2f} after {NETWORK_EVALUATIONS} evaluations"
    )
BAR.close()
results["rows"] = [
    {
        "name": found["name"],
        "lr": found["lr"],
        "reached": found["reached"],
        "evaluations": found["evaluations"] and found["evaluations"]["median"],
        "network": results["network"]["methods"][name]["last"]["median"],
    }
    for name, found in results["methods"].items()
]

# %% tags=["figure"]
STYLES = {"sgd": "sgd", "adam": "adam", "wolfe": "lbfgs"}


def draw_evaluations(results):
    figure, axes = plt.subplots(2, 1, figsize=(5.2, 6.0))
    last = {
        name: found["last"]["median"]
        for name, found in results["network"]["methods"].items()
    }
    told = (
        "Adam overtakes"
        if min(last, key=last.get) == "adam"
        else "L-BFGS leads, too"
    )
    panels = (
        (
            axes[0],
            results["methods"],
            "loss above the lowest",
            "Four parameters: a steep end",
        ),
        (
            axes[1],
            results["network"]["methods"],
            "loss / noise variance",
            f"A network: {told}",
        ),
    )
    for ax, methods, what, title in panels:
        lines = []
        for name, found in methods.items():
            look = line(STYLES.get(name, "lbfgs"))
            if name == "fixed":
                look |= {"linestyle": "-", "alpha": 0.6}
            (drawn,) = ax.plot(*zip(*found["median"], strict=True), **look)
            lines.append((drawn, found["name"].removeprefix("L-BFGS, ")))
        ax.set(yscale="log", xscale="log", ylabel=what, title=title)
        ax.set_xlim(1, max(at for at, _ in found["median"]) * 8)
        low, high = ax.get_ylim()
        ax.set_ylim(low * (low / high) ** 0.1, high)
        label_ends(ax, lines)
    axes[1].set_xlabel("gradient evaluations")
    return figure


show(
    draw_evaluations,
    results,
    alt=lambda r: (
        "Two panels, loss against gradient evaluations on logarithmic scales. Oscillator, relative excess after "
        f"{r['budget']} evaluations: "
        + ", ".join(
            f"{f['name']} {f['last']:.0e}" for f in r["methods"].values()
        )
        + f". Network, loss over noise variance after {r['network']['budget']}: "
        + ", ".join(
            f"{f['name']} {f['last']['median']:.2g}"
            for f in r["network"]["methods"].values()
        )
        + "."
    ),
    caption="The lowest loss so far, median over fresh seeds, everybody at the best rate of a grid. "
    "Strong Wolfe and fixed step are L-BFGS.",
)

# %% [markdown]
# ## What the four numbers are worth
#
# A fit without an error bar is half a result. Two ways lead to one. The long way: measure again and again, with new noise, and look how much the fitted numbers scatter. The short way needs one fit: near the minimum the residuals are almost linear in the parameters, with a matrix $J$ of derivatives, and the covariance of the fitted numbers is $\sigma^2 (J^\top J)^{-1}$, with $\sigma$ the noise.

# %%
REPEATS = range(100, SETTING.pick(quick=105, small=200, full=600))
fits = torch.tensor(
    [best_fit(seed)[1] for seed in REPEATS], dtype=torch.float64
)
model = Oscillator(list(TRUE.values()))
t, _ = measured(0)


def curve_of(θ):
    return torch.func.functional_call(model, {"θ": θ}, (t,)).flatten()


J = torch.autograd.functional.jacobian(curve_of, model.θ.detach())
predicted = (NOISE**2 * torch.linalg.inv(J.T @ J)).diagonal().sqrt()
results["repeats"] = len(fits)
results["parameters"] = [
    {
        "name": name,
        "true": TRUE[name],
        "mean": fits[:, k].mean().item(),
        "scatter": fits[:, k].std().item(),
        "predicted": predicted[k].item(),
        "off": (fits[:, k].mean().item() - TRUE[name])
        / (fits[:, k].std().item() / len(fits) ** 0.5),
    }
    for k, name in enumerate(TRUE)
]
for row in results["parameters"]:
    print(
        f"{row['name']} = {row['mean']:.4f} ± {row['scatter']:.4f}, predicted ± {row['predicted']:.4f}"
    )

# %% [markdown]
# <% table("l-bfgs-with-a-closure.parameters", {"name": "parameter", "true": ("true", ".4f"), "mean": ("mean of fits", ".4f"), "scatter": ("scatter", ".4f"), "predicted": ("predicted", ".4f")}, caption="Fitted parameters over repeated measurements: their mean, their standard deviation, and what the derivatives predict for it") %>
#
# All means are within <% calc(value("l-bfgs-with-a-closure.parameters")|map(attribute="off")|map("abs")|max, ".1f") %> of their standard errors of the truth, and the short way agrees with the long one. The frequency is the number known best: a phase that drifts off over ten swings shows.

# %% [markdown]
# ## The starting point decides
#
# So far every start had nearly the right frequency. Now it is swept from 1.5 to 4.5, with amplitude and damping right and the phase at 0. L-BFGS and Adam each run twice: with the damping known and held fixed, and with the damping fitted like the others.

# %%
SWEPT = [
    1.5 + 3 * k / SETTING.pick(quick=6, small=30, full=120)
    for k in range(SETTING.pick(quick=7, small=31, full=121))
]


def end_of(start, rule, damping, evaluations):
    model = Oscillator([TRUE["A"], TRUE["δ"], start, 0.0], damping=damping)
    optimizer = rule(model.parameters())
    minimise(model, optimizer, *measured(0), evaluations)
    with torch.no_grad():
        loss = mse_loss(model(measured(0)[0]), measured(0)[1]).item()
    ω = model.θ[2].item()
    known = math.isfinite(loss) and abs(ω) < 6
    return [start, ω if known else None, loss if known else None]


adam = functools.partial(optim.Adam, lr=results["methods"]["adam"]["lr"])
LONGEST = SETTING.pick(quick=60, small=300, full=1000)
SERIES = {
    "known": (RULES["wolfe"], TRUE["δ"], LONGEST),
    "fitted": (RULES["wolfe"], None, LONGEST),
    "adam": (adam, None, LONGEST),
    "adam_known": (adam, TRUE["δ"], LONGEST),
}
WORDS = {
    "known": "L-BFGS, damping known",
    "fitted": "L-BFGS, damping fitted",
    "adam": "Adam, damping fitted",
    "adam_known": "Adam, damping known",
}
lowest = best_fit(0)[0]
results["starts"] = {"frequencies": len(SWEPT), "lowest": lowest}
for name, (rule, damping, evaluations) in SERIES.items():
    ends = [end_of(start, rule, damping, evaluations) for start in SWEPT]
    good = [
        start
        for start, _, loss in ends
        if loss is not None and loss < 1.5 * lowest
    ]
    lost = sum(loss is None for _, _, loss in ends)
    results["starts"][name] = {
        "ends": ends,
        "reached": len(good),
        "lost": lost,
        "trapped": len(ends) - len(good) - lost,
    }
    print(
        f"{WORDS[name]:22} {len(good):2} of {len(ends)} reach the minimum,"
        f" {lost} run away"
    )
at = min(results["starts"]["known"]["ends"], key=lambda end: abs(end[0] - 2.4))
results["from_2_4"] = {
    "ω": at[1],
    "loss": at[2],
    "times": at[2] / lowest,
    "reached": at[2] < 1.5 * lowest,
}
along = [1.5 + k / 100 for k in range(301)]
t, x = measured(0)
with torch.no_grad():
    results["slice"] = [
        [
            ω,
            mse_loss(
                Oscillator([TRUE["A"], TRUE["δ"], ω, TRUE["φ"]])(t), x
            ).item(),
        ]
        for ω in along
    ]


# %% tags=["figure"]
def draw_starts(results):
    figure, (top, *rest) = plt.subplots(
        4, 1, figsize=(5.2, 7.0), sharex=True, height_ratios=[1.3, 1, 1, 1]
    )
    top.plot(*zip(*results["slice"], strict=True), color=colour("data"))
    top.set(
        ylim=(0, None),
        ylabel="loss",
        title="Along the frequency, valley beside valley",
    )
    words = {
        "known": ("lbfgs", "L-BFGS, damping known: trapped"),
        "fitted": ("lbfgs", "L-BFGS, damping fitted"),
        "adam": ("adam", "Adam, damping fitted"),
    }
    for ax, (name, (ink, title)) in zip(rest, words.items(), strict=True):
        ends = [
            (start, end) for start, end, _ in results["starts"][name]["ends"]
        ]
        ax.axhline(results["true"]["ω"], **line("truth"), linewidth=1)
        ax.plot(
            *zip(*[end for end in ends if end[1] is not None], strict=True),
            "o",
            markersize=4,
            color=colour(ink),
        )
        gone = [start for start, end in ends if end is None]
        ax.plot(
            gone, [0.75] * len(gone), "x", color=colour("wrong"), markersize=5
        )
        ax.set(ylim=(0.5, 5.5), ylabel="end", title=title, yticks=[1, 3, 5])
    rest[-1].set_xlabel("frequency at the start")
    return figure


show(
    draw_starts,
    results,
    alt=lambda r: (
        "Above, the loss along the frequency: a deep narrow valley at 3, many shallow ones on both sides. Below, the "
        f"frequency at the end against the one at the start, of {r['starts']['frequencies']} starts: with the damping "
        f"known, L-BFGS reaches the minimum from {r['starts']['known']['reached']}; with the damping fitted, from "
        f"{r['starts']['fitted']['reached']}, and {r['starts']['fitted']['lost']} runs run away; Adam reaches it from "
        f"{r['starts']['adam']['reached']}."
    ),
    caption="The other parameters are at the truth in the curve above. Crosses: runs that left the range or ended in NaN.",
)

# %% [markdown]
# With the damping known, the valleys decide: L-BFGS reaches the minimum from <% num("l-bfgs-with-a-closure.starts.known.reached", "d") %> of <% num("l-bfgs-with-a-closure.starts.frequencies", "d") %> starts, Adam from <% num("l-bfgs-with-a-closure.starts.adam_known.reached", "d") %>. With one parameter *more* to fit, the picture turns over. Adam arrives from <% num("l-bfgs-with-a-closure.starts.adam.reached", "d") %> of them. L-BFGS arrives from <% num("l-bfgs-with-a-closure.starts.fitted.reached", "d") %>, and from <% num("l-bfgs-with-a-closure.starts.fitted.lost", "d") %> it runs away. Where does Adam's way lead?

# %%
model, way = Oscillator([TRUE["A"], TRUE["δ"], 2.4, 0.0]), []
optimizer = adam(model.parameters())
for _ in range(40):
    way += [model.θ.tolist()] * bool(
        minimise(model, optimizer, *measured(0), 10)
    )
peak = max(range(len(way)), key=lambda k: way[k][1])
results["detour"] = {
    "peak": way[peak][1],
    "evaluations": 10 * peak,
    "end": way[-1][1],
    "ω": way[-1][2],
}
print(
    f"damping {way[0][1]:.2f} at first, {way[peak][1]:.2f} after {10 * peak} evaluations, {way[-1][1]:.3f} in the end"
)

# %% [markdown]
# Through strong damping: it rises to <% num("l-bfgs-with-a-closure.detour.peak", ".2f") %>, <% calc(value("l-bfgs-with-a-closure.detour.peak") / value("l-bfgs-with-a-closure.true.δ"), ".0f") %> times the true value. A model that dies out within a second or two swings hardly once, and one swing fits a wide range of frequencies: there are no valleys. The frequency slides to where it belongs, and the damping comes back down. L-BFGS, with its long steps, often lands on the other side of zero instead, where the curve grows exponentially. Task 2 closes that door.

# %%
trapped = Oscillator([TRUE["A"], TRUE["δ"], 2.4, 0.0], damping=TRUE["δ"])
minimise(trapped, RULES["wolfe"](trapped.parameters()), *measured(0), 300)
t, x = measured(0)
fine = torch.linspace(0, DURATION, 301, dtype=torch.float64).unsqueeze(1)
with torch.no_grad():
    results["fit"] = {
        "points": torch.cat([t, x], 1).tolist(),
        "t": fine.flatten().tolist(),
        "best": Oscillator(best_fit(0)[1])(fine).flatten().tolist(),
        "trapped": trapped(fine).flatten().tolist(),
    }


# %% tags=["figure"]
def draw_fit(results):
    figure, axes = plt.subplots(
        2, 1, figsize=(5.2, 4.4), sharex=True, sharey=True
    )
    fit = results["fit"]
    titles = {
        "best": ("lbfgs", "Started at 3.0: fits"),
        "trapped": ("wrong", "Started at 2.4: trapped"),
    }
    for ax, (name, (ink, title)) in zip(axes, titles.items(), strict=True):
        ax.plot(
            *zip(*fit["points"], strict=True),
            "o",
            color=colour("data"),
            markersize=2.5,
            alpha=0.7,
        )
        ax.plot(fit["t"], fit[name], color=colour(ink))
        ax.set(ylabel="x", title=title)
    axes[1].set_xlabel("time t in seconds")
    return figure


show(
    draw_fit,
    results,
    alt=lambda r: (
        "Two panels with the same 200 measured points, a slowly decaying oscillation. Above, the best fit runs through "
        f"all of them. Below, the fit that started at a frequency of 2.4 ended at {r['from_2_4']['ω']:.2f} with a small "
        f"amplitude; its loss is {r['from_2_4']['times']:.0f} times as high."
    ),
    caption="Both by L-BFGS, the second with the damping known.",
)

# %% [markdown]
# ## Break the closure
#
# Three closures that look harmless, beside the right one, each over the fresh problems:
#
# - one that does not clear the gradients, so that each call returns the sum of all so far;
# - one that draws a new batch of 40 points at every call;
# - one whose batch stays the same within a step of ten iterations, and is drawn anew for the next.
#
# After every call the loss over *all* points is noted, which costs nothing in this count.

# %%
CALLS = SETTING.pick(quick=40, small=80, full=400)


def with_closure(kind, seed, dtype=torch.float64):
    """Excess of the loss over all points, at each call of a closure of this kind."""
    model = Oscillator(start_of(seed)).to(dtype)
    optimizer = RULES["wolfe"](model.parameters(), max_iter=10)
    t, x = (value.to(dtype) for value in measured(seed))
    generator = torch.Generator().manual_seed(seed)
    batch, lowest, curve = torch.arange(POINTS), best_fit(seed)[0], []

    def draw():
        return torch.randperm(POINTS, generator=generator)[:40]

    def closure():
        nonlocal batch
        if kind == "redrawn":
            batch = draw()
        if kind != "kept":
            optimizer.zero_grad()
        loss = mse_loss(model(t[batch]), x[batch])
        loss.backward()
        with torch.no_grad():
            exact = Oscillator(model.θ.double().tolist())
            curve.append(
                mse_loss(exact(measured(seed)[0]), measured(seed)[1]).item()
                / lowest
                - 1
            )
        return loss

    while len(curve) < CALLS and math.isfinite(sum(curve[-1:])):
        before = len(curve)
        if kind == "per step":
            batch = draw()
        optimizer.step(closure)
        if len(curve) == before + 1 and kind != "per step":
            break
    curve = [
        max(value, 1e-13) if math.isfinite(value) else 1e3
        for value in curve[:CALLS]
    ]
    return curve + curve[-1:] * (CALLS - len(curve))


KINDS = {
    "right": "right",
    "per step": "batch per step",
    "redrawn": "batch per call",
    "kept": "gradients kept",
}
results["closures"] = {"calls": CALLS}
for kind, words in KINDS.items():
    curves = torch.tensor(
        [with_closure(kind, seed) for seed in FRESH], dtype=torch.float64
    )
    results["closures"][kind] = {
        "name": words,
        "median": curves.median(0).values.tolist(),
        "end": spread(curves[:, -1].tolist()),
        "good": int((curves[:, -1] < 0.1).sum()),
    }
    end = results["closures"][kind]["end"]
    print(
        f"{words:15} excess at the end {end['median']:.1e}, 10–90 %: {end['low']:.1e} … {end['high']:.1e}"
    )
float32 = torch.tensor(
    [with_closure("right", seed, torch.float32) for seed in FRESH],
    dtype=torch.float64,
)
results["float32"] = {
    "lowest": spread(float32.min(1).values.tolist()),
    "end": spread(float32[:, -1].tolist()),
}
print(
    f"float32         excess at its lowest {results['float32']['lowest']['median']:.1e}"
)


# %% tags=["figure"]
def draw_closures(results):
    figure, ax = plt.subplots()
    looks = {
        "right": line("lbfgs"),
        "per step": line("minibatch"),
        "redrawn": line("wrong") | {"linestyle": ":"},
        "kept": line("wrong"),
    }
    lines = []
    for kind, look in looks.items():
        median = results["closures"][kind]["median"]
        (drawn,) = ax.plot(range(1, len(median) + 1), median, **look)
        lines.append((drawn, results["closures"][kind]["name"]))
    ax.set(
        yscale="log",
        xlabel="calls of the closure",
        ylabel="loss above the lowest",
        title="Only one closure gets there",
    )
    ax.set_xlim(0, results["closures"]["calls"] * 1.55)
    label_ends(ax, lines)
    return figure


show(
    draw_closures,
    results,
    alt=lambda r: (
        "Relative excess of the loss over all points against calls of the closure, median over fresh problems. At the "
        "end: "
        + ", ".join(
            f"{r['closures'][kind]['name']} {r['closures'][kind]['end']['median']:.1e}"
            for kind in KINDS
        )
        + "."
    ),
    caption="The loss over all points, after every call; medians of fresh problems.",
)

# %% [markdown]
# ## What was seen
#
# <% table("l-bfgs-with-a-closure.rows", {"name": "optimizer", "lr": ("best η", ".2g"), "reached": ("arrived", "d"), "evaluations": ("evaluations", ".0f"), "network": ("network's loss", ".2f")}, caption="How many of the fresh runs came within a millionth of the lowest loss, and their median number of gradient evaluations; last, the network's loss over the noise variance after its budget") %>
#
# On four parameters the count is clear: within a millionth after <% num("l-bfgs-with-a-closure.methods.wolfe.evaluations.median", ".0f") %> evaluations with the line search, <% num("l-bfgs-with-a-closure.methods.fixed.evaluations.median", ".0f") %> without, <% num("l-bfgs-with-a-closure.methods.adam.evaluations.median", ".0f") %> for Adam, a factor of <% num("l-bfgs-with-a-closure.ratio", ".1f") %>. Of <% num("l-bfgs-with-a-closure.fresh", "d") %> runs each, <% num("l-bfgs-with-a-closure.methods.wolfe.reached", "d") %>, <% num("l-bfgs-with-a-closure.methods.fixed.reached", "d") %> and <% num("l-bfgs-with-a-closure.methods.adam.reached", "d") %> arrived; without a line search nothing holds a step that is too long. SGD, held to the steepest direction's rate, did not arrive in <% num("l-bfgs-with-a-closure.budget", "d") %>.
#
# On the network with <% num("l-bfgs-with-a-closure.network.parameters", "d") %> parameters the lead is not the same. L-BFGS falls first, and after <% num("l-bfgs-with-a-closure.network.budget", "d") %> evaluations Adam's loss is <% num("l-bfgs-with-a-closure.network.methods.adam.last.median", ".2f") %> noise variances, that of L-BFGS <% num("l-bfgs-with-a-closure.network.methods.wolfe.last.median", ".2f") %> with the line search and <% num("l-bfgs-with-a-closure.network.methods.fixed.last.median", ".2f") %> without (10–90 %: <% num("l-bfgs-with-a-closure.network.methods.adam.last.low", ".2f") %> to <% num("l-bfgs-with-a-closure.network.methods.adam.last.high", ".2f") %>, <% num("l-bfgs-with-a-closure.network.methods.wolfe.last.low", ".2f") %> to <% num("l-bfgs-with-a-closure.network.methods.wolfe.last.high", ".2f") %> and <% num("l-bfgs-with-a-closure.network.methods.fixed.last.low", ".2f") %> to <% num("l-bfgs-with-a-closure.network.methods.fixed.last.high", ".2f") %> over <% num("l-bfgs-with-a-closure.network.fresh", "d") %> seeds). Below 1, what a network gains is noise that it has learnt.
#
# A closure that keeps its gradients ends <% num("l-bfgs-with-a-closure.closures.kept.end.median", ".0f") %> times the lowest loss above it, one whose batch changes between calls <% num("l-bfgs-with-a-closure.closures.redrawn.end.median", ".1f") %> times. L-BFGS reads curvature from the difference of two gradients, and there the two belong to different functions. With a batch that is fixed within a step it comes within <% calc(100 * value("l-bfgs-with-a-closure.closures.per step.end.median"), ".0f") %> %, and no nearer: every batch has its own minimum.
#
# And float32? It got to an excess of <% num("l-bfgs-with-a-closure.float32.lowest.median", ".0e") %>. The noise alone moves the parameters by amounts that cost about <% calc(4 / value("l-bfgs-with-a-closure.points"), ".2f") %>, so that for this fit float32 would have done.

# %% [markdown]
# ## At full size
#
# <% recorded() %>

# %% [markdown]
# ## Tasks
#
# ### Task 1: find the start yourself
#
# Nobody tells you the frequency of a real spring. Read a starting value off the measurement, with a Fourier transform, and count over the repeated measurements how often L-BFGS then arrives.

# %% [markdown] tags=["solution"]
# The spectrum's resolution is one swing over the recording, $2\pi/20 \approx 0.3$, which is the width of the valley. Padding the measurement with zeros to 16 times its length reads the peak off more finely.


# %% tags=["solution"]
def loudest(seed, padded=16 * POINTS):
    """The angular frequency at which the spectrum of a measurement is largest."""
    t, x = measured(seed)
    spectrum = torch.fft.rfft(x.flatten() - x.mean(), n=padded).abs()
    return (
        2 * math.pi * spectrum.argmax().item() / (padded * (t[1] - t[0]).item())
    )


results["spectrum"] = {"reached": 0, "seeds": len(REPEATS), "furthest": 0.0}
for seed in REPEATS:
    start = loudest(seed)
    model = Oscillator([1.0, 1 / DURATION, start, 0.0])
    losses = minimise(
        model, RULES["wolfe"](model.parameters()), *measured(seed), 300
    )
    results["spectrum"]["reached"] += losses[-1] < 1.001 * best_fit(seed)[0]
    results["spectrum"]["furthest"] = max(
        results["spectrum"]["furthest"], abs(start - TRUE["ω"])
    )
print(
    "{reached} of {seeds} arrive, the worst start is off by {furthest:.3f}".format(
        **results["spectrum"]
    )
)

# %% [markdown] tags=["solution"]
# It arrives in <% num("l-bfgs-with-a-closure.spectrum.reached", "d") %> of <% num("l-bfgs-with-a-closure.spectrum.seeds", "d") %>. No start is off by more than <% num("l-bfgs-with-a-closure.spectrum.furthest", ".3f") %>. The usual wrong turn is to mix up frequencies: `rfftfreq` counts swings per second, $\omega$ is $2\pi$ times that.

# %% [markdown]
# ### Task 2: close the door
#
# L-BFGS ran away through negative damping. Make that impossible without touching the optimizer, and repeat the sweep of starting frequencies.

# %% [markdown] tags=["solution"]
# Fit the logarithm of the damping: $\delta = e^s$ is positive for every $s$, and a step in $s$ is a factor in $\delta$.


# %% tags=["solution"]
class Decaying(Oscillator):
    def forward(self, t):
        A, s, ω, φ = self.θ
        return A * (-s.exp() * t).exp() * (ω * t + φ).cos()


def end_of_decaying(start):
    model = Decaying([TRUE["A"], math.log(TRUE["δ"]), start, 0.0])
    losses = minimise(
        model, RULES["wolfe"](model.parameters()), *measured(0), 300
    )
    return losses[-1], model.θ.tolist()


ends = [end_of_decaying(start) for start in SWEPT]
results["decaying"] = {
    "reached": sum(loss < 1.5 * lowest for loss, _ in ends),
    "lost": sum(not math.isfinite(loss) for loss, _ in ends),
}
print(
    "{reached} of {0} arrive, {lost} run away".format(
        len(SWEPT), **results["decaying"]
    )
)

# %% [markdown] tags=["solution"]
# Now <% num("l-bfgs-with-a-closure.decaying.reached", "d") %> of <% num("l-bfgs-with-a-closure.starts.frequencies", "d") %> starts arrive, where it had been <% num("l-bfgs-with-a-closure.starts.fitted.reached", "d") %>. Nothing about the data or the optimizer has changed, only the coordinates: what a parameter cannot be should be something that it cannot become.

# %% [markdown]
# ## Summary
#
# - A closure clears the gradients, computes loss and gradients, and returns the loss; between two calls of one step nothing else may change.
# - Count gradient evaluations. On a small smooth problem L-BFGS with a line search needs far fewer than Adam; on a network, measure.
# - A frequency has many valleys. Start from the spectrum, or leave the damping free and its sign fixed.
# - A fit comes with uncertainties: from repeats, or from one matrix of derivatives.
#
# <% run_card() %>
#
# **Up next:** [Layer-Wise Learning Rates](layer-wise-learning-rates.ipynb).
