"""How does a line turn into place, and what do its residuals, its w and b and its loss do meanwhile?

    python examples/the-simplest-case-linear-regression/turning.py

The loop by hand, stopped after 0 to 500 epochs. Takes three seconds.
"""

import math

import matplotlib.pyplot as plt
import torch
from three_loops import by_hand

from trainloop.data import least_squares, noisy_line
from trainloop.figures import colour, line

STOPS = (0, 1, 2, 3, 5, 10, 20, 50, 100, 500)
EVERY = 4  # points drawn: one in four


def run(quick=False):
    x, y = noisy_line(dtype=torch.float64)
    path = by_hand(x, y, epochs=501)
    slope, intercept, floor = least_squares(x, y)
    stops = [
        {"epoch": epoch, "w": path[epoch][0], "b": path[epoch][1], "loss": path[epoch][2]} for epoch in STOPS
    ]
    return {
        "stops": stops,
        "path": [list(point) for point in (*path[:20], *path[20:100:10], path[100], path[200], path[500])],
        "losses": [loss for _, _, loss in path[:101]],
        "points": {"x": x[::EVERY].flatten().tolist(), "y": y[::EVERY].flatten().tolist()},
        "best": {"w": slope, "b": intercept, "loss": floor},
    }


def draw_fit(ax, results, stop):
    xs, ys = results["points"]["x"], results["points"]["y"]
    heights = [stop["w"] * x + stop["b"] for x in xs]
    gap = float("nan")  # lifts the pen between two sticks
    sticks = [(x, h) for x, y, line in zip(xs, ys, heights, strict=True) for h in (y, line, gap)]
    ax.plot(*zip(*sticks, strict=True), color=colour("measure"), lw=1)
    ax.plot(xs, ys, "o", ms=3.5, color=colour("data"))
    ax.plot([0, 1], [stop["b"], stop["w"] + stop["b"]], color=colour("predict"), lw=2.6)
    ax.set(xlim=(-0.03, 1.03), ylim=(-0.4, 5.7), xlabel="x", ylabel="y")


def contour(level, best):
    """The ellipse of all (w, b) whose loss lies `level` above the best line's."""
    x, _ = noisy_line(dtype=torch.float64)
    design = torch.cat([x, torch.ones_like(x)], dim=1)
    curvatures, directions = torch.linalg.eigh(2 * design.T @ design / len(x))
    angle = torch.linspace(0, 2 * math.pi, 90, dtype=torch.float64)
    circle = torch.stack([angle.cos(), angle.sin()])
    w, b = directions @ ((2 * level / curvatures).sqrt()[:, None] * circle)
    return w + best["w"], b + best["b"]


def draw_path(ax, results, stop):
    best = results["best"]
    for level in (0.03, 0.3, 1, 3, 8):
        ax.plot(*contour(level, best), color=colour("data"), lw=0.7, alpha=0.7)
    ax.plot(*zip(*[point[:2] for point in results["path"]], strict=True), color=colour("update"), lw=1.2)
    ax.plot(best["w"], best["b"], "*", ms=11, color=colour("truth"))
    ax.plot(stop["w"], stop["b"], "o", ms=7, color=colour("update"))
    ax.set(xlabel="slope w", ylabel="intercept b", title="its w and b", xlim=(-0.3, 2.9), ylim=(-0.4, 4.2))


def draw_loss(ax, results, stop):
    ax.plot(results["losses"], color=colour("measure"), lw=1.4)
    ax.axhline(results["best"]["loss"], **line("truth"), lw=1.2)
    floor = results["best"]["loss"]
    ax.annotate("least squares", (100, floor), xytext=(0, -13), textcoords="offset points", ha="right")
    if stop["epoch"] <= 100:
        ax.plot(stop["epoch"], stop["loss"], "o", ms=7, color=colour("measure"))
    else:
        ax.annotate(f"epoch {stop['epoch']} →", (100, 0.07), ha="right", color=colour("measure"))
    ax.set(yscale="log", ylim=(0.017, 30), yticks=[0.1, 1, 10], yticklabels=["0.1", "1", "10"])
    ax.set(xlabel="epoch", title="its loss")


def draw_stop(results, stop):
    figure, axes = plt.subplot_mosaic(
        [["fit", "fit"], ["path", "loss"]], figsize=(5.2, 5.6), height_ratios=[1.25, 1], layout="none"
    )
    # Every frame has the same axes: placed by hand, ten frames need no layout computed.
    figure.subplots_adjust(left=0.09, right=0.985, bottom=0.09, top=0.95, hspace=0.42, wspace=0.25)
    draw_fit(axes["fit"], results, stop)
    draw_path(axes["path"], results, stop)
    draw_loss(axes["loss"], results, stop)
    axes["fit"].set_title(
        f"Epoch {stop['epoch']}: w = {stop['w']:.2f}, b = {stop['b']:.2f}, loss {stop['loss']:.3g}"
    )
    return figure


def draw(results):
    return {f"epoch-{stop['epoch']}": draw_stop(results, stop) for stop in results["stops"]}


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
