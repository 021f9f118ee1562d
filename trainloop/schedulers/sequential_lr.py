"""SequentialLR: one schedule until a milestone, then another from its own step 0.

Torch's: https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.SequentialLR.html.

Made for any cadence, the same for all of its schedulers; its common use, a warmup before another schedule,
is per update.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from trainloop.schedulers._base import check_step, require
from trainloop.schedulers._composed import ComposedScheduler, leaves

__all__ = ["SequentialLR", "sequential_lr"]


def sequential_lr(step: int, *, schedules: Sequence[Callable[[int], float]], milestones: Sequence[int]) -> float:
    r"""Return the learning rate at a step, from the schedule whose turn it is.

    With milestones $m_1 \le \dots \le m_{n-1}$ and schedules $f_1, \dots, f_n$:

    $$
    \eta_t = \begin{cases}
        f_1(t) & \text{if } t < m_1 \\
        f_i(t - m_{i-1}) & \text{if } m_{i-1} \le t < m_i \\
        f_n(t - m_{n-1}) & \text{if } t \ge m_{n-1}
    \end{cases}
    $$

    Every schedule counts from 0 when its turn comes. Where two milestones are equal, the schedule between
    them never has a turn.

    Args:
        step: $t \ge 0$, the number of `scheduler.step()` calls before.
        schedules: $f_i$, functions from the step to the learning rate, at least one.
        milestones: $m_i \ge 0$, in order, one fewer than schedules: the steps at which the next one begins.

    Raises:
        ValueError: an argument is out of range.

    Examples:
        >>> schedules = [lambda t: (1 + t) / 4, lambda t: 1.0 / 2**t]
        >>> [sequential_lr(t, schedules=schedules, milestones=[3]) for t in range(6)]
        [0.25, 0.5, 0.75, 1.0, 0.5, 0.25]
    """
    check_step(step, 0)
    require(len(schedules) > 0, "schedules must hold at least one function", schedules)
    _check(milestones, len(schedules))
    # --8<-- [start:schedule]
    i = bisect_right(milestones, step)
    begin = milestones[i - 1] if i > 0 else 0
    return schedules[i](step - begin)
    # --8<-- [end:schedule]


class SequentialLR(ComposedScheduler):
    r"""Step one scheduler until a milestone, then the next.

    $$ \eta_t = f_i(t - m_{i-1}), \qquad m_{i-1} \le t < m_i $$

    At a milestone the next scheduler goes to its own step 0: one with a closed form to that value, one that
    starts from the base learning rate to that, and MultiplicativeLR, which has neither, multiplies the
    learning rate that it finds. `sequential_lr` is the same as a function.

    For a warmup of $W$ steps, give LinearLR `total_iters` $W$ and make $W$ the milestone: the full learning
    rate then comes at step $W$ and only there, as in the example. With $W - 1$ it would come twice.

    Args:
        optimizer: the optimizer of all schedulers.
        schedulers: the schedulers, ours or torch's, at least one. A OneCycleLR among them decides where the
            others begin, for it overwrites the groups' `initial_lr`.
        milestones: $m_i \ge 0$, in order, one fewer than schedulers: the steps at which the next one begins.
        last_epoch: -1 to begin. To resume, load a `state_dict`: another number moves the milestones, but
            the schedulers begin anew all the same.

    Raises:
        ValueError: there is no scheduler, one is a ReduceLROnPlateau, which needs a metric, their optimizers
            differ, or the milestones are too many, too few, negative or out of order.
        TypeError: one is no scheduler at all.

    Differs from torch.optim.lr_scheduler:
        Bitwise equal, tested, `last_epoch` included. Milestones out of order are refused. It can be one of
        the schedulers of another SequentialLR, ours or torch's: there torch's takes one step too many at
        the start, or fails with a `NotImplementedError` at the switch. A `state_dict` shares nothing with
        the scheduler.

        Torch before 2.13 begins with the first scheduler even if the first milestone is 0. Torch before 2.10
        spoils learning rates that are tensors: the later schedulers begin from what the first made of them.

    Examples:
        >>> import torch
        >>> from trainloop.schedulers import CosineAnnealingLR, LinearLR
        >>> warmup, total = 2, 6
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
        >>> parts = [
        ...     LinearLR(optimizer, start_factor=0.25, total_iters=warmup),
        ...     CosineAnnealingLR(optimizer, T_max=total - warmup),
        ... ]
        >>> scheduler = SequentialLR(optimizer, parts, milestones=[warmup])
        >>> lrs = []
        >>> for _ in range(total):
        ...     lrs.append(round(scheduler.get_last_lr()[0], 3))
        ...     optimizer.step()
        ...     scheduler.step()
        >>> lrs
        [0.25, 0.625, 1.0, 0.854, 0.5, 0.146]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: list[LRScheduler],
        milestones: list[int],
        last_epoch: int = -1,
    ) -> None:
        super().__init__(optimizer, schedulers)
        _check(milestones, len(schedulers))
        self._milestones = milestones
        # Each has made its first step when it was built: undo that, but for the one whose turn it is.
        self.reset_lrs()
        for leaf in leaves(schedulers):
            leaf.last_epoch -= 1
        self._initial_step()
        self.last_epoch = last_epoch + 1

    def _initial_step(self) -> None:
        self.last_epoch = 0
        first = self._schedulers[bisect_right(self._milestones, 0)]
        first._initial_step()
        self._last_lr = first.get_last_lr()

    # --8<-- [start:recursion]
    def step(self) -> None:  # type: ignore[override]
        """Step the scheduler whose turn it is."""
        self.last_epoch += 1
        i = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[i]
        if i > 0 and self._milestones[i - 1] == self.last_epoch:
            scheduler._update_lr(0)
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()

    # --8<-- [end:recursion]


def _check(milestones: Sequence[int], schedules: int) -> None:
    wanted = f"milestones must be one fewer than the {schedules} schedules"
    require(len(milestones) == schedules - 1, wanted, milestones)
    from_0 = [0, *milestones]
    require(from_0 == sorted(from_0), "milestones must be >= 0 and in order", milestones)
