"""What does the loss of a line look like from above, and how does a training run walk over it?

    python examples/visualizing-the-loss-landscape/landscape.py

The loss of y = wx + b for a grid of w and b, sixty steps of the training loop on top of it, and the two
curvatures of the valley: by hand, and from torch. Takes a second.
"""

from itertools import pairwise

import matplotlib.pyplot as plt
import torch

from trainloop.data import least_squares, noisy_line
from trainloop.figures import colour

# --8<-- [start:loss]
x, y = noisy_line(dtype=torch.float64)
x, y = x[:, 0], y[:, 0]


def loss(θ):
    w, b = θ
    return ((w * x + b - y) ** 2).mean()


# --8<-- [end:loss]


START = (-1.0, 2.0)
LEARNING_RATE = 0.7
STEPS = 60
GRID = 61
MESH = (13, 10)  # of the surface: along, across


# --8<-- [start:grid]
def grid(ws, bs):
    """One row per b, one column per w: nothing is learned here."""
    return [[loss((w, b)).item() for w in ws] for b in bs]


# --8<-- [end:grid]


# --8<-- [start:walk]
def walk(loss, start, lr, steps):
    θ = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    path, losses = [θ.tolist()], []
    for _ in range(steps):
        measured = loss(θ)  # data, predict, measure
        measured.backward()  # differentiate
        with torch.no_grad():
            θ -= lr * θ.grad  # update
        θ.grad = None
        path.append(θ.tolist())
        losses.append(measured.item())
    return path, losses


# --8<-- [end:walk]


# --8<-- [start:curvature]
def curvature(x):
    """The Hessian of a line's mean squared error, by hand."""
    mean, mean_square = x.mean(), (x**2).mean()
    one = torch.ones((), dtype=x.dtype)
    rows = [torch.stack([mean_square, mean]), torch.stack([mean, one])]
    return 2 * torch.stack(rows)


def curvature_by_torch(loss, θ):
    θ = torch.tensor(θ, dtype=torch.float64)
    return torch.autograd.functional.hessian(loss, θ)


# --8<-- [end:curvature]


def run(quick=False):
    steps = 10 if quick else STEPS
    w, b, floor = least_squares(x[:, None], y[:, None])
    path, losses = walk(loss, START, LEARNING_RATE, steps)

    # --8<-- [start:eigen]
    hessian = curvature(x)
    (λmin, λmax), directions = torch.linalg.eigh(hessian)
    along, across = directions.T
    # --8<-- [end:eigen]
    along, across = along * along[0].sign(), across * across[1].sign()

    ws, bs = torch.linspace(-2, 6, GRID).tolist(), torch.linspace(0, 6, GRID).tolist()
    heights = grid(ws, bs)
    mesh = [
        [torch.tensor([w, b]) + a * along + c * across for a in torch.linspace(-3.4, 3.0, MESH[0]).tolist()]
        for c in torch.linspace(-2.6, 2.6, MESH[1]).tolist()
    ]
    there = curvature_by_torch(loss, START)
    elsewhere = curvature_by_torch(loss, (5.0, 5.0))
    away = [torch.tensor(point, dtype=torch.float64) - torch.tensor([w, b]) for point in path]
    return {
        "best": {"w": w, "b": b, "loss": floor},
        "start": {"w": START[0], "b": START[1], "loss": losses[0]},
        "lr": LEARNING_RATE,
        "path": path,
        "losses": losses,
        "ws": ws,
        "bs": bs,
        "heights": heights,
        "surface": {
            "w": [[θ[0].item() for θ in row] for row in mesh],
            "b": [[θ[1].item() for θ in row] for row in mesh],
            "loss": [[loss(θ).item() for θ in row] for row in mesh],
        },
        "evaluations": GRID**2,
        "hessian": {"ww": hessian[0, 0].item(), "wb": hessian[0, 1].item(), "bb": hessian[1, 1].item()},
        "mean": {"x": x.mean().item(), "x2": (x**2).mean().item()},
        "hessian_gap": max((there - hessian).abs().max().item(), (elsewhere - hessian).abs().max().item()),
        "curvature": {"min": λmin.item(), "max": λmax.item(), "condition": (λmax / λmin).item()},
        "along": {"w": along[0].item(), "b": along[1].item()},
        "across": {"w": across[0].item(), "b": across[1].item()},
        "wall": 2 / λmax.item(),
        # The walk in the two directions of the valley.
        "away": {
            "along": [(d @ along).item() for d in away],
            "across": [(d @ across).item() for d in away],
        },
        "equal_distance": {
            "along": loss(torch.tensor([w, b]) + along).item() - floor,
            "across": loss(torch.tensor([w, b]) + across).item() - floor,
        },
        "sides_changed": sum((d @ across).item() * (e @ across).item() < 0 for d, e in pairwise(away[:21])),
    }


def draw_surface(ax, results):
    surface = results["surface"]
    ws, bs, heights = (torch.tensor(surface[key]).numpy() for key in ("w", "b", "loss"))
    ink = colour("data")
    ax.plot_surface(
        ws, bs, heights, rstride=1, cstride=1, color=ink, alpha=0.3, edgecolor=ink, linewidth=0.4, shade=False
    )
    losses = results["losses"][:41]
    path = results["path"][: len(losses)]
    ax.plot(*zip(*path, strict=True), losses, color=colour("update"), lw=1.5, marker=".", ms=4)
    best = results["best"]
    ax.plot([best["w"]], [best["b"]], [best["loss"]], "*", color=colour("truth"), ms=11)
    ax.view_init(elev=34, azim=-48)
    ax.set_box_aspect(None, zoom=1.08)
    ax.set(xlabel="w (slope)", ylabel="b (intercept)", title="A gutter, steep across, nearly flat along")
    ax.text2D(0.93, 0.71, "loss", transform=ax.transAxes)
    # The colour of the grid has no public name.
    for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
        axis.pane.set_visible(False)
        axis.line.set_color(colour("data"))
        axis._axinfo["grid"]["color"] = colour("data")
        axis._axinfo["grid"]["linewidth"] = 0.3


def draw_map(ax, results):
    levels = [results["best"]["loss"] + 0.02 * 4**k for k in range(7)]
    ax.contour(results["ws"], results["bs"], results["heights"], levels=levels, colors=colour("data"), linewidths=0.8)
    ax.plot(*zip(*results["path"], strict=True), color=colour("update"), lw=1.3, marker=".", ms=4)
    best, start = results["best"], results["start"]
    ax.plot(best["w"], best["b"], "*", color=colour("truth"), ms=11)
    ax.annotate("start", (start["w"], start["b"]), xytext=(-6, -16), textcoords="offset points", ha="center")
    for name, ha, offset in (("along", "left", (0, 6)), ("across", "left", (6, 0))):
        end = [best[key] + 2.4 * results[name][key] for key in "wb"]
        ax.annotate(
            "", end, xytext=(best["w"], best["b"]), arrowprops={"arrowstyle": "->", "color": colour("truth"), "lw": 1.2}
        )
        ax.annotate(name, end, xytext=offset, textcoords="offset points", ha=ha)
    ax.set(xlabel="w (slope)", ylabel="b (intercept)", title="The same walk on the map", aspect="equal")
    ax.set(xlim=(-2, 6), ylim=(0, 6))


def draw(results):
    figure = plt.figure(figsize=(5.2, 8.2))
    places = figure.add_gridspec(2, 1, height_ratios=(1.05, 1))
    draw_surface(figure.add_subplot(places[0], projection="3d", computed_zorder=False), results)
    draw_map(figure.add_subplot(places[1]), results)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
