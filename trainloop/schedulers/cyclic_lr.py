"""CyclicLR: the learning rate climbs and falls between two bounds, over and over; momentum does the reverse.

Smith, "Cyclical Learning Rates for Training Neural Networks", 2015, https://arxiv.org/abs/1506.01186.
Torch's: https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.CyclicLR.html.

Made to be stepped once per update. The paper's half cycles are 2 to 10 epochs long, counted in updates.
"""

import copy
import math
from collections.abc import Callable
from types import FunctionType
from typing import Any, ClassVar, Literal, TypeAlias

from torch.optim import Optimizer

from trainloop.schedulers._base import Lr, Scheduler, check_step, require
from trainloop.schedulers._per_group import (
    check_optimizer,
    check_values,
    has_betas,
    per_group,
    set_lr,
    set_momentum,
    start_momentum_cycle,
)

__all__ = ["CyclicLR", "cyclic_lr", "cyclic_momentum"]

Mode: TypeAlias = Literal["triangular", "triangular2", "exp_range"]
ScaleMode: TypeAlias = Literal["cycle", "iterations"]
ScaleFn: TypeAlias = Callable[[float], float]


def cyclic_lr(
    step: int,
    base_lr: float,
    max_lr: float,
    *,
    step_size_up: float = 2000,
    step_size_down: float | None = None,
    mode: Mode = "triangular",
    gamma: float = 1.0,
    scale_fn: ScaleFn | None = None,
    scale_mode: ScaleMode = "cycle",
) -> float:
    r"""Return the learning rate at a step.

    With $u$ steps up, $d$ down, the cycle's number $c = 1 + \lfloor t / (u + d) \rfloor$ and the steps
    since it began, $\tau = t \bmod (u + d)$:

    $$
    \eta_t = \eta_{\text{base}} + (\eta_{\max} - \eta_{\text{base}})\,\Lambda_t\,s_t,
    \qquad
    \Lambda_t = \begin{cases}
        \tau / u & \text{if } \tau \le u \\
        1 - (\tau - u) / d & \text{if } \tau > u
    \end{cases}
    $$

    $$
    s_t = \begin{cases}
        1 & \text{triangular} \\
        2^{1 - c} & \text{triangular2} \\
        \gamma^t & \text{exp\_range}
    \end{cases}
    $$

    Args:
        step: $t \ge 0$, the number of `scheduler.step()` calls before.
        base_lr: $\eta_{\text{base}} \ge 0$, the learning rate at the foot of every cycle.
        max_lr: $\eta_{\max} \ge 0$, the learning rate at the peak where $s_t = 1$.
        step_size_up: $u > 0$, steps from the foot to the peak.
        step_size_down: $d \ge 0$, steps from the peak to the foot; None makes it $u$.
        mode: what becomes of the peaks: they stay, halve from cycle to cycle, or shrink at every step.
        gamma: $\gamma \ge 0$, the factor per step of "exp_range".
        scale_fn: takes the place of $s_t$, and `mode` does not count; gets $c$, or $t$ if `scale_mode`
            is "iterations".
        scale_mode: what `scale_fn` gets.

    Raises:
        ValueError: an argument is out of range.

    Examples:
        >>> [cyclic_lr(t, 0.0, 1.0, step_size_up=2, mode="triangular2") for t in range(9)]
        [0.0, 0.5, 1.0, 0.5, 0.0, 0.25, 0.5, 0.25, 0.0]
    """
    check_step(step, base_lr)
    check_values("max_lr", [max_lr])
    _check(step_size_up, step_size_down, mode, gamma, scale_fn, scale_mode)
    # --8<-- [start:schedule]
    total, ratio = _shape(step_size_up, step_size_down)
    cycle, height = _triangle(step, total, ratio)
    scale = _scale(step, cycle, mode, gamma, scale_fn, scale_mode)
    return base_lr + (max_lr - base_lr) * height * scale
    # --8<-- [end:schedule]


def cyclic_momentum(
    step: int,
    base_momentum: float = 0.8,
    max_momentum: float = 0.9,
    *,
    step_size_up: float = 2000,
    step_size_down: float | None = None,
    mode: Mode = "triangular",
    gamma: float = 1.0,
    scale_fn: ScaleFn | None = None,
    scale_mode: ScaleMode = "cycle",
) -> float:
    r"""Return the momentum at a step: highest where the learning rate of `cyclic_lr` is lowest.

    $$ \mu_t = \mu_{\max} - (\mu_{\max} - \mu_{\text{base}})\,\Lambda_t\,s_t $$

    Args:
        step: $t \ge 0$, the number of `scheduler.step()` calls before.
        base_momentum: $\mu_{\text{base}}$ in [0, 1), the momentum at the peak where $s_t = 1$.
        max_momentum: $\mu_{\max}$ in [0, 1), the momentum at the foot of every cycle.
        step_size_up: as in `cyclic_lr`, and so are the rest.
        step_size_down: $d$.
        mode: which $s_t$.
        gamma: $\gamma$.
        scale_fn: takes the place of $s_t$.
        scale_mode: what `scale_fn` gets.

    Raises:
        ValueError: an argument is out of range.

    Examples:
        >>> [round(cyclic_momentum(t, step_size_up=2), 3) for t in range(5)]
        [0.9, 0.85, 0.8, 0.85, 0.9]
    """
    check_step(step, 0)
    check_values("base_momentum", [base_momentum], below=1)
    check_values("max_momentum", [max_momentum], below=1)
    _check(step_size_up, step_size_down, mode, gamma, scale_fn, scale_mode)
    cycle, height = _triangle(step, *_shape(step_size_up, step_size_down))
    scale = _scale(step, cycle, mode, gamma, scale_fn, scale_mode)
    return max_momentum - (max_momentum - base_momentum) * height * scale


class CyclicLR(Scheduler):
    r"""Let the learning rate climb and fall between two bounds, and momentum the other way round.

    $$
    \eta_t = \eta_{\text{base}} + (\eta_{\max} - \eta_{\text{base}})\,\Lambda_t\,s_t,
    \qquad
    \mu_t = \mu_{\max} - (\mu_{\max} - \mu_{\text{base}})\,\Lambda_t\,s_t
    $$

    $\Lambda_t$ goes from 0 to 1 and back in every cycle, $s_t$ shrinks it; `cyclic_lr` defines both.

    Args:
        optimizer: the optimizer whose learning rates to change. Its own learning rate is overwritten, and
            so is its momentum, even one of 0: `momentum` if it has that, the first of `betas` if it has those.
        base_lr: $\eta_{\text{base}} \ge 0$, the lower bound: a number, or a list with one per group.
        max_lr: $\eta_{\max} \ge 0$, the upper bound, likewise.
        step_size_up: $u > 0$, steps from the foot to the peak.
        step_size_down: $d \ge 0$, steps from the peak to the foot; None makes it $u$.
        mode: "triangular", "triangular2" (peaks halve from cycle to cycle) or "exp_range" ($s_t = \gamma^t$).
        gamma: $\gamma \ge 0$, for "exp_range".
        scale_fn: takes the place of $s_t$, and `mode` does not count.
        scale_mode: what `scale_fn` gets: the number of the "cycle", from 1, or of "iterations", from 0.
        cycle_momentum: whether to change momentum.
        base_momentum: $\mu_{\text{base}}$ in [0, 1), the momentum at the peak: a number, or one per group.
        max_momentum: $\mu_{\max}$ in [0, 1), the momentum at the foot, likewise.
        last_epoch: -1 to begin; to resume, one less than the number of `step()` calls so far.

    Raises:
        ValueError: an argument is out of range, a list has not one value per group, or `cycle_momentum`
            is set and the optimizer has no momentum.
        TypeError: the first argument is not an optimizer.

    Differs from torch.optim.lr_scheduler:
        Bitwise equal, tested. The arguments are checked; torch divides by zero when `step_size_up` is 0.
        "triangular2" goes on after cycle 1024, where torch's scale overflows.
        `load_state_dict` leaves the state it is given as it is; torch's removes an entry, and cannot load the
        same state twice.

        As in torch, the current learning rate does not count, so whatever earlier schedulers in a
        `ChainedScheduler` did is overwritten. As in torch, if another scheduler was built on the optimizer
        before, step 0 has that one's initial learning rate, not `base_lr`. As in torch, a `state_dict` holds a
        `scale_fn` only if it is a callable object, not a function.

    Examples:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0, momentum=0.9)
        >>> scheduler = CyclicLR(optimizer, base_lr=0.25, max_lr=0.75, step_size_up=2)
        >>> lrs = []
        >>> for _ in range(5):
        ...     lrs += scheduler.get_last_lr()
        ...     optimizer.step()
        ...     scheduler.step()
        >>> lrs
        [0.25, 0.5, 0.75, 0.5, 0.25]
    """

    unsaved: ClassVar[tuple[str, ...]] = ("optimizer", "_scale_fn_custom")

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | list[float],
        max_lr: float | list[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: Mode = "triangular",
        gamma: float = 1.0,
        scale_fn: ScaleFn | None = None,
        scale_mode: ScaleMode = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float = 0.8,
        max_momentum: float = 0.9,
        last_epoch: int = -1,
    ) -> None:
        check_optimizer(optimizer)
        _check(step_size_up, step_size_down, mode, gamma, scale_fn, scale_mode)
        base_lrs = per_group("base_lr", optimizer, base_lr)
        self.max_lrs = per_group("max_lr", optimizer, max_lr)
        check_values("base_lr", base_lrs)
        check_values("max_lr", self.max_lrs)
        self.total_size, self.step_ratio = _shape(step_size_up, step_size_down)
        self.mode: Mode = mode
        self.gamma = gamma
        self._scale_fn_custom = scale_fn
        by_step = mode == "exp_range" if scale_fn is None else scale_mode == "iterations"
        self.scale_mode: ScaleMode = "iterations" if by_step else "cycle"
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.use_beta1 = has_betas(optimizer)
            self.base_momentums = per_group("base_momentum", optimizer, base_momentum)
            self.max_momentums = per_group("max_momentum", optimizer, max_momentum)
            check_values("base_momentum", self.base_momentums, below=1)
            check_values("max_momentum", self.max_momentums, below=1)
        if last_epoch == -1:
            for group, lr in zip(optimizer.param_groups, base_lrs, strict=True):
                set_lr(group, lr)
            if cycle_momentum:
                start_momentum_cycle(optimizer, self.base_momentums, self.max_momentums)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def scale_fn(self, x: float) -> float:
        """Return $s_t$ for a cycle's number, or for a step's where `scale_mode` is "iterations"."""
        return _scale(x, x, self.mode, self.gamma, self._scale_fn_custom, self.scale_mode)

    # --8<-- [start:recursion]
    def get_lr(self) -> list[Lr]:
        """Return the next learning rates, and set the momenta."""
        self.warn_outside_step()
        t, total, ratio = self.last_epoch, self.total_size, self.step_ratio
        cycle, height = _triangle(t, total, ratio)
        by_cycle = self.scale_mode == "cycle"
        scale = self.scale_fn(cycle if by_cycle else t)
        if self.cycle_momentum:
            self._set_momentums(height, scale)
        bounds = zip(self.base_lrs, self.max_lrs, strict=True)
        return [low + (high - low) * height * scale for low, high in bounds]

    # --8<-- [end:recursion]

    def _set_momentums(self, height: float, scale: float) -> None:
        bounds = zip(self.base_momentums, self.max_momentums, strict=True)
        for group, (low, high) in zip(self.optimizer.param_groups, bounds, strict=True):
            set_momentum(group, high - (high - low) * height * scale, use_beta1=self.use_beta1)

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of all attributes but the optimizer; of a `scale_fn`, the attributes of an object."""
        f = self._scale_fn_custom
        attributes = None if isinstance(f, FunctionType) else copy.deepcopy(getattr(f, "__dict__", None))
        return {**super().state_dict(), "_scale_fn_custom": attributes}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue where the scheduler that made `state_dict` was, ours or torch's.

        Raises:
            ValueError: the state is another class's, has another number of parameter groups, or has a
                `scale_fn` where this one has none.
        """
        f, attributes = self._scale_fn_custom, state_dict.get("_scale_fn_custom")
        require(f is not None or attributes is None, "scale_fn must be given, as in the state_dict", f)
        super().load_state_dict({key: value for key, value in state_dict.items() if key != "_scale_fn_custom"})
        if attributes is not None:
            vars(f).update(copy.deepcopy(attributes))


def _shape(step_size_up: float, step_size_down: float | None) -> tuple[float, float]:
    """Return the steps in a cycle, and the part of them that leads up."""
    up = float(step_size_up)
    total = up + (up if step_size_down is None else float(step_size_down))
    return total, up / total


def _triangle(step: float, total_size: float, step_ratio: float) -> tuple[int, float]:
    """Return the cycle's number, from 1, and the height in [0, 1] of the triangle over it."""
    cycle = math.floor(1 + step / total_size)
    x = 1.0 + step / total_size - cycle  # in this order, for torch's last bit
    return cycle, x / step_ratio if x <= step_ratio else (x - 1) / (step_ratio - 1)


def _scale(
    step: float, cycle: float, mode: Mode, gamma: float, scale_fn: ScaleFn | None, scale_mode: ScaleMode
) -> float:
    """Return the factor of the triangle's height."""
    if scale_fn is not None:
        return scale_fn(cycle if scale_mode == "cycle" else step)
    if mode == "triangular":
        return 1.0
    scale: float = 0.5 ** (cycle - 1) if mode == "triangular2" else gamma**step
    return scale


def _check(
    step_size_up: float,
    step_size_down: float | None,
    mode: Mode,
    gamma: float,
    scale_fn: ScaleFn | None,
    scale_mode: ScaleMode,
) -> None:
    require(step_size_up > 0, "step_size_up must be > 0", step_size_up)
    require(step_size_down is None or step_size_down >= 0, "step_size_down must be >= 0", step_size_down)
    modes = ("triangular", "triangular2", "exp_range")
    require(mode in modes or scale_fn is not None, f"mode must be one of {modes}", mode)
    require(gamma >= 0, "gamma must be >= 0", gamma)
    require(scale_mode in ("cycle", "iterations"), "scale_mode must be 'cycle' or 'iterations'", scale_mode)
