"""The training loop: predict, measure, differentiate, update – for every batch, in every epoch.

Examples:
    >>> import torch
    >>> from trainloop.optim import SGD
    >>> x = torch.tensor([[0.0], [1.0], [2.0]])
    >>> line = torch.nn.Linear(1, 1)
    >>> optimizer = SGD(line.parameters(), lr=0.2)
    >>> losses = fit(line, torch.nn.functional.mse_loss, optimizer, [(x, 2 * x + 3)], epochs=500)
    >>> round(line.weight.item(), 3), round(line.bias.item(), 3)
    (2.0, 3.0)
"""

# torch leaves Tensor.backward without types:
# mypy: allow-untyped-calls

from collections.abc import Callable, Iterable
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

__all__ = ["Batch", "LossFn", "evaluate", "fit", "train_epoch", "train_step"]

Batch: TypeAlias = tuple[Tensor, Tensor]
"""Inputs and targets. The first dimension of both counts the samples."""

LossFn: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""Takes predictions and targets, and returns the mean loss over the batch."""


# --8<-- [start:step]
def train_step(
    model: nn.Module,
    loss_fn: LossFn,
    optimizer: Optimizer,
    x: Tensor,
    y: Tensor,
) -> float:
    """Make one update from one batch, and return the loss before it.

    A loss that is infinite or NaN is returned like any other: a run may diverge.
    """
    prediction = model(x)
    loss = loss_fn(prediction, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# --8<-- [end:step]


# --8<-- [start:epoch]
def train_epoch(
    model: nn.Module,
    loss_fn: LossFn,
    optimizer: Optimizer,
    batches: Iterable[Batch],
) -> float:
    """Make one update from each batch, and return the mean loss over all samples.

    Each sample's loss is the one before its batch's update, and all samples count alike: a smaller
    last batch weighs less. The model ends in train mode.

    Raises:
        ValueError: there are no samples.
    """
    model.train()
    total, samples = 0.0, 0
    for x, y in batches:
        total += train_step(model, loss_fn, optimizer, x, y) * len(x)
        samples += len(x)
    return _mean(total, samples)


# --8<-- [end:epoch]


# --8<-- [start:evaluate]
@torch.no_grad()
def evaluate(model: nn.Module, loss_fn: LossFn, batches: Iterable[Batch]) -> float:
    """Return the mean loss over all samples, measured in eval mode.

    Afterwards every layer is in the mode it was in before, even if measuring fails.

    Raises:
        ValueError: there are no samples.
    """
    modes = [(layer, layer.training) for layer in model.modules()]
    model.eval()
    try:
        total, samples = 0.0, 0
        for x, y in batches:
            total += loss_fn(model(x), y).item() * len(x)
            samples += len(x)
        return _mean(total, samples)
    finally:
        for layer, training in modes:
            layer.training = training


# --8<-- [end:evaluate]


# --8<-- [start:fit]
def fit(
    model: nn.Module,
    loss_fn: LossFn,
    optimizer: Optimizer,
    batches: Iterable[Batch],
    epochs: int,
    on_epoch: Callable[[int, float], None] | None = None,
) -> list[float]:
    """Pass over the batches `epochs` times, and return the mean loss of each pass.

    After each epoch, `on_epoch` is called with the epoch's number, from 0, and its mean loss.

    Raises:
        ValueError: `epochs` is negative, or an epoch finds no samples.
    """
    if epochs < 0:
        raise ValueError(f"epochs must be >= 0, got {epochs}")
    losses = []
    for epoch in range(epochs):
        losses.append(train_epoch(model, loss_fn, optimizer, batches))
        if on_epoch is not None:
            on_epoch(epoch, losses[-1])
    return losses


# --8<-- [end:fit]


def _mean(total: float, samples: int) -> float:
    if samples == 0:
        raise ValueError(
            "batches must hold at least one sample, got none "
            "(a generator can be read only once: pass a list or a DataLoader)"
        )
    return total / samples
