"""Learning-rate schedules, one per file: a function of the step, and the scheduler that carries it.

A class is imported when it is first asked for, and only from its own file: the class's name in words,
`StepLR` from `step_lr.py`. The function has the file's name and is imported from there, for
`trainloop.schedulers.step_lr` is the file itself:

    from trainloop.schedulers import StepLR
    from trainloop.schedulers.step_lr import step_lr
"""

import re
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainloop.schedulers.chained_scheduler import ChainedScheduler
    from trainloop.schedulers.constant_lr import ConstantLR
    from trainloop.schedulers.cosine_annealing_lr import CosineAnnealingLR
    from trainloop.schedulers.cosine_annealing_warm_restarts import CosineAnnealingWarmRestarts
    from trainloop.schedulers.cyclic_lr import CyclicLR
    from trainloop.schedulers.exponential_lr import ExponentialLR
    from trainloop.schedulers.inverse_sqrt_lr import InverseSqrtLR
    from trainloop.schedulers.lambda_lr import LambdaLR
    from trainloop.schedulers.linear_lr import LinearLR
    from trainloop.schedulers.multi_step_lr import MultiStepLR
    from trainloop.schedulers.multiplicative_lr import MultiplicativeLR
    from trainloop.schedulers.one_cycle_lr import OneCycleLR
    from trainloop.schedulers.polynomial_lr import PolynomialLR
    from trainloop.schedulers.reduce_lr_on_plateau import ReduceLROnPlateau
    from trainloop.schedulers.sequential_lr import SequentialLR
    from trainloop.schedulers.step_lr import StepLR
    from trainloop.schedulers.warmup_cosine_lr import WarmupCosineLR
    from trainloop.schedulers.warmup_linear_lr import WarmupLinearLR
    from trainloop.schedulers.warmup_polynomial_lr import WarmupPolynomialLR
    from trainloop.schedulers.wsd_lr import WSDLR

__all__ = [
    "WSDLR",
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "InverseSqrtLR",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
    "WarmupCosineLR",
    "WarmupLinearLR",
    "WarmupPolynomialLR",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    words = re.findall(r"LR|[A-Z]+(?=LR)|[A-Z][a-z]+", name)  # WSDLR: WSD, LR
    scheduler: object = getattr(import_module(f"{__name__}.{'_'.join(words).lower()}"), name)
    globals()[name] = scheduler  # found without this function from now on
    return scheduler


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
