"""Does SGD with momentum generalise better than Adam on a small convolutional network?

    python examples/choosing-an-optimizer/images.py

Few labelled digits to learn from, many to be tested on. Both methods have seven learning rates, four a decade, two
tuning seeds and a cosine; eight fresh seeds judge. A seed draws the images, the weights and the batches. Then the
contest is held again, with every other rate left out. Takes about twenty seconds.
"""

import functools
from math import inf

import matplotlib.pyplot as plt
import torch
from _fair import chosen, compared, contest, decades
from torch.nn.functional import cross_entropy

from trainloop.data import digits
from trainloop.figures import NAMES, line
from trainloop.loop import train_step
from trainloop.models import SmallCNN
from trainloop.optim import SGD, Adam
from trainloop.sampler import ShuffledBatches
from trainloop.schedulers import CosineAnnealingLR

TRAIN, VALIDATION = 400, 400  # of 1,797; the rest is for the test
EPOCHS, BATCH, WIDTH = 20, 32, 8
TUNING, FRESH = (100, 101), range(8)

# --8<-- [start:methods]
OPTIMIZERS = {
    "momentum": lambda parameters, lr: SGD(parameters, lr, momentum=0.9, nesterov=True),
    "adam": Adam,
}
GRIDS = {
    "momentum": decades(start=-2, stop=-0.5, each=4),
    "adam": decades(start=-3, stop=-1.5, each=4),
}
# --8<-- [end:methods]
GOOD = 2.0  # points of test accuracy below the best median at which a rate still counts as good


# --8<-- [start:train]
@functools.cache
def train(name, lr, seed, epochs=EPOCHS):
    x, y = parts(seed)
    torch.manual_seed(seed)
    model = SmallCNN(width=WIDTH)
    optimizer = OPTIMIZERS[name](model.parameters(), lr)
    batches = ShuffledBatches(TRAIN, BATCH, seed=seed)
    scheduler = CosineAnnealingLR(optimizer, T_max=epochs * len(batches))
    for epoch in range(epochs):
        batches.set_epoch(epoch)
        for rows in batches:
            loss = train_step(
                model, cross_entropy, optimizer, x["train"][rows], y["train"][rows]
            )
            scheduler.step()
            if not loss < 1e6:
                return dict.fromkeys(("loss", "validation", "error"), inf)
    return measured(model, x, y)
# --8<-- [end:train]


@functools.cache
def parts(seed):
    split = digits(test_fraction=0.2, seed=seed)
    pairs = torch.cat([split.x_train, split.x_test]), torch.cat([split.y_train, split.y_test])
    sizes = [TRAIN, VALIDATION, len(pairs[0]) - TRAIN - VALIDATION]
    names = "train", "validation", "test"
    return tuple(dict(zip(names, part.split(sizes), strict=True)) for part in pairs)


@torch.no_grad()
def measured(model, x, y):
    """Cross-entropy on the training and validation images, errors on the test images in per cent."""
    return {
        "loss": cross_entropy(model(x["train"]), y["train"]).item(),
        "validation": cross_entropy(model(x["validation"]), y["validation"]).item(),
        "error": 100 * (model(x["test"]).argmax(1) != y["test"]).float().mean().item(),
    }


def run(quick=False):
    epochs, tuning, fresh = (1, TUNING[:1], range(2)) if quick else (EPOCHS, TUNING, FRESH)

    def trained(name, lr, seed):
        return train(name, lr, seed, epochs)

    results = {
        "train": TRAIN,
        "test": 1797 - TRAIN - VALIDATION,
        "epochs": epochs,
        "tuning": len(tuning),
        "seeds": len(fresh),
    }
    for kind, every in (("fine", 1), ("coarse", 2)):
        grids = {name: grid[::every] for name, grid in GRIDS.items()}
        found = contest(trained, grids, tuning, fresh, "validation")
        results[kind] = {key: compared(found, key) for key in ("loss", "error")}
        for name, method in found.items():
            results[kind][name] = chosen(method) | {"rates": len(grids[name]), "good": good(method)}
    return results


def good(method):
    """How many learning rates come close to the best in test errors."""
    errors = [row["error"] for row in method["grid"] if row["error"] is not None]
    return sum(error < min(errors) + GOOD for error in errors)


def draw(results):
    figure, (above, below) = plt.subplots(2, 1, figsize=(5.2, 5.4), sharex=True)
    for name in OPTIMIZERS:
        found = results["fine"][name]
        for ax, key in ((above, "loss"), (below, "error")):
            rows = [row for row in found["grid"] if row[key] is not None]
            (drawn,) = ax.plot([row["lr"] for row in rows], [row[key] for row in rows], **line(name), marker="o", ms=4)
            best = next(row for row in rows if row["lr"] == found["lr"])
            ax.plot(best["lr"], best[key], marker="o", ms=9, mfc="none", mew=1.5, color=drawn.get_color())
            first = (rows[0]["lr"], rows[0][key])
            ax.annotate(NAMES[name], first, (8, 0), textcoords="offset points", color=drawn.get_color(), va="center")
    above.set(xscale="log", yscale="log", ylabel="training loss", title="The same bowl, at another rate")
    below.set(yscale="log", xlabel="learning rate", ylabel="test errors, %")
    below.set_yticks([5, 10, 30], ["5", "10", "30"])
    below.minorticks_off()
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
