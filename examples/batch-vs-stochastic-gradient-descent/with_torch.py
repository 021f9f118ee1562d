"""Does torch's DataLoader serve what the loop with a permutation takes?

    python examples/batch-vs-stochastic-gradient-descent/with_torch.py

The same five epochs with `DataLoader`, `nn.Linear` and `torch.optim.SGD`, and by hand on the batches the
loader served. Takes a second.
"""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from trainloop.data import noisy_line

LEARNING_RATE = 0.1
EPOCHS = 5
BATCH_SIZE = 30


# --8<-- [start:torch]
def with_torch(x, y, epochs):
    """The loop in torch's names; also returns the batches it was served."""
    dataset = TensorDataset(x, y)
    generator = torch.Generator().manual_seed(0)
    loader = DataLoader(
        dataset, batch_size=BATCH_SIZE, shuffle=True, generator=generator
    )
    model = nn.Linear(1, 1, dtype=x.dtype)
    nn.init.zeros_(model.weight)
    nn.init.zeros_(model.bias)
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE)
    loss_fn = nn.MSELoss()  # reduction="mean" is the default
    served = []
    for _ in range(epochs):
        for xi, yi in loader:
            optimizer.zero_grad()
            loss_fn(model(xi), yi).backward()
            optimizer.step()
            served.append((xi, yi))
    return model, served
# --8<-- [end:torch]


def gradient(θ, x, y):
    w, b = θ
    r = w * x + b - y
    return torch.stack([(2 * r * x).mean(), (2 * r).mean()])


def run(quick=False):
    epochs = 1 if quick else EPOCHS
    x, y = noisy_line(dtype=torch.float64)
    model, served = with_torch(x, y, epochs)
    θ = torch.zeros(2, dtype=x.dtype)
    for xi, yi in served:
        θ = θ - LEARNING_RATE * gradient(θ, xi, yi)
    per_epoch = len(served) // epochs
    first = torch.cat([xi for xi, _ in served[:per_epoch]]).flatten()
    second = torch.cat([xi for xi, _ in served[per_epoch : 2 * per_epoch]]).flatten() if epochs > 1 else first
    dropping = DataLoader(TensorDataset(x, y), batch_size=BATCH_SIZE, shuffle=True, drop_last=True)
    learned = torch.stack([model.weight.detach().flatten()[0], model.bias.detach()[0]])
    return {
        "batch_size": BATCH_SIZE,
        "epochs": epochs,
        "batches": per_epoch,
        "sizes": [len(xi) for xi, _ in served[:per_epoch]],
        "each_once": bool(torch.equal(first.sort().values, x.flatten())),
        "same_order_twice": bool(torch.equal(first, second)),
        "batches_drop_last": len(dropping),
        "left_out": len(x) - len(dropping) * BATCH_SIZE,
        "apart": (learned - θ).abs().max().item(),
    }


if __name__ == "__main__":
    from courseware.example import main

    main(run)
