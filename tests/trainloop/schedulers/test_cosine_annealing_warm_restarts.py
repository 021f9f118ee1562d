"""CosineAnnealingWarmRestarts: torch's, bit for bit, but for two errors; its function and its steps agree."""

import math

import pytest
import schedule_formulas
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from trainloop.schedulers import CosineAnnealingWarmRestarts
from trainloop.schedulers.cosine_annealing_warm_restarts import cosine_annealing_warm_restarts

OPTIONS = [
    {"T_0": 4},
    {"T_0": 1},
    {"T_0": 5, "eta_min": 0.01},
    {"T_0": 2, "T_mult": 2},
    {"T_0": 1, "T_mult": 3, "eta_min": 0.2},
]
# step(epoch) does not warn, and resumes by last_epoch are only right where T_mult is 1: both tested below.
CHECKS = [
    "every step",
    "tensor lr",
    "save and load",
    "chained",
    "in torch's ChainedScheduler",
    "in torch's SequentialLR",
    "last_epoch without initial_lr",
    "constructor",
]


@pytest.mark.parametrize("parity", CHECKS, indirect=True)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_equals_torch(parity, options):
    parity(CosineAnnealingWarmRestarts, options, steps=30)


@pytest.mark.parametrize("parity", ["last_epoch"], indirect=True)
@pytest.mark.parametrize("options", [option for option in OPTIONS if "T_mult" not in option], ids=str)
def test_equals_torch_after_a_resume_by_last_epoch(parity, options):
    parity(CosineAnnealingWarmRestarts, options, steps=20)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_step_to_any_epoch_equals_torch(Pair, options):
    pair = Pair(CosineAnnealingWarmRestarts, options).build()
    for epoch in (0, 0.25, 3, 3.5, 4, 4.75, 7.5, 1, 20, 26.125, 100, 99.5, 0.5):
        for optimizer, scheduler in zip(pair.optimizers, pair.schedulers, strict=True):
            optimizer.step()
            scheduler.step(epoch)
        pair.compare()
        pair.advance(7)


@given(
    steps=st.integers(0, 200),
    T_0=st.integers(1, 20),
    T_mult=st.integers(1, 4),
    lr=st.floats(0, 10),
    eta_min=st.floats(0, 1),
)
@settings(deadline=None, max_examples=60)
def test_function_and_steps_agree(run, steps, T_0, T_mult, lr, eta_min):
    options = {"T_0": T_0, "T_mult": T_mult, "eta_min": eta_min}
    schedule = [cosine_annealing_warm_restarts(t, lr, **options) for t in range(steps)]
    assert schedule == run(CosineAnnealingWarmRestarts, options, steps, lr=lr)


@given(T_0=st.integers(1, 20), T_mult=st.integers(2, 5), n=st.integers(0, 8), part=st.floats(0, 1, exclude_max=True))
@settings(deadline=None)
def test_function_is_the_formula(T_0, T_mult, n, part):
    start, length = T_0 * (T_mult**n - 1) // (T_mult - 1), T_0 * T_mult**n
    t, options = start + math.floor(part * length), {"T_0": T_0, "T_mult": T_mult, "eta_min": 0.1}
    expected = schedule_formulas.cosine_annealing_warm_restarts(t, 2.0, **options)
    assert cosine_annealing_warm_restarts(t, 2.0, **options) == expected


def test_fixed_restart_at_an_epoch_where_torchs_logarithm_is_just_too_small(make_optimizer):
    options = {"T_0": 1, "T_mult": 3}  # cycles begin at 0, 1, 4, 13, 40, 121, …
    ours = CosineAnnealingWarmRestarts(make_optimizer((1.0,)), **options)
    theirs = lr_scheduler.CosineAnnealingWarmRestarts(make_optimizer((1.0,)), **options)
    for scheduler in (ours, theirs):
        scheduler.step(121)
    assert ours.get_last_lr() == [1.0]
    assert ours.T_cur == 0
    assert theirs.T_cur == theirs.T_i == 81  # one whole cycle, not over yet


def test_fixed_resume_by_last_epoch_after_several_cycles(make_optimizer, advance):
    options = {"T_0": 4, "T_mult": 2}  # cycles begin at 0, 4, 12, 28, …

    def resumed(scheduler, done):
        optimizer = make_optimizer((1.0,))
        optimizer.param_groups[0]["initial_lr"] = 1.0
        return scheduler(optimizer, **options, last_epoch=done - 1)

    for done in range(1, 60):
        scheduler = resumed(CosineAnnealingWarmRestarts, done)
        for t in range(done, done + 10):
            assert scheduler.get_last_lr() == [cosine_annealing_warm_restarts(t, 1.0, **options)]
            advance(scheduler.optimizer, scheduler)
    theirs = resumed(lr_scheduler.CosineAnnealingWarmRestarts, 21)
    assert theirs.T_i == 8  # step 21 is in the third cycle, which is 16 long


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"T_0": 0}, "T_0 must be a whole number >= 1, got 0"),
        ({"T_0": 2.5}, "T_0 must be a whole number >= 1, got 2.5"),
        ({"T_0": 4, "T_mult": 0}, "T_mult must be a whole number >= 1, got 0"),
        ({"T_0": 4, "eta_min": -0.1}, "eta_min must be >= 0, got -0.1"),
    ],
)
def test_bad_options(make_optimizer, options, message):
    for build in (
        lambda: CosineAnnealingWarmRestarts(make_optimizer(), **options),
        lambda: cosine_annealing_warm_restarts(0, 0.1, **options),
    ):
        with pytest.raises(ValueError, match=f"^{message}$"):
            build()


def test_bad_steps(make_optimizer):
    with pytest.raises(ValueError, match=r"^step must be >= 0, got -1$"):
        cosine_annealing_warm_restarts(-1, 0.1, T_0=4)
    with pytest.raises(ValueError, match=r"^lr must be >= 0, got -0.1$"):
        cosine_annealing_warm_restarts(1, -0.1, T_0=4)
    with pytest.raises(ValueError, match=r"^epoch must be >= 0, got -1$"):
        CosineAnnealingWarmRestarts(make_optimizer(), T_0=4).step(-1)
