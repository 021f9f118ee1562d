"""InverseSqrtLR: the Transformer paper's schedule, Hugging Face's golden list, the formula."""

import pytest
import schedule_formulas
from hypothesis import given, settings
from hypothesis import strategies as st

from trainloop.schedulers import InverseSqrtLR
from trainloop.schedulers.inverse_sqrt_lr import inverse_sqrt_lr

# https://github.com/huggingface/transformers/blob/main/tests/optimization/test_optimization.py, 2 steps of warmup
HUGGING_FACE = [0, 5, 10, 8.165, 7.071, 6.325, 5.774, 5.345, 5.0, 4.714]


def test_golden_list_of_hugging_face(run):
    options = {"warmup_steps": 2, "timescale": 2, "start_factor": 0.0}
    lrs = [inverse_sqrt_lr(t, 10.0, **options) for t in range(10)]
    assert [round(lr, 3) for lr in lrs] == HUGGING_FACE
    assert run(InverseSqrtLR, options, steps=10, lr=10.0) == lrs


# The paper counts steps from 1: with d the model's width and n warmup steps, the learning rate of step s is
# d^-0.5 * min(s^-0.5, s * n^-1.5).
def test_the_defaults_are_the_papers_schedule(run):
    d, n = 512, 40
    paper = [d**-0.5 * min(s**-0.5, s * n**-1.5) for s in range(1, 201)]
    peak = (d * n) ** -0.5
    assert max(paper) == pytest.approx(peak, rel=1e-15)
    assert run(InverseSqrtLR, {"warmup_steps": n - 1}, steps=200, lr=peak) == pytest.approx(paper, rel=1e-14)


def test_half_is_left_after_three_timescales():
    assert inverse_sqrt_lr(10 + 3 * 50, 1.0, warmup_steps=10, timescale=50) == 0.5


@given(
    warmup_steps=st.integers(0, 40),
    timescale=st.none() | st.floats(1e-3, 1e4),
    a=st.floats(0, 1),
    lr=st.floats(1e-9, 100),
)
@settings(deadline=None, max_examples=40)
def test_recursion_follows_function_and_formula(assert_agree, warmup_steps, timescale, a, lr):
    options = {"warmup_steps": warmup_steps, "timescale": timescale, "start_factor": a}
    assert_agree(InverseSqrtLR, inverse_sqrt_lr, options, 80, lr, tolerance=0)
    for t in range(80):
        expected = schedule_formulas.inverse_sqrt_lr(t, lr, **options)
        assert inverse_sqrt_lr(t, lr, **options) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("timescale", [0, -5])
def test_bad_timescale_is_refused(assert_refused, timescale):
    options = {"warmup_steps": 3, "timescale": timescale}
    assert_refused(InverseSqrtLR, inverse_sqrt_lr, options, f"timescale must be > 0, got {timescale}")
