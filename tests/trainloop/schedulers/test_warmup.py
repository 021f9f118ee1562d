"""The schedules with a warmup as schedulers. The oracle is torch's LambdaLR over the function, bit for bit."""

import copy
import inspect

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainloop.schedulers import (
    WSDLR,
    ExponentialLR,
    InverseSqrtLR,
    WarmupCosineLR,
    WarmupLinearLR,
    WarmupPolynomialLR,
)
from trainloop.schedulers._warmup import warmup_factor
from trainloop.schedulers.inverse_sqrt_lr import inverse_sqrt_lr
from trainloop.schedulers.warmup_cosine_lr import warmup_cosine_lr
from trainloop.schedulers.warmup_linear_lr import warmup_linear_lr
from trainloop.schedulers.warmup_polynomial_lr import warmup_polynomial_lr
from trainloop.schedulers.wsd_lr import wsd_lr

torchs = torch.optim.lr_scheduler
STEPS = 12
TOTAL = {"warmup_steps": 3, "total_steps": 9}
CASES = {
    "cosine": (WarmupCosineLR, warmup_cosine_lr, TOTAL),
    "linear": (WarmupLinearLR, warmup_linear_lr, TOTAL | {"end_factor": 0.1}),
    "polynomial": (WarmupPolynomialLR, warmup_polynomial_lr, TOTAL | {"power": 3, "start_factor": 0.5}),
    "wsd": (WSDLR, wsd_lr, TOTAL | {"decay_steps": 4, "end_factor": 0.25}),
    "inverse sqrt": (InverseSqrtLR, inverse_sqrt_lr, {"warmup_steps": 3}),
    "no warmup": (WarmupCosineLR, warmup_cosine_lr, {"warmup_steps": 0, "total_steps": 9}),
    "from 0": (WarmupLinearLR, warmup_linear_lr, TOTAL | {"start_factor": 0.0}),
}


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


@pytest.fixture(params=[name for name in CASES if name != "from 0"])
def chainable(request):
    """A case whose learning rate is not 0 before its end, for a learning rate of 0 forgets what others did."""
    return CASES[request.param]


def oracle(optimizer, function, options) -> torchs.LRScheduler:
    return torchs.LambdaLR(optimizer, lambda t: function(t, 1.0, **options))


@pytest.mark.parametrize("dtype", [None, torch.float32, torch.float64], ids=str)
def test_every_step(case, make_optimizer, advance, settings, plain, dtype):
    scheduler, function, options = case
    lrs = (0.1, 3.0) if dtype is None else (torch.tensor(0.1, dtype=dtype), torch.tensor(3.0, dtype=dtype))
    ours, theirs = make_optimizer(lrs), make_optimizer(lrs)
    schedule, expected = scheduler(ours, **options), oracle(theirs, function, options)
    for _ in range(STEPS):
        assert settings(ours) == settings(theirs)
        assert plain(schedule.get_last_lr()) == plain(expected.get_last_lr())
        advance(ours, schedule)
        advance(theirs, expected)


def test_save_and_load(case, make_optimizer, advance, settings, through_a_file):
    scheduler, _, options = case
    for done in range(STEPS):
        optimizer, fresh = make_optimizer(), make_optimizer()
        schedule, resumed = scheduler(optimizer, **options), scheduler(fresh, **options)
        for _ in range(done):
            advance(optimizer, schedule)
        fresh.load_state_dict(through_a_file(optimizer.state_dict()))
        resumed.load_state_dict(through_a_file(schedule.state_dict()))
        for _ in range(STEPS - done):
            assert settings(fresh) == settings(optimizer)
            advance(optimizer, schedule)
            advance(fresh, resumed)


def test_last_epoch(case, make_optimizer, advance, settings):
    scheduler, _, options = case
    for done in range(1, STEPS):
        optimizer, fresh = make_optimizer(), make_optimizer()
        schedule = scheduler(optimizer, **options)
        for _ in range(done):
            advance(optimizer, schedule)
        fresh.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        resumed = scheduler(fresh, **options, last_epoch=done - 1)
        for _ in range(STEPS - done):
            assert settings(fresh) == settings(optimizer)
            advance(optimizer, schedule)
            advance(fresh, resumed)


@pytest.mark.parametrize("first", [True, False])
def test_in_torchs_sequential(case, make_optimizer, advance, settings, first):
    scheduler, function, options = case
    optimizers = make_optimizer(), make_optimizer()
    schedules = []
    for optimizer, build in zip(optimizers, (scheduler, None), strict=True):
        ours = build(optimizer, **options) if build else oracle(optimizer, function, options)
        other = torchs.ConstantLR(optimizer, factor=0.5, total_iters=10)
        both = [ours, other] if first else [other, ours]
        schedules.append(torchs.SequentialLR(optimizer, both, milestones=[4]))
    for _ in range(STEPS + 4):
        assert settings(optimizers[0]) == settings(optimizers[1])
        for optimizer, schedule in zip(optimizers, schedules, strict=True):
            advance(optimizer, schedule)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_chained_factors_multiply(chainable, make_optimizer, advance, lrs_of, place):
    scheduler, function, options = chainable
    optimizer = make_optimizer((2.0,))
    builds = [lambda: ExponentialLR(optimizer, 0.9), lambda: torchs.ConstantLR(optimizer, 0.5, total_iters=99)]
    builds.insert(place, lambda: scheduler(optimizer, **options))
    schedules = [build() for build in builds]
    for t in range(STEPS):
        assert lrs_of(optimizer) == pytest.approx([function(t, 2.0, **options) * 0.9**t * 0.5], rel=1e-14)
        advance(optimizer, *schedules)


def test_a_learning_rate_changed_by_hand_stays_changed(chainable, make_optimizer, advance, lrs_of):
    scheduler, function, options = chainable
    optimizer = make_optimizer((2.0,))
    schedule = scheduler(optimizer, **options)
    for t in range(STEPS):
        if t == 5:
            optimizer.param_groups[0]["lr"] *= 0.25
        factor = 0.25 if t >= 5 else 1
        assert lrs_of(optimizer) == pytest.approx([function(t, 2.0, **options) * factor], rel=1e-14)
        advance(optimizer, schedule)


def test_a_start_at_0_forgets_what_others_did_there(make_optimizer, advance, lrs_of):
    optimizer = make_optimizer((2.0,))
    options = {"warmup_steps": 2, "total_steps": 6, "start_factor": 0.0}
    halved, schedule = torchs.ConstantLR(optimizer, 0.5, total_iters=5), WarmupLinearLR(optimizer, **options)
    lrs = []
    for _ in range(3):
        lrs += lrs_of(optimizer)
        advance(optimizer, halved, schedule)
    assert lrs == [0.0, 1.0, 2.0]  # with a factor that is not 0 at step 0: 0.5 and 1.0


def test_a_learning_rate_set_by_hand_after_an_end_at_0_does_not_last(make_optimizer, advance, lrs_of):
    optimizer = make_optimizer((2.0,))
    schedule = WarmupCosineLR(optimizer, warmup_steps=1, total_steps=3)
    for _ in range(4):
        advance(optimizer, schedule)
    optimizer.param_groups[0]["lr"] = 0.5
    advance(optimizer, schedule)
    assert lrs_of(optimizer) == [0.0]


def test_step_to_an_epoch_is_the_function(case, make_optimizer, lrs_of):
    scheduler, function, options = case
    optimizer = make_optimizer((2.0,))
    schedule = scheduler(optimizer, **options)
    optimizer.step()
    for epoch in (5, 0, 2, 30, 1):
        with pytest.warns(UserWarning, match="epoch parameter in `scheduler.step"):
            schedule.step(epoch)
        assert lrs_of(optimizer) == [function(epoch, 2.0, **options)]


def test_every_update_learns_by_default_and_the_peak_comes_once(run):
    for scheduler, _, options in CASES.values():
        if "start_factor" not in options:
            lrs = run(scheduler, options, steps=9)
            assert min(lrs) > 0
            assert max(lrs) == lrs[options["warmup_steps"]] == 0.1
            if scheduler is not WSDLR:
                assert lrs.count(0.1) == 1


@pytest.mark.parametrize(("scheduler", "function", "options"), CASES.values(), ids=CASES)
def test_every_option_of_the_function_is_one_of_the_class(make_optimizer, scheduler, function, options):
    named = [p for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]
    accepted = inspect.signature(scheduler).parameters
    state = scheduler(make_optimizer(), **options).state_dict()
    for option in named:
        assert accepted[option.name].default == option.default
        assert state[option.name] == options.get(option.name, option.default)


@given(warmup_steps=st.integers(1, 1000), data=st.data())
@settings(deadline=None, max_examples=50)
def test_the_default_start_is_the_first_of_equal_rises(warmup_steps, data):
    step = data.draw(st.integers(0, warmup_steps))
    explicit = warmup_factor(step, warmup_steps, 1 / (warmup_steps + 1))
    assert warmup_factor(step, warmup_steps, None) == pytest.approx(explicit, rel=1e-14)
    assert warmup_factor(warmup_steps, warmup_steps, None) == 1


START = [
    ({"start_factor": -0.1}, "start_factor must be in [0, 1], got -0.1"),
    ({"start_factor": 1.1}, "start_factor must be in [0, 1], got 1.1"),
    ({"warmup_steps": -1}, "warmup_steps must be a whole number >= 0, got -1"),
    ({"warmup_steps": 1.5}, "warmup_steps must be a whole number >= 0, got 1.5"),
]
END = [
    ({"end_factor": -0.1}, "end_factor must be in [0, 1], got -0.1"),
    ({"end_factor": 2}, "end_factor must be in [0, 1], got 2"),
    ({"total_steps": 0}, "total_steps must be a whole number >= 1, got 0"),
    ({"total_steps": 9.5}, "total_steps must be a whole number >= 1, got 9.5"),
    ({"total_steps": 3}, "warmup_steps must be < total_steps = 3, got 3"),
]


@pytest.mark.parametrize(
    ("name", "bad", "message"),
    [
        (name, bad, message)
        for name in ("cosine", "linear", "polynomial", "wsd", "inverse sqrt")
        for bad, message in (START if name == "inverse sqrt" else START + END)
    ],
)
def test_bad_options_are_refused(assert_refused, name, bad, message):
    scheduler, function, options = CASES[name]
    assert_refused(scheduler, function, options | bad, message)
