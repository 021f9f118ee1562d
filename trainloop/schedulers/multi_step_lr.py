"""MultiStepLR: the learning rate drops by a constant factor at chosen steps.

StepLR with the drops where one wants them. He et al., "Deep Residual Learning for Image Recognition", 2015,
https://arxiv.org/abs/1512.03385, train on CIFAR-10 with a tenth at updates 32,000 and 48,000 of 64,000.
Torch's:
https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.MultiStepLR.html.

Made to be stepped once per epoch; with milestones counted in updates it works per update as well.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable

from torch.optim import Optimizer

from trainloop.schedulers._base import Lr, Scheduler, check_count, check_step, require

__all__ = ["MultiStepLR", "multi_step_lr"]


def multi_step_lr(
    step: int,
    lr: float,
    *,
    milestones: Iterable[int],
    gamma: float = 0.1,
) -> float:
    r"""Return the learning rate at a step.

    $$ \eta_t = \eta_0 \, \gamma^k, \qquad k = \text{number of milestones} \le t $$

    Args:
        step: $t \ge 0$, the number of `scheduler.step()` calls before.
        lr: $\eta_0 \ge 0$, the learning rate before the first milestone.
        milestones: steps >= 0, in any order. One that is listed twice counts twice.
        gamma: $\gamma \ge 0$, the factor of one drop.

    Raises:
        ValueError: an argument is out of range.

    Examples:
        >>> [multi_step_lr(t, 0.5, milestones=[2, 3], gamma=0.5) for t in range(5)]
        [0.5, 0.5, 0.25, 0.125, 0.125]
    """
    check_step(step, lr)
    milestones = sorted(milestones)
    _check(milestones, gamma)
    # --8<-- [start:schedule]
    return lr * gamma ** bisect_right(milestones, step)
    # --8<-- [end:schedule]


class MultiStepLR(Scheduler):
    r"""Multiply the learning rate by gamma at each milestone.

    $$ \eta_t = \gamma^{n} \, \eta_{t-1}, \qquad n = \text{number of milestones} = t $$

    Args:
        optimizer: the optimizer whose learning rates to change.
        milestones: steps >= 0, in any order. One that is listed twice counts twice.
        gamma: $\gamma \ge 0$, the factor of one drop.
        last_epoch: -1 to begin; to resume, one less than the number of `step()` calls so far.

    Raises:
        ValueError: an argument is out of range.

    Differs from torch.optim.lr_scheduler:
        Bitwise equal, tested. The arguments are checked; torch never reaches a milestone that is no whole
        number. As in torch, a resume by `last_epoch` at a milestone drops the learning rate a second time:
        load a `state_dict` instead.

    Examples:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.5)
        >>> scheduler = MultiStepLR(optimizer, milestones=[2, 3], gamma=0.5)
        >>> for _ in range(3):
        ...     optimizer.step()
        ...     scheduler.step()
        >>> scheduler.get_last_lr()
        [0.125]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        milestones: Iterable[int],
        gamma: float = 0.1,
        last_epoch: int = -1,
    ) -> None:
        self.milestones = Counter(milestones)
        self.gamma = gamma
        _check(self.milestones, gamma)
        super().__init__(optimizer, last_epoch)

    # --8<-- [start:recursion]
    def next_lr(self, lr: Lr, base_lr: Lr) -> Lr:
        t = self.last_epoch
        if t not in self.milestones:
            return lr
        return lr * self.gamma ** self.milestones[t]

    # --8<-- [end:recursion]

    def _get_closed_form_lr(self) -> list[Lr]:
        return self.closed_form(multi_step_lr, milestones=list(self.milestones.elements()), gamma=self.gamma)


def _check(milestones: Iterable[int], gamma: float) -> None:
    for milestone in milestones:
        check_count("milestones", milestone, least=0)
    require(gamma >= 0, "gamma must be >= 0", gamma)
