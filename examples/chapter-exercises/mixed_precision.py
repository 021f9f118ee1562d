"""Does mixed precision speed up a step, and does it cost accuracy?

    python examples/chapter-exercises/mixed_precision.py

On a CPU bfloat16 without a scaler, on a GPU float16 with one: the time of a step of two networks, a narrow
and a wide one, and the accuracy of the narrow one after training with eight seeds. Takes about six seconds.
"""

import statistics
import time

import torch
from torch import nn
from torch.amp import GradScaler
from tqdm import tqdm

from trainloop.data import digits
from trainloop.lab import paired
from trainloop.loop import evaluate
from trainloop.models import MLP
from trainloop.optim import SGD
from trainloop.sampler import ShuffledBatches
from trainloop.window import train_window

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
LOW = torch.float16 if DEVICE == "cuda" else torch.bfloat16
EPOCHS, BATCH, SEEDS = 6, 64, range(100, 108)
SIZES = {"narrow": [64, 64, 64, 10], "wide": [64, 1024, 1024, 10]}
REPEATS = 15


# --8<-- [start:step]
def make_scaler(low):
    """float16 underflows, so its loss is scaled; bfloat16 does not."""
    return GradScaler(DEVICE) if low is torch.float16 else None


def step(model, optimizer, x, y, low, scaler):
    """One update, its forward pass in 16 bits if asked."""
    loss_fn = nn.CrossEntropyLoss()
    return train_window(
        model, loss_fn, optimizer, [(x, y)], autocast=low, scaler=scaler
    )
# --8<-- [end:step]


def milliseconds(sizes, batch, repeats):
    """The median time of a step in 32 and in 16 bits, taken in turns."""
    x, y, _, _ = (part.to(DEVICE) for part in digits())
    x, y = x[:batch], y[:batch]
    model = MLP(sizes).to(DEVICE)
    optimizer = SGD(model.parameters(), lr=0.01, momentum=0.9)
    times, scalers = {None: [], LOW: []}, {None: None, LOW: make_scaler(LOW)}
    for _ in range(repeats + 2):
        for low, taken in times.items():
            started = time.perf_counter()
            step(model, optimizer, x, y, low, scalers[low]).loss.item()  # waits for the device
            taken.append(time.perf_counter() - started)
    return {"float32": 1000 * statistics.median(times[None][2:]), "low": 1000 * statistics.median(times[LOW][2:])}


def train(seed, epochs, low):
    """Test accuracy after training."""
    x, y, x_test, y_test = (part.to(DEVICE) for part in digits())
    torch.manual_seed(seed)
    model = MLP(SIZES["narrow"]).to(DEVICE)
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    batches = ShuffledBatches(len(x), BATCH, seed=seed)
    scaler = make_scaler(low)
    for epoch in range(epochs):
        batches.set_epoch(epoch)
        for i in batches:
            step(model, optimizer, x[i], y[i], low, scaler)
    return evaluate(model, lambda logits, y: (logits.argmax(dim=1) == y).float().mean(), [(x_test, y_test)])


# --8<-- [start:small_step]
def small_steps(dtype, steps=1000, lr=1e-3):
    """A weight of 1 with a gradient of 1, a thousand steps down."""
    w = torch.ones((), dtype=dtype, requires_grad=True)
    optimizer = SGD([w], lr=lr)
    for _ in range(steps):
        w.grad = torch.ones_like(w)
        optimizer.step()
    return w.item()
# --8<-- [end:small_step]


def run(quick=False):
    epochs, seeds, repeats = (1, SEEDS[:2], 3) if quick else (EPOCHS, SEEDS, REPEATS)
    torch.manual_seed(0)
    rows = []
    for name, sizes in SIZES.items():
        taken = milliseconds(sizes, 1024, repeats)
        rows.append({"network": name, "width": sizes[1], **taken, "speedup": taken["float32"] / taken["low"]})
    accuracy = {
        name: [train(seed, epochs, low) for seed in tqdm(seeds, desc=name, leave=False)]
        for name, low in (("float32", None), ("low", LOW))
    }
    return {
        "rows": rows,
        "low_name": str(LOW).removeprefix("torch."),
        "accuracy": {name: statistics.fmean(own) for name, own in accuracy.items()},
        "gap": paired(accuracy["low"], accuracy["float32"]),
        "seeds": len(seeds),
        "small_steps": {"float32": small_steps(torch.float32), "bfloat16": small_steps(torch.bfloat16)},
    }


if __name__ == "__main__":
    from courseware.example import main

    main(run)
