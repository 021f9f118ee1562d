"""A fair contest: all try as many learning rates on the same seeds, and are judged on seeds that chose nothing."""

import statistics
from math import inf

from tqdm import tqdm

from trainloop.lab import paired, spread, sweep


# --8<-- [start:contest]
def contest(train, grids, tuning, fresh, score):
    """Each method's learning rate with the lowest `score`, and its fresh runs.

    `train(name, lr, seed)` returns measures by name; infinite ones if it
    diverged.
    """
    found = {}
    for name, grid in tqdm(grids.items(), desc="methods", leave=False):
        tried = {lr: [] for lr in grid}

        def run(lr, seed, name=name, tried=tried):
            tried[lr].append(train(name, lr, seed))
            return tried[lr][-1][score]

        swept = sweep(run, grid, tuning)
        found[name] = {
            "lr": swept.best,
            "at_edge": swept.at_edge,
            "grid": [{"lr": lr, **medians(tried[lr])} for lr in grid],
            "fresh": [train(name, swept.best, seed) for seed in fresh],
        }
    return found
# --8<-- [end:contest]


def medians(runs):
    """The median of every measure over seeds; None where it is a diverged run's."""
    middle = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    return {key: value if value < inf else None for key, value in middle.items()}


def chosen(method):
    """What a contest says of a method before it is judged."""
    return {key: method[key] for key in ("lr", "at_edge", "grid")}


def compared(found, key):
    """A measure of both methods on the fresh seeds, and how far momentum's is above Adam's, seed by seed."""
    values = {name: [run[key] for run in method["fresh"]] for name, method in found.items()}
    return {
        **{name: spread(runs) for name, runs in values.items()},
        "apart": paired(values["momentum"], values["adam"]),
    }


def decades(*, start, stop, each=2):
    """Learning rates from 10^start to 10^stop, `each` to a decade."""
    return [float(f"{10 ** (k / each):.2g}") for k in range(round(each * start), round(each * stop) + 1)]
