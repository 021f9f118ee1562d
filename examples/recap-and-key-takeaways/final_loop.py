"""What does Part 1's loop look like when nothing is left to take away, and what does each line cost if it goes?

    python examples/recap-and-key-takeaways/final_loop.py

The loop with autograd, run as it is and once more without each of its lines. Takes a second.
"""

import inspect
import textwrap

import matplotlib.pyplot as plt
import torch

from trainloop.data import least_squares, noisy_line
from trainloop.figures import colour, label_ends

EPOCHS = 500
LR = 0.1


# fmt: off
# --8<-- [start:loop]
def train(x, y, w, b, epochs, lr):
    w = torch.tensor(w, requires_grad=True)
    b = torch.tensor(b, requires_grad=True)
    for _ in range(epochs):                     # data
        prediction = w * x + b                  # predict
        loss = ((prediction - y) ** 2).mean()   # measure
        loss.backward()                         # differentiate
        with torch.no_grad():
            w -= lr * w.grad                    # update
            b -= lr * b.grad
        w.grad = b.grad = None                  # clear
    return w.item(), b.item()
# --8<-- [end:loop]
# fmt: on


LINES = [
    ("w -= lr * w.grad", "the update of w"),
    ("b -= lr * b.grad", "the update of b"),
    ("w.grad = b.grad = None", "the clearing"),
    ("loss.backward()", "differentiate"),
    ("loss = (", "measure"),
    ("prediction = ", "predict"),
    ("with torch.no_grad():", "no_grad"),
]


# --8<-- [start:without]
def without(start):
    """The loop without the line that starts like this; what stood under it moves out."""
    lines = textwrap.dedent(inspect.getsource(train)).splitlines()
    (gone,) = [i for i, text in enumerate(lines) if text.strip().startswith(start)]
    depth = len(lines[gone]) - len(lines[gone].lstrip())
    kept, under = lines[:gone], True
    for text in lines[gone + 1 :]:
        under = under and len(text) - len(text.lstrip()) > depth
        kept.append(text[4:] if under else text)
    names = {"torch": torch}
    exec("\n".join(kept), names)
    return names["train"]


# --8<-- [end:without]


def outcome(loop, x, y, epochs):
    """What a reader sees: the mean squared error of the line that comes back, or the error that stops the loop."""
    try:
        w, b = loop(x, y, 0.0, 0.0, epochs, LR)
    except Exception as error:
        return {"error": type(error).__name__, "w": None, "b": None, "mse": None}
    return {"error": "none", "w": w, "b": b, "mse": ((w * x + b - y) ** 2).mean().item()}


def curve(loop, x, y, epochs):
    """The loss before each epoch."""
    weights = [loop(x, y, 0.0, 0.0, n, LR) for n in range(epochs + 1)]
    return [((w * x + b - y) ** 2).mean().item() for w, b in weights]


def run(quick=False):
    epochs = 50 if quick else EPOCHS
    x, y = noisy_line()
    best = least_squares(x, y)
    rows = [{"line": "nothing", **outcome(train, x, y, epochs)}]
    rows += [{"line": name, **outcome(without(start), x, y, epochs)} for start, name in LINES]
    body = inspect.getsource(train).strip().splitlines()
    shortened = {f"without {name}": without(start) for start, name in LINES}
    silent = [("nothing missing", train)]
    silent += [(name, loop) for name, loop in shortened.items() if outcome(loop, x, y, 1)["error"] == "none"]
    return {
        "rows": rows,
        "curves": {name: curve(loop, x, y, 20 if quick else 60) for name, loop in silent},
        "least_squares": dict(zip(("w", "b", "mse"), best, strict=True)),
        "lines": len(body),
        "epochs": epochs,
        "lr": LR,
    }


def draw(results):
    figure, ax = plt.subplots(figsize=(5.2, 3.6))
    inks = dict(zip(results["curves"], ("truth", "start_a", "start_b", "wrong"), strict=True))
    styles = ("-", "--", "-.", ":")
    lines = [
        (ax.plot(losses, color=colour(inks[name]), ls=style)[0], name)
        for (name, losses), style in zip(results["curves"].items(), styles, strict=True)
    ]
    ax.axhline(results["least_squares"]["mse"], color=colour("data"), lw=0.8)
    ax.set_yscale("log")
    ax.set_xlabel("epoch")
    ax.set_ylabel("mean squared error")
    ax.set_title("Three gaps that raise no error")
    ax.set_xlim(0, 105)
    ax.set_xticks([0, 20, 40, 60])
    label_ends(ax, lines)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run)
