"""InverseSqrtLR: a linear rise, then a fall with one over the square root of the step, without an end.

Vaswani et al., "Attention Is All You Need", 2017, https://arxiv.org/abs/1706.03762, section 5.3; often
called Noam's. Zhai et al., "Scaling Vision Transformers", 2021, https://arxiv.org/abs/2106.04560, choose
the time scale of the fall apart from the warmup.

Made to be stepped once per update.
"""

from math import sqrt

from torch.optim import Optimizer

from trainloop.schedulers._base import check_count, check_step, require
from trainloop.schedulers._warmup import WarmupScheduler, check_factors, warmup_factor

__all__ = ["InverseSqrtLR", "inverse_sqrt_lr"]


def inverse_sqrt_lr(
    step: int,
    lr: float,
    *,
    warmup_steps: int,
    timescale: float | None = None,
    start_factor: float | None = None,
) -> float:
    r"""Return the learning rate at a step.

    $$
    \frac{\eta_t}{\eta} = \begin{cases}
        a + (1 - a) \, t / W & \text{1. for } t < W \\
        \sqrt{\frac{\tau}{\tau + (t - W)}} & \text{2. from } t = W \text{ on}
    \end{cases}
    $$

    With the defaults, and $s = t + 1$ for steps counted from 1, this is
    $\min(s / n, \sqrt{n / s})$ with $n = W + 1$: the paper's schedule, divided by its peak.

    Args:
        step: $t \ge 0$, the number of `scheduler.step()` calls before.
        lr: $\eta \ge 0$, the full learning rate, reached at step $W$.
        warmup_steps: $W \ge 0$, steps below the full learning rate at the start.
        timescale: $\tau > 0$, in steps; $W + 1$ by default. After $3 \tau$ steps of fall half of the
            learning rate is left.
        start_factor: $a$ in [0, 1], the factor at step 0; $1/(W + 1)$ by default.

    Raises:
        ValueError: an argument is out of range.

    Examples:
        >>> [inverse_sqrt_lr(t, 6.0, warmup_steps=3) for t in range(4)]
        [1.5, 3.0, 4.5, 6.0]
        >>> inverse_sqrt_lr(15, 6.0, warmup_steps=3)
        3.0
    """
    check_step(step, lr)
    check_count("warmup_steps", warmup_steps, least=0)
    if timescale is not None:
        require(timescale > 0, "timescale must be > 0", timescale)
    check_factors(start_factor)
    # --8<-- [start:schedule]
    if step < warmup_steps:  # 1. warmup
        return lr * warmup_factor(step, warmup_steps, start_factor)
    τ = warmup_steps + 1 if timescale is None else timescale
    return lr * sqrt(τ / (τ + (step - warmup_steps)))  # 2. decay
    # --8<-- [end:schedule]


class InverseSqrtLR(WarmupScheduler):
    r"""Raise the learning rate linearly to its base, then lower it as one over the square root of the step.

    The recursion is $\eta_t = \eta_{t-1} f_t / f_{t-1}$ with the factor $f_t = \eta_t / \eta$ of
    `inverse_sqrt_lr`.

    Args:
        optimizer: the optimizer whose learning rates to change. Its learning rate is the peak; the paper's
            peak is $1/\sqrt{d\,n}$, with the width $d$ of the model and a warmup of $n$ steps counted
            from 1, here `warmup_steps=n - 1`.
        warmup_steps: $W \ge 0$, updates below the full learning rate at the start.
        timescale: $\tau > 0$, in updates; $W + 1$ by default. After $3 \tau$ updates of fall half of the
            learning rate is left.
        start_factor: in [0, 1], the share of the full learning rate at update 0; $1/(W + 1)$ by default.
            From 0 the first update would change nothing.
        last_epoch: -1 to begin; to resume, one less than the number of `step()` calls so far.

    Raises:
        ValueError: an argument is out of range.

    Differs from torch.optim.lr_scheduler:
        Torch has none. With `start_factor=0, timescale=warmup_steps` equal to Hugging Face's
        `get_inverse_sqrt_schedule`, whose first update has learning rate 0; in a chain that 0 also wipes
        out what other schedulers did at step 0.

    Examples:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=6.0)
        >>> scheduler = InverseSqrtLR(optimizer, warmup_steps=3)
        >>> for _ in range(15):
        ...     optimizer.step()
        ...     scheduler.step()
        >>> scheduler.get_last_lr()
        [3.0]
    """

    schedule = staticmethod(inverse_sqrt_lr)

    def __init__(
        self,
        optimizer: Optimizer,
        warmup_steps: int,
        *,
        timescale: float | None = None,
        start_factor: float | None = None,
        last_epoch: int = -1,
    ) -> None:
        self.warmup_steps = warmup_steps
        self.timescale = timescale
        self.start_factor = start_factor
        super().__init__(optimizer, last_epoch)
