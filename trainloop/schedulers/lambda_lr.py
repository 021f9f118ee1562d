"""LambdaLR: any schedule, given as a function from the step to a factor of the base learning rate.

Torch's: https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.LambdaLR.html.

Made for any cadence: the function says what a step is.
"""

from collections.abc import Sequence

from torch.optim import Optimizer

from trainloop.schedulers._base import Lr, check_step
from trainloop.schedulers._lambdas import LambdaScheduler, LrLambda

__all__ = ["LambdaLR", "lambda_lr"]


def lambda_lr(step: int, lr: float, *, lr_lambda: LrLambda) -> float:
    r"""Return the learning rate at a step.

    $$ \eta_t = \eta_0 \, \lambda(t) $$

    Args:
        step: $t \ge 0$, the number of `scheduler.step()` calls before.
        lr: $\eta_0 \ge 0$, the base learning rate.
        lr_lambda: $\lambda$, takes the step and returns a factor.

    Raises:
        ValueError: `step` or `lr` is negative.

    Examples:
        >>> [lambda_lr(t, 8.0, lr_lambda=lambda t: 1 / (1 + t)) for t in range(4)]
        [8.0, 4.0, 2.6666666666666665, 2.0]
    """
    check_step(step, lr)
    # --8<-- [start:schedule]
    return lr * lr_lambda(step)
    # --8<-- [end:schedule]


class LambdaLR(LambdaScheduler):
    r"""Set the learning rate to its base times a function of the step.

    $$ \eta_t = \eta_0 \, \lambda(t) $$

    Not chainable, in torch neither: it starts from the base learning rate, so what other schedulers did is
    overwritten. `MultiplicativeLR` is the chainable one.

    A function is not part of a `state_dict`: build the scheduler with the same function, then load. Of a
    callable object, the attributes are saved and loaded.

    Args:
        optimizer: the optimizer whose learning rates to change.
        lr_lambda: $\lambda$, takes the step, from 0, and returns a factor; or a list of such functions,
            one per parameter group.
        last_epoch: -1 to begin; to resume, one less than the number of `step()` calls so far.

    Raises:
        ValueError: the list has another length than the optimizer has groups.
        TypeError: something in it cannot be called.

    Differs from torch.optim.lr_scheduler:
        Bitwise equal, tested. What is not a function is refused when the scheduler is built; a builtin, such
        as `math.exp`, does not break `state_dict`.

    Examples:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=8.0)
        >>> scheduler = LambdaLR(optimizer, lambda t: 1 / (1 + t))
        >>> optimizer.step()
        >>> scheduler.step()
        >>> scheduler.get_last_lr()
        [4.0]
    """

    def __init__(self, optimizer: Optimizer, lr_lambda: LrLambda | Sequence[LrLambda], last_epoch: int = -1) -> None:
        super().__init__(optimizer, lr_lambda, last_epoch)

    # --8<-- [start:recursion]
    def get_lr(self) -> list[Lr]:
        self.warn_outside_step()
        t = self.last_epoch
        pairs = zip(self.base_lrs, self.lr_lambdas, strict=True)
        return [base_lr * λ(t) for base_lr, λ in pairs]

    # --8<-- [end:recursion]
