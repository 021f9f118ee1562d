"""Which learning rate is the fastest, and is 2/(λmin + λmax) it?

    python examples/visualizing-the-loss-landscape/best_rate.py

Steps until the distance to the best line is a millionth of what it was, for 80 learning rates, from 24
starts all round. Takes three seconds.
"""

import math

import matplotlib.pyplot as plt
import torch

from trainloop.data import noisy_line
from trainloop.figures import colour

x, y = noisy_line(dtype=torch.float64)
X = torch.cat([x, torch.ones_like(x)], dim=1)
HESSIAN = 2 / len(x) * X.T @ X


# --8<-- [start:count]
def steps_needed(lr, shrink=1e-6, at_most=1000):
    """Until the distance shrinks that far, for the slowest start."""
    angles = torch.arange(24, dtype=torch.float64) * 2 * math.pi / 24
    away = torch.stack([torch.cos(angles), torch.sin(angles)])
    needed = torch.full((24,), at_most)
    for t in range(1, at_most + 1):
        away = away - lr * HESSIAN @ away
        arrived = (away.norm(dim=0) < shrink) & (needed == at_most)
        needed[arrived] = t
        if (needed < at_most).all():
            break
    return needed.max().item()


# --8<-- [end:count]


def run(quick=False):
    λmin, λmax = torch.linalg.eigvalsh(HESSIAN).tolist()
    wall, κ = 2 / λmax, λmax / λmin
    fractions = [k / 100 for k in range(20, 100, 20 if quick else 1)]
    needed = [steps_needed(fraction * wall) for fraction in fractions]
    paper = 2 / (λmin + λmax)
    best = min(zip(needed, fractions, strict=True))[1]
    rate = (κ - 1) / (κ + 1)
    return {
        "rates": len(fractions),
        "fractions": fractions,
        "needed": needed,
        "best": {"lr": best * wall, "fraction": best, "steps": min(needed)},
        "paper": {
            "lr": paper,
            "fraction": paper / wall,
            "factor": rate,
            "steps": math.log(1e-6) / math.log(rate),
            "measured": steps_needed(paper),
        },
        "one_jump": {"lr": 1 / λmax, "steps": steps_needed(1 / λmax)},
        "near_wall": {"fraction": 0.99, "steps": steps_needed(0.99 * wall)},
        "condition": κ,
    }


def draw(results):
    figure, ax = plt.subplots(figsize=(5.2, 3.4))
    pairs = [(f, n) for f, n in zip(results["fractions"], results["needed"], strict=True) if n < 1000]
    ax.plot(*zip(*pairs, strict=True), color=colour("below"))
    paper = results["paper"]
    ax.plot(paper["fraction"], paper["measured"], "*", color=colour("truth"), ms=12)
    ax.annotate(
        "2/(λmin + λmax)",
        (paper["fraction"], paper["measured"]),
        xytext=(-10, -12),
        ha="right",
        textcoords="offset points",
    )
    ax.set(
        yscale="log",
        ylim=(80, 1200),
        xlim=(0, 1.02),
        xlabel="learning rate / wall",
        ylabel="steps to a millionth",
        title="The fastest rate stands close to the wall",
    )
    ax.set_yticks([100, 200, 500, 1000], ["100", "200", "500", "1,000"])
    ax.minorticks_off()
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
