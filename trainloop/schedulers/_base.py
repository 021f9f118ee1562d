"""What all schedulers share: the loop over parameter groups, their state, and the checks of their options.

A scheduler file adds what is particular: the schedule as a function of the step, and the same schedule
as a recursion, which makes the next learning rate from the current one.
"""

import copy
import warnings
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeAlias

from torch import Tensor
from torch.optim.lr_scheduler import LRScheduler

__all__ = ["Lr", "Scheduler", "check_count", "check_step", "require"]

Lr: TypeAlias = float | Tensor
"""A learning rate: a number, or a 0-dim tensor, which a scheduler fills in place."""


class Scheduler(LRScheduler):
    """Base class: gives every parameter group the next learning rate of a schedule.

    A subclass brings `next_lr`, the recursion for one group. Because it starts from the group's current
    learning rate, whatever else has scaled that stays: schedulers can be chained. If the schedule is also
    a closed formula of the step, `_get_closed_form_lr` says so, and `step(epoch)` and `SequentialLR` use
    it to jump.

    It is a `torch.optim.lr_scheduler.LRScheduler`: torch's `SequentialLR` and `ChainedScheduler`, and
    training frameworks, take it as they take torch's own.

    Attributes:
        last_epoch: the number of `step()` calls so far, and so the step whose learning rate is set now.
            Torch's name, whatever the cadence.
        base_lrs: every group's learning rate before any schedule.
    """

    unsaved: ClassVar[tuple[str, ...]] = ("optimizer",)
    """Attributes that a `state_dict` leaves out."""

    def next_lr(self, lr: Lr, base_lr: Lr) -> Lr:
        """Return one group's learning rate for step `last_epoch`.

        Args:
            lr: the group's current learning rate, a number or a copy of its 0-dim tensor.
            base_lr: its learning rate before any schedule.
        """
        raise NotImplementedError

    def get_lr(self) -> list[Lr]:
        """Return the next learning rate of every group. Only `step` may call it.

        Anywhere else it warns, for it would apply the change of the current step a second time:
        `get_last_lr` tells the learning rates in use.
        """
        self.warn_outside_step()
        return [self.next_lr(*lrs) for lrs in zip(self.group_lrs(), self.base_lrs, strict=True)]

    def warn_outside_step(self) -> None:
        """Warn if `get_lr`, the caller, was not called by `step`."""
        if not self._get_lr_called_within_step:
            message = "To get the last learning rate computed by the scheduler, please use `get_last_lr()`."
            warnings.warn(message, UserWarning, stacklevel=3)

    def group_lrs(self) -> list[Lr]:
        """Return every group's current learning rate; of a tensor, a copy."""
        return [_copy_of(group["lr"]) for group in self.optimizer.param_groups]

    def closed_form(self, schedule: Callable[..., float], **options: Any) -> list[Lr]:
        """Return `schedule(step, lr, **options)` at the current step, for the base lr of every group.

        A base lr may be a tensor. Then the schedule's formula makes a tensor of it.
        """
        return [schedule(self.last_epoch, base_lr, **options) for base_lr in self.base_lrs]

    def state_dict(self) -> dict[str, Any]:
        """Return all attributes but the optimizer, under torch's names: a copy, nothing in it is shared."""
        return copy.deepcopy({key: value for key, value in vars(self).items() if key not in self.unsaved})

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue where the scheduler that made `state_dict` was, ours or torch's of the same name.

        The optimizer's learning rates are not in it: load the optimizer's `state_dict`, too, in any order,
        but after both have been built.

        Raises:
            ValueError: the state is another class's, or has another number of parameter groups.
        """
        self.check_state(state_dict)
        super().load_state_dict(copy.deepcopy(state_dict))

    def check_state(self, state_dict: Mapping[str, Any]) -> None:
        """Raise `ValueError` unless a state has this scheduler's options and number of groups."""
        ours, theirs = _options(self.state_dict()), _options(state_dict)
        if ours != theirs:
            raise ValueError(f"state_dict must be {type(self).__name__}'s, with {ours}, got {theirs}")
        if "base_lrs" in theirs and len(state_dict["base_lrs"]) != len(self.base_lrs):
            raise ValueError(
                f"state_dict must have {len(self.base_lrs)} base_lrs, one per parameter group, "
                f"got {len(state_dict['base_lrs'])}"
            )


def _copy_of(lr: Lr) -> Lr:
    return lr.clone() if isinstance(lr, Tensor) else lr


def _options(state_dict: Mapping[str, Any]) -> list[str]:
    """Return a state's public names, but `verbose`, which only older versions of torch have."""
    return sorted(key for key in state_dict if not key.startswith("_") and key != "verbose")


def require(holds: bool, wanted: str, value: object) -> None:
    """Raise `ValueError` unless a condition holds: "gamma must be >= 0, got -1"."""
    if not holds:
        raise ValueError(f"{wanted}, got {value}")


def check_count(name: str, value: float, least: int) -> None:
    """Raise `ValueError` unless an option that counts steps is a whole number of at least `least`."""
    require(float(value).is_integer() and value >= least, f"{name} must be a whole number >= {least}", value)


def check_step(step: float, lr: float) -> None:
    """Raise `ValueError` unless a schedule can be asked about this step and base learning rate."""
    require(step >= 0, "step must be >= 0", step)
    require(lr >= 0, "lr must be >= 0", lr)
