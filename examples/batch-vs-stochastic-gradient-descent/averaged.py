"""Where does the average of many noisy walks go?

    python examples/batch-vs-stochastic-gradient-descent/averaged.py

Five hundred walks of a hundred steps, one example a step, drawn with replacement; their mean beside the
full batch's path. Takes a second.
"""

import matplotlib.pyplot as plt
import torch

from trainloop.data import least_squares, noisy_line
from trainloop.figures import colour

LEARNING_RATE = 0.1
STEPS = 100
WALKS = 500


# --8<-- [start:walks]
def walk(x, y, walks, steps, generator):
    """Positions of all walks after every step, shape (steps + 1, walks, 2)."""
    w, b = torch.zeros(2, walks, dtype=x.dtype)
    positions = [torch.stack([w, b], dim=1)]
    for _ in range(steps):
        i = torch.randint(len(x), (walks,), generator=generator)
        r = w * x[i] + b - y[i]
        w = w - LEARNING_RATE * 2 * r * x[i]
        b = b - LEARNING_RATE * 2 * r
        positions.append(torch.stack([w, b], dim=1))
    return torch.stack(positions)
# --8<-- [end:walks]


def full_batch(x, y, steps):
    θ = torch.zeros(2, dtype=x.dtype)
    path = [θ]
    for _ in range(steps):
        r = θ[0] * x + θ[1] - y
        θ = θ - LEARNING_RATE * torch.stack([(2 * r * x).mean(), (2 * r).mean()])
        path.append(θ)
    return torch.stack(path)


def run(quick=False):
    walks, steps = (20, 10) if quick else (WALKS, STEPS)
    x, y = (t.flatten() for t in noisy_line(dtype=torch.float64))
    slope, intercept, _ = least_squares(x[:, None], y[:, None])
    positions = walk(x, y, walks, steps, torch.Generator().manual_seed(0))
    full, mean = full_batch(x, y, steps), positions.mean(dim=1)

    def excess(θ):
        gap = (θ[..., :1] - slope) * x + (θ[..., 1:] - intercept)
        return gap.square().mean(dim=-1)

    distance = (positions[-1] - full[-1]).norm(dim=1)
    apart = (mean - full).norm(dim=1)
    spread = (positions - full[:, None]).norm(dim=2).mean(dim=1)
    return {
        "walks": walks,
        "steps": steps,
        "ten": positions[:, :3].transpose(0, 1).tolist(),
        "mean": mean.tolist(),
        "full": full.tolist(),
        "best": {"w": slope, "b": intercept},
        "apart": apart[-1].item(),
        "one_apart": distance.mean().item(),
        # A mean of k independent walks lies about 1/sqrt(k) of one walk's distance away.
        "expected": (positions[-1].var(dim=0).sum() / walks).sqrt().item(),
        "times_closer": (spread[-1] / apart[-1]).item(),
        "mean_of_losses": excess(positions[-1]).mean().item(),
        "loss_of_mean": excess(mean[-1]).item(),
        "full_loss": excess(full[-1]).item(),
    }


def draw(results):
    figure, ax = plt.subplots(figsize=(5.2, 4.4))
    for walk_ in results["ten"]:
        ax.plot(*zip(*walk_, strict=True), color=colour("single"), lw=0.9, alpha=0.7)
    ax.plot(*zip(*results["full"], strict=True), color=colour("batch"), lw=4, alpha=0.5)
    ax.plot(*zip(*results["mean"], strict=True), color=colour("truth"), lw=1.2, ls="--")
    best = results["best"]
    ax.plot(best["w"], best["b"], "*", ms=13, color=colour("truth"))
    ax.text(0.02, 0.96, "three walks, B = 1", color=colour("single"), transform=ax.transAxes, va="top")
    ax.text(0.02, 0.89, "the full batch's path", color=colour("batch"), transform=ax.transAxes, va="top")
    ax.text(0.02, 0.82, f"mean of {results['walks']} walks (dashed)", transform=ax.transAxes, va="top")
    ax.set(
        xlabel="w (slope)", ylabel="b (intercept)", ylim=(0, 4.6),
        title="On average, noise walks the full batch's path",
    )
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
