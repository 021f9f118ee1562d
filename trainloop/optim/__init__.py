"""Optimizers, one update rule per file.

A class is imported when it is first asked for, and only from its own file: the class's name in lower
case. `from trainloop.optim import SGD` reads `_base.py` and `sgd.py` and nothing else, so a change to
`adam.py` concerns only the programs that use Adam.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainloop.optim.adam import Adam
    from trainloop.optim.rmsprop import RMSprop
    from trainloop.optim.sgd import SGD

__all__ = ["SGD", "Adam", "RMSprop"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    optimizer: object = getattr(import_module(f"{__name__}.{name.lower()}"), name)
    globals()[name] = optimizer  # found without this function from now on
    return optimizer


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
