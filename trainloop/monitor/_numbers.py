"""Numbers out of tensors."""

import torch
from torch import Tensor

from trainloop.parallel import whole

__all__ = ["to_number", "two_norms"]


def two_norms(tensors: list[Tensor]) -> list[float]:
    """2-norms, as numbers, fetched in one transfer. Half-precision tensors are summed in float32."""
    if not tensors:
        return []
    norms = [torch.linalg.vector_norm(t, dtype=torch.promote_types(t.dtype, torch.float32)) for t in tensors]
    together = torch.stack([n.to(norms[0].device) for n in norms])
    numbers: list[float] = whole(together).tolist()
    return numbers


def to_number(x: Tensor | float) -> float:
    """A tensor of one entry, or a number, as a number."""
    return float(whole(x)) if isinstance(x, Tensor) else float(x)
