"""What are the parts of a training loop, what flows between them, and is torch's loop the same one?

    python examples/introduction-what-is-a-training-loop/anatomy.py

One weight fitted to 100 points twice: in bare tensors, and in torch's own names. Draws the anatomy diagram
from the two functions' own lines, and the shapes from their tensors. Takes two seconds.
"""

import inspect
import re

import matplotlib.pyplot as plt
import torch
from matplotlib.patches import FancyBboxPatch, PathPatch
from matplotlib.path import Path as Outline
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from trainloop.data import noisy_line
from trainloop.figures import colour, label_ends, line

# ruff: noqa: B007 – `epoch` is what a reader will find in every loop, used or not
VERBS = ("data", "predict", "measure", "differentiate", "update")
LEARNING_RATE = 0.5
TURNS = 20


# --8<-- [start:points]
def points():
    """The line of this series, seen from a hinge at y = 3."""
    x, y = noisy_line(100, slope=2.0, intercept=3.0, noise=0.2, seed=42)
    return x, y - 3.0


# --8<-- [end:points]


def by_hand(points, turns, lr):
    # fmt: off
    # --8<-- [start:by_hand]
    w = torch.zeros(1)
    for x, y in turns * [points]:                      # data
        prediction = w * x                             # predict
        loss = ((prediction - y) ** 2).mean()          # measure
        gradient = (2 * (prediction - y) * x).mean(0)  # differentiate
        w = w - lr * gradient                          # update
    # --8<-- [end:by_hand]
    # fmt: on
    return locals()


def with_torch(points, turns, lr):
    # fmt: off
    # --8<-- [start:with_torch]
    loader = DataLoader(TensorDataset(*points), batch_size=100)
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    criterion = nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    for epoch in range(turns):
        for x, y in loader:                  # data
            prediction = model(x)            # predict
            loss = criterion(prediction, y)  # measure
            optimizer.zero_grad()            # differentiate
            loss.backward()                  # differentiate
            optimizer.step()                 # update
    # --8<-- [end:with_torch]
    # fmt: on
    return locals()


# --8<-- [start:lines]
def lines_of(loop):
    """The code of each verb, as it stands in the loop."""
    found = {verb: [] for verb in VERBS}
    for text in inspect.getsource(loop).splitlines():
        if match := re.fullmatch(r"\s+(.+?)\s*# (\w+)", text):
            found[match[2]].append(match[1])
    return found


# --8<-- [end:lines]


def shape_of(tensor):
    return str(tuple(tensor.shape))


def run(quick=False):
    data = points()
    x, y = data
    ours, theirs = by_hand(data, 1, LEARNING_RATE), with_torch(data, 1, LEARNING_RATE)
    # A loop of t turns, for every t: nothing has to be recorded inside the loops the page shows.
    paths = {
        "by_hand": [by_hand(data, t, LEARNING_RATE)["w"].item() for t in range(TURNS + 1)],
        "with_torch": [with_torch(data, t, LEARNING_RATE)["model"].weight.item() for t in range(TURNS + 1)],
    }
    best = ((x * y).sum() / (x * x).sum()).item()
    mse = [((w * x - y) ** 2).mean().item() for w in paths["by_hand"]]
    curvature = 2 * (x * x).mean().item()
    differences = [abs(a - b) for a, b in zip(*paths.values(), strict=True)]
    rows = [
        {"turn": t, **{name: path[t] for name, path in paths.items()}, "difference": differences[t], "loss": mse[t]}
        for t in (0, 1, 2, 5, 10, 20)
    ]
    return {
        "shapes": {name: shape_of(ours[name]) for name in ("x", "y", "w", "prediction", "loss", "gradient")},
        "torch_shapes": {
            "weight": shape_of(theirs["model"].weight),
            "gradient": shape_of(theirs["model"].weight.grad),
        },
        "lines": {"by_hand": lines_of(by_hand), "with_torch": lines_of(with_torch)},
        "paths": paths,
        "rows": rows,
        "largest_difference": max(differences),
        "best": {"w": best, "mse": ((best * x - y) ** 2).mean().item()},
        "mse": mse,
        "curvature": curvature,
        "factor": 1 - LEARNING_RATE * curvature,
        "data": {"x": x.flatten().tolist(), "y": y.flatten().tolist()},
    }


# What leaves each verb: the results that hold its shapes, and a word about them.
CARGO = {
    "data": (("x", "y"), ""),
    "predict": (("prediction",), "one for each x"),
    "measure": (("loss",), "a single number"),
    "differentiate": (("gradient",), "always the shape of w"),
    "update": (("w",), "into the next turn"),
}
TASKS = {
    "data": "take inputs and targets",
    "predict": "answer with the weight as it is",
    "measure": "one number: how wrong was that?",
    "differentiate": "which way, and how steeply?",
    "update": "move the weight a little",
}

# In points, from the lower left corner.
WIDTH, HEIGHT = 374.4, 558.0
TRACK, RETURN = 17.0, 356.0  # the way down and the way back
TEXT, RIGHT = 38.0, 342.0
FIRST = 500.0  # height of the first verb's name
PITCH, GAP = 15.5, 41.0  # between lines of code; between a box and the next


def stations(results):
    """Height of each verb's name, and of the bottom of its box."""
    places, y = {}, FIRST
    for verb in VERBS:
        rows = 1 + len(results["lines"]["with_torch"][verb])
        bottom = y - 13 - PITCH * rows
        places[verb] = (y, bottom)
        y = bottom - GAP - 15
    return places


def draw_track(ax, places):
    """One closed line: down past the five verbs, back up on the right. Each stretch has its cargo's colour."""
    style = {"lw": 4, "alpha": 0.55, "solid_capstyle": "butt"}
    heights = [places[verb][0] for verb in VERBS]
    for verb, start, end in zip(VERBS, heights, heights[1:], strict=False):
        ax.plot([TRACK, TRACK], [start, end], color=colour(verb), **style)
    top, bottom, bend = FIRST + 46, places["update"][1] - 38, 16
    way = [
        (Outline.MOVETO, (TRACK, heights[-1])),
        (Outline.LINETO, (TRACK, bottom + bend)),
        (Outline.CURVE3, (TRACK, bottom)),
        (Outline.LINETO, (TRACK + bend, bottom)),
        (Outline.LINETO, (RETURN - bend, bottom)),
        (Outline.CURVE3, (RETURN, bottom)),
        (Outline.LINETO, (RETURN, bottom + bend)),
        (Outline.LINETO, (RETURN, top - bend)),
        (Outline.CURVE3, (RETURN, top)),
        (Outline.LINETO, (RETURN - bend, top)),
        (Outline.LINETO, (TRACK + bend, top)),
        (Outline.CURVE3, (TRACK, top)),
        (Outline.LINETO, (TRACK, top - bend)),
        (Outline.LINETO, (TRACK, FIRST)),
    ]
    codes, corners = zip(*way, strict=True)
    ax.add_patch(PathPatch(Outline(corners, codes), fill=False, ec=colour("update"), lw=4, alpha=0.55))
    for share in (0.25, 0.75):
        ax.plot(RETURN, bottom + share * (top - bottom), "^", ms=9, color=colour("update"))
    ax.plot(TRACK, FIRST + 24, "v", ms=9, color=colour("update"))


def draw_station(ax, number, verb, place, lines):
    y, bottom = place
    box = FancyBboxPatch((TEXT - 8, bottom), RIGHT - TEXT + 8, y + 14 - bottom, boxstyle="round,pad=0,rounding_size=7")
    box.set(facecolor=colour(verb), alpha=0.13, edgecolor="none")
    ax.add_patch(box)
    ax.plot(TRACK, y, "o", ms=18, color=colour(verb), zorder=4)
    ax.text(TRACK, y - 0.8, str(number), ha="center", va="center", color=ground(), weight="bold", zorder=5)
    ax.text(TEXT, y, verb, color=colour(verb), fontsize=13, weight="bold", va="center")
    ax.text(RIGHT - 8, y - 0.5, TASKS[verb], fontsize=10.3, va="center", ha="right")
    for row, text in enumerate(lines, 1):
        faint = {"alpha": 0.75} if row > 1 else {"weight": "bold"}
        ax.text(TEXT, y - 5 - PITCH * row, text, family="monospace", fontsize=10.3, va="center", **faint)


def draw_cargo(ax, verb, height, shapes):
    """What travels on from a verb: names and shapes, beside an arrow head on the track."""
    names, word = CARGO[verb]
    ax.plot(TRACK, height, "v", ms=9, color=colour(verb))
    text = " \u00a0\u00a0\u00a0 ".join(f"{name} {shapes[name]}" for name in names)
    drawn = ax.text(TEXT, height, text, color=colour(verb), fontsize=11, weight="bold", va="center")
    ax.annotate(word, (1, 0), xycoords=drawn, xytext=(9, 1.5), textcoords="offset points", fontsize=10.3)


def ground():
    """The colour of the page, for a number on a coloured disc."""
    return plt.rcParams["figure.facecolor"]


def draw_anatomy(results):
    figure = plt.figure(figsize=(WIDTH / 72, HEIGHT / 72), layout="none")
    ax = figure.add_axes((0, 0, 1, 1))
    ax.axis("off")
    ax.set(xlim=(0, WIDTH), ylim=(0, HEIGHT))
    places = stations(results)
    draw_track(ax, places)
    ax.text(TEXT, FIRST + 28, "bold:", fontsize=10.3, weight="bold", va="center")
    ax.text(
        TEXT + 35, FIRST + 28, "by hand, in tensors. \u00a0 Below it: in torch's names.", fontsize=10.3, va="center"
    )
    for number, verb in enumerate(VERBS, 1):
        ours, theirs = (results["lines"][loop][verb] for loop in ("by_hand", "with_torch"))
        draw_station(ax, number, verb, places[verb], ours + theirs)
        draw_cargo(ax, verb, places[verb][1] - GAP / 2, results["shapes"])
    return figure


def draw_fit(results):
    figure, (points, weights) = plt.subplots(2, 1, figsize=(5.2, 6.4), height_ratios=(1.15, 1))
    points.plot(results["data"]["x"], results["data"]["y"], "o", ms=3, alpha=0.6, color=colour("data"))
    lines = []
    for turn in (0, 1, 2, 4, 20):
        w = results["paths"]["by_hand"][turn]
        style = {"color": colour("predict"), "lw": 1.2 + 0.06 * turn, "alpha": 0.45 + 0.0275 * turn}
        drawn = points.plot([0, 1], [0, w], **style)[0]
        lines.append((drawn, f"{turn} turns" if turn != 1 else "1 turn"))
    points.set(xlabel="x", ylabel="height above the hinge", title="The line swings up into the points …")
    ours, theirs = results["paths"]["by_hand"], results["paths"]["with_torch"]
    weights.axhline(results["best"]["w"], **line("truth"), linewidth=1)
    weights.plot(theirs, "o", ms=7, mfc="none", mew=1.6, color=colour("with_nn"), label="in torch's names")
    weights.plot(ours, "-", color=colour("by_hand"), label="by hand")
    weights.text(0.3, results["best"]["w"] + 0.05, "best possible slope", va="bottom")
    weights.set(xlabel="turn", ylabel="slope w", ylim=(-0.1, 2.45), xticks=range(0, 21, 5))
    weights.set_title("… on the same path in both loops")
    weights.legend(loc="lower right")
    label_ends(points, lines)
    return figure


def draw(results):
    return {"anatomy": draw_anatomy(results), "fit": draw_fit(results)}


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
