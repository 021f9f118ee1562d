"""What does float32 make of the curve x³ around 1 when you look closer and closer?

    python examples/numerical-vs-analytical-gradients/zoom.py

Ten windows from h = 1 down to h = 0.00000001: the curve as float32 computes it, the secant, the tangent.
Takes a second.
"""

import matplotlib.pyplot as plt
import torch

from trainloop.figures import colour, line

STEPS = {
    1.0: "h = 1: chords of a curve",
    0.3: "h = 0.3: the chords turn",
    0.1: "h = 0.1: the central one is nearly there",
    0.01: "h = 0.01: one line, to the eye",
    1e-4: "h = 10⁻⁴: as good as it gets",
    1e-5: "h = 10⁻⁵: worse again",
    1e-6: "h = 10⁻⁶: the curve has stairs",
    3e-7: "h = 3 × 10⁻⁷: the slope of three steps",
    1e-7: "h = 10⁻⁷: one step up, one down",
    1e-8: "h = 10⁻⁸: no step left",
}
WINDOW = (-1.25, 1.25)  # in units of h
POINTS = 601


def cube(x):
    return x * x * x


def look(h, points):
    """x³ around 1, computed in float32; both axes measured in units of h from the point (1, 1)."""
    across = torch.linspace(*WINDOW, points, dtype=torch.float64)
    x = (1 + h * across).float()  # rounds to the nearest number float32 has
    height = (cube(x).double() - 1) / h

    one, step = torch.tensor(1.0), torch.tensor(h)
    above, below = cube(one + step), cube(one - step)
    return {
        "h": h,
        "across": across.tolist(),
        "height": height.tolist(),
        "levels": len(height.unique()),
        "above": (above.double() - 1).item() / h,
        "below": (below.double() - 1).item() / h,
        "above_digits": f"{above.item():.8f}",
        "forward": ((above - cube(one)) / step).item(),
        "central": ((above - below) / (2 * step)).item(),
    }


def thin(frame):
    """Leave out the points inside a flat stretch: the drawing stays the same and weighs a tenth."""
    across, height = frame["across"], frame["height"]
    last = len(height) - 1
    keep = [i for i in range(last + 1) if i in (0, last) or not height[i - 1] == height[i] == height[i + 1]]
    if len(keep) > 0.9 * len(height):  # a smooth stretch: every sixth point does
        keep = keep[::6]
    return frame | {"across": [across[i] for i in keep], "height": [height[i] for i in keep]}


def run(quick=False):
    frames = [thin(look(h, 61 if quick else POINTS)) for h in STEPS]
    return {"frames": frames, "ulp": torch.finfo(torch.float32).eps}


def draw_frame(frame):
    figure, ax = plt.subplots(figsize=(5.2, 4.3))
    ax.plot(WINDOW, [3 * edge for edge in WINDOW], **line("autograd"), lw=1.3, zorder=2)
    ax.plot(frame["across"], frame["height"], color=colour("float32"), lw=1.8, zorder=3)
    ax.plot([0, 1], [0, frame["above"]], **line("forward_difference"), lw=2, zorder=4)
    ax.plot([-1, 1], [frame["below"], frame["above"]], **line("central_difference"), lw=2, zorder=4)
    ax.plot([-1, 0, 1], [frame["below"], 0, frame["above"]], "o", ms=5, color=colour("float32"), zorder=5)
    ax.set(xlim=WINDOW, ylim=(-4.4, 8.4), xlabel="distance from 1, in units of h", ylabel="rise, in units of h")
    ax.set_title(STEPS[frame["h"]])
    rows = {
        "autograd": ("tangent", "3"),
        "central_difference": ("central", f"{frame['central']:.5f}"),
        "forward_difference": ("forward", f"{frame['forward']:.5f}"),
        "float32": ("(1 + h)³", frame["above_digits"]),
    }
    for row, (concept, (name, number)) in enumerate(rows.items()):
        ink, height = colour(concept), 0.97 - 0.08 * row
        ax.text(0.03, height, name, transform=ax.transAxes, color=ink, va="top")
        ax.text(0.25, height, number, transform=ax.transAxes, color=ink, va="top")
    return figure


def draw(results):
    return {f"frame-{i}": draw_frame(frame) for i, frame in enumerate(results["frames"], 1)}


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
