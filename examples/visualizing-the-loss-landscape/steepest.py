"""How do you find λmax of a loss whose Hessian you cannot write down?

    python examples/visualizing-the-loss-landscape/steepest.py

Power iteration with nothing but gradients, on three losses whose λmax is known; then the rate it predicts,
tried from a start beside the minimum. Takes two seconds.
"""

import math

import torch

from trainloop.data import least_squares, noisy_line
from trainloop.landscapes import sin_r2

x, y = noisy_line(dtype=torch.float64)


def line(θ):
    return ((θ[0] * x + θ[1] - y) ** 2).mean()


def rings(θ):
    return sin_r2.f(θ[0], θ[1])


def two_weights(θ):
    return (θ[1] * θ[0] - 1) ** 2 / 2


# --8<-- [start:power]
def gradient(loss, θ):
    θ = θ.detach().requires_grad_()
    loss(θ).backward()
    return θ.grad


def largest_curvature(loss, θ, rounds=60, h=1e-5):
    """Power iteration: a small step v changes the gradient by H v."""
    v = torch.tensor([0.6, 0.8], dtype=torch.float64)
    for _ in range(rounds):
        ahead = gradient(loss, θ + h * v)
        behind = gradient(loss, θ - h * v)
        hv = (ahead - behind) / (2 * h)
        λ = v @ hv
        v = hv / hv.norm()
    return λ.item()


# --8<-- [end:power]


# --8<-- [start:try]
def leaves(loss, minimum, lr, steps=400):
    """Does a walk from just beside the minimum move away from it?"""
    θ = minimum + 1e-4 * torch.tensor([0.6, 0.8], dtype=torch.float64)
    for _ in range(steps):
        θ = θ - lr * gradient(loss, θ)
    # A moat is flat along itself: the slope tells whether it rests.
    return gradient(loss, θ).norm().item() > 1e-4


# --8<-- [end:try]


def run(quick=False):
    r = math.sqrt(1.5 * math.pi)
    design = torch.cat([x, torch.ones_like(x)], dim=1)
    known = {
        "the line": (line, least_squares(x, y)[:2], torch.linalg.eigvalsh(2 / len(x) * design.T @ design)[1].item()),
        "first moat of sin r²": (rings, (0.8 * r, 0.6 * r), 6 * math.pi),
        "two weights, at (1, 1)": (two_weights, (1.0, 1.0), 2.0),
    }
    rows = []
    for name, (loss, minimum, λ) in known.items():
        minimum = torch.tensor(minimum, dtype=torch.float64)
        found = largest_curvature(loss, minimum)
        rows.append(
            {
                "loss": name,
                "known": λ,
                "found": found,
                "error": abs(found / λ - 1),
                "wall": 2 / found,
                "below": "leaves" if leaves(loss, minimum, 0.98 * 2 / found) else "stays",
                "above": "leaves" if leaves(loss, minimum, 1.02 * 2 / found) else "stays",
            }
        )
    return {"rows": rows, "gradients": 120, "largest_error": max(row["error"] for row in rows)}


if __name__ == "__main__":
    from courseware.example import main

    main(run)
