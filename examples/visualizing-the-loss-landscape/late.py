"""How long can a run with too large a learning rate look healthy?

    python examples/visualizing-the-loss-landscape/late.py

From a sensible start, the flat line through the middle of the data, one per cent above the wall and five
below it. Takes a second.
"""

from itertools import pairwise

import matplotlib.pyplot as plt
import torch

from trainloop.data import least_squares, noisy_line
from trainloop.figures import colour, label_ends, line

# --8<-- [start:setup]
START = (0.0, 4.0)  # slope zero, intercept the mean of the targets
STEPS = 300

x, y = noisy_line(dtype=torch.float64)
X = torch.cat([x, torch.ones_like(x)], dim=1)
λ, directions = torch.linalg.eigh(2 / len(x) * X.T @ X)
WALL = 2 / λ[1].item()


def train(lr, steps):
    θ = torch.tensor(START, dtype=torch.float64)
    losses, slopes, turns = [], [], []
    for _ in range(steps):
        residual = X @ θ - y[:, 0]
        g = 2 / len(x) * X.T @ residual
        losses.append(residual.square().mean().item())
        slopes.append(g.norm().item())
        turns.append((g @ directions[:, 1]).item())
        θ = θ - lr * g
    return losses, slopes, turns


# --8<-- [end:setup]


def run(quick=False):
    steps = 120 if quick else STEPS
    best = torch.tensor(least_squares(x, y)[:2], dtype=torch.float64)
    along, across = ((torch.tensor(START, dtype=torch.float64) - best) @ directions).abs().tolist()
    runs = {}
    for side, fraction in (("below", 0.95), ("above", 1.01)):
        losses, slopes, turns = train(fraction * WALL, steps)
        lowest = min(range(steps), key=losses.__getitem__)
        runs[side] = {
            "lr": fraction * WALL,
            "losses": losses,
            "start": losses[0],
            "at_10": losses[10],
            "end": losses[-1],
            "lowest": losses[lowest],
            "lowest_step": lowest,
            "back_at_start": next((t for t in range(lowest, steps) if losses[t] > losses[0]), None),
            "slope_turns": min(range(steps), key=slopes.__getitem__),
            # The part of the gradient across the valley changes sign at every step from the first.
            "sign_changes": sum(a * b < 0 for a, b in pairwise(turns[:21])),
            "across_growth": abs(turns[20] / turns[0]),
        }
    return {
        "runs": runs,
        "wall": WALL,
        "floor": least_squares(x, y)[2],
        "mean_y": y.mean().item(),
        "away": {"along": along, "across": across},
    }


def draw(results):
    figure, ax = plt.subplots(figsize=(5.2, 3.6))
    lines = []
    for side, run_ in results["runs"].items():
        drawn = ax.plot([loss for loss in run_["losses"][:181] if loss < 3.5], **line(side))[0]
        lines.append((drawn, f"lr {run_['lr']:.3f}"))
    above = results["runs"]["above"]
    step, lowest = above["lowest_step"], above["lowest"]
    ax.plot(step, lowest, "o", color=colour("above"), ms=6)
    ax.annotate(f"step {step}", (step, lowest), xytext=(0, 22), textcoords="offset points", color=colour("above"))
    ax.set(
        yscale="log",
        xlabel="step",
        ylabel="mean squared error",
        xlim=(0, 180),
        ylim=(0.02, 4),
        title="One per cent too much shows late",
    )
    label_ends(ax, lines)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
