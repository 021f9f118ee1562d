"""What does a difference measure when the loss changes between its two evaluations?

    python examples/numerical-vs-analytical-gradients/moving_loss.py

Central differences of a loss on a mini-batch: the same batch twice, a fresh batch each time, a fresh dropout
mask each time, and the mask pinned by a seed. Takes two seconds.
"""

import matplotlib.pyplot as plt
import torch

from trainloop.figures import colour

STEPS = tuple(10.0**-k for k in range(11))  # 1 … 1e-10
SEEDS = range(10)
BATCH = 20
DROPPED = 0.2


def problem(seed, n=100):
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    x, W, b = normal(n, 3), 0.7 * normal(3, 3), 0.5 * normal(3)
    y = torch.tanh(x @ W + b) + 0.05 * normal(n, 3)
    return x, y, 0.7 * normal(3, 3)


# --8<-- [start:losses]
def loss(x, y, W):
    return (torch.tanh(x @ W) - y).square().mean()


def same_batch(x, y, W):
    return loss(x[:BATCH], y[:BATCH], W)


def fresh_batch(x, y, W):
    chosen = torch.randperm(len(x))[:BATCH]
    return loss(x[chosen], y[chosen], W)


def fresh_mask(x, y, W):
    return loss(torch.nn.functional.dropout(x, DROPPED), y, W)


def pinned_mask(x, y, W):
    torch.manual_seed(0)  # the same mask at every evaluation
    return fresh_mask(x, y, W)
# --8<-- [end:losses]


LOSSES = {
    "same_batch": same_batch,
    "fresh_batch": fresh_batch,
    "fresh_mask": fresh_mask,
    "pinned_mask": pinned_mask,
}


def relative_error(f, x, y, W, h):
    """Distance between autograd's gradient and central differences, relative to the gradient's length."""
    θ = W.clone().requires_grad_()
    gradient = torch.autograd.grad(f(x, y, θ), θ)[0]
    measured = torch.empty_like(W)
    for i in range(W.numel()):
        nudge = torch.zeros_like(W)
        nudge.view(-1)[i] = h
        measured.view(-1)[i] = (f(x, y, W + nudge) - f(x, y, W - nudge)) / (2 * h)
    return ((measured - gradient).norm() / gradient.norm()).item()


def run(quick=False):
    steps, seeds = (STEPS[::5], SEEDS[:2]) if quick else (STEPS, SEEDS)
    curves = {}
    for name, f in LOSSES.items():
        errors = []
        for seed in seeds:
            x, y, W = problem(seed)
            torch.manual_seed(seed)
            errors.append([relative_error(f, x, y, W, h) for h in steps])
        table = torch.tensor(errors, dtype=torch.float64)
        low, middle, high = (table.quantile(q, dim=0).tolist() for q in (0.1, 0.5, 0.9))
        curves[name] = {"low": low, "median": middle, "high": high}
    at = steps.index(1e-5) if 1e-5 in steps else -1
    return {
        "steps": list(steps),
        "curves": curves,
        "seeds": len(seeds),
        "at_1e-5": {name: curve["median"][at] for name, curve in curves.items()},
        "batch": BATCH,
    }


def draw(results):
    figure, ax = plt.subplots(figsize=(5.2, 4.2))
    styles = {
        "fresh_batch": ("wrong", "-", "fresh batch"),
        "fresh_mask": ("wrong", (0, (4, 1.5)), "fresh mask"),
        "same_batch": ("central_difference", "-", "same batch"),
        "pinned_mask": ("central_difference", (0, (4, 1.5)), "pinned mask"),
    }
    for name, (concept, dashes, label) in styles.items():
        curve = results["curves"][name]
        ax.fill_between(results["steps"], curve["low"], curve["high"], color=colour(concept), alpha=0.13, lw=0)
        ax.plot(results["steps"], curve["median"], color=colour(concept), ls=dashes, label=label)
    ax.axhline(1, color=colour("data"), lw=1, ls=":")
    ax.set(xscale="log", yscale="log", xlabel="step h", ylabel="relative error of the gradient")
    ax.set_title("A loss that moves: smaller h, larger lie")
    ax.legend(loc="upper right", handlelength=2.4)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
