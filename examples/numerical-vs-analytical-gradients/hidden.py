"""Would you see a wrong gradient in the loss curve?

    python examples/numerical-vs-analytical-gradients/hidden.py

Gradient descent on the problem of `planted.py` with the right gradient and with six wrong ones, ten seeds.
Takes two seconds.
"""

import matplotlib.pyplot as plt
import torch

from trainloop.figures import colour, line

SEEDS = range(10)
STEPS = 300
LEARNING_RATE = 0.5
EVERY = 10  # steps between two points of a drawn curve

BUGS = {
    "factor": "factor 2 forgotten",
    "slope": "tanh′ forgotten",
    "transposed": "∂L/∂W transposed",
    "bias": "b: sum over everything",
    "sample": "last sample left out",
    "sign": "one sign",
}


def problem(seed, n=100):
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    x, W, b = normal(n, 3), 0.7 * normal(3, 3), 0.5 * normal(3)
    y = torch.tanh(x @ W + b) + 0.05 * normal(n, 3)
    return x, y, 0.7 * normal(3, 3), 0.5 * normal(3)


def step(x, y, W, b, bug):
    """Loss before the step, and W and b after it, with at most one bug in the gradient."""
    p = torch.tanh(x @ W + b)
    dp = (1 if bug == "factor" else 2) * (p - y) / y.numel()
    dz = dp if bug == "slope" else dp * (1 - p**2)
    if bug == "sample":
        x, dz = x[:-1], dz[:-1]
    dW = dz.T @ x if bug == "transposed" else x.T @ dz
    db = dz.sum() if bug == "bias" else dz.sum(dim=0)
    if bug == "sign":
        dW[2, 0] *= -1
    return (p - y).square().mean().item(), W - LEARNING_RATE * dW, b - LEARNING_RATE * db


def train(seed, bug, steps):
    x, y, W, b = problem(seed)
    losses = []
    for _ in range(steps):
        value, W, b = step(x, y, W, b, bug)
        losses.append(value)
    return losses


def run(quick=False):
    seeds, steps = (SEEDS[:2], 20) if quick else (SEEDS, STEPS)
    curves, rows, ends = {}, [], {}
    for bug in ("none", *BUGS):
        losses = torch.tensor([train(seed, bug, steps) for seed in seeds], dtype=torch.float64)
        low, middle, high = (losses.quantile(q, dim=0) for q in (0.1, 0.5, 0.9))
        curves[bug] = {"low": low[::EVERY].tolist(), "median": middle[::EVERY].tolist(), "high": high[::EVERY].tolist()}
        ends[bug] = losses[:, -1]
        fallen = losses[:, 0] / losses[:, -1]
        rows.append({
            "gradient": "as it should be" if bug == "none" else BUGS[bug],
            "low": low[-1].item(),
            "median": middle[-1].item(),
            "high": high[-1].item(),
            "halved": int((fallen > 2).sum()),
            "worse": None if bug == "none" else int((ends[bug] > 1.1 * ends["none"]).sum()),
        })
    return {"curves": curves, "rows": rows, "seeds": len(seeds), "every": EVERY, "floor": 0.05**2}


def draw(results):
    figure, axes = plt.subplots(3, 2, figsize=(5.2, 7.0), sharex=True, sharey=True)
    right = results["curves"]["none"]
    steps = [results["every"] * i for i in range(len(right["median"]))]
    for ax, (bug, title) in zip(axes.flat, BUGS.items(), strict=True):
        curve = results["curves"][bug]
        ax.fill_between(steps, curve["low"], curve["high"], color=colour("wrong"), alpha=0.18, lw=0)
        ax.plot(steps, right["median"], color=colour("autograd"), lw=1.3)
        ax.plot(steps, curve["median"], **line("wrong"))
        ax.set(yscale="log")
        ax.set_title(title, fontsize=11, weight="normal")
    figure.suptitle("Six wrong gradients, five falling losses", x=0.01, ha="left", fontsize=12, weight="bold")
    for ax in axes[-1]:
        ax.set_xlabel("step")
    for ax in axes[:, 0]:
        ax.set_ylabel("loss")
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
