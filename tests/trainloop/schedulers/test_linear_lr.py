"""LinearLR: torch's, bit for bit; its function and its recursion agree; torch's trap is refused."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainloop.schedulers import CosineAnnealingLR, LinearLR
from trainloop.schedulers.linear_lr import linear_lr


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"start_factor": 0.1, "total_iters": 1},
        {"start_factor": 1.0, "end_factor": 0.0, "total_iters": 7},
        {"start_factor": 0.5, "end_factor": 0.25, "total_iters": 4},
        {"start_factor": 1e-8, "total_iters": 100},
    ],
    ids=str,
)
def test_equals_torch(parity, options):
    parity(LinearLR, options, steps=10)


def test_golden_values(run):
    options = {"start_factor": 0.25, "total_iters": 3}
    lrs = [0.2, 0.4, 0.6, 0.8, 0.8]
    assert run(LinearLR, options, steps=5, lr=0.8) == pytest.approx(lrs, rel=1e-15)
    assert [linear_lr(t, 0.8, **options) for t in range(5)] == pytest.approx(lrs, rel=1e-15)


# A step's factor is off by about 2.2e-16 times the quotient of the start and the current point, which is
# largest where the line nears 0. Over 200 steps that adds up to less than 1e-12.
@given(
    start_factor=st.floats(1e-6, 1),
    end_factor=st.floats(0, 1),
    total_iters=st.integers(1, 200),
    lr=st.floats(1e-9, 100),
)
@settings(deadline=None, max_examples=60)
def test_recursion_follows_the_function(assert_agree, start_factor, end_factor, total_iters, lr):
    options = {"start_factor": start_factor, "end_factor": end_factor, "total_iters": total_iters}
    assert_agree(LinearLR, linear_lr, options, total_iters + 3, lr, tolerance=1e-12)


@pytest.mark.parametrize(("total_iters", "peaks"), [(4, 1), (3, 2)])
def test_warmup_before_a_switch_reaches_the_peak_once(make_optimizer, advance, lrs_of, total_iters, peaks):
    optimizer = make_optimizer((0.1,))
    warmup = LinearLR(optimizer, 0.2, total_iters=total_iters)
    schedule = torch.optim.lr_scheduler.SequentialLR(optimizer, [warmup, CosineAnnealingLR(optimizer, 6)], [4])
    lrs = []
    for _ in range(10):
        lrs += lrs_of(optimizer)
        advance(optimizer, schedule)
    assert lrs[4] == 0.1
    assert sum(lr == pytest.approx(0.1, rel=1e-12) for lr in lrs) == peaks


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start_factor": 0}, "start_factor must be in (0, 1], got 0"),
        ({"start_factor": 1.5}, "start_factor must be in (0, 1], got 1.5"),
        ({"end_factor": -0.1}, "end_factor must be in [0, 1], got -0.1"),
        ({"end_factor": 1.1}, "end_factor must be in [0, 1], got 1.1"),
        ({"total_iters": 0}, "total_iters must be a whole number >= 1, got 0"),
    ],
)
def test_bad_options_are_refused(assert_refused, options, message):
    assert_refused(LinearLR, linear_lr, options, message)


def test_trap_of_torch_that_is_refused(run):
    lrs = run(torch.optim.lr_scheduler.LinearLR, {"start_factor": 0.5, "total_iters": 0}, steps=50)
    assert lrs == [0.05] * 50
