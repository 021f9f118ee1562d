"""What happens to the path as the learning rate is raised, frame by frame, across the wall?

    python examples/visualizing-the-loss-landscape/raise_the_rate.py

Forty steps from the same start at ten learning rates, from a tenth of 2/λmax to five per cent above it.
Takes two seconds.
"""

import math

import matplotlib.pyplot as plt
import torch
from matplotlib.patches import Ellipse

from trainloop.data import least_squares, noisy_line
from trainloop.figures import colour

START = (-1.0, 2.0)
STEPS = 40
LEVELS = [0.02 * 4**k for k in range(7)]  # of the contours, above the minimum

x, y = noisy_line(dtype=torch.float64)
X = torch.cat([x, torch.ones_like(x)], dim=1)
W, B, FLOOR = least_squares(x, y)
λ, directions = torch.linalg.eigh(2 / len(x) * X.T @ X)
ANGLE = math.degrees(math.atan2(directions[1, 0], directions[0, 0]))
WALL = 2 / λ[1].item()
# As fractions of the wall: slow, one jump onto the floor, the fastest there is, the wall, beyond.
BEST = (2 / λ.sum().item()) / WALL
FRACTIONS = (0.1, 0.25, 0.5, 0.75, 0.9, BEST, 0.99, 1.0, 1.01, 1.05)


def walk(lr, steps):
    θ = torch.tensor(START, dtype=torch.float64)
    path, excess = [θ.tolist()], []
    for _ in range(steps + 1):
        residual = X @ θ - y[:, 0]
        excess.append(residual.square().mean().item() - FLOOR)
        θ = θ - lr * 2 / len(x) * X.T @ residual
        path.append(θ.tolist())
    return path[: steps + 1], excess


def run(quick=False):
    frames = {}
    for number, fraction in enumerate(FRACTIONS, 1):
        path, excess = walk(fraction * WALL, 5 if quick else STEPS)
        frames[f"rate-{number}"] = {
            "fraction": fraction,
            "lr": fraction * WALL,
            "path": path,
            "excess": excess,
            "end": excess[-1],
            "distance": math.dist(path[-1], (W, B)),
        }
    best = min(frames, key=lambda name: frames[name]["end"])
    return {
        "wall": WALL,
        "best": {"w": W, "b": B},
        "steps": STEPS,
        "start_excess": frames["rate-1"]["excess"][0],
        "frames": frames,
        "lowest": best,
    }


def draw_frame(frame, results):
    # Fixed places: nothing may jump from frame to frame.
    figure = plt.figure(figsize=(5.2, 5.3))
    figure.set_layout_engine("none")
    ax, strip = figure.add_axes((0.14, 0.32, 0.83, 0.611)), figure.add_axes((0.14, 0.09, 0.83, 0.13))
    for level in LEVELS:
        # A quadratic's contours are ellipses: half an axis is where ½λa² reaches the level.
        height, width = (2 * math.sqrt(2 * level / curvature) for curvature in (λ[1].item(), λ[0].item()))
        ax.add_patch(Ellipse((W, B), width, height, angle=ANGLE, fill=False, ec=colour("data"), lw=0.7, alpha=0.8))
    side = "below" if frame["fraction"] < 1 else "at" if frame["fraction"] == 1 else "above"
    ax.plot(*zip(*frame["path"], strict=True), color=colour(side), lw=1.3, marker=".", ms=4.5)
    ax.plot(W, B, "*", color=colour("truth"), ms=11)
    share = "the wall" if side == "at" else f"{frame['fraction']:.2f} of the wall"
    ax.set(xlim=(-2, 6), ylim=(0, 6), aspect="equal", xlabel="w", ylabel="b", title=f"lr {frame['lr']:.3f}: {share}")
    strip.plot(frame["excess"], color=colour(side))
    strip.set(yscale="log", xlim=(0, len(frame["excess"]) - 1), ylim=(1e-8, 1e4), xlabel="step", ylabel="excess")
    # Few ticks, and labels without formulas: twenty pictures are drawn.
    ax.set(xticks=range(-2, 7, 2), yticks=range(0, 7, 2))
    strip.set_xticks(range(0, len(frame["excess"]), 10))
    strip.set_yticks([1e-8, 1, 1e4], ["10⁻⁸", "1", "10⁴"])
    strip.minorticks_off()
    return figure


def draw(results):
    return {name: draw_frame(frame, results) for name, frame in results["frames"].items()}


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
