"""When a scheduler is stepped: after every step, after every epoch, or with a metric – declared, not guessed.

A scheduler counts calls. Nothing in it says what a call means, and the commonest mistake with learning
rates is to make the wrong one: `OneCycleLR`, made for the steps of a run, stepped once per epoch, never
leaves its warmup. What can be told from the counts is told here, before the run.
"""

import inspect
from collections.abc import Collection
from typing import Any, Literal, TypeAlias, get_args

__all__ = ["Cadence", "check_cadence"]

Cadence: TypeAlias = Literal["step", "epoch", "metric"]
"""`"step"`: after every update. `"epoch"`: after every epoch. `"metric"`: after every epoch, with the
validation metric, as `ReduceLROnPlateau` wants it."""


def check_cadence(
    scheduler: Any,
    cadence: str | None,
    *,
    epochs: int,
    steps_per_epoch: int | None,
    metrics: Collection[str] = (),
    monitor: str = "loss",
) -> None:
    """Raise if a scheduler cannot be meant to be stepped this way.

    Three mistakes can be seen in advance: a metric where none is wanted, or none where one is; a
    `OneCycleLR` whose `total_steps` is not the number of calls it will get; and, for a new scheduler, a
    `total_steps` or `T_max` that is exactly the number of calls of the other cadence.

    Args:
        scheduler: any learning-rate scheduler; None for none.
        cadence: what was declared.
        epochs: of the whole run.
        steps_per_epoch: None if not known before the run.
        metrics: what validation will measure; empty without validation.
        monitor: the metric that is passed on.

    Raises:
        ValueError: the declaration is missing or wrong.
    """
    if scheduler is None:
        if cadence is not None:
            raise ValueError(f"cadence must be None without a scheduler, got {cadence!r}")
        return
    name = type(scheduler).__name__
    if cadence not in get_args(Cadence):
        raise ValueError(f"cadence must say when {name} is stepped: 'step', 'epoch' or 'metric', got {cadence!r}")
    wants_metric = _wants_metric(scheduler)
    if wants_metric != (cadence == "metric"):
        wanted = "'metric'" if wants_metric else "'step' or 'epoch'"
        raise ValueError(f"cadence must be {wanted} for {name}, got {cadence!r}")
    if wants_metric:
        if monitor not in metrics:
            raise ValueError(
                f"monitor must be a metric that validation measures, one of {sorted(metrics)}, got {monitor!r}"
            )
        return
    if getattr(scheduler, "last_epoch", 0) == 0:  # new: its horizon is still the whole run
        _check_horizon(scheduler, cadence, epochs, steps_per_epoch)


def _wants_metric(scheduler: Any) -> bool:
    first = next(iter(inspect.signature(scheduler.step).parameters.values()), None)
    return first is not None and first.default is inspect.Parameter.empty and first.kind is first.POSITIONAL_OR_KEYWORD


def _check_horizon(scheduler: Any, cadence: str | None, epochs: int, steps_per_epoch: int | None) -> None:
    steps = None if steps_per_epoch is None else steps_per_epoch * epochs
    calls, other_calls = (steps, epochs) if cadence == "step" else (epochs, steps)
    other = "epoch" if cadence == "step" else "step"
    for option in ("total_steps", "T_max"):
        horizon = getattr(scheduler, option, None)
        if horizon is None or horizon == calls:
            continue
        name = type(scheduler).__name__
        if horizon == other_calls and calls is not None:
            raise ValueError(
                f"cadence must be {other!r} for {name} with {option}={horizon}, the number of {other}s, got {cadence!r}"
            )
        if "OneCycleLR" in (c.__name__ for c in type(scheduler).__mro__) and calls is not None:
            raise ValueError(
                f"total_steps of {name} must be {calls}, the number of {cadence}s of this run, got {horizon}"
            )
