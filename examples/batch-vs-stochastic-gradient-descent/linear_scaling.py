"""Batch ten times larger, learning rate ten times larger: the same run?

    python examples/batch-vs-stochastic-gradient-descent/linear_scaling.py

From lr 0.1 at B = 10: the rate kept, and the rate scaled with B; twenty data sets, three epochs.
Takes two seconds.
"""

import matplotlib.pyplot as plt
import torch

from trainloop.data import least_squares, noisy_line
from trainloop.figures import colour, line

SIZES = (1, 2, 5, 10, 20, 50, 100)
EPOCHS = 3
SEEDS = range(20)


def gradient(θ, x, y):
    w, b = θ
    r = w * x + b - y
    return torch.stack([(2 * r * x).mean(), (2 * r).mean()])


# --8<-- [start:scaled]
RULES = {
    "kept": lambda batch_size: 0.1,
    "scaled": lambda batch_size: 0.1 * batch_size / 10,
}


def excess_after(seed, batch_size, lr, epochs):
    x, y = (t.flatten() for t in noisy_line(seed=seed, dtype=torch.float64))
    slope, intercept, _ = least_squares(x[:, None], y[:, None])
    order = torch.Generator().manual_seed(1000 + seed)
    θ = torch.zeros(2, dtype=x.dtype)
    for _ in range(epochs):
        for i in torch.randperm(len(x), generator=order).split(batch_size):
            θ = θ - lr * gradient(θ, x[i], y[i])
    return ((θ[0] - slope) * x + θ[1] - intercept).square().mean().item()
# --8<-- [end:scaled]


def run(quick=False):
    seeds, epochs = (SEEDS[:2], 1) if quick else (SEEDS, EPOCHS)
    x, _ = noisy_line(dtype=torch.float64)
    design = torch.cat([x, torch.ones_like(x)], dim=1)
    rows = []
    for size in SIZES:
        row = {"size": size, "steps": epochs * 100 // size, "scaled_lr": RULES["scaled"](size)}
        for name, rule in RULES.items():
            losses = torch.tensor([excess_after(seed, size, rule(size), epochs) for seed in seeds])
            for word, q in (("low", 0.1), ("median", 0.5), ("high", 0.9)):
                row[f"{name}_{word}"] = losses.quantile(q).item()
        rows.append(row)
    return {
        "rows": rows,
        "seeds": len(seeds),
        "wall": 2 / torch.linalg.eigvalsh(2 * design.T @ design / len(x))[-1].item(),
    }


def draw(results):
    figure, ax = plt.subplots(figsize=(5.2, 3.8))
    rows = results["rows"]
    sizes = [row["size"] for row in rows]
    for name, concept, label in (("kept", "data", "lr 0.1 kept"), ("scaled", "minibatch", "lr scaled with B")):
        ax.plot(sizes, [row[f"{name}_median"] for row in rows], marker="o", **line(concept), label=label)
        ax.fill_between(
            sizes, [row[f"{name}_low"] for row in rows], [row[f"{name}_high"] for row in rows],
            color=colour(concept), alpha=0.18, lw=0,
        )
    ax.set(
        xscale="log", yscale="log", xlabel="batch size B", ylabel="loss above the best line's",
        title="Scaling lr with B works, up to the wall",
    )
    ax.set_xticks(SIZES, [str(size) for size in SIZES])
    ax.minorticks_off()
    ax.legend(loc="upper left")
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
