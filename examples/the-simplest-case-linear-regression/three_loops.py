"""Do hand-made gradients, autograd and `nn.Linear` walk the same path?

    python examples/the-simplest-case-linear-regression/three_loops.py

One line, one start, one learning rate, three loops; in float32 and in float64; against the line that
least squares computes. Takes three seconds.
"""

import matplotlib.pyplot as plt
import torch
from torch import nn

from trainloop.data import least_squares, noisy_line
from trainloop.figures import colour, line

# --8<-- [start:setup]
LR = 0.1
EPOCHS = 501
# --8<-- [end:setup]


# --8<-- [start:by_hand]
def by_hand(x, y, epochs, lr=LR):
    w = torch.zeros((), dtype=x.dtype)
    b = torch.zeros((), dtype=x.dtype)
    path = []
    for _ in range(epochs):
        # predict
        prediction = w * x + b
        # measure
        residual = prediction - y
        loss = (residual**2).mean()
        path.append((w.item(), b.item(), loss.item()))
        # differentiate
        w_grad = 2 * (residual * x).mean()
        b_grad = 2 * residual.mean()
        # update
        w = w - lr * w_grad
        b = b - lr * b_grad
    return path
# --8<-- [end:by_hand]


# --8<-- [start:with_autograd]
def with_autograd(x, y, epochs, lr=LR):
    w = torch.zeros((), dtype=x.dtype, requires_grad=True)
    b = torch.zeros((), dtype=x.dtype, requires_grad=True)
    path = []
    for _ in range(epochs):
        # predict
        prediction = w * x + b
        # measure
        loss = ((prediction - y) ** 2).mean()
        path.append((w.item(), b.item(), loss.item()))
        # differentiate
        loss.backward()
        # update
        with torch.no_grad():
            w -= lr * w.grad
            b -= lr * b.grad
        w.grad = None
        b.grad = None
    return path
# --8<-- [end:with_autograd]


# --8<-- [start:with_nn]
def with_nn(x, y, epochs, lr=LR):
    model = nn.Linear(1, 1, dtype=x.dtype)
    nn.init.zeros_(model.weight)  # the start of the other two
    nn.init.zeros_(model.bias)
    loss_fn = nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    path = []
    for _ in range(epochs):
        # predict
        prediction = model(x)
        # measure
        loss = loss_fn(prediction, y)
        w, b = model.weight.item(), model.bias.item()
        path.append((w, b, loss.item()))
        # differentiate
        optimizer.zero_grad()
        loss.backward()
        # update
        optimizer.step()
    return path
# --8<-- [end:with_nn]


# --8<-- [start:mirrored]
def mirrored(x, y, epochs, lr=LR):
    """By hand, but every rounding happens where autograd has it."""
    w = torch.zeros((), dtype=x.dtype)
    b = torch.zeros((), dtype=x.dtype)
    path = []
    for _ in range(epochs):
        residual = w * x + b - y
        path.append((w.item(), b.item(), (residual**2).mean().item()))
        share = torch.ones_like(residual) / len(x)  # from the mean
        pull = share * (2 * residual)               # from the square
        w = w - lr * (pull * x).sum()
        b = b - lr * pull.sum()
    return path
# --8<-- [end:mirrored]


LOOPS = {"by_hand": by_hand, "with_nn": with_nn, "mirrored": mirrored}
PRECISIONS = {"float32": torch.float32, "float64": torch.float64}
DRAWN = 61  # epochs in the figure
SHOWN = (0, 1, 10, 50, 100, 200, 500)


# --8<-- [start:compare]
def apart(path, reference):
    """How far w or b, whichever is further, stands from the reference."""
    pairs = zip(path, reference, strict=True)
    return [max(abs(p[0] - r[0]), abs(p[1] - r[1])) for p, r in pairs]
# --8<-- [end:compare]


def first_below(path, level):
    """The number of epochs after which the loss first lies at or below `level`, or None."""
    return next((epoch for epoch, (_, _, loss) in enumerate(path) if loss <= level), None)


def run(quick=False):
    epochs = 30 if quick else EPOCHS
    gaps, largest = {}, {}
    for name, dtype in PRECISIONS.items():
        x, y = noisy_line(dtype=dtype)
        reference = with_autograd(x, y, epochs)
        gaps[name] = {loop: apart(train(x, y, epochs), reference) for loop, train in LOOPS.items()}
        largest[name] = {loop: max(gap) for loop, gap in gaps[name].items()}

    walks = {
        loop.__name__: dict(zip("wb", map(list, list(zip(*loop(x, y, DRAWN), strict=True))[:2]), strict=True))
        for loop in (by_hand, with_autograd, with_nn)
    }

    # `x, y, reference` are those of float64 now: the judge computes in float64, too.
    slope, intercept, floor = least_squares(x, y)
    rows = [
        {"epochs": epoch, "w": w, "b": b, "loss": loss, "ratio": loss / floor}
        for epoch, (w, b, loss) in enumerate(reference)
        if epoch in SHOWN
    ]
    rows.append({"epochs": None, "w": slope, "b": intercept, "loss": floor, "ratio": 1.0})
    return {
        "largest": largest,
        "gaps": {name: {loop: gap[:DRAWN] for loop, gap in loops.items()} for name, loops in gaps.items()},
        "walks": walks,
        "equal_epochs": {loop: gap.count(0.0) for loop, gap in gaps["float32"].items()},
        "rows": rows,
        "best": {"w": slope, "b": intercept, "loss": floor},
        "truth_loss": (2 * x + 3 - y).square().mean().item(),
        "one_per_cent": first_below(reference, 1.01 * floor),
        "tenth_per_cent": first_below(reference, 1.001 * floor),
        "epochs": epochs,
    }


NOTHING = 1e-18  # where "exactly 0" is drawn


def draw_paths(ax, results):
    words = {"by_hand": "by hand", "with_autograd": "autograd", "with_nn": "nn.Linear"}
    for loop in words:
        for weight in ("w", "b"):
            label = words[loop] if weight == "w" else None
            ax.plot(results["walks"][loop][weight], **line(loop) | {"lw": 3}, label=label)
    ax.annotate("b", (40, 3.2))
    ax.annotate("w", (40, 1.45))
    ax.legend(loc="lower right", ncols=3, handlelength=1.3, columnspacing=1)
    ax.set(ylim=(-0.2, 3.6), ylabel="weight", title="Three loops, one path")


def draw_gaps(ax, results):
    for precision, marker in {"float32": "o", "float64": "s"}.items():
        for loop, filled in {"by_hand": True, "with_nn": False}.items():
            gap = [max(value, NOTHING) for value in results["gaps"][precision][loop]]
            ink = colour(precision)
            ax.plot(gap, marker, ms=2.5 if filled else 5, mec=ink, mew=0.8, mfc=ink if filled else "none", ls="")
        ax.annotate(precision, (4, 1e-7 if precision == "float32" else 2e-14), color=colour(precision))
    ax.axhline(1e-6, **line("truth"), lw=1)
    ax.annotate("10⁻⁶, the promise", (60, 1e-6), xytext=(0, 4), textcoords="offset points", ha="right")
    ax.set(
        yscale="log",
        ylim=(NOTHING / 8, 1e-4),
        yticks=[NOTHING, 1e-15, 1e-12, 1e-9, 1e-6],
        yticklabels=["exactly 0", "10⁻¹⁵", "10⁻¹²", "10⁻⁹", "10⁻⁶"],
        xlabel="epoch",
        ylabel="from autograd's",
        title="What differs is the last digit, or nothing",
    )
    ax.minorticks_off()
    for label, filled in {"by hand": True, "nn.Linear": False}.items():
        ink = colour("truth")
        ax.plot([], [], "o", ms=2.5 if filled else 5, mec=ink, mew=0.8, mfc=ink if filled else "none", label=label)
    ax.legend(loc="center right", ncols=2, handlelength=1)


def draw(results):
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(5.2, 6), sharex=True)
    draw_paths(top, results)
    draw_gaps(bottom, results)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
