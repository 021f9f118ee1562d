"""Do the gradients derived on paper agree with autograd's, and does setting them to zero give the best line?

    python examples/the-simplest-case-linear-regression/derivation.py

At w = b = 1 on the 100 points, in float64. Takes a second.
"""

import torch

from trainloop.data import least_squares, noisy_line


# --8<-- [start:gradients]
def on_paper(x, y, w, b):
    residual = w * x + b - y
    return 2 * (residual * x).mean(), 2 * residual.mean()


def from_autograd(x, y, w, b):
    w = torch.tensor(w, dtype=x.dtype, requires_grad=True)
    b = torch.tensor(b, dtype=x.dtype, requires_grad=True)
    ((w * x + b - y) ** 2).mean().backward()
    return w.grad, b.grad
# --8<-- [end:gradients]


# --8<-- [start:normal]
def where_both_are_zero(x, y):
    x_off, y_off = x - x.mean(), y - y.mean()
    w = (x_off * y_off).mean() / (x_off**2).mean()
    return w, y.mean() - w * x.mean()
# --8<-- [end:normal]


def run(quick=False):
    x, y = noisy_line(dtype=torch.float64)
    rows = [
        {"way": way, "w_grad": w_grad.item(), "b_grad": b_grad.item()}
        for way, (w_grad, b_grad) in {
            "on paper": on_paper(x, y, 1.0, 1.0),
            "autograd": from_autograd(x, y, 1.0, 1.0),
            # The usual wrong turn: x kept in b's gradient.
            "with x in both": (on_paper(x, y, 1.0, 1.0)[0],) * 2,
        }.items()
    ]
    w, b = where_both_are_zero(x, y)
    slope, intercept, _ = least_squares(x, y)

    # What the wrong turn trains to: both weights get the same gradient.
    wrong_w = wrong_b = torch.zeros((), dtype=x.dtype)
    for _ in range(50 if quick else 2000):
        shared = on_paper(x, y, wrong_w, wrong_b)[0]
        wrong_w, wrong_b = wrong_w - 0.1 * shared, wrong_b - 0.1 * shared
    return {
        "rows": rows,
        "zero": {"w": w.item(), "b": b.item()},
        "off": max(abs(w.item() - slope), abs(b.item() - intercept)),
        "wrong": {
            "w": wrong_w.item(),
            "b": wrong_b.item(),
            "loss": (wrong_w * x + wrong_b - y).square().mean().item(),
            "b_grad": on_paper(x, y, wrong_w, wrong_b)[1].item(),
        },
    }


if __name__ == "__main__":
    from courseware.example import main

    main(run)
