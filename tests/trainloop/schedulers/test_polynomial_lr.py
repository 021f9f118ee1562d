"""PolynomialLR: torch's, bit for bit; its function and its recursion agree."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainloop.schedulers import PolynomialLR
from trainloop.schedulers.polynomial_lr import polynomial_lr


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"total_iters": 1},
        {"total_iters": 7, "power": 2},
        {"total_iters": 7, "power": 0.9},
        {"total_iters": 7, "power": 0},
        {"total_iters": 100, "power": 3.0},
    ],
    ids=str,
)
def test_equals_torch(parity, options):
    parity(PolynomialLR, options, steps=10)


def test_golden_values(run):
    options = {"total_iters": 4, "power": 2}
    lrs = [16.0, 9.0, 4.0, 1.0, 0.0, 0.0]
    assert run(PolynomialLR, options, steps=6, lr=16.0) == pytest.approx(lrs, rel=1e-15)
    assert [polynomial_lr(t, 16.0, **options) for t in range(6)] == lrs


# Every step rounds a few times; numerators and denominators are the same numbers and cancel.
@given(total_iters=st.integers(1, 200), power=st.floats(0, 5), lr=st.floats(1e-9, 100))
@settings(deadline=None, max_examples=60)
def test_recursion_follows_the_function(assert_agree, total_iters, power, lr):
    options = {"total_iters": total_iters, "power": power}
    assert_agree(PolynomialLR, polynomial_lr, options, total_iters + 3, lr, tolerance=1e-13)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"total_iters": 0}, "total_iters must be a whole number >= 1, got 0"),
        ({"total_iters": 2.5}, "total_iters must be a whole number >= 1, got 2.5"),
        ({"power": -1}, "power must be >= 0, got -1"),
    ],
)
def test_bad_options_are_refused(assert_refused, options, message):
    assert_refused(PolynomialLR, polynomial_lr, options, message)
