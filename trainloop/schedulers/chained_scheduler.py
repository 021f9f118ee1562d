"""ChainedScheduler: several schedulers at once, each applied to what the others made of the learning rate.

Torch's: https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ChainedScheduler.html.

Made for any cadence, the same for all of its schedulers.
"""

from collections.abc import Callable, Sequence
from math import prod

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from trainloop.schedulers._base import check_step, require
from trainloop.schedulers._composed import ComposedScheduler

__all__ = ["ChainedScheduler", "chained_scheduler"]


def chained_scheduler(step: int, lr: float, *, factors: Sequence[Callable[[int], float]]) -> float:
    r"""Return the learning rate at a step, from schedules that each multiply it by a factor.

    $$ \eta_t = \eta_0 \prod_i f_i(t) $$

    This is what a ChainedScheduler does when all of its schedulers are products: ConstantLR, LinearLR,
    StepLR, MultiStepLR, ExponentialLR, PolynomialLR, MultiplicativeLR, and, as far as its bottom,
    CosineAnnealingLR with `eta_min=0`; out of it, that one climbs to its own base again. Such a factor is the
    schedule's function for a learning rate of 1. A chain with any other is no product, and depends on the
    order.

    Args:
        step: $t \ge 0$, the number of `scheduler.step()` calls before.
        lr: $\eta_0 \ge 0$, the learning rate that a factor of 1 stands for.
        factors: $f_i$, functions of the step, at least one.

    Raises:
        ValueError: an argument is out of range.

    Examples:
        >>> from trainloop.schedulers.exponential_lr import exponential_lr
        >>> from trainloop.schedulers.step_lr import step_lr
        >>> factors = [
        ...     lambda t: exponential_lr(t, 1.0, gamma=0.5),
        ...     lambda t: step_lr(t, 1.0, step_size=2, gamma=0.25),
        ... ]
        >>> [chained_scheduler(t, 64.0, factors=factors) for t in range(4)]
        [64.0, 32.0, 4.0, 2.0]
    """
    check_step(step, lr)
    require(len(factors) > 0, "factors must hold at least one function", factors)
    # --8<-- [start:schedule]
    return lr * prod(factor(step) for factor in factors)
    # --8<-- [end:schedule]


class ChainedScheduler(ComposedScheduler):
    r"""Step several schedulers, one after the other, on the same learning rate.

    $$ \eta_t = h_n(t, \dots h_2(t, h_1(t, \eta_{t-1}))) $$

    $h_i$ is the recursion of scheduler $i$. Those that multiply commute, and the result is the product
    that `chained_scheduler` computes. LambdaLR, CosineAnnealingWarmRestarts, CyclicLR and OneCycleLR start
    from their own base at every step and overwrite what the others have made of the learning rate: placed
    last, such a one is alone; placed first, the others change it by what they do in one step.

    Args:
        schedulers: the schedulers, ours or torch's, at least one. Each has already set its first learning
            rate when it was built; so build them in this order.
        optimizer: the optimizer of all of them; that of the first one by default.

    Raises:
        ValueError: there is no scheduler, one is a ReduceLROnPlateau, which needs a metric, or their
            optimizers differ.
        TypeError: one is no scheduler at all.

    Differs from torch.optim.lr_scheduler:
        Bitwise equal, tested. It can be one of the schedulers of a SequentialLR, ours or torch's: there
        torch's ChainedScheduler takes one step too many at the start, or fails with a
        `NotImplementedError` at the switch. A `state_dict` shares nothing with the scheduler.

    Examples:
        >>> import torch
        >>> from trainloop.schedulers import ExponentialLR, StepLR
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=64.0)
        >>> parts = [ExponentialLR(optimizer, gamma=0.5), StepLR(optimizer, step_size=2, gamma=0.25)]
        >>> scheduler = ChainedScheduler(parts)
        >>> lrs = []
        >>> for _ in range(4):
        ...     lrs += scheduler.get_last_lr()
        ...     optimizer.step()
        ...     scheduler.step()
        >>> lrs
        [64.0, 32.0, 4.0, 2.0]
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        super().__init__(optimizer, schedulers)
        self._last_lr = self.group_lrs()

    # --8<-- [start:recursion]
    def step(self) -> None:  # type: ignore[override]
        """Step every scheduler."""
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = self.group_lrs()

    # --8<-- [end:recursion]

    def _initial_step(self) -> None:
        for scheduler in self._schedulers:
            scheduler._initial_step()
        self._last_lr = self.group_lrs()
