"""CyclicLR: torch's, bit for bit; its functions and its steps agree."""

import copy
import re
from dataclasses import dataclass

import pytest
import schedule_formulas
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from trainloop.schedulers import CyclicLR
from trainloop.schedulers.cyclic_lr import cyclic_lr, cyclic_momentum


@dataclass
class Halving:
    """A `scale_fn` whose attributes a `state_dict` holds."""

    base: float = 2.0

    def __call__(self, x: float) -> float:
        return self.base**-x


RATES = {"base_lr": 0.01, "max_lr": 0.1}
OPTIONS = [
    {**RATES, "step_size_up": 4},
    {**RATES, "step_size_up": 3, "step_size_down": 2, "mode": "triangular2"},
    {**RATES, "step_size_up": 5, "step_size_down": 0},
    {"base_lr": [0.01, 0.3], "max_lr": [0.7, 0.4], "step_size_up": 3, "mode": "exp_range", "gamma": 0.93},
    {**RATES, "step_size_up": 3, "scale_fn": lambda cycle: 1 / cycle},
    {**RATES, "step_size_up": 3, "scale_fn": Halving(), "scale_mode": "iterations", "mode": "none of these"},
    {**RATES, "step_size_up": 2, "cycle_momentum": False},
    {**RATES, "step_size_up": 7, "base_momentum": [0.7, 0.6], "max_momentum": [0.8, 0.9]},
]


def name(options: dict) -> str:
    return " ".join(f"{key}={value}" for key, value in options.items() if key not in (*RATES, "scale_fn"))


@pytest.mark.parametrize("options", OPTIONS, ids=name)
def test_equals_torch(parity, options):
    parity(CyclicLR, options, steps=20)


@pytest.mark.parametrize("options", OPTIONS, ids=name)
@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.RMSprop])
def test_equals_torch_with_other_optimizers(Pair, kind, options):
    pair = Pair(CyclicLR, options, kind=kind).build()
    pair.compare()
    pair.advance(20)


@pytest.mark.parametrize("options", OPTIONS, ids=name)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_bounds_may_be_tensors(Pair, dtype, options):
    bounds = {key: torch.tensor(0.3 if key == "max_lr" else 0.1, dtype=dtype) for key in RATES}
    pair = Pair(CyclicLR, {**options, **bounds}, lrs=tuple(torch.tensor(lr, dtype=dtype) for lr in (1, 2))).build()
    pair.advance(12)
    assert all(isinstance(lr, torch.Tensor) for lr in pair.schedulers[0].get_last_lr())


def test_tensors_given_as_bounds_are_copied(make_optimizer, advance, lrs_of):
    low, high = torch.tensor(0.25), torch.tensor(0.75)
    optimizer = make_optimizer((torch.tensor(1.0), torch.tensor(1.0)))
    scheduler = CyclicLR(optimizer, low, high, step_size_up=1)
    low.fill_(9.0)
    high.fill_(9.0)
    for expected in (0.25, 0.75, 0.25):
        assert lrs_of(optimizer) == [expected] * 2
        advance(optimizer, scheduler)


@given(
    steps=st.integers(0, 100),
    up=st.integers(1, 20),
    down=st.none() | st.integers(0, 20),
    mode=st.sampled_from(["triangular", "triangular2", "exp_range"]),
    gamma=st.floats(0, 1.1),
    scale_fn=st.none() | st.just(lambda x: 1 / (1 + x)),
    scale_mode=st.sampled_from(["cycle", "iterations"]),
    bounds=st.tuples(st.floats(0, 10), st.floats(0, 10)),
)
@settings(deadline=None, max_examples=60)
def test_functions_and_steps_agree(make_optimizer, advance, steps, up, down, bounds, **options):
    options |= {"step_size_up": up, "step_size_down": down}
    optimizer = make_optimizer((1.0,))
    scheduler = CyclicLR(optimizer, *bounds, **options)
    for t in range(steps):
        assert scheduler.get_last_lr() == [cyclic_lr(t, *bounds, **options)]
        assert optimizer.param_groups[0]["momentum"] == cyclic_momentum(t, **options)
        advance(optimizer, scheduler)


@given(t=st.integers(0, 500), u=st.integers(1, 30), d=st.integers(0, 30), gamma=st.floats(0.5, 1))
@settings(deadline=None)
def test_functions_are_the_formula(t, u, d, gamma):
    for mode in ("triangular", "triangular2", "exp_range"):
        options = {"step_size_up": u, "step_size_down": d, "mode": mode, "gamma": gamma}
        # torch computes Λ from 1 + t / (u + d) - c, up to 500: rounded by 6e-14, then divided by u / (u + d) >= 1/31
        lr, μ = schedule_formulas.CyclicLR(t, 0.25, 1.0, 0.5, 0.75, **options)
        assert cyclic_lr(t, 0.25, 1.0, **options) == pytest.approx(lr, abs=1e-11)
        assert cyclic_momentum(t, 0.5, 0.75, **options) == pytest.approx(μ, abs=1e-11)


def test_fixed_triangular2_goes_on_where_torchs_scale_overflows(make_optimizer):
    assert cyclic_lr(2 * 1100 + 1, 0.5, 1.0, step_size_up=1, mode="triangular2") == 0.5
    options = {"step_size_up": 1, "mode": "triangular2", "cycle_momentum": False}
    ours, theirs = (module(make_optimizer(), 0.5, 1.0, **options) for module in (CyclicLR, lr_scheduler.CyclicLR))
    for x in range(1, 1025):
        assert ours.scale_fn(x) == theirs.scale_fn(x)
    assert ours.scale_fn(1100) == 0
    with pytest.raises(OverflowError):
        theirs.scale_fn(1100)


def test_fixed_loading_leaves_the_state_as_it_is(make_optimizer):
    for module, keeps in ((CyclicLR, True), (lr_scheduler.CyclicLR, False)):
        state = module(make_optimizer(), **RATES).state_dict()
        before = copy.deepcopy(state)
        module(make_optimizer(), **RATES).load_state_dict(state)
        assert (state == before) is keeps


def test_attributes_of_a_scale_fn_are_saved(make_optimizer):
    saved = CyclicLR(make_optimizer(), **RATES, scale_fn=Halving(3.0)).state_dict()
    assert saved["_scale_fn_custom"] == {"base": 3.0}
    scale_fn = Halving()
    scheduler = CyclicLR(make_optimizer(), **RATES, scale_fn=scale_fn)
    scheduler.load_state_dict(saved)
    assert scheduler.scale_fn(1) == 1 / 3
    assert scale_fn.base == 3.0
    with pytest.raises(ValueError, match=r"^scale_fn must be given, as in the state_dict, got None$"):
        CyclicLR(make_optimizer(), **RATES).load_state_dict(saved)


def test_a_builtin_scale_fn_is_not_saved(make_optimizer):
    assert CyclicLR(make_optimizer(), **RATES, scale_fn=abs).state_dict()["_scale_fn_custom"] is None


def test_momentum_of_an_sgd_without_momentum_is_turned_on(make_optimizer):
    for module in (CyclicLR, lr_scheduler.CyclicLR):
        optimizer = make_optimizer(momentum=0)
        module(optimizer, **RATES)
        assert [group["momentum"] for group in optimizer.param_groups] == [0.9, 0.9]


def test_after_another_scheduler_step_0_has_that_ones_initial_lr_as_in_torch(make_optimizer, advance):
    for module in (CyclicLR, lr_scheduler.CyclicLR):
        optimizer = make_optimizer((0.5,))
        lr_scheduler.StepLR(optimizer, 2)
        scheduler = module(optimizer, base_lr=0.25, max_lr=0.75, step_size_up=1)
        lrs = []
        for _ in range(3):
            lrs += scheduler.get_last_lr()
            advance(optimizer, scheduler)
        assert lrs == [0.5, 0.75, 0.25]


BAD = [
    ({"step_size_up": 0}, "step_size_up must be > 0, got 0"),
    ({"step_size_down": -1}, "step_size_down must be >= 0, got -1"),
    ({"mode": "square"}, "mode must be one of ('triangular', 'triangular2', 'exp_range'), got square"),
    ({"gamma": -0.5}, "gamma must be >= 0, got -0.5"),
    ({"scale_mode": "epochs"}, "scale_mode must be 'cycle' or 'iterations', got epochs"),
]


@pytest.mark.parametrize(("options", "message"), BAD)
def test_bad_options(make_optimizer, options, message):
    for build in (
        lambda: CyclicLR(make_optimizer(), **RATES, **options),
        lambda: cyclic_lr(0, **RATES, **options),
        lambda: cyclic_momentum(0, **options),
    ):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            build()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base_lr": -0.1}, "base_lr must be >= 0, got -0.1"),
        ({"max_lr": [0.1, -0.1]}, "max_lr must be >= 0, got -0.1"),
        ({"max_lr": [0.1]}, "max_lr must have one value for each of the 2 groups, got [0.1]"),
        ({"base_momentum": 1}, "base_momentum must be in [0, 1), got 1"),
        ({"max_momentum": -0.1}, "max_momentum must be in [0, 1), got -0.1"),
    ],
)
def test_bad_bounds_change_nothing(make_optimizer, settings, options, message):
    optimizer = make_optimizer()
    before = settings(optimizer)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        CyclicLR(optimizer, **{**RATES, **options})
    assert settings(optimizer) == before
    assert "initial_lr" not in optimizer.param_groups[0]


def test_bad_arguments_of_the_functions():
    with pytest.raises(ValueError, match=r"^step must be >= 0, got -1$"):
        cyclic_lr(-1, 0.1, 0.2)
    with pytest.raises(ValueError, match=r"^max_lr must be >= 0, got -0.2$"):
        cyclic_lr(1, 0.1, -0.2)
    with pytest.raises(ValueError, match=r"^base_momentum must be in \[0, 1\), got 1$"):
        cyclic_momentum(1, 1)


def test_optimizers_without_momentum(make_optimizer):
    optimizer = make_optimizer(kind=torch.optim.Adagrad)
    with pytest.raises(ValueError, match=r"must have momentum or betas when cycle_momentum is True, got Adagrad$"):
        CyclicLR(optimizer, **RATES)
    assert CyclicLR(optimizer, **RATES, cycle_momentum=False).get_last_lr() == [0.01, 0.01]
    with pytest.raises(TypeError, match=r"^list is not an Optimizer$"):
        CyclicLR([], **RATES)
