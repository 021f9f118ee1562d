"""Can you say where the loop will be after 500 epochs, without running it?

    python examples/recap-and-key-takeaways/from_three_numbers.py

The curvatures of the loss, from the data alone, and the distance they predict; then the run. Takes a second.
"""

import torch
from final_loop import EPOCHS, LR, train

from trainloop.data import least_squares, noisy_line


# --8<-- [start:solution]
def predicted(x, y, epochs, lr):
    """w after this many epochs from w = b = 0, by the two factors."""
    features = torch.cat([x, torch.ones_like(x)], dim=1)
    hessian = 2 * features.T @ features / len(x)
    curvatures, directions = torch.linalg.eigh(hessian)
    best = torch.tensor(least_squares(x, y)[:2], dtype=x.dtype)
    distance = directions.T @ (0 - best)            # in the two special directions
    left = (1 - lr * curvatures) ** epochs * distance
    return curvatures, (best + directions @ left)[0].item()
# --8<-- [end:solution]


def run(quick=False):
    epochs = 50 if quick else EPOCHS
    x, y = noisy_line(dtype=torch.float64)
    curvatures, w = predicted(x, y, epochs, LR)
    measured, _ = train(x, y, 0.0, 0.0, epochs, LR)
    small, large = curvatures.tolist()
    return {
        "small": small,
        "large": large,
        "factor": 1 - LR * small,
        "left": (1 - LR * small) ** epochs,
        "best": least_squares(x, y)[0],
        "predicted": w,
        "measured": measured,
        "gap": abs(w - measured),
        "wall": 2 / large,
    }


if __name__ == "__main__":
    from courseware.example import main

    main(run)
