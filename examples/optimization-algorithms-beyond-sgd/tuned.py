"""Which optimizer is best on this line when each may choose its own learning rate?

    python examples/optimization-algorithms-beyond-sgd/tuned.py

Four optimizers, the same seventeen learning rates for each, the same 100 epochs, ten seeds for data and
start. Loss is counted from the best possible line's. Takes about twenty seconds.
"""

import matplotlib.pyplot as plt
import torch
from torch import nn
from tqdm import tqdm

from trainloop.data import least_squares, noisy_line
from trainloop.figures import NAMES, colour, label_ends, line
from trainloop.loop import train_step
from trainloop.optim import SGD, Adam, RMSprop

# --8<-- [start:setup]
SEEDS = range(10)
EPOCHS = 100
RATES = tuple(10 ** (-3 + i / 5) for i in range(17))  # 0.001 … 1.6, five a decade
SMALLEST = 1e-12  # losses are not told apart below this

OPTIMIZERS = {
    "sgd": SGD,
    "momentum": lambda parameters, lr: SGD(parameters, lr=lr, momentum=0.9),
    "rmsprop": lambda parameters, lr: RMSprop(parameters, lr=lr, alpha=0.9),
    "adam": Adam,
}
# --8<-- [end:setup]


# --8<-- [start:excess]
def excess_loss(make_optimizer, lr, seed, epochs):
    """Loss above the best line's after training; infinite where it diverged."""
    x, y = noisy_line(seed=seed, dtype=torch.float64)
    torch.manual_seed(1000 + seed)  # not the bits the noise was drawn from
    model = nn.Linear(1, 1, dtype=torch.float64)
    optimizer = make_optimizer(model.parameters(), lr=lr)
    loss_fn = nn.MSELoss()
    for _ in range(epochs):
        if not train_step(model, loss_fn, optimizer, x, y) < 1e6:
            return float("inf")
    return max(loss_fn(model(x), y).item() - least_squares(x, y)[2], SMALLEST)
# --8<-- [end:excess]


# --8<-- [start:run]
def run(quick=False):
    seeds, epochs = (SEEDS[:3], 10) if quick else (SEEDS, EPOCHS)
    curves, rows, best_runs = {}, [], {}
    for name, make_optimizer in tqdm(OPTIMIZERS.items(), desc="optimizers", leave=False):
        losses = torch.tensor([
            [excess_loss(make_optimizer, lr, seed, epochs) for seed in seeds] for lr in RATES
        ])
        finite = losses.isfinite().all(dim=1)
        low, middle, high = (losses[finite].quantile(q, dim=1) for q in (0.1, 0.5, 0.9))
        rates = torch.tensor(RATES)[finite]
        best = middle.argmin()
        curves[name] = {
            "lr": rates.tolist(), "low": low.tolist(), "median": middle.tolist(), "high": high.tolist(),
        }
        best_runs[name] = losses[finite][best]
        rows.append({
            "optimizer": NAMES[name],
            "best_lr": rates[best].item(),
            "low": low[best].item(),
            "median": middle[best].item(),
            "high": high[best].item(),
            # Learning rates whose median loss is within a factor 100 of this optimizer's best.
            "good_rates": int((middle < 100 * middle[best]).sum()),
            "below_1e-3": int((middle < 1e-3).sum()),
        })
    wins = {
        name: int((best_runs["sgd"] < losses).sum()) for name, losses in best_runs.items() if name != "sgd"
    }
    return {"curves": curves, "rows": rows, "sgd_wins": wins, "seeds": len(seeds), "rates": len(RATES)}
# --8<-- [end:run]


def draw(results):
    figure, ax = plt.subplots(figsize=(5.2, 4.4))
    lines = []
    for name, curve in results["curves"].items():
        drawn = ax.plot(curve["lr"], curve["median"], **line(name), marker=".")[0]
        ax.fill_between(curve["lr"], curve["low"], curve["high"], color=colour(name), alpha=0.18, lw=0)
        lines.append((drawn, NAMES[name]))
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="learning rate",
        ylabel="loss above the best line's",
        title="Each at its best, SGD wins on this line",
    )
    label_ends(ax, lines)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
