"""CosineAnnealingLR: torch's, bit for bit; its function and its recursion agree, also past the bottom."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainloop.schedulers import CosineAnnealingLR
from trainloop.schedulers.cosine_annealing_lr import cosine_annealing_lr


@pytest.mark.parametrize(
    "options",
    [
        {"T_max": 4},
        {"T_max": 1, "eta_min": 0.01},
        {"T_max": 3, "eta_min": 0.5},  # above one group's lr, below the other's
        {"T_max": 50, "eta_min": 1e-4},
    ],
    ids=str,
)
def test_equals_torch(parity, options):
    parity(CosineAnnealingLR, options, steps=14)


def test_golden_values_it_rises_again_after_the_bottom(run):
    lrs = [8.0, 6.828427, 4.0, 1.171573, 0.0, 1.171573, 4.0, 6.828427, 8.0]
    assert run(CosineAnnealingLR, {"T_max": 4}, steps=9, lr=8.0) == pytest.approx(lrs, abs=1e-6)
    assert [cosine_annealing_lr(t, 8.0, T_max=4) for t in range(9)] == pytest.approx(lrs, abs=1e-6)


@pytest.mark.parametrize("eta_min", [0.0, 1e-3])
def test_recursion_follows_the_function_down_a_long_fall(assert_agree, eta_min):
    options = {"T_max": 5000, "eta_min": eta_min}
    assert_agree(CosineAnnealingLR, cosine_annealing_lr, options, steps=5001, lr=0.1, tolerance=1e-13)


# One step before a bottom and one after, the wave is eta_min plus very little, about (2/T)^2 of the way. The sum
# rounds that little to fewer digits, and the rise carries the error up: about 2e-16 * T^2 * eta_min / lr.
# The cosine's argument rounds, too, by about 1e-16 * t.
@pytest.mark.parametrize("T_max", [3, 2000])
def test_recursion_follows_the_function_over_waves(assert_agree, T_max):
    options = {"T_max": T_max, "eta_min": 1e-3}
    assert_agree(CosineAnnealingLR, cosine_annealing_lr, options, steps=6000, lr=0.1, tolerance=1e-11)


@given(T_max=st.integers(1, 60), eta_min=st.floats(0, 1), lr=st.floats(1, 100), steps=st.integers(1, 200))
@settings(deadline=None, max_examples=60)
def test_recursion_follows_the_function(assert_agree, T_max, eta_min, lr, steps):
    options = {"T_max": T_max, "eta_min": eta_min}
    assert_agree(CosineAnnealingLR, cosine_annealing_lr, options, steps, lr, tolerance=1e-11)


def test_built_at_the_bottom_it_stays_there_as_in_torch(Pair):
    pair = Pair(CosineAnnealingLR, {"T_max": 5}, lrs=(0.0,)).build()
    pair.advance(12)
    assert pair.schedulers[0].get_last_lr() == [0.0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"T_max": 0}, "T_max must be a whole number >= 1, got 0"),
        ({"T_max": -5}, "T_max must be a whole number >= 1, got -5"),
        ({"T_max": 2.5}, "T_max must be a whole number >= 1, got 2.5"),
        ({"T_max": 5, "eta_min": -1e-3}, "eta_min must be >= 0, got -0.001"),
    ],
)
def test_bad_options_are_refused(assert_refused, options, message):
    assert_refused(CosineAnnealingLR, cosine_annealing_lr, options, message)
