"""How close do a forward and a central difference come to the derivative, on a cube and on the line's loss?

    python examples/numerical-vs-analytical-gradients/by_hand.py

x³ at 1, where the errors can be computed on paper; the digits that float32 keeps of f(1 + h); then the loss
of the course's line. Takes a tenth of a second.
"""

import torch

from trainloop.data import noisy_line


# --8<-- [start:differences]
def forward_difference(f, x, h):
    return (f(x + h) - f(x)) / h


def central_difference(f, x, h):
    return (f(x + h) - f(x - h)) / (2 * h)
# --8<-- [end:differences]


def cube(x):
    return x * x * x


def fourth(x):
    return x * x * x * x


def at_one(f, slope, h):
    """Both differences of f at 1, and their distance from its slope there."""
    x = torch.tensor(1.0, dtype=torch.float64)
    forward = forward_difference(f, x, h).item()
    central = central_difference(f, x, h).item()
    return {
        "h": h,
        "forward": forward,
        "forward_error": forward - slope,
        "central": central,
        "central_error": central - slope,
    }


def digits(h):
    """What float32 stores of (1 + h)³, and what is left when 1 is taken away."""
    one = torch.tensor(1.0)
    above = cube(one + h)
    return {
        "h": h,
        "above": f"{above.item():.8f}",
        "difference": f"{(above - 1).item():.8f}",
        "quotient": forward_difference(cube, one, h).item(),
    }


# --8<-- [start:line]
def loss(x, y, w, b):
    return ((w * x + b - y) ** 2).mean()


def on_paper(x, y, w, b):
    residual = w * x + b - y
    return {"w": (2 * residual * x).mean(), "b": (2 * residual).mean()}


def by_autograd(x, y, w, b):
    w, b = w.clone().requires_grad_(), b.clone().requires_grad_()
    loss(x, y, w, b).backward()
    return {"w": w.grad, "b": b.grad}


def by_differences(difference, x, y, w, b, h):
    return {
        "w": difference(lambda value: loss(x, y, value, b), w, h),
        "b": difference(lambda value: loss(x, y, w, value), b, h),
    }
# --8<-- [end:line]


def four_ways(x, y, w, b, h):
    ways = {
        "paper": on_paper(x, y, w, b),
        "autograd": by_autograd(x, y, w, b),
        "forward": by_differences(forward_difference, x, y, w, b, h),
        "central": by_differences(central_difference, x, y, w, b, h),
    }
    return [{"parameter": name} | {way: found[name].item() for way, found in ways.items()} for name in "wb"]


def run(quick=False):
    x, y = noisy_line(dtype=torch.float64)
    w, b = torch.zeros(2, dtype=torch.float64)  # the start: a flat line at zero
    small, large = four_ways(x, y, w, b, h=1e-4), four_ways(x, y, w, b, h=1.0)
    for row in small + large:
        for way in ("forward", "central"):
            row[f"{way}_error"] = row[way] - row["autograd"]
    return {
        "cube": [at_one(cube, 3.0, h) for h in (0.1, 0.01, 0.001)],
        "fourth": at_one(fourth, 4.0, 0.1),
        "digits": [digits(10.0**-k) for k in range(1, 9)],
        "small": small,
        "large": large,
        "mean_square_x": x.square().mean().item(),
        "hand_against_autograd": max(abs(row["paper"] - row["autograd"]) for row in small),
        "loss": loss(x, y, w, b).item(),
    }


if __name__ == "__main__":
    from courseware.example import main

    main(run)
