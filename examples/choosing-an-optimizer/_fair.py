"""A fair contest: everyone tries as many learning rates on the same seeds, and is judged on seeds that chose nothing."""

import statistics
from math import inf, sqrt

from tqdm import tqdm

from trainloop.lab import spread, sweep

STUDENT = {2: 12.71, 5: 2.78, 6: 2.57, 8: 2.36, 10: 2.26}  # 97.5 % quantile of t, by the number of pairs


# --8<-- [start:contest]
def contest(train, grids, tuning, fresh, score):
    """Let each method choose its learning rate by `score`, then run it on fresh seeds.

    `train(name, lr, seed)` returns measures by name, an infinite `score` if it
    diverged. A lower score is better.
    """
    found = {}
    for name, grid in tqdm(grids.items(), desc="methods", leave=False):
        tried = {lr: [] for lr in grid}

        def run(lr, seed, name=name, tried=tried):
            tried[lr].append(train(name, lr, seed))
            return tried[lr][-1][score]

        chosen = sweep(run, grid, tuning)
        found[name] = {
            "lr": chosen.best,
            "at_edge": chosen.at_edge,
            "grid": [{"lr": lr, **medians(tried[lr])} for lr in grid],
            "fresh": [train(name, chosen.best, seed) for seed in fresh],
        }
    return found
# --8<-- [end:contest]


def medians(runs):
    """The median of every measure over seeds; None where it is a diverged run's."""
    middle = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    return {key: value if value < inf else None for key, value in middle.items()}


# --8<-- [start:paired]
def paired(first, second):
    """First minus second, seed by seed: the mean and its 95 % margin."""
    gaps = [a - b for a, b in zip(first, second, strict=True)]
    mean = statistics.fmean(gaps)
    margin = STUDENT[len(gaps)] * statistics.stdev(gaps) / sqrt(len(gaps))
    return {"mean": mean, "margin": margin, "separable": "yes" if abs(mean) > margin else "no"}
# --8<-- [end:paired]


def compared(found, key):
    """A measure of both methods on the fresh seeds, and momentum's lead or lag over Adam, as `momentum − adam`."""
    values = {name: [run[key] for run in method["fresh"]] for name, method in found.items()}
    return {
        **{name: spread(runs) for name, runs in values.items()},
        "gap": paired(values["momentum"], values["adam"]),
    }


def decades(*, start, stop, each=2):
    """Learning rates from 10^start to 10^stop, `each` to a decade."""
    return [float(f"{10 ** (k / each):.2g}") for k in range(round(each * start), round(each * stop) + 1)]
