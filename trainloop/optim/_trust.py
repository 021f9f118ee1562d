"""The ratio of two norms, which LAMB and LARS multiply their steps by."""

from typing import cast

import torch
from torch import Tensor

from trainloop.optim._lists import TensorList

__all__ = ["ratio"]


def ratio(size: Tensor, length: Tensor, scale: float = 1.0, decay: float = 0.0) -> Tensor:
    """Return scale * size / (length + decay * size) where both are above 0, and 1 elsewhere.

    Args:
        size: a norm, in a 0-dim tensor; or the norms of many parameters, in a list of such tensors.
        length: another, or as many.
        scale: a factor.
        decay: the share of the size that is added to the length.
    """
    if isinstance(size, TensorList) and isinstance(length, TensorList):
        # One vector of all norms: a handful of operations instead of a handful for each parameter.
        ratios = ratio(torch.stack([*size.tensors]), torch.stack([*length.tensors]), scale, decay)
        return cast(Tensor, TensorList(ratios.unbind()))
    if decay != 0:
        length = length.add(size, alpha=decay)
    both = torch.minimum(size, length) > 0
    return torch.where(both, scale * size / length, 1.0)
