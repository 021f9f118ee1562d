"""Can the same five verbs find the square root of two, and from where do they not?

    python examples/introduction-what-is-a-training-loop/square_root.py

One number as data, one as the weight, forty turns from five starts. Takes a second.
"""

import matplotlib.pyplot as plt

from trainloop.figures import colour, label_ends

LEARNING_RATE = 0.05
TURNS = 40


# fmt: off
# --8<-- [start:solution]
def root(target, w, turns=TURNS):
    weights = [w]
    for y in turns * [target]:                   # data
        prediction = w * w                       # predict
        loss = (prediction - y) ** 2             # measure
        gradient = 2 * (prediction - y) * 2 * w  # differentiate
        w = w - LEARNING_RATE * gradient         # update
        weights.append(w)
    return weights, loss
# --8<-- [end:solution]
# fmt: on


def root_without_inner(target, w, turns=TURNS):
    """The usual slip: the derivative of w · w left out."""
    for y in turns * [target]:
        w = w - LEARNING_RATE * 2 * (w * w - y)
    return w


STARTS = {"from 2": 2.0, "from 0.5": 0.5, "from 0.01": 0.01, "from 0": 0.0, "from −1": -1.0}


def run(quick=False):
    runs = {name: root(2.0, start) for name, start in STARTS.items()}
    paths = {name: weights for name, (weights, _) in runs.items()}
    return {
        "paths": paths,
        "rows": [{"start": STARTS[name], "w": weights[-1], "loss": loss} for name, (weights, loss) in runs.items()],
        "without_inner": {
            "furthest_off": max(abs(root_without_inner(2.0, start) - 2**0.5) for start in STARTS.values()),
            "from_minus_2": root_without_inner(2.0, -2.0, turns=8),
        },
        "first": paths["from 2"][1],
        "late": next(turn for turn, w in enumerate(paths["from 0.01"]) if w > 1),
        "half": next(turn for turn, w in enumerate(paths["from 0.5"]) if w > 1),
    }


def draw(results):
    figure, ax = plt.subplots(figsize=(5.2, 3.9))
    lines = []
    for name, concept in zip(STARTS, ("start_a", "start_b", "start_c", "wrong", "start_d"), strict=True):
        lines.append((ax.plot(results["paths"][name], color=colour(concept), marker=".", ms=3)[0], name))
    for height in (2**0.5, -(2**0.5)):
        ax.axhline(height, color=colour("truth"), ls=":", lw=1)
    ax.set(xlabel="turn", ylabel="w", title="Two roots, and a start that never leaves")
    label_ends(ax, lines)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
