"""What does a loop learn whose targets have shape (100,) and whose predictions have shape (100, 1)?

    python examples/the-simplest-case-linear-regression/shape_trap.py

The loop of `three_loops.py` on the same points, once with the right shape, once without. Takes a second.
"""

import warnings

import matplotlib.pyplot as plt
from three_loops import with_autograd
from torch.nn.functional import mse_loss

from trainloop.data import least_squares, noisy_line
from trainloop.figures import colour, label_ends, line

EPOCHS = 501


# --8<-- [start:trap]
def train_twice(epochs):
    x, y = noisy_line()  # both (100, 1)
    flat = y.squeeze(1)  # (100,)
    right = with_autograd(x, y, epochs)
    trapped = with_autograd(x, flat, epochs)
    return right, trapped
# --8<-- [end:trap]


# --8<-- [start:warning]
def what_torch_says(x, flat):
    """mse_loss broadcasts, too, but it warns."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        mse_loss(2 * x + 3, flat)
    return str(caught[0].message)
# --8<-- [end:warning]


def run(quick=False):
    x, y = noisy_line()
    with warnings.catch_warnings(record=True) as silent:
        warnings.simplefilter("always")
        right, trapped = train_twice(20 if quick else EPOCHS)
    (w, b, loss), (right_w, right_b, right_loss) = trapped[-1], right[-1]
    residual = (2 * x + 3) - y.squeeze(1)
    early = 100 if len(trapped) > 100 else -1
    return {
        "right": {"w": right_w, "b": right_b, "loss": right_loss, "losses": [r[2] for r in right[:151]]},
        "trapped": {"w": w, "b": b, "loss": loss, "losses": [t[2] for t in trapped[:151]]},
        "early_w": trapped[early][0],
        "epochs": len(trapped),
        "warnings_from_bare_tensors": len(silent),
        "warning": what_torch_says(x, y.squeeze(1)),
        "shape": str(tuple(residual.shape)),
        "residuals": residual.numel(),
        "mean": y.mean().item(),
        "variance": y.var(correction=0).item(),
        "best": dict(zip(("w", "b", "loss"), least_squares(x, y), strict=True)),
        "points": {"x": x[::2].flatten().tolist(), "y": y[::2].flatten().tolist()},
    }


def draw(results):
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(5.2, 5.4))
    top.plot(results["points"]["x"], results["points"]["y"], "o", ms=3, color=colour("data"))
    lines = []
    right, wrong = {"color": colour("with_autograd")}, line("wrong")
    for name, words, look in (("right", "y (100, 1)", right), ("trapped", "y (100,)", wrong)):
        found = results[name]
        drawn = top.plot([0, 1], [found["b"], found["w"] + found["b"]], **look)[0]
        lines.append((drawn, words))
    top.set(xlabel="x", ylabel="y", title="The trapped loop learns the mean of y")
    label_ends(top, lines)
    lines = [
        (bottom.plot(results["right"]["losses"], **right)[0], "y (100, 1)"),
        (bottom.plot(results["trapped"]["losses"], **wrong)[0], "y (100,)"),
    ]
    bottom.set(yscale="log", xlabel="epoch", ylabel="loss it reports", title="Its loss falls and settles like any")
    label_ends(bottom, lines)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
