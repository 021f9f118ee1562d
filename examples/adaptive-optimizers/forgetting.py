"""Which rule forgets that gradients once were large, and how fast?

    python examples/adaptive-optimizers/forgetting.py

Noise as a gradient, 1,000 steps of size 1 and then 3,000 of size 0.01, given to 100 weights at once: the root mean
square of a step under six rules, in learning rates. Takes five seconds.
"""

import matplotlib.pyplot as plt
import torch

from trainloop.figures import colour, label_ends, line
from trainloop.optim import Adagrad, Adam, Adamax, RMSprop

LARGE, SMALL = 1000, 3000
WEIGHTS = 100

# --8<-- [start:rules]
RULES = {
    "Adagrad": lambda p: Adagrad(p, lr=1.0),
    "RMSprop": lambda p: RMSprop(p, lr=1.0),
    "Adam": lambda p: Adam(p, lr=1.0, betas=(0.0, 0.999)),
    "Adamax": lambda p: Adamax(p, lr=1.0, betas=(0.0, 0.999)),
    "AMSGrad": lambda p: Adam(p, lr=1.0, betas=(0.0, 0.999), amsgrad=True),
}  # without a first moment: only what they divide by
# --8<-- [end:rules]


def lengths(make, large, small):
    """The root mean square of each step."""
    generator = torch.Generator().manual_seed(0)
    θ = torch.zeros(WEIGHTS, dtype=torch.float64, requires_grad=True)
    optimizer = make([θ])
    found = []
    for step in range(large + small):
        before = θ.detach().clone()
        size = 1.0 if step < large else 0.01
        θ.grad = size * torch.randn(WEIGHTS, generator=generator, dtype=torch.float64)
        optimizer.step()
        found.append((θ.detach() - before).square().mean().sqrt().item())
    return found


def run(quick=False):
    large, small = (50, 50) if quick else (LARGE, SMALL)
    window = 10 if quick else 50
    rows, curves = [], {}
    for name, make in RULES.items():
        found = lengths(make, large, small)
        smooth = [sum(found[t : t + window]) / window for t in range(0, large + small, window)]
        curves[name] = [float(f"{value:.4g}") for value in smooth]
        recovered = [i for i in range(large, large + small) if found[i] > 0.5]
        rows.append(
            {
                "name": name,
                "early": smooth[0],
                "before": smooth[large // window - 1],
                "drop": smooth[large // window],
                "end": smooth[-1],
                "recovered": recovered[0] - large if recovered else None,
            }
        )
    return {"large": large, "small": small, "window": window, "rows": rows, "curves": curves}


def draw(results):
    figure, ax = plt.subplots()
    inks = {
        "Adagrad": line("adagrad"),
        "RMSprop": line("rmsprop"),
        "Adam": line("adam"),
        "Adamax": {"color": colour("data"), "ls": (0, (5, 1.5))},
        "AMSGrad": {"color": colour("wrong"), "ls": (0, (3, 1, 1, 1))},
    }
    window, lines = results["window"], []
    for name, curve in results["curves"].items():
        middles = [window * (i + 0.5) for i in range(len(curve))]
        lines.append((ax.plot(middles, curve, **inks[name])[0], name))
    ax.axvline(results["large"], color=colour("truth"), lw=0.8, ls=":")
    ax.set(
        yscale="log",
        xlabel="step; at the dotted line gradients shrink to 1 %",
        ylabel="RMS of a step, in learning rates",
        title="Some rules never forget a large gradient",
    )
    label_ends(ax, lines)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
