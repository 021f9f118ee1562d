"""What if the loss is measured in other units: the same problem, its loss times 0.01 or times 100?

    python examples/optimization-algorithms-beyond-sgd/units.py

The line of `convergence.py` at learning rate 0.1, 100 epochs; only the loss is multiplied. Takes a second.
"""

import copy

import torch
from torch import nn

from trainloop.data import noisy_line
from trainloop.figures import NAMES
from trainloop.loop import train_step
from trainloop.optim import SGD, Adam, RMSprop

EPOCHS = 100
FACTORS = (0.01, 1.0, 100.0)

OPTIMIZERS = {
    "sgd": lambda parameters: SGD(parameters, lr=0.1),
    "rmsprop": lambda parameters: RMSprop(parameters, lr=0.1, alpha=0.9),
    "adam": lambda parameters: Adam(parameters, lr=0.1),
}


# --8<-- [start:run]
def run(quick=False):
    x, y = noisy_line(dtype=torch.float64)
    torch.manual_seed(42)
    start = nn.Linear(1, 1, dtype=torch.float64)
    mse = nn.MSELoss()

    rows = []
    for name, make_optimizer in OPTIMIZERS.items():
        row = {"optimizer": NAMES[name]}
        for factor in FACTORS:
            model = copy.deepcopy(start)
            optimizer = make_optimizer(model.parameters())
            for _ in range(10 if quick else EPOCHS):
                loss = train_step(model, lambda p, t, c=factor: c * mse(p, t), optimizer, x, y)
            end = mse(model(x), y).item()
            # Above its start a run has diverged; how far up says nothing.
            row[f"{factor:g}"] = end if loss < 1e6 else None
        rows.append(row)
    adam = rows[-1]
    return {
        "start": mse(start(x), y).item(),
        "rows": rows,
        "adam_shift": max(abs(adam[f"{c:g}"] - adam["1"]) for c in FACTORS),
    }
# --8<-- [end:run]


if __name__ == "__main__":
    from courseware.example import main

    main(run)
