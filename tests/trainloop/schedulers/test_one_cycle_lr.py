"""OneCycleLR: torch's, bit for bit, also one step past the end; its functions and its steps agree."""

import re
from inspect import signature

import pytest
import schedule_formulas
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from trainloop.schedulers import OneCycleLR
from trainloop.schedulers.one_cycle_lr import one_cycle_lr, one_cycle_momentum

OPTIONS = [
    {"max_lr": 0.1, "total_steps": 20},
    {"max_lr": [0.1, 0.7], "epochs": 5, "steps_per_epoch": 4, "pct_start": 0.45},
    {"max_lr": 0.1, "total_steps": 19, "three_phase": True},
    {"max_lr": 0.1, "total_steps": 17, "anneal_strategy": "linear", "div_factor": 3.0, "final_div_factor": 7.0},
    {"max_lr": 0.1, "total_steps": 23, "anneal_strategy": "linear", "three_phase": True, "pct_start": 0.37},
    {"max_lr": 0.1, "total_steps": 20, "three_phase": True, "pct_start": 0.8},
    {"max_lr": 0.1, "total_steps": 20, "pct_start": 0.0},
    {"max_lr": 0.1, "total_steps": 25, "cycle_momentum": False},
    {"max_lr": 0.1, "total_steps": 18, "base_momentum": [0.5, 0.6], "max_momentum": [0.8, 0.7], "three_phase": True},
]


def steps_of(options: dict) -> int:
    return options.get("total_steps") or options["epochs"] * options["steps_per_epoch"]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_equals_torch(parity, options):
    parity(OneCycleLR, options, steps=12)  # the parity checks take up to 4 more


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam, torch.optim.RMSprop])
def test_equals_torch_to_the_end_and_one_step_further(Pair, kind, options):
    pair = Pair(OneCycleLR, options, kind=kind).build()
    pair.compare()
    pair.advance(steps_of(options))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_peak_may_be_a_tensor(Pair, dtype, options):
    lrs = tuple(torch.tensor(lr, dtype=dtype) for lr in (1, 2))
    pair = Pair(OneCycleLR, {**options, "max_lr": torch.tensor(0.3, dtype=dtype)}, lrs=lrs).build()
    pair.advance(steps_of(options))
    assert all(isinstance(lr, torch.Tensor) for lr in pair.schedulers[0].get_last_lr())


def test_exactly_total_steps_calls_of_step_are_allowed(Pair):
    pair = Pair(OneCycleLR, {"max_lr": 0.1, "total_steps": 7}).build()
    pair.advance(7)
    ours, theirs = pair.schedulers
    with pytest.raises(ValueError, match=r"^step must be <= 7, the total_steps, got 8$"):
        ours.step()
    with pytest.raises(ValueError, match="Tried to step 8 times"):
        theirs.step()
    assert ours.last_epoch == theirs.last_epoch == 8
    assert ours.get_last_lr() == theirs.get_last_lr()


fractions = st.floats(0, 1)
factors = st.floats(0.5, 1e5)
strategies = st.sampled_from(["cos", "linear"])


@given(
    total_steps=st.integers(1, 80),
    pct_start=fractions,
    anneal_strategy=strategies,
    three_phase=st.booleans(),
    max_lr=st.floats(0, 10),
    div_factor=factors,
    final_div_factor=factors,
    momenta=st.tuples(st.floats(0, 0.99), st.floats(0, 0.99)),
)
@settings(deadline=None, max_examples=60)
def test_functions_and_steps_agree(make_optimizer, advance, max_lr, div_factor, final_div_factor, momenta, **options):
    rates = {"div_factor": div_factor, "final_div_factor": final_div_factor}
    optimizer = make_optimizer((1.0,))
    low, high = momenta
    scheduler = OneCycleLR(optimizer, max_lr, **options, **rates, base_momentum=low, max_momentum=high)
    for t in range(options["total_steps"] + 1):
        assert scheduler.get_last_lr() == [one_cycle_lr(t, max_lr, **options, **rates)]
        assert optimizer.param_groups[0]["momentum"] == one_cycle_momentum(t, low, high, **options)
        if t < options["total_steps"]:
            advance(optimizer, scheduler)


@given(T=st.integers(2, 100), p=fractions, strategy=strategies, three_phase=st.booleans(), data=st.data())
@settings(deadline=None)
def test_functions_are_the_formula(T, p, strategy, three_phase, data):
    t = data.draw(st.integers(0, T))
    a, e = p * T - 1, T - 1
    # Where a phase is nearly of length 0, rounding a decides; torch's a and ours are one, tested above.
    assume(min(abs(a), abs(a - e), abs(2 * a - e), abs(t - a), abs(t - 2 * a)) > 1e-6)
    options = {"total_steps": T, "pct_start": p, "anneal_strategy": strategy, "three_phase": three_phase}
    rates = {"div_factor": 2, "final_div_factor": 4}
    lr, μ = schedule_formulas.OneCycleLR(t, 1.0, **options, **rates, base_momentum=0.8, max_momentum=0.9)
    assert one_cycle_lr(t, 1.0, **options, **rates) == pytest.approx(lr, rel=1e-8, abs=1e-8)
    assert one_cycle_momentum(t, 0.8, 0.9, **options) == pytest.approx(μ, rel=1e-8, abs=1e-8)


@given(T=st.integers(1, 200), p=st.floats(0, 0.99), strategy=strategies)
@settings(deadline=None)
def test_it_stays_between_its_bounds_and_ends_at_the_last(T, p, strategy):
    options = {"total_steps": T, "pct_start": p, "anneal_strategy": strategy}
    lrs = [one_cycle_lr(t, 1.0, **options) for t in range(T)]
    assert all(0 <= lr <= 1 + 1e-12 for lr in lrs)
    assert lrs[-1] == pytest.approx(1 / 25 / 1e4, abs=1e-12)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"total_steps": 10, "pct_start": 0.1}, 1.0),  # the way up ends at step 0
        ({"total_steps": 10, "pct_start": 0.1, "three_phase": True}, 1.0),
        ({"total_steps": 5, "pct_start": 1.0}, 0.25 / 4),  # the way down is over after step 4, the peak
    ],
)
def test_fixed_a_phase_of_no_length_is_over_at_once(make_optimizer, advance, options, expected):
    options |= {"max_lr": 1.0, "div_factor": 4.0, "final_div_factor": 4.0}
    ours = OneCycleLR(make_optimizer((1.0,)), **options)
    if options["pct_start"] < 1:
        with pytest.raises(ZeroDivisionError):
            lr_scheduler.OneCycleLR(make_optimizer((1.0,)), **options)
    else:
        theirs = lr_scheduler.OneCycleLR(make_optimizer((1.0,)), **options)
        for _ in range(4):
            advance(ours.optimizer, ours)
            advance(theirs.optimizer, theirs)
            assert ours.get_last_lr() == theirs.get_last_lr()
        advance(ours.optimizer, ours)
        with pytest.raises(ZeroDivisionError):
            advance(theirs.optimizer, theirs)
    assert ours.get_last_lr() == [expected]


def test_the_last_step_of_a_line_is_below_zero_as_in_torch(Pair):
    pair = Pair(OneCycleLR, {"max_lr": 0.1, "total_steps": 8, "anneal_strategy": "linear"}).build()
    pair.advance(7)
    assert pair.schedulers[0].get_last_lr()[0] > 0
    pair.advance(1)
    assert [scheduler.get_last_lr()[0] < 0 for scheduler in pair.schedulers] == [True, True]


def test_momentum_of_an_sgd_without_momentum_is_turned_on(make_optimizer):
    for module in (OneCycleLR, lr_scheduler.OneCycleLR):
        optimizer = make_optimizer(momentum=0)
        module(optimizer, max_lr=0.1, total_steps=10)
        assert [group["momentum"] for group in optimizer.param_groups] == [0.95, 0.95]


BAD = [
    ({"total_steps": 0}, "total_steps must be a whole number >= 1, got 0"),
    ({"total_steps": 2.5}, "total_steps must be a whole number >= 1, got 2.5"),
    ({"pct_start": 1.5}, "pct_start must be in [0, 1], got 1.5"),
    ({"pct_start": -1}, "pct_start must be in [0, 1], got -1"),
    ({"anneal_strategy": "sin"}, "anneal_strategy must be one of ('cos', 'linear'), got sin"),
    ({"max_lr": -0.1}, "max_lr must be >= 0, got -0.1"),
    ({"div_factor": 0}, "div_factor must be > 0, got 0"),
    ({"final_div_factor": -1}, "final_div_factor must be > 0, got -1"),
    ({"base_momentum": 1.0}, "base_momentum must be in [0, 1), got 1.0"),
    ({"max_momentum": -0.5}, "max_momentum must be in [0, 1), got -0.5"),
]


@pytest.mark.parametrize(("options", "message"), BAD)
def test_bad_options_change_nothing(make_optimizer, settings, options, message):
    everything = {"max_lr": 0.1, "total_steps": 10, **options}
    optimizer = make_optimizer()
    before = settings(optimizer)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        OneCycleLR(optimizer, **everything)
    assert settings(optimizer) == before
    assert "max_lr" not in optimizer.param_groups[0]
    takers = [f for f in (one_cycle_lr, one_cycle_momentum) if options.keys() <= signature(f).parameters.keys()]
    assert takers
    for function in takers:
        known = {key: value for key, value in everything.items() if key in signature(function).parameters}
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            function(0, **known)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "total_steps must be given, or both epochs and steps_per_epoch, got None"),
        ({"epochs": 3}, "total_steps must be given, or both epochs and steps_per_epoch, got None"),
        ({"epochs": 0, "steps_per_epoch": 3}, "epochs must be a whole number >= 1, got 0"),
        ({"epochs": 3, "steps_per_epoch": 0.5}, "steps_per_epoch must be a whole number >= 1, got 0.5"),
    ],
)
def test_the_number_of_steps_must_be_known(make_optimizer, options, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        OneCycleLR(make_optimizer(), max_lr=0.1, **options)


def test_bad_steps():
    for function in (lambda t: one_cycle_lr(t, 0.1, total_steps=5), lambda t: one_cycle_momentum(t, total_steps=5)):
        with pytest.raises(ValueError, match=r"^step must be >= 0, got -1$"):
            function(-1)
        with pytest.raises(ValueError, match=r"^step must be <= 5, the total_steps, got 6$"):
            function(6)


def test_optimizers_without_momentum(make_optimizer):
    optimizer = make_optimizer(kind=torch.optim.Adagrad)
    options = {"max_lr": 0.1, "total_steps": 10}
    with pytest.raises(ValueError, match=r"must have momentum or betas when cycle_momentum is True, got Adagrad$"):
        OneCycleLR(optimizer, **options)
    assert "max_lr" not in optimizer.param_groups[0]
    assert OneCycleLR(optimizer, **options, cycle_momentum=False).get_last_lr() == pytest.approx([0.004, 0.004])
    with pytest.raises(TypeError, match=r"^list is not an Optimizer$"):
        OneCycleLR([], **options)
