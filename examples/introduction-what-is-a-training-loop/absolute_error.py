"""If the loop measures absolute instead of squared errors, which verbs change, and where does the rod end?

    python examples/introduction-what-is-a-training-loop/absolute_error.py

The same three nails, fifty turns with each loss, by hand and with torch's autograd. Takes a second.
"""

import matplotlib.pyplot as plt
import torch

from trainloop.figures import colour, label_ends

LEARNING_RATE = 0.04
TURNS = 50

X = torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64)
Y = torch.tensor([2.0, 6.0, 7.0], dtype=torch.float64)


def squared(turns):
    w, weights = torch.tensor(0.0, dtype=torch.float64), [0.0]
    for x, y in turns * [(X, Y)]:
        prediction = w * x
        gradient = (2 * (prediction - y) * x).mean()
        w = w - LEARNING_RATE * gradient
        weights.append(w.item())
    return weights


# fmt: off
# --8<-- [start:solution]
def absolute(turns):
    w, weights = torch.tensor(0.0, dtype=torch.float64), [0.0]
    for x, y in turns * [(X, Y)]:                        # data
        prediction = w * x                               # predict
        loss = (prediction - y).abs().mean()             # measure
        gradient = ((prediction - y).sign() * x).mean()  # differentiate
        w = w - LEARNING_RATE * gradient                 # update
        weights.append(w.item())
    return weights, loss.item()
# --8<-- [end:solution]
# fmt: on


def absolute_with_autograd(turns):
    w = torch.tensor(0.0, dtype=torch.float64, requires_grad=True)
    weights = [0.0]
    for _ in range(turns):
        (gradient,) = torch.autograd.grad((w * X - Y).abs().mean(), w)
        with torch.no_grad():
            w -= LEARNING_RATE * gradient
        weights.append(w.item())
    return weights


def run(quick=False):
    (by_hand, loss), autograd = absolute(TURNS), absolute_with_autograd(TURNS)
    late = by_hand[-12:]
    return {
        "squared": squared(TURNS),
        "absolute": by_hand,
        "largest_difference": max(abs(a - b) for a, b in zip(by_hand, autograd, strict=True)),
        "last_loss": loss,
        "first_step": by_hand[1] - by_hand[0],
        "tenth_step": by_hand[10] - by_hand[9],
        "through_the_far_nail": (Y[-1] / X[-1]).item(),
        "arrives": next(turn for turn, w in enumerate(by_hand) if w > 1.75),
        "late": {"lowest": min(late), "highest": max(late), "swing": max(late) - min(late)},
    }


def draw(results):
    figure, ax = plt.subplots()
    lines = [
        (ax.plot(results["squared"], color=colour("predict"))[0], "squared"),
        (ax.plot(results["absolute"], color=colour("measure"), marker=".", ms=4)[0], "absolute"),
    ]
    ax.axhline(results["through_the_far_nail"], color=colour("truth"), ls=":", lw=1)
    ax.set(xlabel="turn", ylabel="w", title="Equal steps, and no coming to rest", ylim=(-0.1, 2.3))
    label_ends(ax, lines)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
