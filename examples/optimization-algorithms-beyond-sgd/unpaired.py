"""How much of a comparison between optimizers is luck, when each starts from weights of its own?

    python examples/optimization-algorithms-beyond-sgd/unpaired.py

RMSprop against Adam on the line of `convergence.py`, 40 epochs, 200 repetitions: each pair from one
start, and each optimizer from its own. Takes about ten seconds.
"""

import copy
import math

import matplotlib.pyplot as plt
import torch
from torch import nn

from trainloop.data import noisy_line
from trainloop.figures import colour
from trainloop.loop import train_step
from trainloop.optim import Adam, RMSprop

REPETITIONS = 200
EPOCHS = 40


def loss_after(model, make_optimizer, x, y, epochs):
    optimizer = make_optimizer(model.parameters())
    loss_fn = nn.MSELoss()
    for _ in range(epochs):
        train_step(model, loss_fn, optimizer, x, y)
    return loss_fn(model(x), y).item()


# --8<-- [start:compare]
def compare(x, y, seed, epochs, paired):
    """log10 of RMSprop's loss over Adam's: negative where RMSprop is ahead."""
    torch.manual_seed(seed)
    first = nn.Linear(1, 1)
    second = copy.deepcopy(first) if paired else nn.Linear(1, 1)
    rmsprop = loss_after(first, lambda p: RMSprop(p, lr=0.1, alpha=0.9), x, y, epochs)
    adam = loss_after(second, lambda p: Adam(p, lr=0.1), x, y, epochs)
    return math.log10(rmsprop / adam)
# --8<-- [end:compare]


def run(quick=False):
    repetitions, epochs = (5, 10) if quick else (REPETITIONS, EPOCHS)
    x, y = noisy_line()
    results = {"repetitions": repetitions}
    for word, paired in {"paired": True, "unpaired": False}.items():
        ratios = [compare(x, y, seed, epochs, paired) for seed in range(repetitions)]
        spread = torch.tensor(ratios).std().item()
        results[word] = {
            "ratios": ratios,
            "mean": sum(ratios) / repetitions,
            "spread": spread,
            "rmsprop_ahead": sum(ratio < 0 for ratio in ratios),
        }
    results["spread_ratio"] = results["unpaired"]["spread"] / results["paired"]["spread"]
    # The runs needed for the same certainty grow with the square of the spread.
    results["times_more_runs"] = results["spread_ratio"] ** 2
    return results


def draw(results):
    figure, axes = plt.subplots(2, 1, figsize=(5.2, 4.6), sharex=True, sharey=True)
    edges = torch.linspace(-1.5, 1.0, 51).tolist()
    titles = {"paired": "Same start for both", "unpaired": "Each from its own start"}
    for ax, (word, title) in zip(axes, titles.items(), strict=True):
        ax.hist(results[word]["ratios"], bins=edges, color=colour("data" if word == "paired" else "wrong"))
        ax.axvline(0, color=colour("truth"), lw=1)
        ax.set(ylabel="repetitions", title=title)
    axes[1].set_xlabel("log₁₀ (RMSprop's loss / Adam's loss) after 40 epochs")
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
