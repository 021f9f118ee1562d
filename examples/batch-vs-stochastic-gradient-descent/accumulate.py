"""Can gradients of micro-batches be added up to the full batch's exactly, also with an unequal last one?

    python examples/batch-vs-stochastic-gradient-descent/accumulate.py

Micro-batches of 1 to 100 of 100 examples, float64, sixty epochs, against the full batch.
Takes about two seconds.
"""

import torch

from trainloop.data import noisy_line

LEARNING_RATE = 0.1
EPOCHS = 60
SIZES = (1, 7, 10, 33, 64, 100)
UNIT = 2.0**-53  # a float64 operation is off by at most this fraction


# --8<-- [start:accumulate]
def accumulated(w, b, x, y, micro_batch):
    """Fill w.grad and b.grad with the full batch's gradient, a micro-batch at a time."""
    w.grad = b.grad = None
    for xi, yi in zip(x.split(micro_batch), y.split(micro_batch), strict=True):
        loss = (w * xi + b - yi).square().mean()
        (loss * len(xi) / len(x)).backward()  # its share of the examples
# --8<-- [end:accumulate]


def parameters(dtype):
    return [torch.zeros((), dtype=dtype, requires_grad=True) for _ in range(2)]


def descend(x, y, micro_batch, epochs):
    w, b = parameters(x.dtype)
    path, gradients = [], []
    for _ in range(epochs):
        accumulated(w, b, x, y, micro_batch)
        gradients.append((w.grad.item(), b.grad.item()))
        with torch.no_grad():
            w -= LEARNING_RATE * w.grad
            b -= LEARNING_RATE * b.grad
        path.append((w.item(), b.item()))
    return torch.tensor(path, dtype=torch.float64), torch.tensor(gradients, dtype=torch.float64)


def run(quick=False):
    epochs = 5 if quick else EPOCHS
    x, y = (t.flatten() for t in noisy_line(dtype=torch.float64))
    full_path, full_gradients = descend(x, y, len(x), epochs)
    # Two orders of one sum of n terms differ by at most 2 (n + 4) u times the mean size of a term:
    # n - 1 additions, and a handful of products and quotients, each off by a fraction u.
    terms = torch.stack([2 * (-y) * x, 2 * (-y)]).abs().mean(dim=1)
    bound = (2 * (len(x) + 4) * UNIT * terms).max().item()
    rows = []
    for size in SIZES:
        path, gradients = descend(x, y, size, epochs)
        rows.append({
            "size": size,
            "last": len(x) % size or size,
            "first_gradient": (gradients[0] - full_gradients[0]).abs().max().item(),
            "path": (path - full_path).abs().max().item(),
        })
    single = [row["path"] for row in rows]
    x32, y32 = x.float(), y.float()
    path32, full32 = descend(x32, y32, 7, epochs)[0], descend(x32, y32, len(x), epochs)[0]
    return {
        "rows": rows,
        "bound": bound,
        "worst_gradient": max(row["first_gradient"] for row in rows),
        "worst_path": max(single),
        "float32_path": (path32 - full32).abs().max().item(),
        "epochs": epochs,
    }


if __name__ == "__main__":
    from courseware.example import main

    main(run)
