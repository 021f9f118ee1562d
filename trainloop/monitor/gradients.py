"""How large the gradients are.

https://cs231n.github.io/neural-networks-3/
"""

import math
from collections import defaultdict
from typing import Literal

from torch import nn

from trainloop.monitor._names import MODEL
from trainloop.monitor._numbers import two_norms

__all__ = ["grad_norms"]


def grad_norms(model: nn.Module, by: Literal["parameter", "layer"] = "parameter") -> dict[str, float]:
    """Return the 2-norm of the gradient of each parameter, or of each layer.

    Args:
        model: a model after `backward()`. With `torch.amp.GradScaler`, unscale first.
        by: "parameter", or "layer": a layer's norm is that of all parameters it holds itself, as one vector.

    Returns:
        Norms by qualified name, in the model's order. Parameters without a gradient are left out; a tied one
        counts once, under its first name. The name of what the model itself holds is "(model)" as a layer. NaN
        and infinite norms are returned as they are.

    Raises:
        ValueError: `by` is something else.

    Examples:
        >>> import torch
        >>> model = nn.Linear(2, 1)
        >>> _ = model(torch.tensor([[3.0, 4.0]])).sum().backward()
        >>> grad_norms(model)
        {'weight': 5.0, 'bias': 1.0}
    """
    if by not in ("parameter", "layer"):
        raise ValueError(f"by must be 'parameter' or 'layer', got {by!r}")
    named = [(name, p.grad) for name, p in model.named_parameters() if p.grad is not None]
    norms = dict(zip((name for name, _ in named), two_norms([grad for _, grad in named]), strict=True))
    if by == "parameter":
        return norms
    layers: dict[str, list[float]] = defaultdict(list)
    for name, norm in norms.items():
        layers[name.rpartition(".")[0] or MODEL].append(norm)
    return {name: _hypot(parts) for name, parts in layers.items()}


def _hypot(norms: list[float]) -> float:
    return math.nan if any(math.isnan(n) for n in norms) else math.hypot(*norms)
