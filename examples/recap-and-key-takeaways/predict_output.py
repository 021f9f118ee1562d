"""What do these four snippets print?

    python examples/recap-and-key-takeaways/predict_output.py

Each holds one thing that Part 1 taught, and one that tempts. Takes no time at all.
"""

import contextlib
import inspect
import io
import textwrap


def one_step():
    # --8<-- [start:one_step]
    w, lr = 1.0, 0.1
    x, y = [1.0, 2.0], [3.0, 6.0]
    gradient = 0.0
    for i in range(2):
        gradient += 2 * (w * x[i] - y[i]) * x[i] / 2
    w = w - lr * gradient
    print(w)
    # --8<-- [end:one_step]


def twice():
    # --8<-- [start:twice]
    import torch

    w = torch.tensor(3.0, requires_grad=True)
    (w**2).backward()
    (w**2).backward()
    print(w.grad.item())
    # --8<-- [end:twice]


def shapes():
    # --8<-- [start:shapes]
    import torch

    prediction = torch.zeros(4, 1)
    y = torch.tensor([1.0, 1.0, 1.0, 1.0])
    print((prediction - y).numel())
    # --8<-- [end:shapes]


def factor():
    # --8<-- [start:factor]
    curvature, lr = 2.0, 0.75
    w = 1.0  # the minimum is at 0
    for _ in range(3):
        w = w - lr * curvature * w
    print(w)
    # --8<-- [end:factor]


SNIPPETS = (one_step, twice, shapes, factor)


def printed(snippet, *changes):
    """The number it prints; with changes, what it would print with some of its text replaced."""
    source = textwrap.dedent(inspect.getsource(snippet).partition("\n")[2])
    for old, new in changes:
        if old not in source:
            raise ValueError(f"{snippet.__name__} has no {old!r}")
        source = source.replace(old, new)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(source, {})
    return float(out.getvalue())


def run(quick=False):
    return {
        "printed": {snippet.__name__: printed(snippet) for snippet in SNIPPETS},
        # What the usual wrong turns give.
        "one_step": {
            "sum": printed(one_step, (" / 2", "")),
            "uphill": printed(one_step, ("w - lr", "w + lr")),
            "no_factor_2": printed(one_step, ("2 * (", "(")),
            "no_lr": printed(one_step, ("lr * gradient", "gradient")),
            "no_x": printed(one_step, (" * x[i] / 2", " / 2")),
        },
        "twice": {"cleared": printed(twice, ("print", "w.grad = None\n(w**2).backward()\nprint"))},
        "shapes": {"same_shape": printed(shapes, ("prediction - y)", "prediction - y.unsqueeze(1))"))},
        "factor": {
            "no_sign": abs(printed(factor)),
            "one_turn": printed(factor, ("range(3)", "range(1)")),
            "two_turns": printed(factor, ("range(3)", "range(2)")),
            "no_curvature": printed(factor, (" * curvature", "")),
        },
    }


if __name__ == "__main__":
    from courseware.example import main

    main(run)
