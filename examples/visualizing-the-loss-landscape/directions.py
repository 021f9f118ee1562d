"""By what factor does one step shrink the distance, in each direction, at each learning rate?

    python examples/visualizing-the-loss-landscape/directions.py

The walk of `landscape.py` at sixteen learning rates, taken apart into its two directions and held against
|1 − ηλ|. Takes a second.
"""

import matplotlib.pyplot as plt
import torch

from trainloop.data import least_squares, noisy_line
from trainloop.figures import colour

START = (-1.0, 2.0)
FRACTIONS = (0.05, 0.15, 0.25, 0.35, 0.45, 0.5, 0.55, 0.65, 0.75, 0.85, 0.92, 0.98, 1.0, 1.02, 1.06, 1.1)
STEPS = 5

x, y = noisy_line(dtype=torch.float64)
X = torch.cat([x, torch.ones_like(x)], dim=1)
best = torch.tensor(least_squares(x, y)[:2], dtype=torch.float64)


# --8<-- [start:factors]
def walk(lr, steps):
    θ = torch.tensor(START, dtype=torch.float64)
    path = [θ]
    for _ in range(steps):
        g = 2 / len(x) * X.T @ (X @ θ - y[:, 0])
        θ = θ - lr * g
        path.append(θ)
    return torch.stack(path)


def measured_factors(lr, directions):
    """How much one step multiplies the distance, by direction."""
    away = (walk(lr, STEPS) - best) @ directions
    return (away[1] / away[0]).tolist()


# --8<-- [end:factors]


def run(quick=False):
    λ, directions = torch.linalg.eigh(2 / len(x) * X.T @ X)
    λmin, λmax = λ.tolist()
    wall = 2 / λmax
    rows = []
    for fraction in FRACTIONS[::8] if quick else FRACTIONS:
        lr = fraction * wall
        along, across = measured_factors(lr, directions)
        rows.append(
            {
                "fraction": fraction,
                "lr": lr,
                "along": along,
                "across": across,
                "gap": max(abs(along - (1 - lr * λmin)), abs(across - (1 - lr * λmax))),
            }
        )
    fastest = 2 / (λmin + λmax)
    return {
        "curvature": {"min": λmin, "max": λmax},
        "rows": rows,
        "rates": len(rows),
        "largest_gap": max(row["gap"] for row in rows),
        "wall": wall,
        "one_jump": 1 / λmax,
        "wall_along": 2 / λmin,
        "fastest": {"lr": fastest, "fraction": fastest / wall, "factor": 1 - fastest * λmin},
        # What the page works out on paper for the walk of `landscape.py`.
        "at_0.7": {"along": 1 - 0.7 * λmin, "across": 1 - 0.7 * λmax},
        "along_at_the_wall": 1 - wall * λmin,
    }


def draw(results):
    figure, ax = plt.subplots(figsize=(5.2, 3.9))
    λmin, λmax = results["curvature"].values()
    rates = torch.linspace(0, 1.12 * results["wall"], 200)
    ink = colour("truth")
    ax.axhspan(1, 1.3, color=colour("above"), alpha=0.13, lw=0)
    ax.plot(rates, (1 - rates * λmax).abs(), color=ink, lw=1.4)
    ax.plot(rates, (1 - rates * λmin).abs(), color=ink, lw=1.4, ls="--")
    for row in results["rows"]:
        side = "below" if row["fraction"] < 1 else "at" if row["fraction"] == 1 else "above"
        ax.plot(row["lr"], abs(row["across"]), "o", ms=5.5, color=colour(side))
        ax.plot(row["lr"], abs(row["along"]), "s", ms=4, color=colour(side))
    fastest = results["fastest"]
    for lr, text in ((results["one_jump"], "1/λmax"), (fastest["lr"], "best"), (results["wall"], "2/λmax")):
        ax.axvline(lr, ymax=0.04, color=ink, lw=1.5)
        side, shift, height = {"1/λmax": ("center", 0, 0.32), "best": ("right", -3, 0.05)}.get(text, ("left", 3, 0.05))
        ax.annotate(text, (lr, height), ha=side, xytext=(shift, 0), textcoords="offset points")
    ax.text(0.02, 1.14, "grows", color=colour("above"))
    ax.annotate("along", (0.2, 1 - 0.2 * λmin), xytext=(0, -15), textcoords="offset points")
    ax.annotate("across", (0.16, 1 - 0.16 * λmax), xytext=(8, 0), textcoords="offset points")
    ax.set(
        xlim=(0, 1.13 * results["wall"]),
        ylim=(0, 1.3),
        xlabel="learning rate",
        ylabel="factor per step, |1 − ηλ|",
        title="One learning rate, two factors",
    )
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
