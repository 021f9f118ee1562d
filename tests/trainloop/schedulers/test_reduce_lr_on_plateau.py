"""ReduceLROnPlateau: torch's, bit for bit, for every way of improving; its function and its steps agree."""

import copy
import itertools
import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from trainloop.schedulers import ExponentialLR, ReduceLROnPlateau
from trainloop.schedulers.reduce_lr_on_plateau import reduce_lr_on_plateau

MODES = [
    {"mode": mode, "threshold_mode": threshold_mode}
    for mode, threshold_mode in itertools.product(["min", "max"], ["rel", "abs"])
]
OPTIONS = [
    {"patience": 0},
    {"patience": 2, "cooldown": 3, "factor": 0.5},
    {"patience": 1, "threshold": 0.3},
    {"patience": 1, "factor": 0.25, "min_lr": [0.02, 0.5]},
    {"patience": 0, "factor": 0.9, "eps": 0.05},
    {"patience": 0, "factor": 0.0, "min_lr": 0.01, "cooldown": 1},
    {},
]
METRICS = [
    *(5.0, 4.0, 4.0, 3.9999, 4.5, 3.0, 3.0, float("nan"), 3.0, 2.9, 6.0, 2.8, 2.8, 2.8, 2.8, 2.8, 1.0, 1.1),
    *(-1.0, -1.0, -1.0, -1.00005, -2.0, -2.0, float("inf"), -2.0, 0.0, 0.0, 0.5, -float("inf"), 0.1, 7.0),
    *[3.0] * 25,
]


@pytest.mark.parametrize("parity", ["constructor"], indirect=True)
def test_constructor(parity):
    parity(ReduceLROnPlateau, {}, steps=0)


@pytest.fixture(params=[{**options, **mode} for options in OPTIONS for mode in MODES], ids=str)
def options(request) -> dict:
    return request.param


def follow(pair, metrics) -> None:
    for metric in metrics:
        for optimizer, scheduler in zip(pair.optimizers, pair.schedulers, strict=True):
            optimizer.step()
            scheduler.step(metric)
        # NaN is unequal to itself, and never becomes the best: == on states is safe.
        pair.compare()
        assert pair.schedulers[0].in_cooldown is pair.schedulers[1].in_cooldown


@pytest.fixture
def pair(Pair, options):
    return Pair(ReduceLROnPlateau, options).build()


def test_equals_torch(pair):
    pair.compare()
    follow(pair, METRICS)


@pytest.mark.parametrize(("dtype", "rounding"), [(torch.float32, 2**-22), (torch.float64, 0)], ids=str)
def test_tensor_lrs_are_filled_with_torchs_numbers(make_optimizer, lrs_of, options, dtype, rounding):
    # Every drop rounds, in float32 by 2**-24. Torch gets numbers, for before 2.10 it puts one in a tensor's place:
    # https://github.com/pytorch/pytorch/pull/163098.
    ours = make_optimizer((torch.tensor(0.1, dtype=dtype), torch.tensor(3.0, dtype=dtype)))
    theirs = make_optimizer()
    tensors = [group["lr"] for group in ours.param_groups]
    scheduler = ReduceLROnPlateau(ours, **options)
    oracle = lr_scheduler.ReduceLROnPlateau(theirs, **options)
    for metric in METRICS:
        scheduler.step(torch.tensor(metric))
        oracle.step(torch.tensor(metric))
        assert lrs_of(ours) == pytest.approx(lrs_of(theirs), rel=rounding, abs=0)
    for group, tensor in zip(ours.param_groups, tensors, strict=True):
        assert group["lr"] is tensor


def test_equals_torch_after_save_and_load(pair):
    for done in range(0, 30, 5):
        for exchange in (False, True):
            new = pair.resumed(exchange)
            new.compare()
            follow(new, METRICS[done:])
        follow(pair, METRICS[done : done + 5])


def test_is_torchs_to_frameworks_that_ask(make_optimizer):
    scheduler = ReduceLROnPlateau(make_optimizer())
    assert isinstance(scheduler, lr_scheduler.ReduceLROnPlateau)
    with pytest.raises(ValueError, match="does not support `ReduceLROnPlateau`"):
        lr_scheduler.ChainedScheduler([scheduler])
    with pytest.raises(ValueError, match="does not support `ReduceLROnPlateau`"):
        lr_scheduler.SequentialLR(scheduler.optimizer, [scheduler], milestones=[])


def test_mixes_with_another_scheduler(make_optimizer, lrs_of):
    optimizer = make_optimizer((1.0,))
    plateau, decay = ReduceLROnPlateau(optimizer, factor=0.5, patience=0), ExponentialLR(optimizer, gamma=0.25)
    for metric, expected in [(1.0, 0.25), (1.0, 0.25 * 0.5 * 0.25)]:
        optimizer.step()
        plateau.step(metric)
        decay.step()
        assert lrs_of(optimizer) == [expected]


@given(
    metrics=st.lists(st.sampled_from([-2.0, -1.0, 0.0, 0.9, 1.0, 1.1, 2.0, float("nan"), float("inf")]), max_size=60),
    lr=st.floats(0, 10),
    mode=st.sampled_from(["min", "max"]),
    factor=st.floats(0, 0.99),
    patience=st.integers(0, 4),
    threshold=st.sampled_from([0.0, 1e-4, 0.15]),
    threshold_mode=st.sampled_from(["rel", "abs"]),
    cooldown=st.integers(0, 4),
    min_lr=st.floats(0, 1),
    eps=st.sampled_from([0.0, 1e-8, 0.1]),
)
@settings(deadline=None, max_examples=100)
def test_function_and_steps_agree(make_optimizer, lrs_of, metrics, lr, **options):
    optimizer = make_optimizer((lr,))
    scheduler = ReduceLROnPlateau(optimizer, **options)
    steps = []
    for metric in metrics:
        scheduler.step(metric)
        steps += lrs_of(optimizer)
    assert reduce_lr_on_plateau(metrics, lr, **options) == steps


def test_function_reads_a_generator_once():
    assert reduce_lr_on_plateau((x for x in [1.0, 1.0]), 8.0, factor=0.5, patience=0) == [8.0, 4.0]


def test_patience_counts_what_is_forgiven():
    lrs = reduce_lr_on_plateau([1.0] + [2.0] * 9, 8.0, factor=0.5, patience=2)
    assert lrs == [8, 8, 8, 4, 4, 4, 2, 2, 2, 1]


def test_cooldown_forgives_after_a_drop():
    lrs = reduce_lr_on_plateau([1.0] + [2.0] * 9, 8.0, factor=0.5, patience=0, cooldown=3)
    assert lrs == [8, 4, 4, 4, 4, 2, 2, 2, 2, 1]


def test_a_drop_of_exactly_eps_is_not_made(make_optimizer):
    for module in (ReduceLROnPlateau, lr_scheduler.ReduceLROnPlateau):
        for eps, expected in ((0.5, 1.0), (0.49, 0.5)):
            scheduler = module(make_optimizer((1.0,)), factor=0.5, patience=0, eps=eps)
            scheduler.step(1.0)
            scheduler.step(1.0)
            assert scheduler.get_last_lr() == [expected]


def test_nan_is_a_bad_metric():
    assert reduce_lr_on_plateau([1.0, float("nan")], 8.0, factor=0.5, patience=0) == [8, 4]


def test_rel_with_a_negative_best_takes_the_same_metric_for_a_better_one(make_optimizer):
    for module in (ReduceLROnPlateau, lr_scheduler.ReduceLROnPlateau):
        for threshold_mode, expected in (("rel", 8.0), ("abs", 2.0)):
            optimizer = make_optimizer((8.0,))
            scheduler = module(optimizer, factor=0.5, patience=0, threshold_mode=threshold_mode)
            for _ in range(3):
                scheduler.step(-1.0)
            assert scheduler.get_last_lr() == [expected]


def test_groups_added_later(make_optimizer, lrs_of):
    for min_lr in (0.25, [0.25]):
        for module in (ReduceLROnPlateau, lr_scheduler.ReduceLROnPlateau):
            optimizer = make_optimizer((1.0,))
            scheduler = module(optimizer, patience=0, min_lr=min_lr)
            optimizer.add_param_group({"params": [torch.zeros(1)], "lr": 2.0})
            scheduler.step(1.0)
            if isinstance(min_lr, list):
                with pytest.raises(RuntimeError, match="min_lrs"):
                    scheduler.step(1.0)
                scheduler.min_lrs.append(0.5)
                scheduler.step(1.0)
                assert lrs_of(optimizer) == [0.25, 0.5]
            else:
                scheduler.step(1.0)
                assert lrs_of(optimizer) == [0.25, 0.25]


def test_naming_the_epoch_is_deprecated(make_optimizer):
    for module in (ReduceLROnPlateau, lr_scheduler.ReduceLROnPlateau):
        scheduler = module(make_optimizer())
        with pytest.warns(UserWarning, match="epoch parameter in `scheduler.step"):
            scheduler.step(1.0, 7)
        scheduler.step(1.0)
        assert scheduler.last_epoch == 8


def test_state_is_a_copy(make_optimizer):
    scheduler = ReduceLROnPlateau(make_optimizer())
    state = scheduler.state_dict()
    before = copy.deepcopy(state)
    scheduler.min_lrs.append(1.0)
    assert state == before


def test_state_of_another_class(make_optimizer):
    with pytest.raises(ValueError, match=r"^state_dict must be ReduceLROnPlateau's"):
        ReduceLROnPlateau(make_optimizer()).load_state_dict(ExponentialLR(make_optimizer(), 0.5).state_dict())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "least"}, "mode must be 'min' or 'max', got least"),
        ({"factor": 1.0}, "factor must be in [0, 1), got 1.0"),
        ({"factor": -0.1}, "factor must be in [0, 1), got -0.1"),
        ({"patience": -1}, "patience must be a whole number >= 0, got -1"),
        ({"threshold": -1e-4}, "threshold must be >= 0, got -0.0001"),
        ({"threshold_mode": "none"}, "threshold_mode must be 'rel' or 'abs', got none"),
        ({"cooldown": 0.5}, "cooldown must be a whole number >= 0, got 0.5"),
        ({"min_lr": -1}, "min_lr must be >= 0, got -1"),
        ({"eps": -1}, "eps must be >= 0, got -1"),
    ],
)
def test_bad_options(make_optimizer, options, message):
    for build in (
        lambda: ReduceLROnPlateau(make_optimizer(), **options),
        lambda: reduce_lr_on_plateau([], 0.1, **options),
    ):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            build()


def test_bad_arguments(make_optimizer):
    with pytest.raises(ValueError, match=r"^lr must be >= 0, got -0.1$"):
        reduce_lr_on_plateau([], -0.1)
    with pytest.raises(ValueError, match=r"^min_lr must have one value for each of the 2 groups, got \[0\]$"):
        ReduceLROnPlateau(make_optimizer(), min_lr=[0])
    with pytest.raises(TypeError, match=r"^list is not an Optimizer$"):
        ReduceLROnPlateau([])
