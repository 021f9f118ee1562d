"""Does SOAP care which way a problem lies?

    python examples/modern-optimizers/turned.py

A quadratic in a matrix of 12 × 12, steep in some directions and flat in others, along the coordinates and turned
out of them; four optimizers, each at the best of seven learning rates for each of the two. Takes ten seconds.
"""

import math
import statistics

import torch

from trainloop.optim import SGD, SOAP, Adam, Muon

N = 12
STEPS = 100
SEEDS = range(5)
STEEPEST = 100.0  # of the rows and of the columns: the condition number is its square

# --8<-- [start:setup]
OPTIMIZERS = {
    "SGD + momentum": (lambda p, lr: SGD(p, lr=lr, momentum=0.9), 0.001),
    "Adam": (lambda p, lr: Adam(p, lr=lr, betas=(0.9, 0.95)), 0.4),
    "Muon": (lambda p, lr: Muon(p, lr=lr, weight_decay=0), 0.4),
    "SOAP": (lambda p, lr: SOAP(p, lr=lr, betas=(0.9, 0.95), weight_decay=0), 0.4),
}  # and the middle of each grid of learning rates


def problem(seed, turned):
    """A start, and a loss ½ Σ λᵢ μⱼ (UᵀWV)ᵢⱼ² that is the same function of the turned start."""
    generator = torch.Generator().manual_seed(seed)
    start, a, b = torch.randn(3, N, N, generator=generator, dtype=torch.float64)
    λ = torch.logspace(0, math.log10(STEEPEST), N, dtype=torch.float64)
    eye = torch.eye(N, dtype=torch.float64)
    U, V = (torch.linalg.qr(a).Q, torch.linalg.qr(b).Q) if turned else (eye, eye)

    def loss(W):
        return 0.5 * (λ[:, None] * λ * (U.T @ W @ V).square()).sum()

    return (U @ start @ V.T).requires_grad_(), loss


# --8<-- [end:setup]


def train(make, lr, seed, turned, steps):
    """The loss in the end, as a share of the first; the rate falls to 0 in a straight line."""
    W, loss_of = problem(seed, turned)
    optimizer = make([W], lr)
    first = loss_of(W).item()
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = lr * (1 - step / steps)
        optimizer.zero_grad()
        loss_of(W).backward()
        optimizer.step()
    end = loss_of(W).item() / first
    return end if end < 1e6 else 1e6


def run(quick=False):
    steps, seeds = (10, range(1)) if quick else (STEPS, SEEDS)
    rows = []
    for name, (make, middle) in OPTIMIZERS.items():
        rates = [middle] if quick else [middle * 10 ** (k / 3) for k in range(-3, 4)]
        ends = {}
        for turned in (False, True):
            at = {lr: [train(make, lr, seed, turned, steps) for seed in seeds] for lr in rates}
            best = min(at, key=lambda lr: statistics.median(at[lr]))
            ends[turned] = at[best]
            assert quick or rates[0] < best < rates[-1], (name, best)
        ratios = [b / a for a, b in zip(ends[False], ends[True], strict=True)]
        rows.append(
            {
                "name": name,
                "along": statistics.median(ends[False]),
                "turned": statistics.median(ends[True]),
                "times": statistics.median(ratios),
                "least": min(ratios),
            }
        )
    return {"size": N, "condition": STEEPEST**2, "steps": steps, "seeds": len(seeds), "rows": rows}


if __name__ == "__main__":
    from courseware.example import main

    main(run)
