"""ExponentialLR: torch's, bit for bit; its function and its recursion agree."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainloop.schedulers import ExponentialLR
from trainloop.schedulers.exponential_lr import exponential_lr


@pytest.mark.parametrize("gamma", [0.9, 0.0, 1, 1.3])
def test_equals_torch(parity, gamma):
    parity(ExponentialLR, {"gamma": gamma}, steps=10)


def test_golden_values(run):
    assert run(ExponentialLR, {"gamma": 0.5}, steps=4, lr=8.0) == [8.0, 4.0, 2.0, 1.0]
    assert [exponential_lr(t, 8.0, gamma=0.5) for t in range(4)] == [8.0, 4.0, 2.0, 1.0]


# Every step rounds once, by at most 1.1e-16: 200 steps by less than 1e-13.
@given(gamma=st.floats(0, 1), lr=st.floats(1e-9, 100), steps=st.integers(1, 200))
@settings(deadline=None, max_examples=60)
def test_recursion_follows_the_function(assert_agree, gamma, lr, steps):
    assert_agree(ExponentialLR, exponential_lr, {"gamma": gamma}, steps, lr, tolerance=1e-13)


@pytest.mark.parametrize("gamma", [-0.5, float("nan")])
def test_bad_options_are_refused(assert_refused, gamma):
    assert_refused(ExponentialLR, exponential_lr, {"gamma": gamma}, f"gamma must be >= 0, got {gamma}")
