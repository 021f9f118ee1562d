"""Which weights decay under Adam with an L2 penalty, and which under AdamW?

    python examples/adaptive-optimizers/decay.py

Weights that begin at 1 and see gradients of pure noise, of sizes from 0.01 to 100, so that only decay can move their
mean: what is left of it after 2,000 steps, 2,000 weights for each size. Takes ten seconds.
"""

import matplotlib.pyplot as plt
import torch

from trainloop.figures import NAMES, colour, label_ends, line
from trainloop.optim import SGD, Adam, AdamW

# --8<-- [start:setup]
LR, DECAY = 1e-3, 0.3
STEPS, WEIGHTS = 2000, 2000
SIZES = tuple(10 ** (k / 2) for k in range(-4, 5))  # 0.01 … 100

RULES = {
    "sgd": lambda p: SGD(p, lr=LR, weight_decay=DECAY),
    "adam": lambda p: Adam(p, lr=LR, weight_decay=DECAY),
    "adamw": lambda p: AdamW(p, lr=LR, weight_decay=DECAY),
}
# --8<-- [end:setup]


def left(make, steps, weights):
    """The mean of the weights in the end, for each size of gradient."""
    generator = torch.Generator().manual_seed(0)
    θ = torch.ones(len(SIZES), weights, requires_grad=True)
    sizes = torch.tensor(SIZES)[:, None]
    optimizer = make([θ])
    for _ in range(steps):
        θ.grad = sizes * torch.randn(θ.shape, generator=generator)
        optimizer.step()
    return θ.detach().mean(1).tolist(), (θ.detach().std(1) / weights**0.5).tolist()


def run(quick=False):
    steps, weights = (50, 50) if quick else (STEPS, WEIGHTS)
    found = {name: left(make, steps, weights) for name, make in RULES.items()}
    return {
        "sizes": list(SIZES),
        "lr": LR,
        "decay": DECAY,
        "steps": steps,
        "expected": (1 - LR * DECAY) ** steps,
        "curves": {name: means for name, (means, _) in found.items()},
        "errors": {name: errors for name, (_, errors) in found.items()},
        "adam": {"smallest": found["adam"][0][0], "one": found["adam"][0][4], "largest": found["adam"][0][-1]},
        "adamw": {"smallest": found["adamw"][0][0], "one": found["adamw"][0][4], "largest": found["adamw"][0][-1]},
    }


def draw(results):
    figure, ax = plt.subplots()
    names = {"sgd": "SGD + L2", "adam": "Adam + L2", "adamw": NAMES["adamw"]}
    lines = [
        (ax.plot(results["sizes"], curve, marker=".", **line(name))[0], names[name])
        for name, curve in results["curves"].items()
        if name != "sgd"
    ]
    ax.axhline(results["expected"], color=colour("truth"), lw=0.8, ls=":")
    ax.set(
        xscale="log",
        ylim=(-0.05, 1.1),
        xlabel="size of the gradients",
        ylabel="what is left of the weights",
        title="Inside Adam, large gradients stop decay",
    )
    label_ends(ax, lines)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
