"""The training loop: predict, measure, differentiate, update – for every batch, in every epoch.

These are the loop's bare bones. `trainloop.fit` is the same loop with everything that long runs need.

Examples:
    >>> import torch
    >>> from trainloop.optim import SGD
    >>> x = torch.tensor([[0.0], [1.0], [2.0]])
    >>> line = torch.nn.Linear(1, 1)
    >>> optimizer = SGD(line.parameters(), lr=0.2)
    >>> for epoch in range(500):
    ...     loss = train_epoch(line, torch.nn.functional.mse_loss, optimizer, [(x, 2 * x + 3)])
    >>> round(line.weight.item(), 3), round(line.bias.item(), 3)
    (2.0, 3.0)
"""

# torch leaves Tensor.backward without types:
# mypy: allow-untyped-calls

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

__all__ = ["Batch", "LossFn", "evaluate", "in_mode", "mean_of", "train_epoch", "train_step"]

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
    return mean_of(total, samples)


# --8<-- [end:epoch]


# --8<-- [start:evaluate]
@torch.no_grad()
def evaluate(model: nn.Module, loss_fn: LossFn, batches: Iterable[Batch]) -> float:
    """Return the mean loss over all samples, measured in eval mode.

    Afterwards every layer is in the mode it was in before, even if measuring fails.

    Raises:
        ValueError: there are no samples.
    """
    with in_mode(model, training=False):
        total, samples = 0.0, 0
        for x, y in batches:
            total += loss_fn(model(x), y).item() * len(x)
            samples += len(x)
    return mean_of(total, samples)


# --8<-- [end:evaluate]


@contextmanager
def in_mode(model: nn.Module, *, training: bool) -> Iterator[None]:
    """Put a model into train or eval mode, and afterwards every layer into the mode it was in before."""
    modes = [(layer, layer.training) for layer in model.modules()]
    model.train(training)
    try:
        yield
    finally:
        for layer, training in modes:
            layer.training = training


def mean_of(total: float, samples: int) -> float:
    """Return total / samples.

    Raises:
        ValueError: there are no samples.
    """
    if samples == 0:
        raise ValueError(
            "batches must hold at least one sample, got none "
            "(a generator can be read only once: pass a list or a DataLoader)"
        )
    return total / samples
