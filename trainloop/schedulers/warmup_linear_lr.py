"""WarmupLinearLR: a linear rise to the full learning rate, then a linear fall.

The schedule of Devlin et al., "BERT", 2018, https://arxiv.org/abs/1810.04805, and of
`get_linear_schedule_with_warmup` in https://huggingface.co/docs/transformers/main_classes/optimizer_schedules.

Made to be stepped once per update.
"""

from torch.optim import Optimizer

from trainloop.schedulers._base import check_step
from trainloop.schedulers._warmup import WarmupDecayScheduler, check_factors, check_total, warmup_factor

__all__ = ["WarmupLinearLR", "warmup_linear_lr"]


def warmup_linear_lr(
    step: int,
    lr: float,
    *,
    warmup_steps: int,
    total_steps: int,
    end_factor: float = 0.0,
    start_factor: float | None = None,
) -> float:
    r"""Return the learning rate at a step.

    $$
    \frac{\eta_t}{\eta} = \begin{cases}
        a + (1 - a) \, t / W & \text{1. for } t < W \\
        b + (1 - b) \, \frac{N - t}{N - W} & \text{2. for } W \le t < N \\
        b & \text{3. from } t = N \text{ on}
    \end{cases}
    $$

    Args:
        step: $t \ge 0$, the number of `scheduler.step()` calls before.
        lr: $\eta \ge 0$, the full learning rate, reached at step $W$.
        warmup_steps: $W \ge 0$, steps below the full learning rate at the start.
        total_steps: $N > W$, steps until the end.
        end_factor: $b$ in [0, 1], the factor at the end.
        start_factor: $a$ in [0, 1], the factor at step 0; $1/(W + 1)$ by default.

    Raises:
        ValueError: an argument is out of range.

    Examples:
        >>> [warmup_linear_lr(t, 9.0, warmup_steps=2, total_steps=5) for t in range(7)]
        [3.0, 6.0, 9.0, 6.0, 3.0, 0.0, 0.0]
    """
    check_step(step, lr)
    check_total(warmup_steps, total_steps)
    check_factors(start_factor, end_factor)
    # --8<-- [start:schedule]
    if step < warmup_steps:  # 1. warmup
        return lr * warmup_factor(step, warmup_steps, start_factor)
    if step < total_steps:  # 2. decay
        left = (total_steps - step) / (total_steps - warmup_steps)
        return lr * (end_factor + (1 - end_factor) * left)
    return lr * end_factor  # 3. the end
    # --8<-- [end:schedule]


class WarmupLinearLR(WarmupDecayScheduler):
    r"""Raise the learning rate linearly to its base, then lower it linearly.

    The recursion is $\eta_t = \eta_{t-1} f_t / f_{t-1}$ with the factor $f_t = \eta_t / \eta$ of
    `warmup_linear_lr`.

    Args:
        optimizer: the optimizer whose learning rates to change.
        warmup_steps: $W \ge 0$, updates below the full learning rate at the start.
        total_steps: $N > W$, updates of the whole run.
        end_factor: in [0, 1], the share of the full learning rate at the end.
        start_factor: in [0, 1], its share at update 0; $1/(W + 1)$ by default. From 0 the first update
            would change nothing.
        last_epoch: -1 to begin; to resume, one less than the number of `step()` calls so far.

    Raises:
        ValueError: an argument is out of range.

    Differs from torch.optim.lr_scheduler:
        Torch has none; nearest is `SequentialLR` over two `LinearLR`. With `start_factor=0` equal to
        Hugging Face's, whose first update has learning rate 0. In a chain that 0 also wipes out what other
        schedulers did at step 0.

    Examples:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=9.0)
        >>> scheduler = WarmupLinearLR(optimizer, warmup_steps=2, total_steps=5)
        >>> for _ in range(3):
        ...     optimizer.step()
        ...     scheduler.step()
        >>> scheduler.get_last_lr()
        [6.0]
    """

    schedule = staticmethod(warmup_linear_lr)

    def __init__(
        self,
        optimizer: Optimizer,
        warmup_steps: int,
        total_steps: int,
        *,
        end_factor: float = 0.0,
        start_factor: float | None = None,
        last_epoch: int = -1,
    ) -> None:
        super().__init__(optimizer, warmup_steps, total_steps, end_factor, start_factor, last_epoch)
