"""WSDLR: warmup, a long stretch at the full learning rate, and a short decay at the end.

Hu et al., "MiniCPM", 2024, https://arxiv.org/abs/2404.06395, gave it the name warmup-stable-decay.
Hägele et al., "Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations", 2024,
https://arxiv.org/abs/2405.18392, compare shapes of the decay and propose 1-sqrt over a fifth of the run.
The linear shape is older: Zhai et al., "Scaling Vision Transformers", 2021,
https://arxiv.org/abs/2106.04560.

Its point: only the decay knows how long the run is. From one checkpoint of the stable stretch, runs of
several lengths can be finished.

Made to be stepped once per update.
"""

from math import cos, pi, sqrt
from typing import Literal, TypeAlias

from torch.optim import Optimizer

from trainloop.schedulers._base import check_count, check_step, require
from trainloop.schedulers._warmup import WarmupDecayScheduler, check_factors, check_total, warmup_factor

__all__ = ["WSDLR", "Decay", "wsd_lr"]

Decay: TypeAlias = Literal["1-sqrt", "linear", "cosine"]
"""The shape of the decay."""


def wsd_lr(
    step: int,
    lr: float,
    *,
    warmup_steps: int,
    total_steps: int,
    decay_steps: int,
    decay: Decay = "1-sqrt",
    end_factor: float = 0.0,
    start_factor: float | None = None,
) -> float:
    r"""Return the learning rate at a step.

    $$
    \frac{\eta_t}{\eta} = \begin{cases}
        a + (1 - a) \, t / W & \text{1. for } t < W \\
        1 & \text{2. for } W \le t < N - D \\
        b + (1 - b) \, d(u), \quad u = \frac{t - (N - D)}{D} & \text{3. for } N - D \le t < N \\
        b & \text{4. from } t = N \text{ on}
    \end{cases}
    $$

    $d(u)$ is $1 - \sqrt u$, $1 - u$ or $\tfrac12 (1 + \cos \pi u)$.

    Args:
        step: $t \ge 0$, the number of `scheduler.step()` calls before.
        lr: $\eta \ge 0$, the full learning rate, reached at step $W$.
        warmup_steps: $W \ge 0$, steps below the full learning rate at the start.
        total_steps: $N > W$, steps until the end.
        decay_steps: $D$ from 1 to $N - W$, steps of the decay.
        decay: $d$, one of `"1-sqrt"`, `"linear"`, `"cosine"`.
        end_factor: $b$ in [0, 1], the factor at the end.
        start_factor: $a$ in [0, 1], the factor at step 0; $1/(W + 1)$ by default.

    Raises:
        ValueError: an argument is out of range.

    Examples:
        >>> options = {"warmup_steps": 2, "total_steps": 9, "decay_steps": 4}
        >>> [wsd_lr(t, 6.0, **options) for t in range(6)]
        [2.0, 4.0, 6.0, 6.0, 6.0, 6.0]
        >>> [round(wsd_lr(t, 6.0, **options), 2) for t in range(6, 11)]
        [3.0, 1.76, 0.8, 0.0, 0.0]
    """
    check_step(step, lr)
    check_total(warmup_steps, total_steps)
    _check_decay(warmup_steps, total_steps, decay_steps, decay)
    check_factors(start_factor, end_factor)
    # --8<-- [start:schedule]
    if step < warmup_steps:  # 1. warmup
        return lr * warmup_factor(step, warmup_steps, start_factor)
    if step < total_steps - decay_steps:  # 2. stable
        return lr
    if step < total_steps:  # 3. decay
        u = (step - (total_steps - decay_steps)) / decay_steps
        return lr * (end_factor + (1 - end_factor) * _decay(u, decay))
    return lr * end_factor  # 4. the end
    # --8<-- [end:schedule]


# --8<-- [start:decay]
def _decay(u: float, shape: Decay) -> float:
    if shape == "1-sqrt":
        return 1 - sqrt(u)
    if shape == "linear":
        return 1 - u
    return 0.5 * (1 + cos(pi * u))  # "cosine"


# --8<-- [end:decay]


class WSDLR(WarmupDecayScheduler):
    r"""Raise the learning rate linearly to its base, hold it, and let it decay in the last steps.

    The recursion is $\eta_t = \eta_{t-1} f_t / f_{t-1}$ with the factor $f_t = \eta_t / \eta$ of `wsd_lr`.

    Args:
        optimizer: the optimizer whose learning rates to change.
        warmup_steps: $W \ge 0$, updates below the full learning rate at the start.
        total_steps: $N > W$, updates of the whole run.
        decay_steps: $D$ from 1 to $N - W$, updates of the decay, counted from the end.
        decay: the shape, `"1-sqrt"`, `"linear"` or `"cosine"`.
        end_factor: in [0, 1], the share of the full learning rate at the end.
        start_factor: in [0, 1], its share at update 0; $1/(W + 1)$ by default. From 0 the first update
            would change nothing.
        last_epoch: -1 to begin; to resume, one less than the number of `step()` calls so far.

    Raises:
        ValueError: an argument is out of range.

    Differs from torch.optim.lr_scheduler:
        Torch has none. With `start_factor` equal to `end_factor` it is Hugging Face's `get_wsd_schedule`,
        whose first update has learning rate 0 by default; in a chain that 0 also wipes out what other
        schedulers did at step 0.

    Examples:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=6.0)
        >>> scheduler = WSDLR(optimizer, warmup_steps=2, total_steps=9, decay_steps=4)
        >>> for _ in range(6):
        ...     optimizer.step()
        ...     scheduler.step()
        >>> scheduler.get_last_lr()
        [3.0]

        To decay from a checkpoint of the stable stretch, load it and say where the run ends now:

        >>> longer = WSDLR(optimizer, warmup_steps=2, total_steps=100, decay_steps=20)
        >>> longer.load_state_dict(scheduler.state_dict() | {"total_steps": 12, "decay_steps": 6})
        >>> longer.total_steps
        12
    """

    schedule = staticmethod(wsd_lr)

    def __init__(
        self,
        optimizer: Optimizer,
        warmup_steps: int,
        total_steps: int,
        decay_steps: int,
        *,
        decay: Decay = "1-sqrt",
        end_factor: float = 0.0,
        start_factor: float | None = None,
        last_epoch: int = -1,
    ) -> None:
        self.decay_steps = decay_steps
        self.decay: Decay = decay
        super().__init__(optimizer, warmup_steps, total_steps, end_factor, start_factor, last_epoch)


def _check_decay(warmup_steps: int, total_steps: int, decay_steps: int, decay: str) -> None:
    check_count("decay_steps", decay_steps, least=1)
    rest = total_steps - warmup_steps
    require(decay_steps <= rest, f"decay_steps must be <= total_steps - warmup_steps = {rest}", decay_steps)
    require(decay in ("1-sqrt", "linear", "cosine"), "decay must be '1-sqrt', 'linear' or 'cosine'", repr(decay))
