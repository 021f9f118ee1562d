"""PolynomialLR: the learning rate falls to 0 as a power of the steps that are left.

With power 1 a straight line; with 0.9 the "poly" policy of Chen et al., "DeepLab", 2016,
https://arxiv.org/abs/1606.00915. Torch's:
https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.PolynomialLR.html.

Made to be stepped once per update, with `total_iters` all updates of the run; it works per epoch as well.
"""

from torch.optim import Optimizer

from trainloop.schedulers._base import Lr, Scheduler, check_count, check_step, require

__all__ = ["PolynomialLR", "polynomial_lr"]


def polynomial_lr(
    step: int,
    lr: float,
    *,
    total_iters: int = 5,
    power: float = 1.0,
) -> float:
    r"""Return the learning rate at a step.

    $$
    \eta_t = \begin{cases}
        \eta_0 \, (1 - t / T)^p & \text{1. for } t < T \\
        \eta_0 \, 0^p & \text{2. from } t = T \text{ on}
    \end{cases}
    $$

    Args:
        step: $t \ge 0$, the number of `scheduler.step()` calls before.
        lr: $\eta_0 \ge 0$, the learning rate at step 0.
        total_iters: $T \ge 1$, steps until the end.
        power: $p \ge 0$. Above 1 it falls fast at first, below 1 fast at the end. $0^p$ is 0, but 1 for
            $p = 0$, which changes nothing.

    Raises:
        ValueError: an argument is out of range.

    Examples:
        >>> [polynomial_lr(t, 16.0, total_iters=4, power=2) for t in range(6)]
        [16.0, 9.0, 4.0, 1.0, 0.0, 0.0]
    """
    check_step(step, lr)
    _check(total_iters, power)
    # --8<-- [start:schedule]
    t = min(step, total_iters)  # 1. or 2.
    factor: float = (1.0 - t / total_iters) ** power
    return lr * factor
    # --8<-- [end:schedule]


class PolynomialLR(Scheduler):
    r"""Lead the learning rate to 0 as a power of the steps that are left.

    $$
    \eta_t = \left( \frac{1 - t / T}{1 - (t - 1) / T} \right)^p \eta_{t-1}
    \quad \text{for } 1 \le t \le T
    $$

    Args:
        optimizer: the optimizer whose learning rates to change.
        total_iters: $T \ge 1$, steps until the end.
        power: $p \ge 0$. Above 1 it falls fast at first, below 1 fast at the end.
        last_epoch: -1 to begin; to resume, one less than the number of `step()` calls so far.

    Raises:
        ValueError: an argument is out of range.

    Differs from torch.optim.lr_scheduler:
        Bitwise equal, tested. The arguments are checked.

    Examples:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=16.0)
        >>> scheduler = PolynomialLR(optimizer, total_iters=4, power=2)
        >>> optimizer.step()
        >>> scheduler.step()
        >>> scheduler.get_last_lr()
        [9.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        total_iters: int = 5,
        power: float = 1.0,
        last_epoch: int = -1,
    ) -> None:
        _check(total_iters, power)
        self.total_iters = total_iters
        self.power = power
        super().__init__(optimizer, last_epoch)

    # --8<-- [start:recursion]
    def next_lr(self, lr: Lr, base_lr: Lr) -> Lr:
        t, T = self.last_epoch, self.total_iters
        if self._is_initial or t > T:  # just built, or at the end
            return lr
        left, left_before = 1.0 - t / T, 1.0 - (t - 1) / T
        ratio: float = (left / left_before) ** self.power
        return lr * ratio

    # --8<-- [end:recursion]

    def _get_closed_form_lr(self) -> list[Lr]:
        return self.closed_form(polynomial_lr, total_iters=self.total_iters, power=self.power)


def _check(total_iters: int, power: float) -> None:
    check_count("total_iters", total_iters, least=1)
    require(power >= 0, "power must be >= 0", power)
