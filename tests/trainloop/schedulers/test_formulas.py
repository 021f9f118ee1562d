"""Formula shown = formula transcribed = function = scheduler = torch, for every schedule, at every step.

The transcriptions are in tests/support/schedule_formulas.py, each line beside the LaTeX of the docstring.
"""

from importlib import import_module

import pytest
import schedule_formulas
from hypothesis import given, settings
from hypothesis import strategies as st
from schedule_formulas import displayed, transcribed
from torch.optim import lr_scheduler

import trainloop.schedulers

STEPS = 150  # every run below ends before that
LR = 0.3
CLASSES = {name: getattr(trainloop.schedulers, name) for name in trainloop.schedulers.__all__}
MODULES = [import_module(cls.__module__) for cls in CLASSES.values()]
DOCUMENTED = {
    name: getattr(module, name)
    for module in MODULES
    for name in module.__all__
    if callable(getattr(module, name)) and displayed(getattr(module, name).__doc__)
}
WARMUP = {"warmup_steps": 12, "total_steps": 100}
BARE = {"warmup_steps": 0, "total_steps": 90, "end_factor": 0.2}
STEEP = {"warmup_steps": 30, "total_steps": 31, "start_factor": 0.0, "end_factor": 1.0}

# Settings of the schedules that are a function of the step and the base learning rate, by the class's name.
SETTINGS = {
    "LambdaLR": [{"lr_lambda": lambda t: 1 / (1 + t)}, {"lr_lambda": lambda t: 0.9**t}],
    "MultiplicativeLR": [{"lr_lambda": lambda t: 0.97}, {"lr_lambda": lambda t: t / (1 + t)}],
    "StepLR": [{"step_size": 30}, {"step_size": 1, "gamma": 0.95}, {"step_size": 7, "gamma": 1.02}],
    "MultiStepLR": [{"milestones": [50, 75]}, {"milestones": [90, 0, 20, 20], "gamma": 0.5}],
    "ConstantLR": [{}, {"factor": 0.1, "total_iters": 40}, {"factor": 1.0, "total_iters": 1}],
    "LinearLR": [{}, {"start_factor": 1e-3, "total_iters": 60}, {"start_factor": 1.0, "end_factor": 0.0}],
    "ExponentialLR": [{"gamma": 0.9}, {"gamma": 1.05}, {"gamma": 0.0}],
    "PolynomialLR": [{}, {"total_iters": 100, "power": 2}, {"total_iters": 80, "power": 0.5}, {"power": 0}],
    "CosineAnnealingLR": [{"T_max": 100}, {"T_max": 1}, {"T_max": 17, "eta_min": 0.05}],
    "CosineAnnealingWarmRestarts": [{"T_0": 40}, {"T_0": 4, "T_mult": 2, "eta_min": 0.1}, {"T_0": 1, "T_mult": 3}],
    "WarmupCosineLR": [WARMUP, BARE, STEEP],
    "WarmupLinearLR": [WARMUP, BARE, STEEP],
    "WarmupPolynomialLR": [WARMUP, {**BARE, "power": 0.5}, {**STEEP, "power": 3}],
    "WSDLR": [
        {**WARMUP, "decay_steps": 20},
        {**BARE, "decay_steps": 90, "decay": "cosine"},
        {**STEEP, "decay_steps": 1, "decay": "linear"},
    ],
    "InverseSqrtLR": [
        {"warmup_steps": 10},
        {"warmup_steps": 0, "timescale": 7},
        {"warmup_steps": 5, "start_factor": 0},
    ],
}
CASES = [(name, options) for name, some in SETTINGS.items() for options in some]
# A function's text would hold its address, which differs from one worker to the next.
IDS = [f"{name} {i}" for i, (name, _) in enumerate(CASES)]
TWINS = [(case, id) for case, id in zip(CASES, IDS, strict=True) if hasattr(lr_scheduler, case[0])]


def function_of(name):
    module = CLASSES[name].__module__
    return getattr(import_module(module), module.rpartition(".")[2])


def transcription(name):
    return getattr(schedule_formulas, name)


def of_function(name, options, lr=LR):
    """What the transcribed formula of a function gives at steps 0, 1, …"""
    formula = transcription(function_of(name).__name__)
    return [formula(t, lr, **options) for t in range(STEPS)]


def of_class(name, options, lr=LR):
    """What the transcribed recursion gives."""
    found = [lr]
    for t in range(STEPS):
        found.append(transcription(name)(t, found[-1], lr, **options))
    return found[1:]


# Recursions round at every step; a cosine's, over many waves, the most.
def near(expected):
    return pytest.approx(expected, rel=0, abs=1e-10 * LR)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_the_docstring_shows_the_lines_that_are_transcribed(name):
    assert displayed(DOCUMENTED[name].__doc__) == transcribed(transcription(name))


def test_every_schedule_shows_a_formula_and_is_evaluated():
    shown = {module.__name__ for module in MODULES for name in module.__all__ if name in DOCUMENTED}
    assert shown == {module.__name__ for module in MODULES}
    own_test = {"CyclicLR", "OneCycleLR", "ReduceLROnPlateau", "ChainedScheduler", "SequentialLR"}
    assert SETTINGS.keys() | own_test == CLASSES.keys()


def test_a_change_of_either_side_is_noticed():
    def halved(t, η_0):
        # \eta_t = \eta_0 / 2
        return η_0 / 2

    assert transcribed(halved) == [r"\eta_t = \eta_0 / 2"] == displayed(r"Half. $$ \eta_t = \eta_0 / 2 $$ Inline $x$.")
    assert transcribed(halved) != displayed(r"$$ \eta_t = \eta_0 / 3 $$")


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_function_is_its_formula(name, options):
    function = function_of(name)
    assert [function(t, LR, **options) for t in range(STEPS)] == near(of_function(name, options))


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_scheduler_is_the_functions_formula_and_its_own(run, name, options):
    found = run(CLASSES[name], options, STEPS, LR)
    assert found == near(of_function(name, options))
    if name in DOCUMENTED:  # those with a warm-up share one recursion, the quotient of two neighbours
        assert found == near(of_class(name, options))


@pytest.mark.parametrize(("name", "options"), [pytest.param(*case, id=id) for case, id in TWINS])
def test_torch_is_the_formula(run, name, options):
    assert run(getattr(lr_scheduler, name), options, STEPS, LR) == near(of_function(name, options))


def follow(scheduler, optimizer, steps):
    """Learning rate and momentum at steps 0, 1, …"""
    group = optimizer.param_groups[0]
    found = [(group["lr"], group["momentum"])]
    optimizer.step()
    for _ in range(steps):
        scheduler.step()
        found.append((group["lr"], group["momentum"]))
    return found


@pytest.mark.parametrize(
    "shape",
    [
        {"step_size_up": 20},
        {"step_size_up": 7, "step_size_down": 13, "mode": "triangular2"},
        {"step_size_up": 5, "step_size_down": 1, "mode": "exp_range", "gamma": 0.97},
    ],
    ids=str,
)
def test_cyclic(make_optimizer, shape):
    bounds, momenta = (0.1, 0.9), (0.6, 0.8)
    expected = [schedule_formulas.CyclicLR(t, *bounds, *momenta, **shape) for t in range(STEPS)]
    lrs, μs = ([pair[i] for pair in expected] for i in (0, 1))
    for name, ends, values in (("cyclic_lr", bounds, lrs), ("cyclic_momentum", momenta, μs)):
        function = getattr(import_module(CLASSES["CyclicLR"].__module__), name)
        assert [function(t, *ends, **shape) for t in range(STEPS)] == near(values)
        assert [transcription(name)(t, *ends, **shape) for t in range(STEPS)] == near(values)
    for cls in (CLASSES["CyclicLR"], lr_scheduler.CyclicLR):
        optimizer = make_optimizer((1.0,))
        scheduler = cls(optimizer, *bounds, base_momentum=momenta[0], max_momentum=momenta[1], **shape)
        found = follow(scheduler, optimizer, STEPS - 1)
        assert [pair[0] for pair in found] == near(lrs)
        assert [pair[1] for pair in found] == near(μs)


@pytest.mark.parametrize(
    "options",
    [
        {"total_steps": 100},
        {"total_steps": 60, "pct_start": 0.43, "anneal_strategy": "linear", "div_factor": 3, "final_div_factor": 7},
        {"total_steps": 90, "three_phase": True},
        {"total_steps": 77, "three_phase": True, "anneal_strategy": "linear", "pct_start": 0.2},
    ],
    ids=str,
)
def test_one_cycle(make_optimizer, options):
    steps = options["total_steps"]
    expected = [schedule_formulas.OneCycleLR(t, LR, **options) for t in range(steps + 1)]
    lrs, μs = ([pair[i] for pair in expected] for i in (0, 1))
    module = import_module(CLASSES["OneCycleLR"].__module__)
    phases = {key: value for key, value in options.items() if "div" not in key}
    assert [module.one_cycle_lr(t, LR, **options) for t in range(steps + 1)] == near(lrs)
    assert [schedule_formulas.one_cycle_lr(t, LR, **options) for t in range(steps + 1)] == near(lrs)
    assert [module.one_cycle_momentum(t, **phases) for t in range(steps + 1)] == near(μs)
    for cls in (CLASSES["OneCycleLR"], lr_scheduler.OneCycleLR):
        optimizer = make_optimizer((1.0,))
        found = follow(cls(optimizer, LR, **options), optimizer, steps)
        assert [pair[0] for pair in found] == near(lrs)
        assert [pair[1] for pair in found] == near(μs)


metrics = st.lists(st.sampled_from([0.5, 0.9, 1.0, 1.0001, 1.1, 2.0, float("nan")]), min_size=1, max_size=60)


@given(
    metrics=metrics,
    mode=st.sampled_from(["min", "max"]),
    threshold_mode=st.sampled_from(["rel", "abs"]),
    factor=st.floats(0, 0.99),
    patience=st.integers(0, 4),
    threshold=st.sampled_from([0.0, 1e-4, 0.15]),
    cooldown=st.integers(0, 4),
    min_lr=st.sampled_from([0.0, 0.1]),
    eps=st.sampled_from([0.0, 1e-8, 0.1]),
)
@settings(deadline=None, max_examples=60)
def test_plateau(make_optimizer, metrics, **options):
    expected = schedule_formulas.reduce_lr_on_plateau(metrics, LR, **options)
    function = function_of("ReduceLROnPlateau")
    assert function(metrics, LR, **options) == expected
    for cls in (CLASSES["ReduceLROnPlateau"], lr_scheduler.ReduceLROnPlateau):
        optimizer = make_optimizer((LR,))
        scheduler = cls(optimizer, **options)
        found = []
        for metric in metrics:
            scheduler.step(metric)
            found.append(optimizer.param_groups[0]["lr"])
        assert found == expected


@pytest.mark.parametrize("patience", [0, 1, 5])
def test_plateau_drops_when_the_classs_formula_says(make_optimizer, patience):
    options = {"factor": 0.3, "patience": patience, "min_lr": 0.01}
    optimizer = make_optimizer((LR,))
    scheduler = CLASSES["ReduceLROnPlateau"](optimizer, **options)
    scheduler.step(1.0)
    lr, bad = LR, 0
    for _ in range(STEPS):
        scheduler.step(1.0)
        bad += 1
        before, lr = lr, schedule_formulas.ReduceLROnPlateau(bad, lr, **options)
        bad = bad if bad <= patience else 0
        assert optimizer.param_groups[0]["lr"] == pytest.approx(lr, rel=1e-14)
        assert lr <= before


PARTS = [
    ("ConstantLR", {"factor": 0.5, "total_iters": 30}),
    ("ExponentialLR", {"gamma": 0.98}),
    ("StepLR", {"step_size": 40, "gamma": 0.3}),
]


@pytest.mark.parametrize("module", [trainloop.schedulers, lr_scheduler], ids=["ours", "torch"])
def test_chained(make_optimizer, module):
    factors = [
        lambda t, name=name, options=options: transcription(function_of(name).__name__)(t, 1.0, **options)
        for name, options in PARTS
    ]
    product = [schedule_formulas.chained_scheduler(t, LR, factors=factors) for t in range(STEPS)]
    assert [function_of("ChainedScheduler")(t, LR, factors=factors) for t in range(STEPS)] == near(product)
    recursions = [
        lambda t, η, name=name, options=options: transcription(name)(t, η, η, **options) for name, options in PARTS
    ]
    chain = [LR]
    for t in range(STEPS):
        chain.append(schedule_formulas.ChainedScheduler(t, chain[-1], recursions=recursions))
    assert chain[1:] == near(product)
    optimizer = make_optimizer((LR,))
    parts = [getattr(module, name)(optimizer, **options) for name, options in PARTS]
    found = follow(module.ChainedScheduler(parts, optimizer), optimizer, STEPS - 1)
    assert [lr for lr, _ in found] == near(product)


@pytest.mark.parametrize("module", [trainloop.schedulers, lr_scheduler], ids=["ours", "torch"])
@pytest.mark.parametrize(("count", "milestones"), [(1, []), (2, [25]), (3, [25, 80]), (3, [60, 60])], ids=str)
def test_sequential(make_optimizer, module, count, milestones):
    schedules = [
        lambda t, name=name, options=options: transcription(function_of(name).__name__)(t, LR, **options)
        for name, options in PARTS[:count]
    ]
    told = {"schedules": schedules, "milestones": milestones}
    expected = [schedule_formulas.sequential_lr(t, **told) for t in range(STEPS)]
    assert [schedule_formulas.SequentialLR(t, **told) for t in range(STEPS)] == expected
    assert [function_of("SequentialLR")(t, **told) for t in range(STEPS)] == expected
    optimizer = make_optimizer((LR,))
    parts = [getattr(module, name)(optimizer, **options) for name, options in PARTS[:count]]
    found = follow(module.SequentialLR(optimizer, parts, milestones), optimizer, STEPS - 1)
    assert [lr for lr, _ in found] == near(expected)
