"""What CyclicLR, OneCycleLR and the composed schedulers do to parameter groups."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from trainloop.schedulers._base import Lr, require

__all__ = [
    "check_optimizer",
    "check_values",
    "has_betas",
    "per_group",
    "set_lr",
    "set_momentum",
    "start_momentum_cycle",
]


def check_optimizer(optimizer: object) -> None:
    """Raise `TypeError` unless this is an optimizer; for constructors that use it before their base's does."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")


def per_group(name: str, optimizer: Optimizer, value: Any) -> list[Any]:
    """Return one value for each parameter group: the list's own, or the same for all. Tensors are copied.

    Raises:
        ValueError: it is a list or tuple, and not of one value per group.
    """
    groups = len(optimizer.param_groups)
    values = list(value) if isinstance(value, (list, tuple)) else [value] * groups
    require(len(values) == groups, f"{name} must have one value for each of the {groups} groups", value)
    return [x.clone() if isinstance(x, Tensor) else x for x in values]


def check_values(name: str, values: Sequence[Any], *, below: float | None = None) -> None:
    """Raise `ValueError` unless every value is at least 0, and below a bound if there is one."""
    wanted = f"{name} must be >= 0" if below is None else f"{name} must be in [0, {below})"
    for value in values:
        require(value >= 0 and (below is None or value < below), wanted, value)


def set_lr(group: dict[str, Any], lr: Lr) -> None:
    """Give a group a learning rate; if it has a tensor there, fill it, for a compiled step may hold it."""
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(lr)
    else:
        group["lr"] = lr


def has_betas(optimizer: Optimizer) -> bool:
    """Return whether momentum is the first of `betas`, and not `momentum`.

    Raises:
        ValueError: the optimizer has neither.
    """
    if "betas" in optimizer.defaults:
        return True
    wanted = "optimizer must have momentum or betas when cycle_momentum is True"
    require("momentum" in optimizer.defaults, wanted, type(optimizer).__name__)
    return False


def set_momentum(group: dict[str, Any], momentum: float, *, use_beta1: bool) -> None:
    """Give a group a momentum: `"momentum"` in the manner of SGD, or Adam's first beta."""
    if use_beta1:
        group["betas"] = (momentum, *group["betas"][1:])
    else:
        group["momentum"] = momentum


def start_momentum_cycle(optimizer: Optimizer, base: list[float], maximum: list[float]) -> None:
    """Set every group's momentum to its maximum, and note both bounds in the group, as torch does."""
    use_beta1 = has_betas(optimizer)
    for group, low, high in zip(optimizer.param_groups, base, maximum, strict=True):
        set_momentum(group, high, use_beta1=use_beta1)
        group["max_momentum"] = high
        group["base_momentum"] = low
