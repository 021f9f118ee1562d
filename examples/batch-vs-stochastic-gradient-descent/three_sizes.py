"""How do batch, mini-batch and single-example descent differ per epoch, and how per gradient evaluation?

    python examples/batch-vs-stochastic-gradient-descent/three_sizes.py

The same line, the same learning rate, batches of 100, 10 and 1; twenty data sets. Takes about two seconds.
"""

import matplotlib.pyplot as plt
import torch

from trainloop.data import least_squares, noisy_line
from trainloop.figures import colour, label_ends, line

# --8<-- [start:setup]
LEARNING_RATE = 0.1
SIZES = {"batch": 100, "minibatch": 10, "single": 1}
SEEDS = range(20)
EPOCHS = 10
STEPS = 100  # at least; the full batch needs 100 epochs for them
# --8<-- [end:setup]

LABELS = {"batch": "B = 100", "minibatch": "B = 10", "single": "B = 1"}


# --8<-- [start:gradient]
def gradient(θ, x, y):
    """∂L/∂w and ∂L/∂b, averaged over the examples it is given."""
    w, b = θ
    residual = w * x + b - y                      # predict, measure
    w_grad = 2 * (residual * x).mean()            # differentiate
    b_grad = 2 * residual.mean()
    return torch.stack([w_grad, b_grad])
# --8<-- [end:gradient]


# --8<-- [start:descend]
def descend(x, y, batch_size, lr, epochs, generator):
    """Every θ on the way from (0, 0)."""
    θ = torch.zeros(2, dtype=x.dtype)
    path = [θ]
    for _ in range(epochs):
        order = torch.randperm(len(x), generator=generator)
        for i in order.split(batch_size):
            xi, yi = x[i], y[i]                   # data
            θ = θ - lr * gradient(θ, xi, yi)      # update
            path.append(θ)
    return torch.stack(path)
# --8<-- [end:descend]


# --8<-- [start:excess]
def excess(path, x, y):
    """Loss above the best line's, at every θ of a path."""
    slope, intercept, _ = least_squares(x[:, None], y[:, None])
    gap = (path[:, :1] - slope) * x + (path[:, 1:] - intercept)
    return gap.square().mean(dim=1)
# --8<-- [end:excess]


def middle(losses):
    """Median and 10–90 % range over seeds; `losses` is (seeds, points)."""
    low, median, high = (losses.quantile(q, dim=0).tolist() for q in (0.1, 0.5, 0.9))
    return {"low": low, "median": median, "high": high}


def first_below(losses, level):
    return next((i for i, loss in enumerate(losses) if loss < level), None)


# --8<-- [start:run]
def run(quick=False):
    seeds, epochs, steps = (SEEDS[:2], 1, 10) if quick else (SEEDS, EPOCHS, STEPS)
    results = {"seeds": len(seeds), "per_epoch": {}, "per_step": {}, "rows": []}
    for name, batch_size in SIZES.items():
        runs = []
        for seed in seeds:
            x, y = (t.flatten() for t in noisy_line(seed=seed, dtype=torch.float64))
            order = torch.Generator().manual_seed(1000 + seed)
            steps_an_epoch = len(x) // batch_size
            walked = max(epochs, steps // steps_an_epoch)
            path = descend(x, y, batch_size, LEARNING_RATE, walked, order)
            runs.append(excess(path, x, y))
        losses = torch.stack(runs)
        thin = max(1, steps_an_epoch // 10)  # ten points an epoch are enough to draw
        shown = losses[:, : epochs * steps_an_epoch + 1 : thin]
        results["per_epoch"][name] = middle(shown) | {
            "epochs": [k * thin / steps_an_epoch for k in range(shown.shape[1])],
        }
        results["per_step"][name] = middle(losses[:, : steps + 1 : 2])
        median = losses.median(dim=0).values.tolist()
        arrivals = torch.tensor([first_below(run, 0.1) or walked for run in losses.tolist()], dtype=torch.float64)
        low, typical, high = (int(arrivals.quantile(q, interpolation="nearest")) for q in (0.1, 0.5, 0.9))
        results["rows"].append({
            "size": LABELS[name],
            "batch_size": batch_size,
            "steps_an_epoch": steps_an_epoch,
            "after_1_epoch": median[steps_an_epoch],
            "after_epochs": median[epochs * steps_an_epoch],
            "after_10_steps": median[10],
            "after_steps": median[steps],
            "steps_to_0_1": typical,
            "steps_low": low,
            "steps_high": high,
            "examples_to_0_1": typical * batch_size,
        })
    x, y = (t.flatten() for t in noisy_line(dtype=torch.float64))
    results["start_excess"] = excess(torch.zeros(1, 2, dtype=x.dtype), x, y).item()
    return results
# --8<-- [end:run]


def draw(results):
    figure, axes = plt.subplots(2, 1, figsize=(5.2, 6.4), sharey=True)
    for ax, key in zip(axes, ("per_epoch", "per_step"), strict=True):
        for name in SIZES:
            curve = results[key][name]
            at = curve.get("epochs", range(0, 2 * len(curve["median"]), 2))
            ax.plot(at, curve["median"], **line(name))
            ax.fill_between(at, curve["low"], curve["high"], color=colour(name), alpha=0.18, lw=0)
        ax.set(yscale="log", ylabel="loss above the best line's")
    axes[0].set(xlabel="epochs", title="Per epoch, one example at a time leads …")
    axes[1].set(xlabel="gradient evaluations (steps)", title="… per gradient evaluation, the full batch")
    for ax in axes:
        label_ends(ax, list(zip(ax.get_lines(), LABELS.values(), strict=True)))
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
