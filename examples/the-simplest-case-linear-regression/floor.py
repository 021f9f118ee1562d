"""How low can the loss of a line get, for a given noise and number of points?

    python examples/the-simplest-case-linear-regression/floor.py

The best line's loss for six choices of noise and number of points, 400 data sets each. Takes two seconds.
"""

import math

import torch

from trainloop.data import least_squares, noisy_line

SEEDS = 400
CHOICES = ((0.2, 100), (0.5, 100), (0.0, 100), (0.2, 10), (0.2, 4), (0.2, 2))


# --8<-- [start:run]
def run(quick=False):
    rows = []
    for noise, n in CHOICES:
        floors = []
        for seed in range(20 if quick else SEEDS):
            x, y = noisy_line(n, noise=noise, seed=seed, dtype=torch.float64)
            floors.append(least_squares(x, y)[2])
        floors = torch.tensor(floors, dtype=torch.float64)
        rows.append({
            "noise": noise,
            "n": n,
            "mean": floors.mean().item(),
            "margin": 1.96 * floors.std().item() / math.sqrt(len(floors)),
            "guess": noise**2,
            "formula": noise**2 * (n - 2) / n,
        })
    return {"rows": rows, "seeds": len(floors)}
# --8<-- [end:run]


if __name__ == "__main__":
    from courseware.example import main

    main(run)
