"""ConstantLR: torch's, bit for bit; its function and its recursion agree; torch's traps are refused."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainloop.schedulers import ConstantLR
from trainloop.schedulers.constant_lr import constant_lr


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"factor": 0.5, "total_iters": 1},
        {"factor": 0.1, "total_iters": 4},
        {"factor": 1.0},
        {"total_iters": 100},
    ],
    ids=str,
)
def test_equals_torch(parity, options):
    parity(ConstantLR, options, steps=10)


def test_golden_values(run):
    options = {"factor": 0.5, "total_iters": 3}
    lrs = [0.05, 0.05, 0.05, 0.1, 0.1]
    assert run(ConstantLR, options, steps=5) == lrs
    assert [constant_lr(t, 0.1, **options) for t in range(5)] == lrs


# The recursion multiplies by the factor and by its rounded inverse: three roundings.
@given(
    factor=st.floats(0, 1, exclude_min=True, allow_subnormal=False),
    total_iters=st.integers(1, 50),
    lr=st.floats(1e-6, 100),
    steps=st.integers(1, 60),
)
@settings(deadline=None, max_examples=60)
def test_recursion_follows_the_function(assert_agree, factor, total_iters, lr, steps):
    factor = max(factor, 1e-200)  # below, lr * factor loses digits
    options = {"factor": factor, "total_iters": total_iters}
    assert_agree(ConstantLR, constant_lr, options, steps, lr, tolerance=1e-15)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"factor": 0}, "factor must be in (0, 1], got 0"),
        ({"factor": -0.5}, "factor must be in (0, 1], got -0.5"),
        ({"factor": 1.5}, "factor must be in (0, 1], got 1.5"),
        ({"total_iters": 0}, "total_iters must be a whole number >= 1, got 0"),
        ({"total_iters": 2.5}, "total_iters must be a whole number >= 1, got 2.5"),
    ],
)
def test_bad_options_are_refused(assert_refused, options, message):
    assert_refused(ConstantLR, constant_lr, options, message)


def test_traps_of_torch_that_are_refused(run):
    torchs = torch.optim.lr_scheduler.ConstantLR
    assert run(torchs, {"factor": 0.0, "total_iters": 3}, steps=2) == [0.0, 0.0]
    with pytest.raises(ZeroDivisionError):
        run(torchs, {"factor": 0.0, "total_iters": 3}, steps=4)
    assert run(torchs, {"factor": 0.5, "total_iters": 0}, steps=50) == [0.05] * 50
