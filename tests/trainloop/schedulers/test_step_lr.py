"""StepLR: torch's, bit for bit; its function and its recursion agree."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainloop.schedulers import StepLR
from trainloop.schedulers.step_lr import step_lr


@pytest.mark.parametrize(
    "options",
    [
        {"step_size": 3},
        {"step_size": 1, "gamma": 0.9},
        {"step_size": 4, "gamma": 1.5},
        {"step_size": 2, "gamma": 0.0},
        {"step_size": 100},
    ],
    ids=str,
)
def test_equals_torch(parity, options):
    parity(StepLR, options, steps=10)


def test_golden_values(run):
    lrs = [0.1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.001]
    assert run(StepLR, {"step_size": 3}, steps=7) == pytest.approx(lrs, rel=1e-15)
    assert [step_lr(t, 0.1, step_size=3) for t in range(7)] == pytest.approx(lrs, rel=1e-15)


# Every drop rounds once, and 60 times half of 2.2e-16 is less than 1e-13.
@given(step_size=st.integers(1, 20), gamma=st.floats(0, 1), lr=st.floats(1e-9, 100), steps=st.integers(1, 60))
@settings(deadline=None, max_examples=60)
def test_recursion_follows_the_function(assert_agree, step_size, gamma, lr, steps):
    assert_agree(StepLR, step_lr, {"step_size": step_size, "gamma": gamma}, steps, lr, tolerance=1e-13)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"step_size": 0}, "step_size must be a whole number >= 1, got 0"),
        ({"step_size": -3}, "step_size must be a whole number >= 1, got -3"),
        ({"step_size": 2.5}, "step_size must be a whole number >= 1, got 2.5"),
        ({"step_size": float("nan")}, "step_size must be a whole number >= 1, got nan"),
        ({"step_size": 3, "gamma": -0.1}, "gamma must be >= 0, got -0.1"),
        ({"step_size": 3, "gamma": float("nan")}, "gamma must be >= 0, got nan"),
    ],
)
def test_bad_options_are_refused(assert_refused, options, message):
    assert_refused(StepLR, step_lr, options, message)
