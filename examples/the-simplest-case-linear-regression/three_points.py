"""What do the gradients of a line say about three points, step by step, and when do they fall silent?

    python examples/the-simplest-case-linear-regression/three_points.py

The points (0, 3), (1, 6), (2, 6) from w = b = 0 at learning rate 0.1: small enough for paper. Takes a second.
"""

import matplotlib.pyplot as plt
import torch

from trainloop.data import least_squares
from trainloop.figures import colour

# --8<-- [start:setup]
x = torch.tensor([[0.0], [1.0], [2.0]], dtype=torch.float64)
y = torch.tensor([[3.0], [6.0], [6.0]], dtype=torch.float64)
LR = 0.1
# --8<-- [end:setup]


# --8<-- [start:gradients]
def gradients(w, b):
    residual = w * x + b - y
    return 2 * (residual * x).mean(), 2 * residual.mean()
# --8<-- [end:gradients]


def look(w, b):
    """Everything that is on the sheet of paper for one line."""
    residual = w * x + b - y
    w_grad, b_grad = gradients(w, b)
    return {
        "w": float(w),
        "b": float(b),
        "residuals": residual.flatten().tolist(),
        "loss": residual.square().mean().item(),
        "w_grad": w_grad.item(),
        "b_grad": b_grad.item(),
    }


def run(quick=False):
    w = b = torch.zeros((), dtype=torch.float64)
    steps = []
    for _ in range(4):
        steps.append(look(w, b))
        w_grad, b_grad = gradients(w, b)
        w, b = w - LR * w_grad, b - LR * b_grad
    slope, intercept, _ = least_squares(x, y)

    # The next w after step 2, and what three slips of the pencil make of it.
    now, gradient = steps[2]["w"], steps[2]["w_grad"]
    third = {
        "right": now - LR * gradient,
        "no_two": now - LR * gradient / 2,
        "sum_for_mean": now - LR * gradient * 3,
        "uphill": now + LR * gradient,
        "gradient_of_b": now - LR * steps[2]["b_grad"],
    }
    return {"steps": steps, "shown": steps[:3], "best": look(slope, intercept), "third": third}


def spring(x, low, high, coils=6, width=0.09):
    """Corners of a zigzag from (x, low) to (x, high)."""
    corners = [(x, low), (x, low + 0.12 * (high - low))]
    for i in range(2 * coils):
        height = low + (high - low) * (0.12 + 0.76 * (i + 0.5) / (2 * coils))
        corners.append((x + (width if i % 2 else -width), height))
    return [*corners, (x, low + 0.88 * (high - low)), (x, high)]


def draw(results):
    figure, axes = plt.subplots(1, 3, figsize=(5.2, 3.9), sharey=True)
    moments = {"start": results["steps"][0], "one step": results["steps"][1], "best line": results["best"]}
    for ax, (name, moment) in zip(axes, moments.items(), strict=True):
        for xi, yi in zip(x.flatten().tolist(), y.flatten().tolist(), strict=True):
            zigzag = spring(xi, moment["w"] * xi + moment["b"], yi)
            ax.plot(*zip(*zigzag, strict=True), color=colour("measure"), lw=1.2)
            ax.plot(xi, yi, "o", color=colour("data"), ms=7)
        ends = torch.tensor([-0.4, 2.4])
        ax.plot(ends, moment["w"] * ends + moment["b"], color=colour("predict"), lw=3)
        lift, turn = (round(-moment[key], 6) + 0.0 for key in ("b_grad", "w_grad"))
        ax.set(
            title=name,
            xlabel=f"lift {lift:g}\nturn {turn:g}",
            xlim=(-0.5, 2.5),
            ylim=(-0.6, 7.6),
            xticks=[0, 1, 2],
        )
    axes[0].set_ylabel("y")
    figure.suptitle("The springs pull until lift and turn are zero", fontsize=12, fontweight="bold", x=0.02, ha="left")
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
