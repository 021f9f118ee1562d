"""Train and test parts of a labelled data set."""

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Split", "stratified_split"]


class Split(NamedTuple):
    """A labelled data set in two parts. Unpacks to `x_train, y_train, x_test, y_test`.

    Attributes:
        x_train: inputs to train on; the first dimension counts the samples.
        y_train: their classes from 0, int64, shape (samples,).
        x_test: inputs to test on.
        y_test: their classes.
    """

    x_train: Tensor
    y_train: Tensor
    x_test: Tensor
    y_test: Tensor


def stratified_split(x: Tensor, y: Tensor, *, test_fraction: float = 0.2, seed: int = 0) -> Split:
    """Draw the same fraction of every class for testing; the rest is for training.

    Args:
        x: inputs; the first dimension counts the samples.
        y: their classes, shape (samples,).
        test_fraction: the part of each class to test on, in (0, 1), rounded to whole samples.
        seed: seed of the draw, and of the order within both parts.

    Raises:
        ValueError: `test_fraction` is out of range, or x and y differ in length.

    Examples:
        >>> import torch
        >>> x, y = torch.arange(10), torch.tensor([0] * 5 + [1] * 5)
        >>> split = stratified_split(x, y, test_fraction=0.4)
        >>> split.y_test.sort().values.tolist()
        [0, 0, 1, 1]
    """
    if not 0 < test_fraction < 1:
        raise ValueError(f"test_fraction must be in (0, 1), got {test_fraction}")
    if y.ndim != 1 or len(x) != len(y):
        raise ValueError(f"y must have shape ({len(x)},) to go with x, got {tuple(y.shape)}")
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(seed))
    x, y = x[order], y[order]
    testing = torch.zeros(len(y), dtype=torch.bool)
    for label in sorted(set(y.tolist())):
        members = (y == label).nonzero().squeeze(1)
        testing[members[: round(len(members) * test_fraction)]] = True
    return Split(x[~testing], y[~testing], x[testing], y[testing])
