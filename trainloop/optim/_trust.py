"""The ratio of two norms, which LAMB and LARS multiply their steps by."""

from typing import cast

import torch
from torch import Tensor

from trainloop.optim._lists import TensorList

__all__ = ["ratio"]


def ratio(size: Tensor, length: Tensor, scale: float = 1.0) -> Tensor:
    """Return scale * size / length where both are above 0, and 1 elsewhere.

    Args:
        size: a norm, in a 0-dim tensor; or the norms of many parameters, in a list of such tensors.
        length: another, or as many.
        scale: a factor.
    """
    if isinstance(size, TensorList) and isinstance(length, TensorList):
        # One vector of all norms: a handful of operations instead of a handful for each parameter.
        ratios = ratio(torch.stack([*size.tensors]), torch.stack([*length.tensors]), scale)
        return cast(Tensor, TensorList(ratios.unbind()))
    both = torch.minimum(size, length) > 0
    return torch.where(both, scale * size / length, 1.0)
