"""The solutions of the quick reference's practice tasks: do they do what they promise?

    python examples/quick-reference/practice.py

Accumulation that equals the large batch, a first step worked out by hand, and a warm-up that is not off by one.
Takes a second.
"""

import copy

import torch
from torch import nn

from trainloop.optim import SGD, Adam
from trainloop.schedulers import CosineAnnealingLR, LinearLR, SequentialLR


# --8<-- [start:accumulate]
def step_in_parts(model, parts, loss_fn, optimizer):
    samples = sum(len(x) for x, _ in parts)
    optimizer.zero_grad()
    for x, y in parts:
        loss = loss_fn(model(x), y) * len(x) / samples
        loss.backward()  # adds to .grad
    optimizer.step()
# --8<-- [end:accumulate]


# --8<-- [start:first_step]
def first_step(optimizer_class, slope, lr):
    w = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = optimizer_class([w], lr=lr)
    (slope * w).sum().backward()
    optimizer.step()
    return w.item()
# --8<-- [end:first_step]


# --8<-- [start:warmup]
def warmup_then_cosine(optimizer, warmup, total):
    rise = LinearLR(optimizer, start_factor=0.1, total_iters=warmup)
    fall = CosineAnnealingLR(optimizer, T_max=total - warmup)
    return SequentialLR(optimizer, [rise, fall], milestones=[warmup])
# --8<-- [end:warmup]


def accumulation():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 1)).double()
    x, y = torch.randn(100, 5, dtype=torch.float64), torch.randn(100, 1, dtype=torch.float64)

    def moved(parts):
        copied = copy.deepcopy(model)
        step_in_parts(copied, parts, nn.MSELoss(), SGD(copied.parameters(), lr=0.1))
        return nn.utils.parameters_to_vector(copied.parameters())

    uneven = list(zip(x.split(32), y.split(32), strict=True))
    return (moved(uneven) - moved([(x, y)])).abs().max().item()


def run(quick=False):
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = warmup_then_cosine(optimizer, 5, 20)
    rates = []
    for _ in range(20):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return {
        "accumulation_error": accumulation(),
        "sgd_first": {"small": first_step(SGD, 0.001, 0.1), "large": first_step(SGD, 1000.0, 0.1)},
        "adam_first": {"small": first_step(Adam, 0.001, 0.1), "large": first_step(Adam, 1000.0, 0.1)},
        "rates": rates,
        "at_the_top": sum(rate == max(rates) for rate in rates),
    }


if __name__ == "__main__":
    from courseware.example import main

    main(run)
