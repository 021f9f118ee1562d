"""CosineAnnealingWarmRestarts: fall along half a cosine, jump back up, and fall again, ever more slowly.

Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2016,
https://arxiv.org/abs/1608.03983. Torch's:
https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.CosineAnnealingWarmRestarts.html.

Made to be stepped once per epoch with `T_0` in epochs, or once per update with `T_0` in updates. With `T_0`
in epochs it can follow single updates, too: `scheduler.step(epoch + i / len(batches))`.
"""

from math import cos, floor, pi

from torch.optim import Optimizer

from trainloop.schedulers._base import Lr, Scheduler, check_count, check_step, require

__all__ = ["CosineAnnealingWarmRestarts", "cosine_annealing_warm_restarts"]


def cosine_annealing_warm_restarts(step: float, lr: float, *, T_0: int, T_mult: int = 1, eta_min: float = 0.0) -> float:
    r"""Return the learning rate at a step.

    Cycle $n = 0, 1, \dots$ is $T_n = T_0 m^n$ steps long and begins at step $s_n$:

    $$
    s_n = \begin{cases}
        n\,T_0 & \text{if } m = 1 \\
        T_0\,\dfrac{m^n - 1}{m - 1} & \text{if } m > 1
    \end{cases}
    $$

    $$
    \eta_t = \eta_{\min} + (\eta_0 - \eta_{\min})\,\frac{1 + \cos(\pi\,(t - s_n) / T_n)}{2},
    \qquad s_n \le t < s_{n+1}
    $$

    At whole steps it never reaches $\eta_{\min}$: the step where the cosine would be there is the next
    cycle's first.

    Args:
        step: $t \ge 0$, the number of `scheduler.step()` calls before; may have a fraction.
        lr: $\eta_0 \ge 0$, the learning rate at step 0 and after every restart.
        T_0: $T_0 \ge 1$, steps in the first cycle.
        T_mult: $m \ge 1$, how many times longer than the last each cycle is.
        eta_min: $\eta_{\min} \ge 0$, the learning rate that each cycle falls towards.

    Raises:
        ValueError: an argument is out of range.

    Examples:
        >>> [round(cosine_annealing_warm_restarts(t, 1.0, T_0=2, T_mult=2), 3) for t in range(7)]
        [1.0, 0.5, 1.0, 0.854, 0.5, 0.146, 1.0]
    """
    check_step(step, lr)
    _check(T_0, T_mult, eta_min)
    # --8<-- [start:schedule]
    t, T = _since_restart(step, T_0, T_mult)
    return eta_min + (lr - eta_min) * (1 + cos(pi * t / T)) / 2
    # --8<-- [end:schedule]


class CosineAnnealingWarmRestarts(Scheduler):
    r"""Fall along half a cosine, and start again from the initial learning rate.

    $$
    \eta_t = \eta_{\min} + (\eta_0 - \eta_{\min})\,\frac{1 + \cos(\pi\,T_{\text{cur}} / T_i)}{2}
    $$

    $T_{\text{cur}}$ counts the steps since the last restart. When it reaches $T_i$, the length of the
    cycle, it goes back to 0, and $T_i$ becomes $m$ times longer.

    Args:
        optimizer: the optimizer whose learning rates to change.
        T_0: $\ge 1$, steps in the first cycle.
        T_mult: $m \ge 1$, how many times longer than the last each cycle is.
        eta_min: $\eta_{\min} \ge 0$, the learning rate that each cycle falls towards.
        last_epoch: -1 to begin; to resume, one less than the number of `step()` calls so far.

    Raises:
        ValueError: an argument is out of range.

    Differs from torch.optim.lr_scheduler:
        Bitwise equal, tested, but for two errors of torch's, which are corrected. With `T_mult > 1`, a
        resume by `last_epoch` from after the second cycle finds its place, where torch takes every cycle
        for the second. And `step(epoch)` computes the cycle with whole numbers: torch's logarithm takes
        epoch 121 of `T_0=1, T_mult=3` for the end of a cycle, not for the restart that it is.

        As in torch, the recursion starts from the initial learning rate, not from the current one: in a
        `ChainedScheduler`, whatever earlier schedulers did is overwritten. `step` does not warn when it
        comes before `optimizer.step()`.

    Examples:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
        >>> scheduler = CosineAnnealingWarmRestarts(optimizer, T_0=4, eta_min=0.1)
        >>> lrs = []
        >>> for _ in range(5):
        ...     lrs.append(round(scheduler.get_last_lr()[0], 3))
        ...     optimizer.step()
        ...     scheduler.step()
        >>> lrs
        [1.0, 0.868, 0.55, 0.232, 1.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        T_0: int,
        T_mult: int = 1,
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        _check(T_0, T_mult, eta_min)
        self.T_0 = T_0
        self.T_mult = T_mult
        self.eta_min = eta_min
        self.T_cur: float
        self.T_cur, self.T_i = _since_restart(last_epoch, T_0, T_mult)
        super().__init__(optimizer, last_epoch)

    # --8<-- [start:recursion]
    def next_lr(self, lr: Lr, base_lr: Lr) -> Lr:
        t, T, low = self.T_cur, self.T_i, self.eta_min
        return low + (base_lr - low) * (1 + cos(pi * t / T)) / 2

    # --8<-- [end:recursion]

    def step(self, epoch: float | None = None) -> None:
        """Go to the next step, or to any other.

        Args:
            epoch: the step to go to, >= 0; may have a fraction, as in `step(epoch + i / len(batches))`.

        Raises:
            ValueError: `epoch` is negative.
        """
        if epoch is None and self.last_epoch < 0:
            epoch = 0
        if epoch is None:
            last_epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur %= self.T_i
                self.T_i *= self.T_mult
        else:
            require(epoch >= 0, "epoch must be >= 0", epoch)
            last_epoch = floor(epoch)
            self.T_cur, self.T_i = _since_restart(epoch, self.T_0, self.T_mult)
        self._update_lr(last_epoch)


def _since_restart(step: float, T_0: int, T_mult: int) -> tuple[float, int]:
    """Return the steps since the last restart, and the length of the cycle they are in."""
    if T_mult == 1:
        return (step % T_0 if step >= T_0 else step), T_0
    T = T_0
    while step >= T:
        step -= T
        T *= T_mult
    return step, T


def _check(T_0: int, T_mult: int, eta_min: float) -> None:
    check_count("T_0", T_0, least=1)
    check_count("T_mult", T_mult, least=1)
    require(eta_min >= 0, "eta_min must be >= 0", eta_min)
