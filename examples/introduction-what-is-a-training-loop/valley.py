"""Why do the steps get shorter by themselves, and why does the loop come to rest?

    python examples/introduction-what-is-a-training-loop/valley.py

The loss of the rod and its three nails against the slope, and the first turns of the loop on that curve.
Takes a second.
"""

import math
from itertools import pairwise

import matplotlib.pyplot as plt

from trainloop.figures import colour

NAILS = ((1.0, 2.0), (2.0, 6.0), (4.0, 7.0))
LEARNING_RATE = 0.05
TURNS = 10


def loss_at(w):
    return sum((w * x - y) ** 2 for x, y in NAILS) / len(NAILS)


def gradient_at(w):
    return sum(2 * (w * x - y) * x for x, y in NAILS) / len(NAILS)


# --8<-- [start:rest]
def rest():
    """The slope at which the gradient is zero, solved for on paper."""
    return sum(x * y for x, y in NAILS) / sum(x * x for x, _ in NAILS)


def curvature():
    """How much the gradient grows when w grows by one."""
    return 2 * sum(x * x for x, _ in NAILS) / len(NAILS)


# --8<-- [end:rest]


def run(quick=False):
    w, rows = 0.0, []
    for turn in range(TURNS + 1):
        distance = abs(w - rest())
        left = distance / rows[-1]["distance"] if rows else None
        rows.append({"turn": turn, "w": w, "distance": distance, "left": left, "loss": loss_at(w)})
        w = w - LEARNING_RATE * gradient_at(w)
    return {
        "rows": rows,
        "first_rows": rows[:5],
        "rest": rest(),
        "curvature": curvature(),
        "factor": 1 - LEARNING_RATE * curvature(),
        "floor": loss_at(rest()),
    }


def draw(results):
    figure, ax = plt.subplots(figsize=(5.2, 4.3))
    grid = [-0.5 + 0.03 * i for i in range(147)]
    ax.plot(grid, [loss_at(w) for w in grid], color=colour("measure"), lw=1.6)
    rows = results["rows"]
    turns = list(pairwise(rows))
    for row, following in turns[:3]:
        w, loss, slope = row["w"], row["loss"], gradient_at(row["w"])
        reach = 0.55 / math.hypot(1, 0.079 * slope)  # tangents of one length on paper
        ends = [w - reach, w + reach], [loss - slope * reach, loss + slope * reach]
        ax.plot(*ends, color=colour("differentiate"), lw=1.8)
        height = -2 - 1.7 * row["turn"]
        arrow = {"arrowstyle": "-|>", "color": colour("update"), "lw": 2.2, "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", (following["w"], height), (w, height), arrowprops=arrow)
        place = (w + 0.16, loss + (0.3 if row["turn"] == 0 else 3.2))
        ax.text(*place, f"{slope:.3g}".replace("-", "−"), color=colour("differentiate"), va="center", weight="bold")
    ax.plot([r["w"] for r in rows[:5]], [r["loss"] for r in rows[:5]], "o", ms=6, color=colour("predict"), zorder=5)
    ax.text(0.62, 29.8, "= gradient: the slope of this line", color=colour("differentiate"), va="center")
    ax.text(0.7, -3.2, f"first update: +{rows[1]['w']:.1f}", color=colour("update"), va="top", ha="center")
    ax.text(3.05, 19, "loss", color=colour("measure"), ha="right", weight="bold")
    ax.set(xlim=(-0.5, 3.9), ylim=(-8.2, 36), yticks=range(0, 40, 10))
    ax.set(xlabel="slope w", ylabel="loss", title="The flatter the curve, the shorter the step")
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
