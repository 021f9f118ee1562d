"""OneCycleLR: one climb to a high learning rate and one long way down, with momentum going the other way.

Smith and Topin, "Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates",
2017, https://arxiv.org/abs/1708.07120; the two phases and the cosine are fastai's. Torch's:
https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.OneCycleLR.html.

Made to be stepped once per update: stepped once per epoch, training ends before the climb does.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, TypedDict

from torch.optim import Optimizer

from trainloop.schedulers._base import Lr, Scheduler, check_count, check_step, require
from trainloop.schedulers._per_group import (
    check_optimizer,
    check_values,
    has_betas,
    per_group,
    set_momentum,
    start_momentum_cycle,
)

__all__ = ["OneCycleLR", "one_cycle_lr", "one_cycle_momentum"]

Anneal: TypeAlias = Literal["cos", "linear"]


def one_cycle_lr(
    step: int,
    max_lr: float,
    *,
    total_steps: int,
    pct_start: float = 0.3,
    anneal_strategy: Anneal = "cos",
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
    three_phase: bool = False,
) -> float:
    r"""Return the learning rate at a step.

    With the peak at $a = pT - 1$, which need not be a whole step, and the last update at $e = T - 1$:

    $$
    \eta_t = \begin{cases}
        A(\eta_{\text{first}}, \eta_{\max}, t / a) & \text{if } t \le a \\
        A(\eta_{\max}, \eta_{\text{last}}, (t - a) / (e - a)) & \text{if } t > a
    \end{cases}
    $$

    and in three phases

    $$
    \eta_t = \begin{cases}
        A(\eta_{\text{first}}, \eta_{\max}, t / a) & \text{if } t \le a \\
        A(\eta_{\max}, \eta_{\text{first}}, (t - a) / a) & \text{if } a < t \le 2a \\
        A(\eta_{\text{first}}, \eta_{\text{last}}, (t - 2a) / (e - 2a)) & \text{if } t > 2a
    \end{cases}
    $$

    where $\eta_{\text{first}} = \eta_{\max} / d$, $\eta_{\text{last}} = \eta_{\text{first}} / f$, and
    $A(x, y, q)$ goes from $x$ to $y$ as $q$ goes from 0 to 1:
    $x + (y - x)\,q$ for "linear", $y + (x - y)\,(1 + \cos \pi q) / 2$ for "cos".

    Args:
        step: $t$ from 0 to $T$, the number of `scheduler.step()` calls before. $T$ is one too far: no update
            comes after it. There a cosine has begun to rise again, and a line is below 0.
        max_lr: $\eta_{\max} \ge 0$, the learning rate at the peak.
        total_steps: $T \ge 1$, the number of updates.
        pct_start: $p$ in [0, 1], the part (not the percentage) of the updates that leads up. Above 0.5, three
            phases end in the second.
        anneal_strategy: "cos" or "linear".
        div_factor: $d > 0$.
        final_div_factor: $f > 0$; with the defaults the last learning rate is
            $\eta_{\max} / 25 / 10^4 = 4 \cdot 10^{-6}\,\eta_{\max}$.
        three_phase: go down as fast as up, then on to $\eta_{\text{last}}$, as in the paper.

    Raises:
        ValueError: an argument is out of range.

    Examples:
        >>> lrs = [one_cycle_lr(t, 0.1, total_steps=10) for t in range(10)]
        >>> [round(lr, 3) for lr in lrs]
        [0.004, 0.052, 0.1, 0.095, 0.081, 0.061, 0.039, 0.019, 0.005, 0.0]
        >>> round(lrs[-1], 12)
        4e-07
    """
    _check_step(step, total_steps)
    _check_rates([max_lr], div_factor, final_div_factor)
    _check(total_steps, pct_start, anneal_strategy)
    # --8<-- [start:schedule]
    phases = _phases(total_steps, pct_start, three_phase)
    levels = _levels(max_lr, div_factor, final_div_factor)
    phase, q = _position(step, phases)
    start, end = levels[phase["start_lr"]], levels[phase["end_lr"]]
    return _anneal(start, end, q, anneal_strategy)
    # --8<-- [end:schedule]


def one_cycle_momentum(
    step: int,
    base_momentum: float = 0.85,
    max_momentum: float = 0.95,
    *,
    total_steps: int,
    pct_start: float = 0.3,
    anneal_strategy: Anneal = "cos",
    three_phase: bool = False,
) -> float:
    r"""Return the momentum at a step: lowest where the learning rate of `one_cycle_lr` is highest.

    It goes down from $\mu_{\max}$ to $\mu_{\text{base}}$ while the learning rate climbs, and back up in the
    next phase. In a third phase it stays. The phases and $A$ are those of `one_cycle_lr`.

    Args:
        step: $t$ from 0 to $T$, the number of `scheduler.step()` calls before.
        base_momentum: $\mu_{\text{base}}$ in [0, 1), the momentum at the peak.
        max_momentum: $\mu_{\max}$ in [0, 1), the momentum at the start and at the end.
        total_steps: $T \ge 1$, the number of updates.
        pct_start: $p$ in [0, 1], the part of the updates that leads up.
        anneal_strategy: "cos" or "linear".
        three_phase: whether there are three phases.

    Raises:
        ValueError: an argument is out of range.

    Examples:
        >>> [round(one_cycle_momentum(t, total_steps=10), 3) for t in range(10)]
        [0.95, 0.9, 0.85, 0.855, 0.869, 0.889, 0.911, 0.931, 0.945, 0.95]
    """
    _check_step(step, total_steps)
    _check(total_steps, pct_start, anneal_strategy)
    check_values("base_momentum", [base_momentum], below=1)
    check_values("max_momentum", [max_momentum], below=1)
    levels = {"base_momentum": base_momentum, "max_momentum": max_momentum}
    phase, q = _position(step, _phases(total_steps, pct_start, three_phase))
    start, end = levels[phase["start_momentum"]], levels[phase["end_momentum"]]
    return _anneal(start, end, q, anneal_strategy)


class OneCycleLR(Scheduler):
    r"""Climb to `max_lr`, come down to almost nothing, and move momentum the other way.

    $$
    \eta_t = A(x, y, q), \qquad \mu_t = A(x', y', q)
    $$

    $x$ and $y$ are where the phase of step $t$ begins and ends, $q$ is how much of it is over;
    `one_cycle_lr` has the cases.

    Args:
        optimizer: the optimizer whose learning rates to change. Its own learning rate is overwritten, and
            so is its momentum, even one of 0: `momentum` if it has that, the first of `betas` if it has those.
        max_lr: $\eta_{\max} \ge 0$, the learning rate at the peak: a number, or a list with one per group.
        total_steps: $T \ge 1$, the number of updates; may be left out if the next two are given.
        epochs: $\ge 1$; with `steps_per_epoch`, makes $T$.
        steps_per_epoch: $\ge 1$, updates in an epoch.
        pct_start: $p$ in [0, 1], the part (not the percentage) of the updates that leads up.
        anneal_strategy: "cos" or "linear".
        cycle_momentum: whether to change momentum.
        base_momentum: $\mu_{\text{base}}$ in [0, 1), the momentum at the peak: a number, or one per group.
        max_momentum: $\mu_{\max}$ in [0, 1), the momentum at the start and at the end, likewise.
        div_factor: $d > 0$: the first learning rate is $\eta_{\max} / d$.
        final_div_factor: $f > 0$: the last learning rate is $\eta_{\max} / d / f$.
        three_phase: go down as fast as up, then on to the last learning rate, as in the paper.
        last_epoch: -1 to begin; to resume, one less than the number of `step()` calls so far.

    Raises:
        ValueError: an argument is out of range, a list has not one value per group, or `cycle_momentum`
            is set and the optimizer has no momentum. Also raised by `step`, when called more than $T$ times.
        TypeError: the first argument is not an optimizer.

    Differs from torch.optim.lr_scheduler:
        Bitwise equal, tested. The arguments are checked; `pct_start` may be the integer 0 or 1. Where
        $pT = 1$ the way up has no length, and where $p = 1$ the way down: torch fails there with a
        `ZeroDivisionError`, here such a phase is over at once.

        As in torch, exactly $T$ calls of `step()` are allowed, and the last sets a learning rate that is
        below 0 with "linear": no update may follow it. As in torch, the bounds are kept in the optimizer's
        parameter groups, under `initial_lr`, `max_lr` and `min_lr`, so one optimizer carries one OneCycleLR;
        and the current learning rate does not count, so whatever earlier schedulers in a `ChainedScheduler`
        did is overwritten.

    Examples:
        >>> import torch
        >>> optimizer = torch.optim.Adam([torch.zeros(1)], lr=1.0)  # this lr does not count
        >>> scheduler = OneCycleLR(optimizer, max_lr=0.5, total_steps=10, div_factor=8)
        >>> scheduler.get_last_lr(), optimizer.param_groups[0]["betas"]
        ([0.0625], (0.95, 0.999))
        >>> for _ in range(2):
        ...     optimizer.step()
        ...     scheduler.step()
        >>> scheduler.get_last_lr(), optimizer.param_groups[0]["betas"]
        ([0.5], (0.85, 0.999))
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: Anneal = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        check_optimizer(optimizer)
        self.total_steps = _total(total_steps, epochs, steps_per_epoch)
        _check(self.total_steps, pct_start, anneal_strategy)
        max_lrs = per_group("max_lr", optimizer, max_lr)
        _check_rates(max_lrs, div_factor, final_div_factor)
        self._schedule_phases = _phases(self.total_steps, pct_start, three_phase)
        self._anneal_func_type: Anneal = anneal_strategy
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.use_beta1 = has_betas(optimizer)
            base_momentums = per_group("base_momentum", optimizer, base_momentum)
            max_momentums = per_group("max_momentum", optimizer, max_momentum)
            check_values("base_momentum", base_momentums, below=1)
            check_values("max_momentum", max_momentums, below=1)
            if last_epoch == -1:
                start_momentum_cycle(optimizer, base_momentums, max_momentums)
        if last_epoch == -1:
            for group, lr in zip(optimizer.param_groups, max_lrs, strict=True):
                group.update(_levels(lr, div_factor, final_div_factor))
        super().__init__(optimizer, last_epoch)

    # --8<-- [start:recursion]
    def get_lr(self) -> list[Lr]:
        """Return the next learning rates, and set the momenta."""
        self.warn_outside_step()
        _check_step(self.last_epoch, self.total_steps)
        phase, q = _position(self.last_epoch, self._schedule_phases)
        lrs: list[Lr] = []
        for group in self.optimizer.param_groups:
            lrs.append(self._between(group, phase, "lr", q))
            if self.cycle_momentum:
                μ = self._between(group, phase, "momentum", q)
                set_momentum(group, μ, use_beta1=self.use_beta1)
        return lrs

    # --8<-- [end:recursion]

    def _between(self, group: dict[str, Any], phase: "_Phase", what: Literal["lr", "momentum"], q: float) -> float:
        """Return what a group's learning rate or momentum is, where a part q of a phase is over."""
        if what == "lr":
            start, end = group[phase["start_lr"]], group[phase["end_lr"]]
        else:
            start, end = group[phase["start_momentum"]], group[phase["end_momentum"]]
        return _anneal(start, end, q, self._anneal_func_type)


class _Phase(TypedDict):
    """Where a phase ends, and the names of the bounds it goes between. Torch's keys, for `state_dict`."""

    end_step: float
    start_lr: str
    end_lr: str
    start_momentum: str
    end_momentum: str


def _phases(total_steps: int, pct_start: float, three_phase: bool) -> list[_Phase]:
    a, e = float(pct_start * total_steps) - 1, total_steps - 1
    up: _Phase = {
        "end_step": a,
        "start_lr": "initial_lr",
        "end_lr": "max_lr",
        "start_momentum": "max_momentum",
        "end_momentum": "base_momentum",
    }
    down: _Phase = {
        "end_step": e,
        "start_lr": "max_lr",
        "end_lr": "min_lr",
        "start_momentum": "base_momentum",
        "end_momentum": "max_momentum",
    }
    if not three_phase:
        return [up, down]
    halfway_down: _Phase = {**down, "end_step": float(2 * pct_start * total_steps) - 2, "end_lr": "initial_lr"}
    out: _Phase = {**down, "start_lr": "initial_lr", "start_momentum": "max_momentum"}
    return [up, halfway_down, out]


def _position(step: int, phases: Sequence[_Phase]) -> tuple[_Phase, float]:
    """Return the phase that a step is in, and how much of it is over: above 1 past the last phase."""
    start = 0.0
    for phase in phases[:-1]:
        if step <= phase["end_step"]:
            break
        start = phase["end_step"]
    else:
        phase = phases[-1]
    length = phase["end_step"] - start
    return phase, (step - start) / length if length else 1.0


def _anneal(start: float, end: float, q: float, strategy: Anneal) -> float:
    if strategy == "cos":
        return end + (start - end) / 2.0 * (math.cos(math.pi * q) + 1)
    return (end - start) * q + start


def _levels(max_lr: float, div_factor: float, final_div_factor: float) -> dict[str, float]:
    first = max_lr / div_factor
    return {"initial_lr": first, "max_lr": max_lr, "min_lr": first / final_div_factor}


def _total(total_steps: int | None, epochs: int | None, steps_per_epoch: int | None) -> int:
    if total_steps is not None:
        return total_steps
    if epochs is None or steps_per_epoch is None:
        raise ValueError("total_steps must be given, or both epochs and steps_per_epoch, got None")
    check_count("epochs", epochs, least=1)
    check_count("steps_per_epoch", steps_per_epoch, least=1)
    return epochs * steps_per_epoch


def _check_step(step: int, total_steps: int) -> None:
    check_step(step, 0)
    require(step <= total_steps, f"step must be <= {total_steps}, the total_steps", step)


def _check_rates(max_lrs: Sequence[Any], div_factor: float, final_div_factor: float) -> None:
    check_values("max_lr", max_lrs)
    require(div_factor > 0, "div_factor must be > 0", div_factor)
    require(final_div_factor > 0, "final_div_factor must be > 0", final_div_factor)


def _check(total_steps: int, pct_start: float, anneal_strategy: Anneal) -> None:
    check_count("total_steps", total_steps, least=1)
    require(0 <= pct_start <= 1, "pct_start must be in [0, 1]", pct_start)
    strategies = ("cos", "linear")
    require(anneal_strategy in strategies, f"anneal_strategy must be one of {strategies}", anneal_strategy)
