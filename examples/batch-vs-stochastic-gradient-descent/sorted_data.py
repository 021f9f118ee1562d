"""Does it matter in which order the examples come, if every one comes once per epoch?

    python examples/batch-vs-stochastic-gradient-descent/sorted_data.py

One example at a time, learning rate 0.1: shuffled, sorted by x, sorted by y, on twenty data sets.
Takes about three seconds.
"""

import matplotlib.pyplot as plt
import torch

from trainloop.data import least_squares, noisy_line
from trainloop.figures import label_ends, line

LEARNING_RATE = 0.1
EPOCHS = 15
SEEDS = range(20)
PER_EPOCH = 20  # points drawn an epoch

# --8<-- [start:orders]
ORDERS = {
    "shuffled": lambda x, y, generator: torch.randperm(len(x), generator=generator),
    "by_x": lambda x, y, generator: x.argsort(),
    "by_y": lambda x, y, generator: y.argsort(),
}
# --8<-- [end:orders]
NAMES = {"shuffled": "shuffled", "by_x": "sorted by x", "by_y": "sorted by y"}


def descend(x, y, choose_order, lr, epochs, generator):
    """(w, b) after every step, one example at a time."""
    w = b = 0.0
    path = [(w, b)]
    xs, ys = x.tolist(), y.tolist()
    for _ in range(epochs):
        for i in choose_order(x, y, generator).tolist():
            r = w * xs[i] + b - ys[i]
            w, b = w - lr * 2 * r * xs[i], b - lr * 2 * r
            path.append((w, b))
    return torch.tensor(path, dtype=x.dtype)


def spread(values):
    low, median, high = (values.quantile(q).item() for q in (0.1, 0.5, 0.9))
    return {"low": low, "median": median, "high": high}


def run(quick=False):
    seeds, epochs = (SEEDS[:2], 2) if quick else (SEEDS, EPOCHS)
    found = {name: [] for name in ORDERS}
    for seed in seeds:
        x, y = (t.flatten() for t in noisy_line(seed=seed, dtype=torch.float64))
        slope, intercept, _ = least_squares(x[:, None], y[:, None])
        for name, order in ORDERS.items():
            path = descend(x, y, order, LEARNING_RATE, epochs, torch.Generator().manual_seed(1000 + seed))
            gap = (path[:, :1] - slope) * x + (path[:, 1:] - intercept)
            found[name].append(gap.square().mean(dim=1))
    stride = 100 // PER_EPOCH
    results = {"seeds": len(seeds), "curves": {}, "rows": []}
    losses = {name: torch.stack(runs) for name, runs in found.items()}
    for name, every in losses.items():
        ends = every[:, 100::100]
        results["curves"][name] = every[:, ::stride].median(dim=0).values.tolist()
        within = every[:, -100:].median(dim=0).values
        results["rows"].append(
            {"order": NAMES[name]} | spread(ends[:, -1])
            | {"lowest": within.min().item(), "highest": within.max().item()}
        )
    last = {name: every[:, -1] for name, every in losses.items()}
    results["worse"] = {
        "by_y": int((last["by_y"] > last["shuffled"]).sum()),
        "by_x": int((last["by_x"] > last["shuffled"]).sum()),
    }
    results["times"] = (last["by_y"].median() / last["shuffled"].median()).item()
    return results


def draw(results):
    figure, ax = plt.subplots(figsize=(5.2, 3.8))
    lines = []
    for name, concept in {"shuffled": "truth", "by_x": "data", "by_y": "wrong"}.items():
        curve = results["curves"][name]
        at = [k / PER_EPOCH for k in range(len(curve))]
        lines.append((ax.plot(at, curve, **line(concept) | {"linestyle": "-"}, lw=1.3)[0], NAMES[name]))
    ax.set(
        yscale="log", xlabel="epoch", ylabel="loss above the best line's",
        title="Sorted by the answer, every epoch ends high",
    )
    ax.set_xticks(range(0, EPOCHS + 1, 5))
    label_ends(ax, lines)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
