"""Which maps of a loss mislead: one with unequal axes, and one with evenly spaced contours?

    python examples/visualizing-the-loss-landscape/maps.py

Two walks, each drawn twice: once as the plotting library draws it unless told otherwise, once honestly.
Takes two seconds.
"""

import math

import matplotlib.pyplot as plt
import torch
from matplotlib.patches import Ellipse

from trainloop.data import least_squares, noisy_line
from trainloop.figures import colour

x, y = noisy_line(dtype=torch.float64)


def line_loss(inputs):
    """The loss of a line on these inputs, with its best weights, and a walk on it."""
    X = torch.cat([inputs, torch.ones_like(inputs)], dim=1)
    best = torch.tensor(least_squares(inputs, y)[:2], dtype=torch.float64)
    λ, directions = torch.linalg.eigh(2 / len(x) * X.T @ X)
    turned = math.degrees(math.atan2(directions[1, 0], directions[0, 0]))

    def excess(ws, bs):
        gap = (ws - best[0])[..., None] * inputs[:, 0] + (bs - best[1])[..., None]
        return gap.square().mean(dim=-1)

    def walk(start, fraction, steps):
        θ = torch.tensor(start, dtype=torch.float64)
        path = [θ]
        for _ in range(steps):
            θ = θ - fraction * 2 / λ[1] * 2 / len(x) * X.T @ (X @ θ - y[:, 0])
            path.append(θ)
        return torch.stack(path)

    return best, (*λ.tolist(), turned), excess, walk


def run(quick=False):
    steps = 20 if quick else 60
    centred = x - x.mean()
    best, (λmin, λmax, turned), _, walk = line_loss(centred)
    start = (best[0].item() - 3.4, best[1].item() - 1.0)
    path = walk(start, 0.9, steps)
    first, home = path[1] - path[0], best - path[0]
    # The map on which this valley is round: w drawn √κ times smaller than b.
    squeeze = torch.tensor([math.sqrt(λmin), math.sqrt(λmax)], dtype=torch.float64)
    round_angle = angle(first * squeeze, home * squeeze)

    tilted, tilted_shape, tilted_excess, tilted_walk = line_loss(x)
    slow = tilted_walk((-1.0, 2.0), 0.25, steps)
    ws, bs = torch.meshgrid(torch.linspace(-2, 6, 61), torch.linspace(0, 6, 61), indexing="xy")
    highest = tilted_excess(ws, bs).max().item()
    linear = [highest * k / 10 for k in range(1, 10)]
    heights = tilted_excess(slow[:, 0], slow[:, 1]).tolist()
    inside = next(t for t, height in enumerate(heights) if height < linear[0])
    distance = (slow - tilted).norm(dim=1)
    return {
        "round": {
            "best": best.tolist(),
            "path": path[:26].tolist(),
            "condition": λmax / λmin,
            "min": λmin,
            "max": λmax,
            "turned": turned,
            "sides": sum(((path[:20, 1] - best[1]) * (path[1:21, 1] - best[1]) < 0).tolist()),
            "off_course": round_angle,
            "off_course_equal": angle(first, home),
        },
        "levels": {
            "best": tilted.tolist(),
            **dict(zip(("min", "max", "turned"), tilted_shape, strict=True)),
            "path": slow[:26].tolist(),
            "highest": highest,
            "lowest_line": linear[0],
            "linear": linear,
            "start": heights[0],
            "inside": inside,
            "left": distance[1].item(),
            "left_end": distance[-1].item(),
            "steps": steps,
            "excess_end": heights[-1],
        },
    }


def angle(a, b):
    """Between two directions, in degrees."""
    return math.degrees(math.acos((a @ b / a.norm() / b.norm()).item()))


def contours(ax, found, levels):
    """A quadratic's contours are ellipses: half an axis is where ½λa² reaches the level."""
    for level in levels:
        width, height = (2 * math.sqrt(2 * level / found[key]) for key in ("min", "max"))
        style = {"fill": False, "ec": colour("data"), "lw": 0.7}
        ax.add_patch(Ellipse(found["best"], width, height, angle=found["turned"], **style))


def draw(results):
    figure, axes = plt.subplots(2, 2, figsize=(5.2, 5.6))
    found = results["round"]
    w0, b0 = found["best"]
    for ax, title in zip(axes[0], ("axes unequal", "axes equal"), strict=True):
        contours(ax, found, [0.02, 0.1, 0.3, 0.7, 1.3])
        ax.set(title=title, xlabel="w", xlim=(w0 - 4.2, w0 + 4.2), ylim=(b0 - 1.25, b0 + 1.25))
        ax.set_box_aspect(1)
    axes[0, 1].set(ylim=(b0 - 4.2, b0 + 4.2))
    levels = results["levels"]
    steps = {"levels even": levels["linear"], "levels × 4": [0.005 * 4**k for k in range(7)]}
    for ax, (title, chosen) in zip(axes[1], steps.items(), strict=True):
        contours(ax, levels, chosen)
        ax.set(title=title, xlabel="w", xlim=(-2, 6), ylim=(0, 6))
        ax.set_box_aspect(1)
    for row, name in zip(axes, ("round", "levels"), strict=True):
        for ax in row:
            path = results[name]["path"]
            honest = ax is row[1]
            ax.plot(*zip(*path, strict=True), color=colour("update" if honest else "wrong"), lw=1.2, marker=".", ms=3.5)
            ax.plot(*results[name]["best"], "*", color=colour("truth"), ms=9)
            ax.grid(visible=False)
        row[0].set_ylabel("b")
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
