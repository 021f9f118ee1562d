"""What LambdaLR and MultiplicativeLR share: one function per parameter group, and how it is saved."""

import copy
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from torch.optim import Optimizer

from trainloop.schedulers._base import Scheduler
from trainloop.schedulers._per_group import per_group

__all__ = ["LambdaScheduler", "LrLambda"]

LrLambda: TypeAlias = Callable[[int], float]
"""Takes a step and returns the factor of the learning rate there."""


class LambdaScheduler(Scheduler):
    """A scheduler that asks functions of the step, `lr_lambdas`, one per parameter group.

    A `state_dict` cannot hold a function. Of a callable object it holds the attributes.

    Args:
        optimizer: the optimizer whose learning rates to change.
        lr_lambda: one function for all groups, or a list of one per group.
        last_epoch: -1 to begin; to resume, one less than the number of `step()` calls so far.

    Raises:
        ValueError: the list has another length than the optimizer has groups.
        TypeError: something in it cannot be called.
    """

    unsaved = (*Scheduler.unsaved, "lr_lambdas")

    def __init__(self, optimizer: Optimizer, lr_lambda: LrLambda | Sequence[LrLambda], last_epoch: int = -1) -> None:
        self.lr_lambdas: list[LrLambda] = per_group("lr_lambda", optimizer, lr_lambda)
        for function in self.lr_lambdas:
            if not callable(function):
                raise TypeError(f"lr_lambda must be a function, got {function!r}")
        super().__init__(optimizer, last_epoch)

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of all attributes but the optimizer and the functions; of callable objects, theirs."""
        return {**super().state_dict(), "lr_lambdas": [_attributes(function) for function in self.lr_lambdas]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue where another scheduler was, as `Scheduler.load_state_dict` does. The functions stay."""
        functions = self.lr_lambdas
        super().load_state_dict(state_dict)  # puts what was saved of the functions in their place
        saved: Any = self.lr_lambdas
        self.lr_lambdas = functions
        for function, attributes in zip(functions, saved, strict=True):
            if attributes is not None:
                vars(function).update(attributes)


def _attributes(function: LrLambda) -> dict[str, Any] | None:
    if isinstance(function, type(_attributes)) or not hasattr(function, "__dict__"):
        return None  # a def, a lambda or a builtin
    return copy.deepcopy(vars(function))
