"""MultiplicativeLR: every step multiplies the learning rate by a factor, given as a function of the step.

Torch's: https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.MultiplicativeLR.html.

Made for any cadence: the function says what a step is.
"""

from collections.abc import Sequence

from torch.optim import Optimizer

from trainloop.schedulers._base import Lr, check_step
from trainloop.schedulers._lambdas import LambdaScheduler, LrLambda

__all__ = ["MultiplicativeLR", "multiplicative_lr"]


def multiplicative_lr(step: int, lr: float, *, lr_lambda: LrLambda) -> float:
    r"""Return the learning rate at a step.

    $$ \eta_t = \eta_0 \prod_{i=1}^{t} \lambda(i) $$

    Args:
        step: $t \ge 0$, the number of `scheduler.step()` calls before.
        lr: $\eta_0 \ge 0$, the learning rate at step 0.
        lr_lambda: $\lambda$, takes the step, from 1, and returns the factor from the step before.

    Raises:
        ValueError: `step` or `lr` is negative.

    Examples:
        >>> [multiplicative_lr(t, 8.0, lr_lambda=lambda t: 1 / t) for t in range(4)]
        [8.0, 8.0, 4.0, 1.3333333333333333]
    """
    check_step(step, lr)
    # --8<-- [start:schedule]
    for i in range(1, step + 1):
        lr = lr * lr_lambda(i)
    return lr
    # --8<-- [end:schedule]


class MultiplicativeLR(LambdaScheduler):
    r"""Multiply the learning rate by a function of the step.

    $$ \eta_t = \lambda(t) \, \eta_{t-1} \quad \text{for } t \ge 1 $$

    A function is not part of a `state_dict`: build the scheduler with the same function, then load. Of a
    callable object, the attributes are saved and loaded.

    Args:
        optimizer: the optimizer whose learning rates to change.
        lr_lambda: $\lambda$, takes the step, from 1, and returns a factor; or a list of such functions,
            one per parameter group.
        last_epoch: -1 to begin; to resume, one less than the number of `step()` calls so far.

    Raises:
        ValueError: the list has another length than the optimizer has groups.
        TypeError: something in it cannot be called.

    Differs from torch.optim.lr_scheduler:
        Bitwise equal, tested. A builtin, such as `math.exp`, does not break `state_dict`. As in torch,
        `step(epoch)` does not jump: it multiplies once, by $\lambda$ of that epoch.

    Examples:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=8.0)
        >>> scheduler = MultiplicativeLR(optimizer, lambda t: 0.5)
        >>> for _ in range(3):
        ...     optimizer.step()
        ...     scheduler.step()
        >>> scheduler.get_last_lr()
        [1.0]
    """

    def __init__(self, optimizer: Optimizer, lr_lambda: LrLambda | Sequence[LrLambda], last_epoch: int = -1) -> None:
        super().__init__(optimizer, lr_lambda, last_epoch)

    # --8<-- [start:recursion]
    def get_lr(self) -> list[Lr]:
        self.warn_outside_step()
        t = self.last_epoch
        if self._is_initial:
            return self.group_lrs()
        pairs = zip(self.group_lrs(), self.lr_lambdas, strict=True)
        return [lr * λ(t) for lr, λ in pairs]

    # --8<-- [end:recursion]
