"""WarmupPolynomialLR: a linear rise to the full learning rate, then a fall as a power of the steps left.

With power 2 the schedule of LARS: You et al., "Large Batch Training of Convolutional Networks", 2017,
https://arxiv.org/abs/1708.03888. Also `get_polynomial_decay_schedule_with_warmup` in
https://huggingface.co/docs/transformers/main_classes/optimizer_schedules.

Made to be stepped once per update.
"""

from torch.optim import Optimizer

from trainloop.schedulers._base import check_step, require
from trainloop.schedulers._warmup import WarmupDecayScheduler, check_factors, check_total, warmup_factor

__all__ = ["WarmupPolynomialLR", "warmup_polynomial_lr"]


def warmup_polynomial_lr(
    step: int,
    lr: float,
    *,
    warmup_steps: int,
    total_steps: int,
    power: float = 2.0,
    end_factor: float = 0.0,
    start_factor: float | None = None,
) -> float:
    r"""Return the learning rate at a step.

    $$
    \frac{\eta_t}{\eta} = \begin{cases}
        a + (1 - a) \, t / W & \text{1. for } t < W \\
        b + (1 - b) \left( \frac{N - t}{N - W} \right)^p & \text{2. for } W \le t < N \\
        b & \text{3. from } t = N \text{ on}
    \end{cases}
    $$

    Args:
        step: $t \ge 0$, the number of `scheduler.step()` calls before.
        lr: $\eta \ge 0$, the full learning rate, reached at step $W$.
        warmup_steps: $W \ge 0$, steps below the full learning rate at the start.
        total_steps: $N > W$, steps until the end.
        power: $p > 0$. Above 1 it falls fast at first, below 1 fast at the end.
        end_factor: $b$ in [0, 1], the factor at the end.
        start_factor: $a$ in [0, 1], the factor at step 0; $1/(W + 1)$ by default.

    Raises:
        ValueError: an argument is out of range.

    Examples:
        >>> [warmup_polynomial_lr(t, 9.0, warmup_steps=2, total_steps=5) for t in range(7)]
        [3.0, 6.0, 9.0, 4.0, 1.0, 0.0, 0.0]
    """
    check_step(step, lr)
    check_total(warmup_steps, total_steps)
    require(power > 0, "power must be > 0", power)
    check_factors(start_factor, end_factor)
    # --8<-- [start:schedule]
    if step < warmup_steps:  # 1. warmup
        return lr * warmup_factor(step, warmup_steps, start_factor)
    if step < total_steps:  # 2. decay
        left = (total_steps - step) / (total_steps - warmup_steps)
        fall: float = left**power
        return lr * (end_factor + (1 - end_factor) * fall)
    return lr * end_factor  # 3. the end
    # --8<-- [end:schedule]


class WarmupPolynomialLR(WarmupDecayScheduler):
    r"""Raise the learning rate linearly to its base, then lower it as a power of the steps left.

    The recursion is $\eta_t = \eta_{t-1} f_t / f_{t-1}$ with the factor $f_t = \eta_t / \eta$ of
    `warmup_polynomial_lr`.

    Args:
        optimizer: the optimizer whose learning rates to change.
        warmup_steps: $W \ge 0$, updates below the full learning rate at the start.
        total_steps: $N > W$, updates of the whole run.
        power: $p > 0$. Above 1 it falls fast at first, below 1 fast at the end; 1 is WarmupLinearLR.
        end_factor: in [0, 1], the share of the full learning rate at the end.
        start_factor: in [0, 1], its share at update 0; $1/(W + 1)$ by default. From 0 the first update
            would change nothing.
        last_epoch: -1 to begin; to resume, one less than the number of `step()` calls so far.

    Raises:
        ValueError: an argument is out of range.

    Differs from torch.optim.lr_scheduler:
        Torch has none; nearest is `SequentialLR` over `LinearLR` and `PolynomialLR`. With `start_factor=0`
        equal to Hugging Face's, whose first update has learning rate 0; in a chain that 0 also wipes out
        what other schedulers did at step 0. Hugging Face's `lr_end`, `1e-7` by default, is a learning rate;
        `end_factor` is a share of it, so that groups with different learning rates keep their proportions.

    Examples:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=9.0)
        >>> scheduler = WarmupPolynomialLR(optimizer, warmup_steps=2, total_steps=5)
        >>> for _ in range(3):
        ...     optimizer.step()
        ...     scheduler.step()
        >>> scheduler.get_last_lr()
        [4.0]
    """

    schedule = staticmethod(warmup_polynomial_lr)

    def __init__(
        self,
        optimizer: Optimizer,
        warmup_steps: int,
        total_steps: int,
        *,
        power: float = 2.0,
        end_factor: float = 0.0,
        start_factor: float | None = None,
        last_epoch: int = -1,
    ) -> None:
        self.power = power
        super().__init__(optimizer, warmup_steps, total_steps, end_factor, start_factor, last_epoch)
