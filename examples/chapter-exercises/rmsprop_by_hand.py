"""RMSprop from scratch: is it torch's, and how soon does it solve Rosenbrock's valley?

    python examples/chapter-exercises/rmsprop_by_hand.py

Holds the rule beside torch's for 200 steps of a network. Then SGD, RMSprop and Adam race from ten
starts, each at the same seven learning rates. Takes about eight seconds.
"""

import matplotlib.pyplot as plt
import torch
from torch import nn
from tqdm import tqdm

from trainloop.data import digits
from trainloop.figures import NAMES, colour, label_ends, line
from trainloop.landscapes import rosenbrock
from trainloop.loop import train_step
from trainloop.models import MLP
from trainloop.optim import SGD, Adam
from trainloop.optim._base import Optimizer, check_range

TARGET = 0.01
MOST = 3000  # steps of a walk
STARTS = 10
SETTLED = 50  # an arrival counts if this many steps follow it
RATES = tuple(0.002 * 10 ** (0.4 * i) for i in range(7))  # 0.002 … 0.5


# --8<-- [start:rule]
class RMSprop(Optimizer):
    """RMSprop without options: divide by the root of an average of g²."""

    def __init__(self, params, lr=1e-2, alpha=0.99, eps=1e-8):
        defaults = {"lr": lr, "alpha": alpha, "eps": eps}
        super().__init__(params, {**defaults, "maximize": False})

    def check(self, group):
        check_range(group, "lr", "eps")
        check_range(group, "alpha", below=1)

    def init_state(self, θ, group):
        return {"square_avg": torch.zeros_like(θ)}

    def update(self, θ, g, state, group):
        η, α, ε = group["lr"], group["alpha"], group["eps"]
        v = state["square_avg"]
        v.mul_(α).addcmul_(g, g, value=1 - α)  # v = αv + (1 − α)g²
        θ.addcdiv_(g, v.sqrt().add_(ε), value=-η)  # θ = θ − ηg / (√v + ε)
# --8<-- [end:rule]


# --8<-- [start:inside]
class EpsilonInside(RMSprop):
    """The usual slip: ε under the root, where it weighs as √ε."""

    def update(self, θ, g, state, group):
        η, α, ε = group["lr"], group["alpha"], group["eps"]
        v = state["square_avg"]
        v.mul_(α).addcmul_(g, g, value=1 - α)
        θ.addcdiv_(g, v.add(ε).sqrt_(), value=-η)  # θ = θ − ηg / √(v + ε)
# --8<-- [end:inside]


def distance_to_torch(make_optimizer, steps=200):
    """Largest difference of any weight from torch's, on a network, after any step."""
    x, y, _, _ = digits()
    ours, theirs = MLP([64, 32, 10]), MLP([64, 32, 10])
    theirs.load_state_dict(ours.state_dict())
    optimizer = make_optimizer(ours.parameters())
    oracle = torch.optim.RMSprop(theirs.parameters(), foreach=False)
    loss_fn, largest = nn.CrossEntropyLoss(), 0.0
    for step in range(steps):
        batch = torch.arange(64 * step, 64 * (step + 1)) % len(x)
        train_step(ours, loss_fn, optimizer, x[batch], y[batch])
        train_step(theirs, loss_fn, oracle, x[batch], y[batch])
        pairs = zip(ours.parameters(), theirs.parameters(), strict=True)
        largest = max(largest, *((p - q).abs().max().item() for p, q in pairs))
    return largest


def starts():
    """The paper's start, and nine about a tenth away from it in each direction."""
    generator = torch.Generator().manual_seed(0)
    scatter = torch.randn(STARTS, 2, generator=generator, dtype=torch.float64)
    scatter[0] = 0
    return torch.tensor(rosenbrock.start, dtype=torch.float64) + 0.1 * scatter


def race(make_optimizer, rates, steps):
    """Walk from every start at every rate: all points, (steps + 1, rates, starts, 2).

    The rules treat all elements alike, so ten walks fit into one parameter.
    """
    walkers = [starts() for _ in rates]
    groups = [{"params": [xy], "lr": lr} for xy, lr in zip(walkers, rates, strict=True)]
    optimizer = make_optimizer(groups)
    points = [torch.stack(walkers)]
    for _ in range(steps):
        slopes = torch.stack(rosenbrock.grad(*points[-1].unbind(-1)), dim=-1)
        for xy, slope in zip(walkers, slopes, strict=True):
            xy.grad = slope
        optimizer.step()
        points.append(torch.stack(walkers))
    return torch.stack(points)


def arrivals(points):
    """The first step below the target, and the step it stays below from: (rates, starts) each.

    Walks that do not get there, or not for good, have the step after the last.
    """
    below = rosenbrock.f(*points.unbind(-1)) < TARGET  # False for NaN
    steps = torch.arange(len(below)).view(-1, 1, 1)
    first = torch.where(below, steps, len(below)).amin(dim=0)
    stays = torch.where(below, -1, steps).amax(dim=0) + 1
    return first, stays


OPTIMIZERS = {"sgd": SGD, "rmsprop": RMSprop, "adam": Adam}


def run(quick=False):
    most, rates = (60, RATES[::4]) if quick else (MOST, RATES)
    torch.manual_seed(0)
    found = {
        "to_torch": distance_to_torch(RMSprop),
        "to_torch_inside": distance_to_torch(EpsilonInside),
        "curves": {},
        "rows": [],
        "paths": {},
        "starts": STARTS,
        "rates": len(rates),
        "most": most,
    }
    for name, make_optimizer in tqdm(OPTIMIZERS.items(), desc="optimizers", leave=False):
        points = race(make_optimizer, rates, most)
        # The middle of the ten; a walk that never arrives counts as last.
        first, stays = (steps.median(dim=1).values for steps in arrivals(points))
        early, best = int(first.argmin()), int(stays.argmin())

        def known(steps):
            return steps if steps <= most - SETTLED else None

        found["curves"][name] = {
            "lr": list(rates),
            "first": [known(t) for t in first.tolist()],
            "stays": [known(t) for t in stays.tolist()],
        }
        found["rows"].append({
            "optimizer": NAMES[name],
            "first_lr": rates[early],
            "first": known(first[early].item()),
            "first_stays": known(stays[early].item()),
            "stays_lr": rates[best],
            "stays": known(stays[best].item()),
            "arriving_rates": int((stays <= most).sum()),
            "visiting_rates": int((first <= most).sum()),
        })
        walk = points[:, best, 0]
        found["paths"][name] = [*walk[:40].tolist(), *walk[40::20].tolist()]
    return found


def draw(results):
    return {"paths": draw_paths(results), "steps": draw_steps(results)}


def draw_paths(results):
    figure, ax = plt.subplots(figsize=(5.2, 4.2))
    xs, ys = torch.linspace(-1.6, 1.3, 120), torch.linspace(-0.4, 1.7, 120)
    x, y = torch.meshgrid(xs, ys, indexing="xy")
    levels = [0.05, 0.5, 2, 8, 32, 128]
    ax.contour(x, y, rosenbrock.f(x, y), levels=levels, colors=[colour("data")], linewidths=0.5)
    widths = {"adam": 3.0, "sgd": 1.0, "rmsprop": 1.8}  # the floor is narrow: the widest goes first
    for name, width in widths.items():
        px, py = zip(*results["paths"][name], strict=True)
        ax.plot(px, py, **line(name), lw=width, label=NAMES[name])
    ax.plot(*rosenbrock.minimum, "*", color=colour("truth"), ms=11)
    ax.set(xlabel="x", ylabel="y", xlim=(-1.6, 1.3), ylim=(-0.4, 1.7), title="Three ways onto one floor")
    ax.legend(loc="upper center", fontsize=10.5)
    return figure


def draw_steps(results):
    figure, ax = plt.subplots(figsize=(5.2, 4.0))
    lines = []
    for name, curve in results["curves"].items():
        stays = [(lr, t) for lr, t in zip(curve["lr"], curve["stays"], strict=True) if t is not None]
        first = [(lr, t) for lr, t in zip(curve["lr"], curve["first"], strict=True) if t is not None]
        if first:
            ax.plot(*zip(*first, strict=True), "o", mfc="none", ms=9, color=colour(name))
        if stays:
            drawn = ax.plot(*zip(*stays, strict=True), marker=".", ms=9, **line(name))[0]
            if name == "sgd":  # a single point, in the way of a label at its right
                below = {"xytext": (0, -9), "textcoords": "offset points", "ha": "center", "va": "top"}
                ax.annotate(NAMES[name], stays[0], **below, color=colour(name))
            else:
                lines.append((drawn, NAMES[name]))
    ax.set(xscale="log", xlim=(1.6e-3, 0.75), yscale="log", xlabel="learning rate")
    ax.set(ylabel="steps until f < 0.01", title="A visit is not an arrival")
    ax.set_yticks([200, 500, 1000, 2000], ["200", "500", "1,000", "2,000"])
    ax.minorticks_off()
    label_ends(ax, lines)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
