"""Which minimum of sin(x² + y²) does a walk end in, and does the learning rate have a say?

    python examples/visualizing-the-loss-landscape/rings.py

Four walks, then one from each of 10,201 starts, at four learning rates. Takes three seconds.
"""

import math

import matplotlib.pyplot as plt
import torch
from matplotlib.colors import ListedColormap

from trainloop.figures import colour
from trainloop.landscapes import sin_r2

# --8<-- [start:setup]
RATES = (0.02, 0.06, 0.104, 0.3)
STEPS = 2000
GRID = 101
LIMIT = 3.6
STARTS = {
    "A": (0.97, 0.74),
    "B": (1.03, 0.79),
    "C": (-1.5, -2.2),
    "D": (-2.1, 2.1),
}


def walk(x, y, lr, steps):
    """From one start, or from every start of a grid at once."""
    for _ in range(steps):
        dx, dy = sin_r2.grad(x, y)  # 2x cos(x² + y²), 2y cos(x² + y²)
        x, y = x - lr * dx, y - lr * dy
    return x, y


def valley(x, y):
    """0 is the pit, 1 the first moat; ridges are at r² = π/2 + 2πk."""
    turns = (x**2 + y**2 - math.pi / 2) / (2 * math.pi)
    return torch.ceil(turns).clamp(min=0)


# --8<-- [end:setup]


def one_walk(start, lr, steps):
    x, y = torch.tensor(start, dtype=torch.float64)
    path = [(x.item(), y.item())]
    for _ in range(steps):
        x, y = walk(x, y, lr, 1)
        path.append((x.item(), y.item()))
    return path


def basins(lr, steps, count):
    """The valley each start begins in and ends in; None where the walk has not come to rest."""
    line = torch.linspace(-LIMIT, LIMIT, count, dtype=torch.float64)
    y, x = torch.meshgrid(line, line, indexing="ij")
    x_end, y_end = walk(x, y, lr, steps)
    still = torch.hypot(*sin_r2.grad(x_end, y_end)) < 1e-6
    begin, end = valley(x, y), valley(x_end, y_end)
    return begin, torch.where(still, end, torch.full_like(end, -1))


def run(quick=False):
    steps, count = (1500, 13) if quick else (STEPS, GRID)
    starts = {}
    for name, start in STARTS.items():
        path = one_walk(start, RATES[0], 300)
        x, y = path[-1]
        starts[name] = {
            "path": path[:120:2],
            "x": start[0],
            "y": start[1],
            "r": math.hypot(*start),
            "x_end": x,
            "y_end": y,
            "r_end": math.hypot(x, y),
            "loss_end": math.sin(x * x + y * y),
            "valley": int(valley(torch.tensor(x), torch.tensor(y)).item()),
            "turned": abs(math.remainder(math.atan2(y, x) - math.atan2(start[1], start[0]), 2 * math.pi)),
        }
    maps, rows = {}, []
    for lr in RATES:
        begin, end = basins(lr, steps, count)
        share = {f"{k}": (end == k).double().mean().item() for k in (-1, 0, 1, 2, 3)}
        rows.append(
            {
                "lr": lr,
                "pit": share["0"],
                "ring_1": share["1"],
                "further": (end >= 2).double().mean().item(),
                "unsettled": share["-1"],
                "kept": (begin == end).double().mean().item(),
            }
        )
        maps[f"{lr}"] = end.clamp(max=3).int().tolist()
    rings = [{"valley": "the pit", "r": 0.0, "height": 0.0, "curvature": 2.0, "wall": 1.0}]
    for k in range(3):
        r2 = 1.5 * math.pi + 2 * math.pi * k
        rings.append(
            {
                "valley": ("first", "second", "third")[k] + " moat",
                "r": math.sqrt(r2),
                "height": math.sin(r2),
                "curvature": 4 * r2,
                "wall": 2 / (4 * r2),
            }
        )
    return {
        "starts": starts,
        "apart": {
            "start": math.dist(STARTS["A"], STARTS["B"]),
            "end": math.dist(*((starts[n]["x_end"], starts[n]["y_end"]) for n in "AB")),
        },
        "ridge": math.sqrt(math.pi / 2),
        "rows": rows,
        "walks": count**2,
        "steps": steps,
        "maps": maps,
        "rings": rings,
    }


def draw_surface(ax, results):
    # A mesh of rings and spokes follows the rings with few faces; a piece is cut out to show the profile.
    r, angle = torch.meshgrid(torch.linspace(0, 2.75, 12), torch.linspace(0.0, 1.45 * math.pi, 11), indexing="ij")
    x, y = r * torch.cos(angle), r * torch.sin(angle)
    ink = colour("data")
    ax.plot_surface(
        x.numpy(),
        y.numpy(),
        sin_r2.f(x, y).numpy(),
        rstride=1,
        cstride=1,
        color=ink,
        alpha=0.3,
        edgecolor=ink,
        linewidth=0.3,
        shade=False,
    )
    for name in "ABC":
        start = results["starts"][name]
        xs, ys = torch.tensor(start["path"]).T
        ax.plot(xs, ys, sin_r2.f(xs, ys), color=valley_colour(start["valley"]), lw=1.6, marker=".", ms=4)
        aside = {"A": 0.75, "B": 1.2}.get(name, 1.0)
        ax.text(aside * start["x"], aside * start["y"], math.sin(start["r"] ** 2) + 0.15, name)
    ax.view_init(elev=36, azim=-48)
    ax.set_box_aspect((1, 1, 0.5), zoom=1.2)
    ax.set(xlabel="x", ylabel="y", title="A pit, a ridge, a moat: sin(x² + y²)", zticks=[-1, 0, 1])
    # The colour of the grid has no public name.
    for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
        axis.pane.set_visible(False)
        axis.line.set_color(ink)
        axis._axinfo["grid"]["color"] = ink
        axis._axinfo["grid"]["linewidth"] = 0.3


def valley_colour(k):
    return colour(("start_a", "start_b", "start_c", "start_d")[k])


def draw_basins(axes, results):
    palette = ListedColormap([colour("data"), *(valley_colour(k) for k in range(4))])
    for ax, (lr, ends) in zip(axes, results["maps"].items(), strict=True):
        ax.imshow(
            ends,
            origin="lower",
            extent=[-LIMIT, LIMIT] * 2,
            cmap=palette,
            vmin=-1.5,
            vmax=3.5,
            alpha=0.45,
            interpolation="none",
        )
        ax.grid(visible=False)
        ax.set(title=f"lr {lr}", xticks=[-3, 0, 3], yticks=[-3, 0, 3])
    words = {1: ("pit", "first moat", "never at rest"), 2: ("pit", "first moat"), 3: ("pit",)}
    for place, names in words.items():
        for name, height in zip(names, (0, 1.95, 3.15), strict=False):
            axes[place].text(0, height, name, ha="center", va="center")
    first = axes[0]
    for name, start in results["starts"].items():
        first.plot(*zip(*start["path"], strict=True), color=colour("truth"), lw=1.3)
        first.plot(start["x"], start["y"], "o", color=colour("truth"), ms=3.5)
        offset = {"A": (-11, -9), "B": (3, -9), "C": (-12, -4)}.get(name, (5, 2))
        first.annotate(name, (start["x"], start["y"]), xytext=offset, textcoords="offset points")


def draw(results):
    figure = plt.figure(figsize=(5.2, 9.0))
    places = figure.add_gridspec(3, 2, height_ratios=(1.5, 1, 1))
    draw_surface(figure.add_subplot(places[0, :], projection="3d", computed_zorder=False), results)
    draw_basins([figure.add_subplot(places[1 + i // 2, i % 2]) for i in range(4)], results)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
