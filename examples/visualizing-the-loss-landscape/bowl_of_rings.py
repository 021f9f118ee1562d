"""How many minima are left when the rings of sin r² fade and stand in a bowl?

    python examples/visualizing-the-loss-landscape/bowl_of_rings.py

f = sin(r²)/(r² + 1) + r²/10, the surface of the course's chapter on optimizers: its valleys along one ray,
and where walks from 7,921 starts end. Takes two seconds.
"""

import math

import matplotlib.pyplot as plt
import torch

from trainloop.figures import colour

LEARNING_RATE = 0.05
LIMIT = 4.4


# --8<-- [start:surface]
def f(x, y):
    s = x**2 + y**2
    return torch.sin(s) / (s + 1) + 0.1 * s


def slope(s):
    """df/ds for s = r²; a step along the ray sees 2r times this."""
    return torch.cos(s) / (s + 1) - torch.sin(s) / (s + 1) ** 2 + 0.1


def turning_points(s):
    """From − to + the slope leaves a valley, from + to − a ridge."""
    sign = slope(s).sign()
    changes = torch.nonzero(sign[:-1] * sign[1:] < 0).flatten()
    kinds = ["valley" if sign[i + 1] > 0 else "ridge" for i in changes]
    return list(zip(s[changes].tolist(), kinds, strict=True))


# --8<-- [end:surface]


def walk(x, y, steps, lr=LEARNING_RATE):
    for _ in range(steps):
        pull = 2 * slope(x**2 + y**2)
        x, y = x - lr * pull * x, y - lr * pull * y
    return x, y


def run(quick=False):
    count, steps = (11, 300) if quick else (89, 1500)
    found = turning_points(torch.linspace(0, 40, 400_001, dtype=torch.float64))
    rows = [{"kind": "valley", "r": 0.0, "height": 0.0}]
    for s, kind in found:
        r = math.sqrt(s)
        rows.append({"kind": kind, "r": r, "height": f(torch.tensor(r), torch.tensor(0.0)).item()})
    line = torch.linspace(-LIMIT, LIMIT, count, dtype=torch.float64)
    y, x = torch.meshgrid(line, line, indexing="ij")
    x_end, y_end = walk(x, y, steps)
    r_end = torch.hypot(x_end, y_end)
    chapter = torch.hypot(*walk(*torch.tensor((2.5, 2.5), dtype=torch.float64), steps)).item()
    # The flattest place between the second ring of the fading sine and the bowl that swallowed it.
    s = torch.linspace(6, 14, 80_001, dtype=torch.float64)
    flattest = s[slope(s).argmin()].item()
    r = torch.linspace(0, LIMIT, 121, dtype=torch.float64)
    return {
        "rows": rows,
        "walks": count**2,
        "to_centre": (r_end < 0.01).double().mean().item(),
        "to_ring": ((r_end - rows[-1]["r"]).abs() < 0.01).double().mean().item(),
        "chapter_start": {
            "r": math.hypot(2.5, 2.5),
            "r_end": chapter,
            "height": f(torch.tensor(chapter), torch.tensor(0.0)).item(),
        },
        "flattest": {"r": math.sqrt(flattest), "slope": slope(torch.tensor(flattest, dtype=torch.float64)).item()},
        "profile": {"r": r.tolist(), "f": f(r, torch.zeros_like(r)).tolist(), "sine": torch.sin(r**2).tolist()},
    }


def draw(results):
    figure, ax = plt.subplots(figsize=(5.2, 3.4))
    profile = results["profile"]
    ax.plot(profile["r"], profile["sine"], color=colour("data"), lw=1, ls="--")
    ax.plot(profile["r"], profile["f"], color=colour("start_a"))
    for row in results["rows"]:
        mark = "*" if row["kind"] == "valley" else "^"
        ax.plot(row["r"], row["height"], mark, color=colour("truth"), ms=11 if mark == "*" else 6)
    ax.set(
        xlabel="r, distance from the middle",
        ylabel="height",
        ylim=(-1.1, 2.2),
        xlim=(-0.1, LIMIT),
        title="The bowl leaves one ring",
    )
    ax.annotate("sin r²", (1.9, -0.85), xytext=(-4, 0), ha="right", textcoords="offset points", color=colour("data"))
    ax.annotate(
        "with the bowl", (3.9, 1.5), xytext=(-6, 6), ha="right", textcoords="offset points", color=colour("start_a")
    )
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
