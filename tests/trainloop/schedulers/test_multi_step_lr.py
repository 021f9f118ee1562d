"""MultiStepLR: torch's, bit for bit; its function and its recursion agree."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainloop.schedulers import MultiStepLR
from trainloop.schedulers.multi_step_lr import multi_step_lr


@pytest.mark.parametrize(
    "options",
    [
        {"milestones": [2, 5]},
        {"milestones": [7, 3, 3, 5], "gamma": 0.7},  # in any order, one of them twice
        {"milestones": [0, 1], "gamma": 0.5},
        {"milestones": [4.0]},
        {"milestones": []},
        {"milestones": [1000]},
    ],
    ids=str,
)
def test_equals_torch(parity, options):
    parity(MultiStepLR, options, steps=10)


def test_golden_values(run):
    lrs = [0.1, 0.1, 0.01, 0.001, 0.001]
    assert run(MultiStepLR, {"milestones": [2, 3]}, steps=5) == pytest.approx(lrs, rel=1e-15)
    assert [multi_step_lr(t, 0.1, milestones=[3, 2]) for t in range(5)] == pytest.approx(lrs, rel=1e-15)


def test_a_generator_of_milestones_is_read_once(run):
    assert run(MultiStepLR, {"milestones": iter([1])}, steps=3) == pytest.approx([0.1, 0.01, 0.01])
    assert multi_step_lr(1, 0.1, milestones=iter([1])) == pytest.approx(0.01)


# Every drop rounds twice, and 120 times half of 2.2e-16 is less than 1e-13.
@given(
    milestones=st.lists(st.integers(0, 50), max_size=60),
    gamma=st.floats(0, 1),
    lr=st.floats(1e-9, 100),
    steps=st.integers(1, 60),
)
@settings(deadline=None, max_examples=60)
def test_recursion_follows_the_function(assert_agree, milestones, gamma, lr, steps):
    options = {"milestones": milestones, "gamma": gamma}
    assert_agree(MultiStepLR, multi_step_lr, options, steps, lr, tolerance=1e-13)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"milestones": [3, -1]}, "milestones must be a whole number >= 0, got -1"),
        ({"milestones": [2.5]}, "milestones must be a whole number >= 0, got 2.5"),
        ({"milestones": [3], "gamma": -0.1}, "gamma must be >= 0, got -0.1"),
    ],
)
def test_bad_options_are_refused(assert_refused, options, message):
    assert_refused(MultiStepLR, multi_step_lr, options, message)
