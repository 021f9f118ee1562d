"""What ChainedScheduler and SequentialLR share: a scheduler made of schedulers."""

import copy
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from trainloop.schedulers._base import Scheduler, require
from trainloop.schedulers._per_group import set_lr

__all__ = ["ComposedScheduler", "leaves"]


class ComposedScheduler(Scheduler):
    """A scheduler that has others do the work, ours or torch's, on one optimizer.

    A subclass brings `step`, and `_initial_step`, which goes to step 0 from the initial learning rates.

    Args:
        optimizer: the optimizer of all schedulers; that of the first one if None.
        schedulers: the schedulers, at least one.

    Raises:
        ValueError: there is no scheduler, one is a ReduceLROnPlateau, which needs a metric, or their
            optimizers differ.
        TypeError: one is no scheduler at all.
    """

    unsaved = (*Scheduler.unsaved, "_schedulers")

    def __init__(self, optimizer: Optimizer | None, schedulers: Sequence[LRScheduler]) -> None:
        require(len(schedulers) > 0, "schedulers must hold at least one scheduler", schedulers)
        for i, scheduler in enumerate(schedulers):
            if not hasattr(scheduler, "optimizer"):
                raise TypeError(f"schedulers[{i}] must be a scheduler, got {type(scheduler).__name__}")
        self.optimizer = schedulers[0].optimizer if optimizer is None else optimizer
        for i, scheduler in enumerate(schedulers):
            needs_metric = isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau)
            wanted = f"schedulers[{i}] must be stepped without a metric"
            require(not needs_metric, wanted, type(scheduler).__name__)
            wanted = f"schedulers[{i}] must have the same optimizer as the others"
            require(scheduler.optimizer is self.optimizer, wanted, type(scheduler.optimizer).__name__)
        self._schedulers = schedulers

    def _update_lr(self, epoch: int | None = None) -> None:
        """Begin anew: what a SequentialLR asks for when it switches to this one."""
        self.reset_lrs()
        for leaf in leaves(self._schedulers):
            leaf.last_epoch = -1
        self._initial_step()

    def reset_lrs(self) -> None:
        """Give every group its initial learning rate."""
        for group in self.optimizer.param_groups:
            set_lr(group, group["initial_lr"])

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of all attributes but the optimizer; of the schedulers, their states."""
        states = [copy.deepcopy(scheduler.state_dict()) for scheduler in self._schedulers]
        return {**super().state_dict(), "_schedulers": states}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue where the scheduler that made `state_dict` was, ours or torch's.

        Raises:
            ValueError: the state is another class's, or one of another number of schedulers.
        """
        states = state_dict.get("_schedulers", ())
        count = len(self._schedulers)
        require(len(states) == count, f"state_dict must have the states of {count} schedulers", len(states))
        super().load_state_dict({key: value for key, value in state_dict.items() if key != "_schedulers"})
        for scheduler, state in zip(self._schedulers, states, strict=True):
            scheduler.load_state_dict(copy.deepcopy(state))


def leaves(schedulers: Iterable[LRScheduler]) -> Iterator[LRScheduler]:
    """Yield the schedulers that these are made of, in order; those made of nothing else are themselves."""
    for scheduler in schedulers:
        inner = getattr(scheduler, "_schedulers", None)
        yield from [scheduler] if inner is None else leaves(inner)
