"""What does the loss do just below, exactly at and just above 2/λmax, and can λmax be read off the curves?

    python examples/visualizing-the-loss-landscape/wall.py

Three runs of 400 steps: two per cent below the wall, on it, two per cent above. Takes two seconds.
"""

import math

import matplotlib.pyplot as plt
import torch

from trainloop.data import least_squares, noisy_line
from trainloop.figures import label_ends, line

# --8<-- [start:setup]
START = (-1.0, 2.0)
STEPS = 400
FRACTIONS = {"below": 0.98, "at": 1.0, "above": 1.02}

x, y = noisy_line(dtype=torch.float64)
X = torch.cat([x, torch.ones_like(x)], dim=1)


def train(lr, steps):
    θ = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    path, losses = [], []
    for _ in range(steps):
        loss = (X @ θ - y[:, 0]).square().mean()
        loss.backward()
        path.append(θ.tolist())
        losses.append(loss.item())
        with torch.no_grad():
            θ -= lr * θ.grad
        θ.grad = None
    return path, losses


# --8<-- [end:setup]


# --8<-- [start:read]
def read_curvature(losses, lr, floor):
    """λmax from two losses of one run that shrinks or grows by |1 − ηλ|.

    The distance changes by that factor, the loss above the floor by its
    square; at these rates the jump changes sides, so 1 − ηλ is negative.
    """
    factor = -math.sqrt((losses[-1] - floor) / (losses[-2] - floor))
    return (1 - factor) / lr


# --8<-- [end:read]


def run(quick=False):
    steps = 100 if quick else STEPS
    floor = least_squares(x, y)[2]
    λmax = torch.linalg.eigvalsh(2 / len(x) * X.T @ X)[1].item()
    wall = 2 / λmax
    found, rows = {}, []
    for side, fraction in FRACTIONS.items():
        path, losses = train(fraction * wall, steps)
        # Below the wall the loss reaches its floor to the last digit, and there is nothing left to read.
        until = 120 if side == "below" else steps
        read = read_curvature(losses[:until], fraction * wall, floor)
        found[side] = {"lr": fraction * wall, "excess": [loss - floor for loss in losses], "path_end": path[-4:]}
        rows.append(
            {
                "side": side,
                "lr": fraction * wall,
                "factor": 1 - fraction * wall * λmax,
                "start": losses[0],
                "after_100": losses[99],
                "end": losses[-1],
                "read": read,
                "error": abs(read / λmax - 1),
            }
        )
    last, before = found["at"]["path_end"][-1], found["at"]["path_end"][-2]
    # With no floor subtracted: what anyone can read off the printout of a diverging run.
    _, losses = train(1.02 * wall, steps)
    blind = read_curvature(losses, 1.02 * wall, 0.0)
    return {
        "curvature": λmax,
        "wall": wall,
        "floor": floor,
        "rows": rows,
        "runs": found,
        "swing": {
            "w_even": before[0],
            "w_odd": last[0],
            "b_even": before[1],
            "b_odd": last[1],
            "middle_w": (before[0] + last[0]) / 2,
            "middle_b": (before[1] + last[1]) / 2,
        },
        "period_two": max(math.dist(found["at"]["path_end"][i], found["at"]["path_end"][i + 2]) for i in (0, 1)),
        "blind": {"read": blind, "error": abs(blind / λmax - 1), "last": losses[-1], "before": losses[-2]},
    }


def draw(results):
    figure, ax = plt.subplots(figsize=(5.2, 3.8))
    lines = []
    words = {"below": "converges", "at": "bounces", "above": "diverges"}
    for side, run_ in results["runs"].items():
        excess = [height for height in run_["excess"][:201] if height < 1e6]
        lines.append((ax.plot(excess, **line(side))[0], words[side]))
    ax.set(
        yscale="log",
        xlabel="step",
        ylabel="loss above the best line's",
        xlim=(0, 200),
        ylim=(1e-7, 1e6),
        title="Two per cent decide",
    )
    label_ends(ax, lines)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
