"""CosineAnnealingLR: the learning rate falls along half a cosine wave: slowly, then fast, then slowly.

Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2016,
https://arxiv.org/abs/1608.03983, without the restarts. Torch's:
https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.CosineAnnealingLR.html.

Made for any cadence, with `T_max` in the same unit: all updates of the run, or all epochs.
"""

from math import cos, pi

from torch.optim import Optimizer

from trainloop.schedulers._base import Lr, Scheduler, check_count, check_step, require

__all__ = ["CosineAnnealingLR", "cosine_annealing_lr"]


def cosine_annealing_lr(
    step: int,
    lr: float,
    *,
    T_max: int,
    eta_min: float = 0.0,
) -> float:
    r"""Return the learning rate at a step.

    $$
    \eta_t = \eta_{\min} + \tfrac12 (\eta_0 - \eta_{\min})
        \left( 1 + \cos \frac{\pi t}{T} \right)
    $$

    From step $T$ on the wave goes up again, to $\eta_0$ at $2T$. It does not jump: that is
    CosineAnnealingWarmRestarts.

    Args:
        step: $t \ge 0$, the number of `scheduler.step()` calls before.
        lr: $\eta_0 \ge 0$, the learning rate at step 0.
        T_max: $T \ge 1$, steps from the top of the wave to the bottom.
        eta_min: $\eta_{\min} \ge 0$, the learning rate at the bottom.

    Raises:
        ValueError: an argument is out of range.

    Examples:
        >>> lrs = [cosine_annealing_lr(t, 8.0, T_max=4) for t in range(9)]
        >>> [round(lr, 2) for lr in lrs]
        [8.0, 6.83, 4.0, 1.17, 0.0, 1.17, 4.0, 6.83, 8.0]
    """
    check_step(step, lr)
    _check(T_max, eta_min)
    # --8<-- [start:schedule]
    return eta_min + (lr - eta_min) * (1 + cos(pi * step / T_max)) / 2
    # --8<-- [end:schedule]


class CosineAnnealingLR(Scheduler):
    r"""Lead the learning rate along a cosine wave, from its base down to `eta_min`.

    $$
    \eta_t = \begin{cases}
        \eta_{t-1} + \tfrac12 (\eta_0 - \eta_{\min}) \left( 1 - \cos \frac{\pi}{T} \right)
            & \text{1. one step after a bottom, } t = T + 1, \, 3T + 1, \dots \\
        \eta_{\min} + (\eta_{t-1} - \eta_{\min}) \, c_t / c_{t-1}
            & \text{2. otherwise}
    \end{cases}
    \qquad c_t = 1 + \cos \frac{\pi t}{T}
    $$

    At the bottom $c_t = 0$ and nothing is left to multiply; so the first step up is an addition.

    Args:
        optimizer: the optimizer whose learning rates to change.
        T_max: $T \ge 1$, steps from the top of the wave to the bottom.
        eta_min: $\eta_{\min} \ge 0$, the learning rate at the bottom.
        last_epoch: -1 to begin; to resume, one less than the number of `step()` calls so far.

    Raises:
        ValueError: an argument is out of range.

    Differs from torch.optim.lr_scheduler:
        Bitwise equal, tested. The arguments are checked; torch also takes a `T_max` that is no whole
        number. As in torch, it rises again when stepped past `T_max`, and when it is built for an optimizer
        whose learning rate already is `eta_min`, it stays there for a whole fall.

    Examples:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=8.0)
        >>> scheduler = CosineAnnealingLR(optimizer, T_max=4)
        >>> for _ in range(2):
        ...     optimizer.step()
        ...     scheduler.step()
        >>> round(scheduler.get_last_lr()[0], 12)
        4.0
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        _check(T_max, eta_min)
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    # --8<-- [start:recursion]
    def next_lr(self, lr: Lr, base_lr: Lr) -> Lr:
        t, T, low = self.last_epoch, self.T_max, self.eta_min
        if self._is_initial:  # built or resumed just now
            return lr
        if (t - 1 - T) % (2 * T) == 0:  # 1. out of the bottom
            return lr + (base_lr - low) * (1 - cos(pi / T)) / 2
        ratio = (1 + cos(pi * t / T)) / (1 + cos(pi * (t - 1) / T))
        return ratio * (lr - low) + low  # 2.

    # --8<-- [end:recursion]

    def _get_closed_form_lr(self) -> list[Lr]:
        return self.closed_form(cosine_annealing_lr, T_max=self.T_max, eta_min=self.eta_min)


def _check(T_max: int, eta_min: float) -> None:
    check_count("T_max", T_max, least=1)
    require(eta_min >= 0, "eta_min must be >= 0", eta_min)
