"""ReduceLROnPlateau: the learning rate drops when a metric has stopped improving.

No paper: the rule was folklore before libraries had it. Torch's:
https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ReduceLROnPlateau.html.

Made to be stepped once per measurement, most often once per epoch, with the metric: a validation loss, or
with `mode="max"` an accuracy.
"""

import math
import warnings
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple, SupportsFloat, TypeAlias

import torch
from torch.optim import Optimizer

from trainloop.schedulers._base import Scheduler, check_count, check_step, require
from trainloop.schedulers._per_group import check_optimizer, check_values, per_group, set_lr

__all__ = ["ReduceLROnPlateau", "reduce_lr_on_plateau"]

Mode: TypeAlias = Literal["min", "max"]
ThresholdMode: TypeAlias = Literal["rel", "abs"]


def reduce_lr_on_plateau(
    metrics: Iterable[float],
    lr: float,
    *,
    mode: Mode = "min",
    factor: float = 0.1,
    patience: int = 10,
    threshold: float = 1e-4,
    threshold_mode: ThresholdMode = "rel",
    cooldown: int = 0,
    min_lr: float = 0.0,
    eps: float = 1e-8,
) -> list[float]:
    r"""Return the learning rate after each metric.

    A metric $x_t$ is better than the best so far, $b$, if

    $$
    \begin{cases}
        x_t < b\,(1 - \theta) & \text{min, rel} \\
        x_t < b - \theta & \text{min, abs} \\
        x_t > b\,(1 + \theta) & \text{max, rel} \\
        x_t > b + \theta & \text{max, abs}
    \end{cases}
    $$

    Then it becomes the best. The metrics since then are bad, NaN among them, but for those that are among
    the $c$ after a drop. When there are more than $P$ bad ones, the learning rate drops, and counting
    starts again:

    $$
    \eta_t = \begin{cases}
        \max(\gamma\,\eta_{t-1}, \eta_{\min}) & \text{if that is smaller by more than } \varepsilon \\
        \eta_{t-1} & \text{otherwise}
    \end{cases}
    $$

    Args:
        metrics: $x_1, x_2, \dots$, one for each call of `step`.
        lr: $\eta_0 \ge 0$, the learning rate before the first metric.
        mode: whether "min" or "max" is better.
        factor: $\gamma$ in [0, 1), the factor of one drop.
        patience: $P \ge 0$, bad metrics without consequence: the next one is the one that counts.
        threshold: $\theta \ge 0$, how much better is better; in units of the metric where it is "abs".
        threshold_mode: "rel" or "abs". "rel" is for positive metrics: where $b < 0$ it moves the bar the
            wrong way, and a metric that stays the same is better every time.
        cooldown: $c \ge 0$, metrics after a drop that cannot be bad.
        min_lr: $\eta_{\min} \ge 0$, the lowest learning rate.
        eps: $\varepsilon \ge 0$, in units of the learning rate; smaller drops are not made.

    Raises:
        ValueError: an argument is out of range.

    Examples:
        >>> reduce_lr_on_plateau([5, 4, 4, 4, 4], 0.5, factor=0.5, patience=2)
        [0.5, 0.5, 0.5, 0.5, 0.25]
    """
    check_step(0, lr)
    _check(mode, factor, patience, threshold, threshold_mode, cooldown, eps)
    check_values("min_lr", [min_lr])
    # --8<-- [start:schedule]
    is_better = _comparison(mode, threshold, threshold_mode)
    watch = _Watch(_worst(mode), bad=0, cooldown=0)
    lrs = []
    for metric in metrics:
        x = float(metric)
        watch, drop = _observe(watch, x, is_better, patience, cooldown)
        lr = _dropped(lr, factor, min_lr, eps) if drop else lr
        lrs.append(lr)
    return lrs
    # --8<-- [end:schedule]


# Torch's class is a base, too, because that is how SequentialLR, Lightning and others recognise a scheduler
# that needs a metric. Nothing of its rule is used.
class ReduceLROnPlateau(Scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
    r"""Reduce the learning rate when a metric has not improved for more than `patience` steps.

    $$
    \eta_t = \begin{cases}
        \max(\gamma\,\eta_{t-1}, \eta_{\min}) & \text{after } P + 1 \text{ bad metrics} \\
        \eta_{t-1} & \text{otherwise}
    \end{cases}
    $$

    `reduce_lr_on_plateau` says which metrics are bad.

    Args:
        optimizer: the optimizer whose learning rates to change.
        mode: whether "min" or "max" is better.
        factor: $\gamma$ in [0, 1), the factor of one drop.
        patience: $P \ge 0$, bad metrics without consequence: the next one is the one that counts.
        threshold: $\ge 0$, how much better is better; in units of the metric where it is "abs".
        threshold_mode: "rel" or "abs". "rel" is for positive metrics.
        cooldown: $\ge 0$, metrics after a drop that cannot be bad.
        min_lr: $\eta_{\min} \ge 0$, the lowest learning rate: a number, or a list with one per group.
        eps: $\ge 0$, in units of the learning rate; smaller drops are not made.

    Raises:
        ValueError: an argument is out of range, or a list has not one value per group.
        TypeError: the first argument is not an optimizer.

    Differs from torch.optim.lr_scheduler:
        Bitwise equal, tested. The arguments are checked; torch checks `factor < 1` and the modes. A learning
        rate that is a tensor stays one; torch before 2.10 puts a number in its place.

        As in torch, the current learning rate is what drops, so it can be mixed with other schedulers, but
        it is stepped with a metric and cannot be in a `ChainedScheduler` or `SequentialLR`. As in torch, a
        NaN metric is a bad one, and "rel" with a negative best takes a metric that stays the same for a
        better one. `step` does not warn when it comes before `optimizer.step()`.

    Examples:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.5)
        >>> scheduler = ReduceLROnPlateau(optimizer, factor=0.5, patience=2)
        >>> for loss in [5.0, 4.0, 4.0, 4.0, 4.0]:
        ...     scheduler.step(loss)
        >>> scheduler.get_last_lr()  # the third 4.0 since the first was one too many
        [0.25]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: Mode = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: ThresholdMode = "rel",
        cooldown: int = 0,
        min_lr: float | list[float] = 0,
        eps: float = 1e-8,
    ) -> None:
        check_optimizer(optimizer)
        _check(mode, factor, patience, threshold, threshold_mode, cooldown, eps)
        self.optimizer = optimizer
        self.mode: Mode = mode
        self.mode_worse = _worst(mode)
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.threshold_mode: ThresholdMode = threshold_mode
        self.cooldown = cooldown
        self.default_min_lr = None if isinstance(min_lr, (list, tuple)) else min_lr
        self.min_lrs = per_group("min_lr", optimizer, min_lr)
        check_values("min_lr", self.min_lrs)
        self.eps = eps
        self.last_epoch = 0
        self._last_lr = self.group_lrs()
        self._reset()

    def _reset(self) -> None:
        """Forget all metrics so far."""
        self.best, self.num_bad_epochs, self.cooldown_counter = _Watch(self.mode_worse, 0, 0)

    def step(self, metrics: SupportsFloat, epoch: int | None = None) -> None:  # type: ignore[override]
        """Take the next metric, and drop the learning rates if it is one bad metric too many.

        Args:
            metrics: one number, or a tensor of one element.
            epoch: what `last_epoch` becomes; counted if left out. Deprecated.
        """
        if epoch is not None:
            warnings.warn(_EPOCH_IS_DEPRECATED, UserWarning, stacklevel=2)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        is_better = _comparison(self.mode, self.threshold, self.threshold_mode)
        # --8<-- [start:recursion]
        watch, drop = _observe(
            _Watch(self.best, self.num_bad_epochs, self.cooldown_counter),
            float(metrics),
            is_better,
            self.patience,
            self.cooldown,
        )
        self.best, self.num_bad_epochs, self.cooldown_counter = watch
        if drop:
            self._drop()
        self._last_lr = self.group_lrs()
        # --8<-- [end:recursion]

    def _drop(self) -> None:
        groups = self.optimizer.param_groups
        if len(groups) != len(self.min_lrs):
            if self.default_min_lr is None:
                raise RuntimeError(
                    f"min_lrs must have one value for each of the {len(groups)} groups, got {self.min_lrs}: "
                    "append to it when you add a group"
                )
            self.min_lrs = [self.default_min_lr] * len(groups)
        for group, min_lr in zip(groups, self.min_lrs, strict=True):
            lr = float(group["lr"])
            new = _dropped(lr, self.factor, min_lr, self.eps)
            if new != lr:
                set_lr(group, new)

    @property
    def in_cooldown(self) -> bool:
        """Whether the next metric cannot be bad."""
        return self.cooldown_counter > 0


_EPOCH_IS_DEPRECATED = "The epoch parameter in `scheduler.step()` is deprecated: leave it out, steps are counted."


class _Watch(NamedTuple):
    best: float
    bad: int
    cooldown: int


def _observe(
    watch: _Watch, metric: float, is_better: Callable[[float, float], bool], patience: int, cooldown: int
) -> tuple[_Watch, bool]:
    """Return what is known after one more metric, and whether it was one bad metric too many."""
    best, bad, wait = watch
    best, bad = (metric, 0) if is_better(metric, best) else (best, bad + 1)
    if wait > 0:
        wait, bad = wait - 1, 0
    if bad > patience:
        return _Watch(best, 0, cooldown), True
    return _Watch(best, bad, wait), False


def _comparison(mode: Mode, threshold: float, threshold_mode: ThresholdMode) -> Callable[[float, float], bool]:
    """Return whether its first argument, a metric, is better than its second, the best so far."""
    if mode == "min":
        if threshold_mode == "rel":
            return lambda x, best: x < best * (1 - threshold)
        return lambda x, best: x < best - threshold
    if threshold_mode == "rel":
        return lambda x, best: x > best * (threshold + 1)
    return lambda x, best: x > best + threshold


def _worst(mode: Mode) -> float:
    return math.inf if mode == "min" else -math.inf


def _dropped(lr: float, factor: float, min_lr: float, eps: float) -> float:
    new = max(lr * factor, min_lr)
    return new if lr - new > eps else lr


def _check(
    mode: str,
    factor: float,
    patience: int,
    threshold: float,
    threshold_mode: str,
    cooldown: int,
    eps: float,
) -> None:
    require(mode in ("min", "max"), "mode must be 'min' or 'max'", mode)
    require(0 <= factor < 1, "factor must be in [0, 1)", factor)
    check_count("patience", patience, least=0)
    require(threshold >= 0, "threshold must be >= 0", threshold)
    require(threshold_mode in ("rel", "abs"), "threshold_mode must be 'rel' or 'abs'", threshold_mode)
    check_count("cooldown", cooldown, least=0)
    require(eps >= 0, "eps must be >= 0", eps)
