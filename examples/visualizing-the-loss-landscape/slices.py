"""What does a straight slice through a landscape show that is not there, and hide that is?

    python examples/visualizing-the-loss-landscape/slices.py

Two slices through the saddle of two weights, two ways between the same two minima of sin(x² + y²), and
random slices through saddles of many dimensions. Takes a second.
"""

import math

import matplotlib.pyplot as plt
import torch

from trainloop.figures import colour, label_ends
from trainloop.landscapes import sin_r2

DIMENSIONS = (2, 3, 10, 100)
SLICES = 10_000


# --8<-- [start:slice]
def slice_of(f, a, b, count=61):
    """The values of f along the straight line from a to b."""
    s = torch.linspace(0, 1, count, dtype=torch.float64)
    a, b = torch.tensor(a), torch.tensor(b)
    points = a + s[:, None] * (b - a)
    return f(points[:, 0], points[:, 1]).tolist()


def two_weights(w1, w2):
    return (w2 * w1 - 1) ** 2 / 2


# --8<-- [end:slice]


# --8<-- [start:random]
def share_that_curves_up(n, slices, generator):
    """Random slices through a saddle that falls along one of n axes."""
    λ = torch.ones(n, dtype=torch.float64)
    λ[0] = -1
    d = torch.randn(slices, n, generator=generator, dtype=torch.float64)
    return ((λ * d**2).sum(dim=1) > 0).double().mean().item()


# --8<-- [end:random]


def run(quick=False):
    slices = 500 if quick else SLICES
    ridge = slice_of(two_weights, (1.3, -1.3), (-1.3, 1.3))
    valley = slice_of(two_weights, (-1.3, -1.3), (1.3, 1.3))
    r = math.sqrt(1.5 * math.pi)
    straight = slice_of(sin_r2.f, (-r, 0.0), (r, 0.0))
    angle = torch.linspace(math.pi, 0, 61, dtype=torch.float64)
    around = sin_r2.f(r * torch.cos(angle), r * torch.sin(angle)).tolist()
    generator = torch.Generator().manual_seed(42)
    rows = [{"n": n, "share": share_that_curves_up(n, slices, generator)} for n in DIMENSIONS]
    return {
        "ridge": ridge,
        "valley": valley,
        "straight": straight,
        "around": around,
        "bottom": {
            "height": min(ridge),
            "at": ridge.index(min(ridge)) - 30,
            "top_of_other": valley[30],
            "other_lowest": min(valley),
        },
        "barrier": {
            "straight": max(slice_of(sin_r2.f, (-r, 0.0), (r, 0.0), 2001)),
            "around": max(around),
            "ends": straight[0],
        },
        "lengths": {"straight": 2 * r, "around": math.pi * r},
        "slices": slices,
        "rows": rows,
    }


def draw(results):
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(5.2, 5.8))
    where = [-1.3 + 2.6 * i / 60 for i in range(61)]
    seen = [i for i, height in enumerate(results["ridge"]) if height < 1.6]
    bowl = [results["ridge"][i] for i in seen]
    lines = [
        (top.plot([where[i] for i in seen], bowl, color=colour("wrong"))[0], "slice 1"),
        (top.plot(where, results["valley"], color=colour("truth"), ls="--")[0], "slice 2"),
    ]
    top.plot(0, 0.5, "X", color=colour("truth"), ms=8)
    top.set(
        ylim=(0, 1.7),
        xlim=(-1.3, 1.3),
        xlabel="a, in w₁ = a, w₂ = ∓a",
        ylabel="loss",
        title="Slice 1 shows a minimum. It is a saddle.",
    )
    label_ends(top, lines)
    along = [i / 60 for i in range(61)]
    lines = [
        (bottom.plot(along, results["straight"], color=colour("wrong"))[0], "straight"),
        (bottom.plot(along, results["around"], color=colour("truth"), ls="--")[0], "around"),
    ]
    bottom.set(
        ylim=(-1.15, 1.15),
        xlim=(0, 1),
        xlabel="share of the way",
        ylabel="loss",
        title="Two ways between the same two minima",
    )
    label_ends(bottom, lines)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
