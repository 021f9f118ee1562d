"""At which learning rate does the rod arrive in one turn, and from which on does it never arrive?

    python examples/introduction-what-is-a-training-loop/arrive_at_once.py

The same three nails at six learning rates, twelve turns each. Takes a second.
"""

import matplotlib.pyplot as plt

from trainloop.figures import colour, label_ends

NAILS = ((1.0, 2.0), (2.0, 6.0), (4.0, 7.0))
TURNS = 12
REST = 2.0


# --8<-- [start:solution]
def factor(lr):
    """What a turn leaves of the distance; negative: on the other side."""
    return 1 - lr * 2 * sum(x * x for x, _ in NAILS) / len(NAILS)


def path(lr, turns=TURNS):
    weights = [0.0]
    for _ in range(turns):
        w = weights[-1]
        gradient = sum(2 * (w * x - y) * x for x, y in NAILS) / len(NAILS)
        weights.append(w - lr * gradient)
    return weights


# --8<-- [end:solution]


RATES = {"0.02": 0.02, "0.05": 0.05, "1/14": 1 / 14, "0.12": 0.12, "1/7": 1 / 7, "0.15": 0.15}


def run(quick=False):
    paths = {name: path(lr) for name, lr in RATES.items()}
    rows = []
    for name, weights in paths.items():
        left = abs(weights[1] - REST) / REST
        rows.append(
            {
                "lr": name,
                "factor": round(factor(RATES[name]), 9),  # 1/14 leaves 1e-16 of the distance
                "measured": round(left, 9),
                "w1": weights[1],
                "last": weights[-1],
            }
        )
    return {"rows": rows, "paths": paths, "at_once": 1 / 14, "wall": 1 / 7}


def draw(results):
    figure, axes = plt.subplots(2, 1, figsize=(5.2, 5.2), sharex=True)
    for ax, names, ink in ((axes[0], ("0.02", "0.05", "1/14"), "below"), (axes[1], ("0.12", "1/7", "0.15"), "above")):
        drawn = []
        for i, name in enumerate(names):
            weights = results["paths"][name]
            concept = "at" if name == "1/7" else ink
            curve = ax.plot(weights, marker=".", color=colour(concept), alpha=(0.6, 0.8, 1)[i], lw=1.4 + 0.4 * i)[0]
            drawn.append((curve, name))
        ax.axhline(REST, color=colour("truth"), ls=":", lw=1)
        ax.set(ylabel="w", ylim=(-0.2, 2.5) if ax is axes[0] else (-6.5, 8.5))
        label_ends(ax, drawn)
    axes[0].set_title("Up to 1/14 the rod comes from one side …")
    axes[1].set_title("… beyond, it swings; at 1/7 for ever")
    axes[1].set_xlabel("turn")
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
