"""Look into a training run: gradients, updates, dead units, and where the first NaN came from.

`grad_norms` and `dead_units` answer once. `UpdateRatios`, `DeadUnits` and `NonFiniteWatch` hook into a model or
an optimizer for as long as their `with` block lasts, and take every hook out again at its end. `Monitor` gathers
the numbers of each step. Nothing here prints, and nothing changes what is computed: weights, gradients and
random numbers stay as they are without it.

Every number read from a GPU makes the program wait for it: on a GPU, watch while you search, not for ever.

A name is imported when it is first asked for, and only from its own file: a program that uses `grad_norms` does
not depend on the file of `NonFiniteWatch`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainloop.monitor.gradients import grad_norms
    from trainloop.monitor.non_finite import NonFinite, NonFiniteError, NonFiniteWatch
    from trainloop.monitor.records import Monitor, Record
    from trainloop.monitor.units import DeadUnits, dead_units
    from trainloop.monitor.updates import UpdateRatios

__all__ = [
    "DeadUnits",
    "Monitor",
    "NonFinite",
    "NonFiniteError",
    "NonFiniteWatch",
    "Record",
    "UpdateRatios",
    "dead_units",
    "grad_norms",
]

# No file has the name of something in it: importing `dead_units.py` would put that module in the function's place.
_FILES = {
    "gradients": ("grad_norms",),
    "non_finite": ("NonFinite", "NonFiniteError", "NonFiniteWatch"),
    "records": ("Monitor", "Record"),
    "units": ("DeadUnits", "dead_units"),
    "updates": ("UpdateRatios",),
}
_FILE_OF = {name: file for file, names in _FILES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _FILE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_FILE_OF[name]}"), name)
    globals()[name] = found  # found without this function from now on
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
