"""ConstantLR: a smaller learning rate for the first steps, then the full one.

The simplest warmup: Goyal et al., "Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour", 2017,
https://arxiv.org/abs/1706.02677, compare it with a gradual one. Torch's:
https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ConstantLR.html.

Made for any cadence: `total_iters` counts epochs or updates, whichever `step()` follows.
"""

from torch.optim import Optimizer

from trainloop.schedulers._base import Lr, Scheduler, check_count, check_step, require

__all__ = ["ConstantLR", "constant_lr"]


def constant_lr(
    step: int,
    lr: float,
    *,
    factor: float = 1.0 / 3,
    total_iters: int = 5,
) -> float:
    r"""Return the learning rate at a step.

    $$
    \eta_t = \begin{cases}
        c \, \eta & \text{1. for } t < T \\
        \eta & \text{2. from } t = T \text{ on}
    \end{cases}
    $$

    Args:
        step: $t \ge 0$, the number of `scheduler.step()` calls before.
        lr: $\eta \ge 0$, the full learning rate.
        factor: $c$ in (0, 1].
        total_iters: $T \ge 1$, steps with the smaller learning rate.

    Raises:
        ValueError: an argument is out of range.

    Examples:
        >>> [constant_lr(t, 0.5, factor=0.5, total_iters=2) for t in range(4)]
        [0.25, 0.25, 0.5, 0.5]
    """
    check_step(step, lr)
    _check(factor, total_iters)
    # --8<-- [start:schedule]
    if step < total_iters:
        return lr * factor  # 1.
    return lr  # 2.
    # --8<-- [end:schedule]


class ConstantLR(Scheduler):
    r"""Multiply the learning rate by a factor for the first `total_iters` steps.

    $$
    \eta_0 = c \, \eta, \qquad
    \eta_t = \begin{cases}
        \eta_{t-1} / c & \text{if } t = T \\
        \eta_{t-1} & \text{otherwise}
    \end{cases}
    $$

    Args:
        optimizer: the optimizer whose learning rates to change.
        factor: $c$ in (0, 1].
        total_iters: $T \ge 1$, steps with the smaller learning rate.
        last_epoch: -1 to begin; to resume, one less than the number of `step()` calls so far.

    Raises:
        ValueError: an argument is out of range.

    Differs from torch.optim.lr_scheduler:
        Bitwise equal, tested. Two traps are refused when the scheduler is built: with `factor=0` torch
        divides by zero at step `total_iters`, and with `total_iters=0` it keeps the smaller learning rate
        for good. As in torch, a resume by `last_epoch` at step `total_iters` divides a second time: load
        a `state_dict` instead.

    Examples:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.5)
        >>> scheduler = ConstantLR(optimizer, factor=0.5, total_iters=2)
        >>> scheduler.get_last_lr()
        [0.25]
        >>> for _ in range(2):
        ...     optimizer.step()
        ...     scheduler.step()
        >>> scheduler.get_last_lr()
        [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        factor: float = 1.0 / 3,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        _check(factor, total_iters)
        self.factor = factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    # --8<-- [start:recursion]
    def next_lr(self, lr: Lr, base_lr: Lr) -> Lr:
        if self.last_epoch == 0:
            return lr * self.factor
        if self.last_epoch == self.total_iters:
            return lr * (1.0 / self.factor)
        return lr

    # --8<-- [end:recursion]

    def _get_closed_form_lr(self) -> list[Lr]:
        return self.closed_form(constant_lr, factor=self.factor, total_iters=self.total_iters)


def _check(factor: float, total_iters: int) -> None:
    require(0 < factor <= 1, "factor must be in (0, 1]", factor)
    check_count("total_iters", total_iters, least=1)
