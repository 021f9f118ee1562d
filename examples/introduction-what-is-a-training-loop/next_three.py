"""Starting from the other side, what are the next three values of w, and which mistake gives which other number?

    python examples/introduction-what-is-a-training-loop/next_three.py

The rod let go at slope 5, three turns; then the same three turns with one mistake each. Takes no time at all.
"""

from itertools import pairwise

NAILS = ((1.0, 2.0), (2.0, 6.0), (4.0, 7.0))
LEARNING_RATE = 0.05
START = 5.0


# --8<-- [start:solution]
def gradient_at(w):
    return sum(2 * (w * x - y) * x for x, y in NAILS) / len(NAILS)


def three_turns(step):
    """w at the start and after each turn; `step` makes the next w."""
    weights = [START]
    for _ in range(3):
        weights.append(step(weights[-1]))
    return weights


# --8<-- [end:solution]


def without_lever(w):
    return sum(2 * (w * x - y) for x, y in NAILS) / len(NAILS)


MISTAKES = {
    "no_learning_rate": lambda w: w - gradient_at(w),
    "wrong_sign": lambda w: w + LEARNING_RATE * gradient_at(w),
    "sum_instead_of_mean": lambda w: w - LEARNING_RATE * len(NAILS) * gradient_at(w),
    "no_factor_two": lambda w: w - LEARNING_RATE * gradient_at(w) / 2,
    "old_gradient": lambda w: w - LEARNING_RATE * gradient_at(START),
    "no_lever": lambda w: w - LEARNING_RATE * without_lever(w),
    "only_the_step": lambda w: -LEARNING_RATE * gradient_at(w),
}


def run(quick=False):
    weights = three_turns(lambda w: w - LEARNING_RATE * gradient_at(w))
    gradients = [gradient_at(w) for w in weights]
    mistakes = {name: three_turns(step)[-1] for name, step in MISTAKES.items()}
    return {
        "rows": [
            {"turn": turn, "w": w, "gradient": g, "new_w": new}
            for turn, ((w, new), g) in enumerate(zip(pairwise(weights), gradients, strict=False), 1)
        ],
        "third": weights[-1],
        "mistakes": mistakes | {"two_turns": weights[-2], "last_step_alone": weights[-1] - weights[-2]},
    }


if __name__ == "__main__":
    from courseware.example import main

    main(run)
