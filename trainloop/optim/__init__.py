"""Optimizers, one update rule per file.

A class is imported when it is first asked for, and only from its own file: the class's name in lower
case. `from trainloop.optim import SGD` reads `_base.py` and `sgd.py` and nothing else, so a change to
`adam.py` concerns only the programs that use Adam.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainloop.optim.adadelta import Adadelta
    from trainloop.optim.adafactor import Adafactor
    from trainloop.optim.adagrad import Adagrad
    from trainloop.optim.adam import Adam
    from trainloop.optim.adam8bit import Adam8bit
    from trainloop.optim.adamax import Adamax
    from trainloop.optim.adamw import AdamW
    from trainloop.optim.asgd import ASGD
    from trainloop.optim.lamb import LAMB
    from trainloop.optim.lars import LARS
    from trainloop.optim.lbfgs import LBFGS
    from trainloop.optim.lion import Lion
    from trainloop.optim.lookahead import Lookahead
    from trainloop.optim.muon import Muon
    from trainloop.optim.nadam import NAdam
    from trainloop.optim.radam import RAdam
    from trainloop.optim.rmsprop import RMSprop
    from trainloop.optim.rprop import Rprop
    from trainloop.optim.schedulefreeadamw import ScheduleFreeAdamW
    from trainloop.optim.schedulefreesgd import ScheduleFreeSGD
    from trainloop.optim.sgd import SGD
    from trainloop.optim.soap import SOAP
    from trainloop.optim.sophiag import SophiaG
    from trainloop.optim.sparseadam import SparseAdam

__all__ = [
    "ASGD",
    "LAMB",
    "LARS",
    "LBFGS",
    "SGD",
    "SOAP",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "Adam8bit",
    "AdamW",
    "Adamax",
    "Lion",
    "Lookahead",
    "Muon",
    "NAdam",
    "RAdam",
    "RMSprop",
    "Rprop",
    "ScheduleFreeAdamW",
    "ScheduleFreeSGD",
    "SophiaG",
    "SparseAdam",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    optimizer: object = getattr(import_module(f"{__name__}.{name.lower()}"), name)
    globals()[name] = optimizer  # found without this function from now on
    return optimizer


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
