"""What the schedules with a warmup share: the rise, their options, and a recursion for any schedule of factors."""

from collections.abc import Callable
from functools import cache
from inspect import signature
from typing import ClassVar

from torch.optim import Optimizer

from trainloop.schedulers._base import Lr, Scheduler, check_count, require

__all__ = ["WarmupDecayScheduler", "WarmupScheduler", "check_factors", "check_total", "warmup_factor"]


def warmup_factor(step: int, warmup_steps: int, start_factor: float | None) -> float:
    r"""Return the share of the full learning rate at step $t$ of a linear warmup of $W$ steps.

    $$ s + (1 - s)\,\frac{t}{W}, \qquad s = \frac{1}{W + 1} \text{ unless given} $$

    The full learning rate comes at $t = W$, after the warmup. With the default $s$ the factor is
    $(t + 1)/(W + 1)$: as many equal rises as with $s = 0$ and one more, so that step 0 already learns.

    Examples:
        >>> [warmup_factor(t, 4, None) for t in range(5)]
        [0.2, 0.4, 0.6, 0.8, 1.0]
        >>> [warmup_factor(t, 4, 0.0) for t in range(5)]
        [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    if start_factor is None:
        return (step + 1) / (warmup_steps + 1)
    return start_factor + (1 - start_factor) * step / warmup_steps


class WarmupScheduler(Scheduler):
    """Base class: carries a schedule of the form `base_lr * factor(step)`.

    A subclass names its function, `schedule`, and has an attribute for each of the function's options, set
    before this constructor is called. The recursion multiplies the current learning rate by
    `factor(t) / factor(t - 1)`, so that other schedulers' factors stay.

    Two cases start from the base learning rate instead. Where nothing else has changed the learning rate,
    `base_lr * factor(t)` is the same without rounding errors that add up. Where `factor(t - 1)` is 0,
    nothing is left to multiply, and what other schedulers did before is lost.
    """

    schedule: ClassVar[Callable[..., float]]
    """The function: `schedule(step, lr, **options)` is the learning rate at a step."""

    def __init__(self, optimizer: Optimizer, last_epoch: int) -> None:
        self.factor(0)  # refuses options that are out of range, before the optimizer is touched
        super().__init__(optimizer, last_epoch)

    def factor(self, step: int) -> float:
        """Return the share of the base learning rate at a step."""
        options = {name: getattr(self, name) for name in _option_names(self.schedule)}
        return self.schedule(step, 1.0, **options)

    # --8<-- [start:recursion]
    def next_lr(self, lr: Lr, base_lr: Lr) -> Lr:
        t = self.last_epoch
        if t == 0:
            return lr * self.factor(0)
        if self._is_initial:
            return lr  # resumed: the optimizer has this step's
        before = self.factor(t - 1)
        if before == 0 or lr == base_lr * before:
            return base_lr * self.factor(t)
        return lr * (self.factor(t) / before)

    # --8<-- [end:recursion]

    def _get_closed_form_lr(self) -> list[Lr]:
        return [base_lr * self.factor(self.last_epoch) for base_lr in self.base_lrs]


@cache
def _option_names(schedule: Callable[..., float]) -> tuple[str, ...]:
    return tuple(name for name, p in signature(schedule).parameters.items() if p.kind is p.KEYWORD_ONLY)


class WarmupDecayScheduler(WarmupScheduler):
    """Base class of the schedules that end at `total_steps`: holds the options that all of them have."""

    def __init__(
        self,
        optimizer: Optimizer,
        warmup_steps: int,
        total_steps: int,
        end_factor: float,
        start_factor: float | None,
        last_epoch: int,
    ) -> None:
        self.warmup_steps = warmup_steps
        self.total_steps = total_steps
        self.end_factor = end_factor
        self.start_factor = start_factor
        super().__init__(optimizer, last_epoch)


def check_total(warmup_steps: int, total_steps: int) -> None:
    """Raise `ValueError` unless a warmup and at least one more step make up the total."""
    check_count("warmup_steps", warmup_steps, least=0)
    check_count("total_steps", total_steps, least=1)
    require(warmup_steps < total_steps, f"warmup_steps must be < total_steps = {total_steps}", warmup_steps)


def check_factors(start_factor: float | None, end_factor: float = 0.0) -> None:
    """Raise `ValueError` unless both factors are shares of the full learning rate."""
    if start_factor is not None:
        require(0 <= start_factor <= 1, "start_factor must be in [0, 1]", start_factor)
    require(0 <= end_factor <= 1, "end_factor must be in [0, 1]", end_factor)
