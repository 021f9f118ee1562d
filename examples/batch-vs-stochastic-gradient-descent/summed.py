"""What happens to a loop that adds up batch gradients and forgets to divide?

    python examples/batch-vs-stochastic-gradient-descent/summed.py

Full-batch descent whose gradient is collected from 1, 5 or 10 slices, with the division and without; and
losses that are sums. Takes two seconds.
"""

import matplotlib.pyplot as plt
import torch

from trainloop.data import least_squares, noisy_line
from trainloop.figures import colour, line

LEARNING_RATE = 0.1
EPOCHS = 20
SLICES = (1, 5, 10)


# --8<-- [start:broken]
def train(x, y, slices, lr, epochs, divide):
    w = torch.zeros((), dtype=x.dtype, requires_grad=True)
    b = torch.zeros((), dtype=x.dtype, requires_grad=True)
    path = [(w.item(), b.item())]
    for _ in range(epochs):
        for xi, yi in zip(x.chunk(slices), y.chunk(slices), strict=True):
            loss = (w * xi + b - yi).square().mean()
            if divide:
                loss = loss / slices
            loss.backward()  # adds to .grad
        with torch.no_grad():
            for θ in (w, b):
                θ -= lr * θ.grad
                θ.grad = None
        path.append((w.item(), b.item()))
    return path
# --8<-- [end:broken]


# --8<-- [start:summed_loss]
def train_on_sums(x, y, batch_size, lr, epochs):
    """Mini-batch descent whose loss is a sum."""
    w = torch.zeros((), dtype=x.dtype, requires_grad=True)
    b = torch.zeros((), dtype=x.dtype, requires_grad=True)
    path = [(w.item(), b.item())]
    order = torch.Generator().manual_seed(0)
    for _ in range(epochs):
        for i in torch.randperm(len(x), generator=order).split(batch_size):
            loss = (w * x[i] + b - y[i]).square().sum()
            loss.backward()
            with torch.no_grad():
                for θ in (w, b):
                    θ -= lr * θ.grad
                    θ.grad = None
        path.append((w.item(), b.item()))
    return path
# --8<-- [end:summed_loss]


def excess(path, x, y):
    slope, intercept, _ = least_squares(x[:, None], y[:, None])
    return [((w - slope) * x + b - intercept).square().mean().item() for w, b in path]


def run(quick=False):
    epochs = 5 if quick else EPOCHS
    x, y = (t.flatten() for t in noisy_line(dtype=torch.float64))
    design = torch.stack([x, torch.ones_like(x)], dim=1)
    wall = 2 / torch.linalg.eigvalsh(2 * design.T @ design / len(x))[-1].item()

    curves, rows, furthest = {}, [], 0.0
    for slices in SLICES:
        summed = train(x, y, slices, LEARNING_RATE, epochs, divide=False)
        divided = train(x, y, slices, LEARNING_RATE, epochs, divide=True)
        louder = train(x, y, 1, slices * LEARNING_RATE, epochs, divide=True)
        far = [
            abs(p - q) / max(1, abs(q))
            for one, other in zip(summed, louder, strict=True)
            for p, q in zip(one, other, strict=True)
        ]
        furthest = max(furthest, *far)
        losses = excess(summed, x, y)
        curves[f"{slices}"] = {"summed": losses, "louder": excess(louder, x, y)}
        rows.append({
            "slices": slices,
            "acts_like": slices * LEARNING_RATE,
            "summed": losses[-1] if losses[-1] < losses[0] else None,
            "divided": excess(divided, x, y)[-1],
        })
    sums = []
    for size in (1, 5, 10, 100):
        losses = excess(train_on_sums(x, y, size, 0.02, 2 if quick else 3), x, y)
        sums.append({"size": size, "acts_like": 0.02 * size, "loss": losses[-1] if losses[-1] < losses[0] else None})
    return {
        "lr": LEARNING_RATE, "wall": wall, "curves": curves, "rows": rows, "furthest": furthest, "sums": sums,
        "grows": (1 - 10 * LEARNING_RATE * 2 / wall) ** 2,
    }


def draw(results):
    figure, ax = plt.subplots(figsize=(5.2, 3.9))
    names = {
        "1": ("batch", "1 slice: correct"),
        "5": ("minibatch", "5 slices: looks like luck"),
        "10": ("wrong", "10 slices: diverges"),
    }
    for slices, (concept, name) in names.items():
        curve = results["curves"][slices]
        ax.plot(curve["summed"], **line(concept), label=name)
        ax.plot(curve["louder"], "o", ms=4, mfc="none", color=colour(concept))
    ax.set(
        yscale="log", ylim=(3e-4, 1e8), xlabel="epoch", ylabel="loss above the best line's",
        title="Not dividing by N: lr times N",
    )
    ax.set_xticks(range(0, EPOCHS + 1, 5))
    ax.legend(loc="upper left")
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
