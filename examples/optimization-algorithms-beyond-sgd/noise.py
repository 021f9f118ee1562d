"""Which optimizer is most robust when the noise in the targets grows from 0.2 to 0.5?

    python examples/optimization-algorithms-beyond-sgd/noise.py

Twenty data sets a noise level, learning rate 0.1, 100 epochs. Two distances are kept apart: from the
learned line to the best line for those points, and from it to the true line. Takes about ten seconds.
"""

import matplotlib.pyplot as plt
import torch
from torch import nn

from trainloop.data import least_squares, noisy_line
from trainloop.figures import NAMES, colour
from trainloop.loop import train_step
from trainloop.optim import SGD, Adam, RMSprop

# --8<-- [start:setup]
SEEDS = range(20)
NOISES = (0.2, 0.5)
EPOCHS = 100

OPTIMIZERS = {
    "sgd": lambda parameters: SGD(parameters, lr=0.1),
    "rmsprop": lambda parameters: RMSprop(parameters, lr=0.1, alpha=0.9),
    "adam": lambda parameters: Adam(parameters, lr=0.1),
}
# --8<-- [end:setup]


def learned_line(make_optimizer, x, y, seed, epochs):
    torch.manual_seed(1000 + seed)  # not the bits the noise was drawn from
    model = nn.Linear(1, 1)
    optimizer = make_optimizer(model.parameters())
    for _ in range(epochs):
        train_step(model, nn.MSELoss(), optimizer, x, y)
    return torch.tensor([model.weight.item(), model.bias.item()])


def summary(values):
    values = torch.tensor(values)
    low, middle, high = values.quantile(torch.tensor([0.1, 0.5, 0.9])).tolist()
    return {"median": middle, "low": low, "high": high}


# --8<-- [start:run]
def run(quick=False):
    seeds, epochs = (SEEDS[:5], 10) if quick else (SEEDS, EPOCHS)
    truth = torch.tensor([2.0, 3.0])
    rows = []
    for noise in NOISES:
        data = {seed: noisy_line(noise=noise, seed=seed) for seed in seeds}
        best = {seed: torch.tensor(least_squares(x, y)[:2]) for seed, (x, y) in data.items()}
        to_truth = [(best[seed] - truth).norm().item() for seed in seeds]
        rows.append({"optimizer": "best line", "noise": noise, "to_truth": summary(to_truth)})
        for name, make_optimizer in OPTIMIZERS.items():
            found = {seed: learned_line(make_optimizer, *data[seed], seed, epochs) for seed in seeds}
            rows.append({
                "optimizer": NAMES[name],
                "name": name,
                "noise": noise,
                "to_best": summary([(found[seed] - best[seed]).norm().item() for seed in seeds]),
                "to_truth": summary([(found[seed] - truth).norm().item() for seed in seeds]),
            })
    return {"rows": rows, "seeds": len(seeds)}
# --8<-- [end:run]


def draw(results):
    figure, axes = plt.subplots(2, 1, figsize=(5.2, 5.4), sharex=True)
    titles = {
        "to_best": "Distance to the best line",
        "to_truth": "Distance to the true line",
    }
    for ax, (key, title) in zip(axes, titles.items(), strict=True):
        labels = []
        for i, row in enumerate(row for row in results["rows"] if key in row):
            ink = colour(row.get("name", "truth"))
            found = row[key]
            wide = row["noise"] == NOISES[1]
            ax.plot([found["low"], found["high"]], [i, i], color=ink, lw=2, ls="-" if wide else ":")
            ax.plot(found["median"], i, "o" if wide else "s", color=ink, ms=7 if wide else 5)
            labels.append(f"{row['optimizer']}, {row['noise']}")
        ax.set_yticks(range(len(labels)), labels)
        ax.invert_yaxis()
        ax.set(xscale="log")
        ax.set_title(title, fontsize=11)
    axes[1].set_xlabel("distance in the (w, b) plane")
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
