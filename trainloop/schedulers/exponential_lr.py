"""ExponentialLR: every step multiplies the learning rate by the same factor.

Torch's: https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ExponentialLR.html.

Made to be stepped once per epoch. Stepped once per update, gamma must be much closer to 1: its n-th root
for n updates per epoch.
"""

from torch.optim import Optimizer

from trainloop.schedulers._base import Lr, Scheduler, check_step, require

__all__ = ["ExponentialLR", "exponential_lr"]


def exponential_lr(step: int, lr: float, *, gamma: float) -> float:
    r"""Return the learning rate at a step.

    $$ \eta_t = \eta_0 \, \gamma^t $$

    Args:
        step: $t \ge 0$, the number of `scheduler.step()` calls before.
        lr: $\eta_0 \ge 0$, the learning rate at step 0.
        gamma: $\gamma \ge 0$, the factor of one step. The learning rate halves every
            $\ln 2 / (1 - \gamma)$ steps, nearly, for $\gamma$ just below 1.

    Raises:
        ValueError: an argument is out of range.

    Examples:
        >>> [exponential_lr(t, 8.0, gamma=0.5) for t in range(4)]
        [8.0, 4.0, 2.0, 1.0]
    """
    check_step(step, lr)
    _check(gamma)
    # --8<-- [start:schedule]
    return lr * gamma**step
    # --8<-- [end:schedule]


class ExponentialLR(Scheduler):
    r"""Multiply the learning rate by gamma at every step.

    $$ \eta_t = \gamma \, \eta_{t-1} \quad \text{for } t \ge 1 $$

    Args:
        optimizer: the optimizer whose learning rates to change.
        gamma: $\gamma \ge 0$, the factor of one step. Above 1 the learning rate grows, as in a search for
            the largest one that works.
        last_epoch: -1 to begin; to resume, one less than the number of `step()` calls so far.

    Raises:
        ValueError: `gamma` is negative.

    Differs from torch.optim.lr_scheduler:
        Bitwise equal, tested. `gamma` is checked.

    Examples:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=8.0)
        >>> scheduler = ExponentialLR(optimizer, gamma=0.5)
        >>> for _ in range(3):
        ...     optimizer.step()
        ...     scheduler.step()
        >>> scheduler.get_last_lr()
        [1.0]
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        _check(gamma)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    # --8<-- [start:recursion]
    def next_lr(self, lr: Lr, base_lr: Lr) -> Lr:
        if self._is_initial:
            return lr
        return lr * self.gamma

    # --8<-- [end:recursion]

    def _get_closed_form_lr(self) -> list[Lr]:
        return self.closed_form(exponential_lr, gamma=self.gamma)


def _check(gamma: float) -> None:
    require(gamma >= 0, "gamma must be >= 0", gamma)
