"""What does one step at learning rate 1/λmax do, and how long does the rest of the way take?

    python examples/visualizing-the-loss-landscape/one_jump.py

One jump onto the floor of the valley, then the steps it takes to halve what is left. Takes a second.
"""

import math

import torch

from trainloop.data import least_squares, noisy_line

x, y = noisy_line(dtype=torch.float64)
X = torch.cat([x, torch.ones_like(x)], dim=1)


# --8<-- [start:jump]
def walk(lr, steps, start=(-1.0, 2.0)):
    """Distance along and across the valley, before each step."""
    best = torch.tensor(least_squares(x, y)[:2], dtype=torch.float64)
    _, directions = torch.linalg.eigh(2 / len(x) * X.T @ X)
    θ, away = torch.tensor(start, dtype=torch.float64), []
    for _ in range(steps + 1):
        away.append(((θ - best) @ directions).abs().tolist())
        θ = θ - lr * 2 / len(x) * X.T @ (X @ θ - y[:, 0])
    return away


# --8<-- [end:jump]


def run(quick=False):
    λmin, λmax = torch.linalg.eigvalsh(2 / len(x) * X.T @ X).tolist()
    away = walk(1 / λmax, 100)
    halved = next(t for t, (along, _) in enumerate(away) if along < away[0][0] / 2)
    return {
        "lr": 1 / λmax,
        "rows": [{"step": t, "along": away[t][0], "across": away[t][1]} for t in (0, 1, 2, 10)],
        "factor": {"measured": away[2][0] / away[1][0], "paper": 1 - λmin / λmax},
        "halved": halved,
        "paper_halved": math.log(0.5) / math.log(1 - λmin / λmax),
    }


if __name__ == "__main__":
    from courseware.example import main

    main(run)
