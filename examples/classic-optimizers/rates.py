"""How much does momentum buy on a ravine, and is the best of it what theory says?

    python examples/classic-optimizers/rates.py

Quadratics of condition number 10 to 1,000: plain SGD and momentum at their theoretical optima, and a sweep of
momenta, each with its best rate found by search. Measured is the factor by which a step shrinks the distance. Takes
ten seconds.
"""

import math

import matplotlib.pyplot as plt
import torch

from trainloop.figures import colour, label_ends, line
from trainloop.landscapes import descend, quadratic
from trainloop.optim import SGD

CONDITIONS = (10, 100, 1000)
SWEPT = 100
MOMENTA = (0.0, 0.2, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.9, 0.95)


# --8<-- [start:theory]
def best_plain(κ):
    """The best learning rate of plain gradient descent for curvatures from 1 to κ, and its factor per step."""
    return {"lr": 2 / (κ + 1), "factor": (κ - 1) / (κ + 1)}


def best_momentum(κ):
    """Polyak's best learning rate and momentum, and their factor per step."""
    root = (math.sqrt(κ) - 1) / (math.sqrt(κ) + 1)
    return {"lr": (2 / (math.sqrt(κ) + 1)) ** 2, "momentum": root**2, "factor": root}


# --8<-- [end:theory]


def factor(κ, steps, **options):
    """By how much a step shrinks the distance to the minimum, on average over the second half of a walk."""
    path = descend(quadratic(κ), lambda p: SGD(p, **options), steps, start=(1.0, 1.0))
    norms = torch.tensor(path, dtype=torch.float64).norm(dim=1)
    late = norms[len(norms) // 2 :]
    late = late[late > 1e-12]  # beyond, rounding is all there is
    swings = late.unfold(0, min(20, len(late) - 1), 1).max(dim=1).values  # the envelope of a swinging walk
    if len(swings) < 2 or not torch.isfinite(swings).all():
        return float("inf")
    return (swings[-1] / swings[0]).item() ** (1 / (len(swings) - 1))


def run(quick=False):
    rows = []
    for κ in CONDITIONS[:1] if quick else CONDITIONS:
        plain, heavy = best_plain(κ), best_momentum(κ)
        measured = {
            "plain": factor(κ, 60 if quick else 4 * κ, lr=plain["lr"]),
            "heavy": factor(κ, 60 if quick else int(24 * math.sqrt(κ)), lr=heavy["lr"], momentum=heavy["momentum"]),
        }
        rows.append(
            {
                "condition": κ,
                "momentum": heavy["momentum"],
                "plain": measured["plain"],
                "plain_paper": plain["factor"],
                "plain_steps": math.log(1e-6) / math.log(plain["factor"]),
                "heavy": measured["heavy"],
                "heavy_paper": heavy["factor"],
                "heavy_steps": math.log(1e-6) / math.log(heavy["factor"]),
            }
        )
    sweep = []
    for μ in (0.0, 0.5) if quick else MOMENTA:
        wall = 2 * (1 + μ) / SWEPT
        found = {share: factor(SWEPT, 60 if quick else 240, lr=share * wall, momentum=μ) for share in
                 (0.25, 0.4, 0.55, 0.7, 0.8, 0.9, 0.95, 0.98)}  # fmt: skip
        best = min(found, key=found.get)
        sweep.append({"momentum": μ, "lr": best * wall, "share": best, "factor": found[best]})
    top = min(sweep, key=lambda row: row["factor"])
    walls = {}
    for share in (0.99, 1.01):
        options = {"lr": share * 2 * 1.9 / SWEPT, "momentum": 0.9}
        walls[f"{share}"] = factor(SWEPT, 60 if quick else 400, **options)
    return {
        "rows": rows,
        "swept": SWEPT,
        "sweep": sweep,
        "best": top,
        "theory": best_momentum(SWEPT),
        "plain": best_plain(SWEPT),
        "walls": walls,
        "wall": {"plain": 2 / SWEPT, "heavy": 2 * 1.9 / SWEPT},
    }


def draw(results):
    figure, ax = plt.subplots()
    xs, ys = zip(*((row["momentum"], row["factor"]) for row in results["sweep"]), strict=True)
    (measured,) = ax.plot(xs, ys, marker="o", **line("momentum"))
    bound = [math.sqrt(μ) for μ in xs]
    (below,) = ax.plot(xs, bound, color=colour("truth"), ls=":", lw=1.2)
    ax.axvline(results["theory"]["momentum"], color=colour("data"), lw=0.8)
    ax.annotate(
        f"Polyak's μ = {results['theory']['momentum']:.2f}",
        (results["theory"]["momentum"], 0.15),
        xytext=(-6, 0),
        textcoords="offset points",
        ha="right",
        color=colour("data"),
    )
    ax.set(
        ylim=(0, 1.05),
        xlim=(-0.02, 1.0),
        xlabel="momentum μ, each at its best learning rate",
        ylabel="distance kept per step",
        title=f"The right momentum is {results['theory']['momentum']:.2f} here",
    )
    label_ends(ax, [(measured, "measured"), (below, "√μ")])
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
