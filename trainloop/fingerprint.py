"""What must be the same for a checkpoint to continue in a run, as plain values that can be compared.

A checkpoint brings the state of everything, and with it options: an optimizer that is given `lr=0.01` and
then loads a state has the state's learning rate. Silently, unless somebody compares.
"""

from functools import partial
from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch.optim.lr_scheduler import LRScheduler

from trainloop import parallel
from trainloop.averaging import WeightAverage
from trainloop.data_order import length_of, samplers_of

if TYPE_CHECKING:
    from trainloop.run import Run

__all__ = ["differences", "fingerprint"]

MOVES = ("last_epoch", "T_cur", "T_i", "best", "num_bad_epochs", "cooldown_counter")
"""What changes in a scheduler's public state during a run, under torch's names."""


def fingerprint(run: "Run") -> dict[str, Any]:
    """Return the fingerprint: what must be the same for a checkpoint to continue in this run.

    `epochs` is not part of it: a run may be made longer.
    """
    # Loading a state makes torch add "differentiable" to the defaults of an optimizer that lacks it.
    defaults = {name: x for name, x in run.optimizer.defaults.items() if name != "differentiable"}
    samplers = [s.options() for s in samplers_of(run.batches) if callable(getattr(s, "options", None))]
    return {
        "model": {name: _shape(x) for name, x in parallel.unwrap(run.model).state_dict().items()},
        "loss_fn": _description(run.loss_fn),
        "optimizer": {
            "class": type(run.optimizer).__name__,
            "defaults": _description(defaults),
            "group_sizes": [len(group["params"]) for group in run.optimizer.param_groups],
        },
        "scheduler": {"class": type(run.scheduler).__name__, **_scheduler_options(run.scheduler)},
        "cadence": run.cadence,
        "average": {"class": type(run.average).__name__, **_options_of(run.average)},
        "scaler": run.scaler is not None,
        "autocast": str(run.autocast),
        "accumulate": run.accumulate,
        "clip": _description(run.clip),
        "batches": length_of(run.batches),
        "samplers": samplers,
        "callbacks": [type(c).__name__ for c in run.callbacks if c.state_dict()],
        "ranks": parallel.ranks(run.model),
        "device": parallel.device_of(run.model).type,
    }


def differences(saved: Any, current: Any, where: str = "") -> list[str]:
    """List where two nested dicts differ.

    Examples:
        >>> differences({"optimizer": {"class": "Adam", "lr": 0.1}}, {"optimizer": {"class": "SGD", "lr": 0.1}})
        ['optimizer.class was Adam, is SGD']
    """
    if isinstance(saved, dict) and isinstance(current, dict):
        found = []
        for key in dict.fromkeys([*saved, *current]):
            name = f"{where}.{key}" if where else str(key)
            found += differences(saved.get(key), current.get(key), name)
        return found
    return [] if saved == current else [f"{where} was {saved}, is {current}"]


def _scheduler_options(scheduler: LRScheduler | None) -> dict[str, Any]:
    state = {} if scheduler is None else scheduler.state_dict()
    return {name: _description(x) for name, x in state.items() if not name.startswith("_") and name not in MOVES}


def _options_of(average: WeightAverage | None) -> dict[str, Any]:
    return {} if average is None else average.options()


def _shape(x: Any) -> str:
    return f"{x.dtype} {list(x.shape)}" if isinstance(x, Tensor) else type(x).__name__


def _description(x: Any) -> Any:
    """Return plain values that are equal for equal setups."""
    if isinstance(x, Tensor):
        return x.tolist()
    if isinstance(x, dict):
        return {name: _description(value) for name, value in x.items()}
    if isinstance(x, (tuple, list)):
        return [_description(value) for value in x]
    if isinstance(x, partial):
        return [_description(x.func), _description(x.args), _description(x.keywords)]
    if x is None or isinstance(x, (bool, int, float, str)):
        return x
    return getattr(x, "__qualname__", type(x).__name__)
