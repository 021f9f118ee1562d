"""The schedules of the course, by the name of the file each is in, with settings to draw and to compare.

A run is 100 updates in 10 epochs, and its base learning rate is 1.
"""

import inspect
import math
from dataclasses import dataclass
from importlib import import_module

import torch
from torch.optim import lr_scheduler

from trainloop import schedulers

UPDATES, EPOCH = 100, 10
# A validation loss that falls, stalls, falls once more and stalls for good, once per epoch.
METRICS = (1.0, 0.8, 0.66, 0.65, 0.66, 0.655, 0.66, 0.655, 0.5, 0.45, *[0.45, 0.46] * 10)


@dataclass(frozen=True)
class Setting:
    """One way to use a schedule: what to call it, its options, and when `step()` is called."""

    label: str
    options: dict
    cadence: str = "step"
    wrong: bool = False  # a cadence it is not made for


@dataclass(frozen=True)
class Schedule:
    """A scheduler class, what it must be told, the cadence it is made for, and settings that show it."""

    cls: type
    kind: str
    needs: str
    cadence: str
    settings: tuple[Setting, ...]
    updates: int = 120  # to draw: a fifth past the end of the run

    @property
    def name(self):
        return self.cls.__name__

    @property
    def twin(self):
        """Torch's class of the same name, or None."""
        return getattr(lr_scheduler, self.name, None)

    def make(self, optimizer, setting, module=schedulers):
        """The scheduler, ours or torch's, and its parts from the same module; the optimizer steps once after that.

        One step is enough for all: a scheduler warns only if its first comes before the optimizer's.
        """
        options = dict(setting.options)
        if "schedulers" in options:
            options["schedulers"] = [getattr(module, name)(optimizer, **part) for name, part in options["schedulers"]]
        scheduler = getattr(module, self.name)(optimizer=optimizer, **options)
        optimizer.step()
        return scheduler

    def function(self, setting, steps, lr=1.0):
        """What the pure function says for steps 0, 1, …"""
        if self.name == "ReduceLROnPlateau":
            seen = [metric_of(call) for call in range(steps - 1)]
            return [lr, *function_of(self.cls)(seen, lr, **setting.options)]
        ask = call(self.name, setting.options, lr)
        return [ask(step) for step in range(steps)]


def function_of(cls):
    return getattr(import_module(cls.__module__), cls.__module__.rpartition(".")[2])


def call(name, options, lr):
    """The schedule as a function of the step alone."""
    function = function_of(getattr(schedulers, name))
    if name == "ChainedScheduler":
        factors = [call(*part, 1.0) for part in options["schedulers"]]
        return lambda t: function(t, lr, factors=factors)
    if name == "SequentialLR":
        parts = [call(*part, lr) for part in options["schedulers"]]
        return lambda t: function(t, schedules=parts, milestones=options["milestones"])
    taken = inspect.signature(function).parameters
    known = {key: value for key, value in options.items() if key in taken}
    base = {"lr": lr} if "lr" in taken else {}
    return lambda t: function(t, **base, **known)


def optimizer_at(lr=1.0):
    """An optimizer without gradients: its steps change nothing."""
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr, momentum=0.9)


def advance(scheduler, update, cadence):
    """The scheduler's step behind an update, if it is due."""
    if cadence == "step":
        scheduler.step()
    elif (update + 1) % EPOCH == 0:
        scheduler.step(*([metric_of(update // EPOCH)] if cadence == "metric" else []))


def trace(schedule, setting, updates, module=schedulers, lr=1.0):
    """Learning rate and momentum of every update."""
    optimizer = optimizer_at(lr)
    scheduler = schedule.make(optimizer, setting, module)
    lrs, momenta = [], []
    for update in range(updates):
        lrs.append(optimizer.param_groups[0]["lr"])
        momenta.append(optimizer.param_groups[0]["momentum"])
        if update < updates - 1:
            advance(scheduler, update, setting.cadence)
    return lrs, momenta


def metric_of(epoch):
    return METRICS[epoch % len(METRICS)]


def halve_at(*milestones):
    return lambda t: 0.5 if t in milestones else 1.0


FLAT = {"factor": 1.0, "total_iters": 1}
CYCLE = {"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 15, "step_size_down": 25}
WARMUP = {"warmup_steps": 10, "total_steps": UPDATES}

SCHEDULES = {
    "lambda_lr": Schedule(
        schedulers.LambdaLR,
        "yours",
        "your function",
        "any",
        (
            Setting("1 / (1 + t/20)", {"lr_lambda": lambda t: 1 / (1 + t / 20)}),
            Setting("1 + cos,\nfrom 50 on", {"lr_lambda": lambda t: wave(t, 50, 100)}),
        ),
    ),
    "multiplicative_lr": Schedule(
        schedulers.MultiplicativeLR,
        "yours",
        "your function",
        "any",
        (
            Setting("0.97 always", {"lr_lambda": lambda t: 0.97}),
            Setting("0.5 at\n40 and 80", {"lr_lambda": halve_at(40, 80)}),
        ),
    ),
    "step_lr": Schedule(
        schedulers.StepLR,
        "drops",
        "steps between drops",
        "epoch",
        (
            Setting("half every\n3 epochs", {"step_size": 3, "gamma": 0.5}, "epoch"),
            Setting("a tenth every\n5 epochs", {"step_size": 5}, "epoch"),
            Setting("half every\n3 updates", {"step_size": 3, "gamma": 0.5}, wrong=True),
        ),
    ),
    "multi_step_lr": Schedule(
        schedulers.MultiStepLR,
        "drops",
        "its milestones",
        "epoch",
        (
            Setting("a tenth at\n5 and 8", {"milestones": [5, 8]}, "epoch"),
            Setting("half at\n2, 4, 6, 8", {"milestones": [2, 4, 6, 8], "gamma": 0.5}, "epoch"),
        ),
    ),
    "constant_lr": Schedule(
        schedulers.ConstantLR,
        "starts",
        "the start's length",
        "any",
        (
            Setting("a third,\n20 updates", {"total_iters": 20}),
            Setting("a tenth,\n4 epochs", {"factor": 0.1, "total_iters": 4}, "epoch"),
        ),
    ),
    "linear_lr": Schedule(
        schedulers.LinearLR,
        "starts",
        "the line's length",
        "any",
        (
            Setting("warm-up,\n30 updates", {"start_factor": 0.1, "total_iters": 30}),
            Setting("warm-up,\n3 epochs", {"start_factor": 0.1, "total_iters": 3}, "epoch"),
            Setting("decay,\n100 updates", {"start_factor": 1.0, "end_factor": 0.0, "total_iters": UPDATES}),
        ),
    ),
    "exponential_lr": Schedule(
        schedulers.ExponentialLR,
        "decays",
        "its rate",
        "epoch",
        (
            Setting("0.7 per\nepoch", {"gamma": 0.7}, "epoch"),
            Setting("its tenth\nroot per\nupdate", {"gamma": 0.7**0.1}),
            Setting("0.7 per\nupdate", {"gamma": 0.7}, wrong=True),
        ),
    ),
    "polynomial_lr": Schedule(
        schedulers.PolynomialLR,
        "decays",
        "the run's length",
        "step",
        (
            Setting("power 1", {"total_iters": UPDATES}),
            Setting("power 2", {"total_iters": UPDATES, "power": 2}),
            Setting("power ½", {"total_iters": UPDATES, "power": 0.5}),
        ),
    ),
    "cosine_annealing_lr": Schedule(
        schedulers.CosineAnnealingLR,
        "decays",
        "the run's length",
        "any",
        (
            Setting("100 updates", {"T_max": UPDATES}),
            Setting("10 epochs", {"T_max": 10}, "epoch"),
            Setting("down to 0.2", {"T_max": UPDATES, "eta_min": 0.2}),
        ),
        updates=150,
    ),
    "cosine_annealing_warm_restarts": Schedule(
        schedulers.CosineAnnealingWarmRestarts,
        "cycles",
        "the first cycle's length",
        "any",
        (
            Setting("ever longer", {"T_0": 17, "T_mult": 2}),
            Setting("equal cycles", {"T_0": 30, "eta_min": 0.1}),
        ),
    ),
    "cyclic_lr": Schedule(
        schedulers.CyclicLR,
        "cycles",
        "two bounds, a cycle's length",
        "step",
        (
            Setting("triangular", CYCLE),
            Setting("triangular2", {**CYCLE, "mode": "triangular2"}),
            Setting("exp_range", {**CYCLE, "mode": "exp_range", "gamma": 0.98}),
        ),
    ),
    "one_cycle_lr": Schedule(
        schedulers.OneCycleLR,
        "cycles",
        "the run's length",
        "step",
        (
            Setting("default", {"max_lr": 1.0, "total_steps": UPDATES}),
            Setting(
                "3 phases,\nlinear",
                {"max_lr": 1.0, "total_steps": UPDATES, "three_phase": True, "anneal_strategy": "linear"},
            ),
            Setting("stepped\nper epoch", {"max_lr": 1.0, "total_steps": UPDATES}, "epoch", wrong=True),
        ),
        updates=UPDATES,
    ),
    "reduce_lr_on_plateau": Schedule(
        schedulers.ReduceLROnPlateau,
        "reacts",
        "a metric",
        "metric",
        (
            Setting("patience 2,\nhalf", {"patience": 2, "factor": 0.5}, "metric"),
            Setting("patience 6,\na tenth", {"patience": 6}, "metric"),
        ),
        updates=240,
    ),
    "chained_scheduler": Schedule(
        schedulers.ChainedScheduler,
        "composes",
        "its parts",
        "any",
        (
            Setting(
                "line ×\ndecay",
                {
                    "schedulers": [
                        ("LinearLR", {"start_factor": 0.1, "total_iters": 20}),
                        ("ExponentialLR", {"gamma": 0.98}),
                    ]
                },
            ),
            Setting(
                "line down ×\ndrops",
                {
                    "schedulers": [
                        ("PolynomialLR", {"total_iters": UPDATES}),
                        ("MultiStepLR", {"milestones": [30, 60], "gamma": 0.5}),
                    ]
                },
            ),
        ),
        updates=UPDATES,
    ),
    "sequential_lr": Schedule(
        schedulers.SequentialLR,
        "composes",
        "its parts and milestones",
        "any",
        (
            Setting(
                "line, wave",
                {
                    "schedulers": [
                        ("LinearLR", {"start_factor": 0.1, "total_iters": 20}),
                        ("CosineAnnealingLR", {"T_max": 80}),
                    ],
                    "milestones": [20],
                },
            ),
            Setting(
                "line, flat,\ndecay",
                {
                    "schedulers": [
                        ("LinearLR", {"start_factor": 0.1, "total_iters": 20}),
                        ("ConstantLR", FLAT),
                        ("ExponentialLR", {"gamma": 0.9}),
                    ],
                    "milestones": [20, 70],
                },
            ),
        ),
        updates=UPDATES,
    ),
    "warmup_cosine_lr": Schedule(
        schedulers.WarmupCosineLR,
        "warms up",
        "the run's length",
        "step",
        (
            Setting("10 updates", WARMUP),
            Setting("30 updates,\nends at 0.1", {**WARMUP, "warmup_steps": 30, "end_factor": 0.1}),
        ),
    ),
    "warmup_linear_lr": Schedule(
        schedulers.WarmupLinearLR,
        "warms up",
        "the run's length",
        "step",
        (
            Setting("10 updates", WARMUP),
            Setting("30 updates,\nends at 0.1", {**WARMUP, "warmup_steps": 30, "end_factor": 0.1}),
        ),
    ),
    "warmup_polynomial_lr": Schedule(
        schedulers.WarmupPolynomialLR,
        "warms up",
        "the run's length",
        "step",
        (
            Setting("power 2", WARMUP),
            Setting("power 4", {**WARMUP, "power": 4}),
            Setting("power ½", {**WARMUP, "power": 0.5}),
        ),
    ),
    "wsd_lr": Schedule(
        schedulers.WSDLR,
        "warms up",
        "the run's length, for the decay alone",
        "step",
        (
            Setting("1-sqrt", {**WARMUP, "decay_steps": 30}),
            Setting("linear", {**WARMUP, "decay_steps": 30, "decay": "linear"}),
            Setting("cosine", {**WARMUP, "decay_steps": 30, "decay": "cosine"}),
        ),
    ),
    "inverse_sqrt_lr": Schedule(
        schedulers.InverseSqrtLR,
        "warms up",
        "the warm-up's length",
        "step",
        (
            Setting("9 updates", {"warmup_steps": 9}),
            Setting("9 updates,\ntimescale 40", {"warmup_steps": 9, "timescale": 40}),
        ),
        updates=200,
    ),
}


def wave(t, begin, end):
    """1 until `begin`, 0 from `end` on, half a cosine between."""
    done = min(max((t - begin) / (end - begin), 0), 1)
    return (1 + math.cos(math.pi * done)) / 2
