"""LinearLR: the learning rate goes along a straight line from one factor to another, and stays there.

The gradual warmup of Goyal et al., "Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour", 2017,
https://arxiv.org/abs/1706.02677; with the factors swapped, a linear decay. Torch's:
https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.LinearLR.html.

Made for any cadence. As a warmup, step it once per update: with one step per epoch the learning rate
rises in a few large jumps.
"""

from torch.optim import Optimizer

from trainloop.schedulers._base import Lr, Scheduler, check_count, check_step, require

__all__ = ["LinearLR", "linear_lr"]


def linear_lr(
    step: int,
    lr: float,
    *,
    start_factor: float = 1.0 / 3,
    end_factor: float = 1.0,
    total_iters: int = 5,
) -> float:
    r"""Return the learning rate at a step.

    $$
    \frac{\eta_t}{\eta} = \begin{cases}
        a + (b - a) \, t / T & \text{1. for } t < T \\
        b & \text{2. from } t = T \text{ on}
    \end{cases}
    $$

    Args:
        step: $t \ge 0$, the number of `scheduler.step()` calls before.
        lr: $\eta \ge 0$, the learning rate that a factor of 1 stands for.
        start_factor: $a$ in (0, 1], the factor at step 0.
        end_factor: $b$ in [0, 1], the factor at the end.
        total_iters: $T \ge 1$, steps from one to the other.

    Raises:
        ValueError: an argument is out of range.

    Examples:
        >>> [linear_lr(t, 0.8, start_factor=0.25, total_iters=3) for t in range(5)]
        [0.2, 0.4, 0.6000000000000001, 0.8, 0.8]
    """
    check_step(step, lr)
    _check(start_factor, end_factor, total_iters)
    # --8<-- [start:schedule]
    t = min(step, total_iters)  # 1. or 2.
    rise = end_factor - start_factor
    return lr * (start_factor + rise * t / total_iters)
    # --8<-- [end:schedule]


class LinearLR(Scheduler):
    r"""Lead the learning rate along a line, from `start_factor` to `end_factor` times its base.

    $$
    \eta_0 = a \, \eta, \qquad
    \eta_t = \eta_{t-1} \left( 1 + \frac{b - a}{T a + (t - 1)(b - a)} \right)
    \quad \text{for } 1 \le t \le T
    $$

    The bracket is the quotient of two neighbouring points of the line. Before `SequentialLR` switches at
    step $W$ to a schedule that starts at the full learning rate, `total_iters=W` is right: the full rate
    comes at step $W$ and only once.

    Args:
        optimizer: the optimizer whose learning rates to change.
        start_factor: $a$ in (0, 1]. Not 0: from there no factor leads away.
        end_factor: $b$ in [0, 1].
        total_iters: $T \ge 1$, steps from one to the other.
        last_epoch: -1 to begin; to resume, one less than the number of `step()` calls so far.

    Raises:
        ValueError: an argument is out of range.

    Differs from torch.optim.lr_scheduler:
        Bitwise equal, tested. `total_iters` is checked: with 0, torch stays at `start_factor` for good.

    Examples:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.8)
        >>> scheduler = LinearLR(optimizer, start_factor=0.25, total_iters=3)
        >>> scheduler.get_last_lr()
        [0.2]
        >>> optimizer.step()
        >>> scheduler.step()
        >>> scheduler.get_last_lr()
        [0.4]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        _check(start_factor, end_factor, total_iters)
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    # --8<-- [start:recursion]
    def next_lr(self, lr: Lr, base_lr: Lr) -> Lr:
        t, T = self.last_epoch, self.total_iters
        a, rise = self.start_factor, self.end_factor - self.start_factor
        if t == 0:
            return lr * a
        if self._is_initial or t > T:  # just resumed, or at the end
            return lr
        return lr * (1.0 + rise / (T * a + (t - 1) * rise))

    # --8<-- [end:recursion]

    def _get_closed_form_lr(self) -> list[Lr]:
        return self.closed_form(
            linear_lr, start_factor=self.start_factor, end_factor=self.end_factor, total_iters=self.total_iters
        )


def _check(start_factor: float, end_factor: float, total_iters: int) -> None:
    require(0 < start_factor <= 1, "start_factor must be in (0, 1]", start_factor)
    require(0 <= end_factor <= 1, "end_factor must be in [0, 1]", end_factor)
    check_count("total_iters", total_iters, least=1)
