"""Does the loop survive if a step may see only some of the points, and is it the old loop if it may see all?

    python examples/recap-and-key-takeaways/with_batches.py

The last exercise of Part 1: batches put into the loop that was written from memory. Takes a second.
"""

import torch
from final_loop import train

from trainloop.data import least_squares, noisy_line

EPOCHS = 50
LR = 0.1
SIZES = (100, 10, 1)


# --8<-- [start:solution]
def train_in_batches(x, y, w, b, epochs, lr, size, generator):
    w = torch.tensor(w, requires_grad=True)
    b = torch.tensor(b, requires_grad=True)
    for _ in range(epochs):
        shuffled = torch.randperm(len(x), generator=generator)
        for some in shuffled.split(size):                         # data
            prediction = w * x[some] + b                          # predict
            loss = ((prediction - y[some]) ** 2).mean()           # measure
            loss.backward()                                       # differentiate
            with torch.no_grad():
                w -= lr * w.grad                                  # update
                b -= lr * b.grad
            w.grad = b.grad = None
    return w.item(), b.item()
# --8<-- [end:solution]


def run(quick=False):
    epochs = 5 if quick else EPOCHS
    x, y = noisy_line(dtype=torch.float64)
    w, b, best = least_squares(x, y)
    full = train(x, y, 0.0, 0.0, epochs, LR)
    rows = []
    for size in SIZES:
        found = train_in_batches(x, y, 0.0, 0.0, epochs, LR, size, torch.Generator().manual_seed(0))
        rows.append(
            {
                "size": size,
                "steps": epochs * -(-len(x) // size),
                "w": found[0],
                "b": found[1],
                "excess": ((found[0] * x + found[1] - y) ** 2).mean().item() - best,
                "from_full": max(abs(found[0] - full[0]), abs(found[1] - full[1])),
            }
        )
    return {"rows": rows, "best": {"w": w, "b": b, "mse": best}, "epochs": epochs}


if __name__ == "__main__":
    from courseware.example import main

    main(run)
