"""What does torch say when a weight is updated in a way that autograd cannot follow?

    python examples/the-simplest-case-linear-regression/refusals.py

Three updates that look right, each in a loop of three epochs. Takes a second.
"""

import warnings

import torch

from trainloop.data import noisy_line


# --8<-- [start:updates]
def in_place(w, lr):
    w -= lr * w.grad
    return w


def new_tensor(w, lr):
    w = w - lr * w.grad
    return w


def new_tensor_no_grad(w, lr):
    with torch.no_grad():
        w = w - lr * w.grad
    return w
# --8<-- [end:updates]


# --8<-- [start:first_failure]
def first_failure(update, lr=0.1):
    """Epoch and words of the first exception, counting from 1."""
    x, y = noisy_line()
    w = torch.zeros((), requires_grad=True)
    for epoch in range(1, 4):
        try:
            loss = ((w * x + 3 - y) ** 2).mean()
            loss.backward()
            w = update(w, lr)
        except (RuntimeError, TypeError) as error:
            return epoch, f"{type(error).__name__}: {error}"
    return None, "no error"
# --8<-- [end:first_failure]


UPDATES = {
    "w -= lr * w.grad": in_place,
    "w = w - lr * w.grad": new_tensor,
    "the same under no_grad": new_tensor_no_grad,
}


def run(quick=False):
    rows = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for written, update in UPDATES.items():
            epoch, says = first_failure(update)
            rows.append({"written": written, "epoch": epoch, "says": says})
    return {"rows": rows, "warning": str(caught[0].message).partition(".")[0] if caught else ""}


if __name__ == "__main__":
    from courseware.example import main

    main(run)
