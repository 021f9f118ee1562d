"""WarmupPolynomialLR: Hugging Face's golden list, the formula, WarmupLinearLR as a special case."""

import pytest
import schedule_formulas
from hypothesis import given, settings
from hypothesis import strategies as st

from trainloop.schedulers import WarmupPolynomialLR
from trainloop.schedulers.warmup_linear_lr import warmup_linear_lr
from trainloop.schedulers.warmup_polynomial_lr import warmup_polynomial_lr

# https://github.com/huggingface/transformers/blob/main/tests/optimization/test_optimization.py, power 2, lr_end 1e-7
HUGGING_FACE = [0, 5, 10, 7.656, 5.625, 3.906, 2.5, 1.406, 0.625, 0.156]


def test_golden_list_of_hugging_face(run):
    options = {"warmup_steps": 2, "total_steps": 10, "power": 2.0, "end_factor": 1e-8, "start_factor": 0.0}
    lrs = [warmup_polynomial_lr(t, 10.0, **options) for t in range(10)]
    assert [round(lr, 3) for lr in lrs] == HUGGING_FACE
    assert run(WarmupPolynomialLR, options, steps=10, lr=10.0) == lrs
    assert warmup_polynomial_lr(10, 10.0, **options) == 1e-7


def test_by_default_step_0_learns(run):
    lrs = [3.0, 6.0, 9.0, 4.0, 1.0, 0.0, 0.0]
    assert run(WarmupPolynomialLR, {"warmup_steps": 2, "total_steps": 5}, steps=7, lr=9.0) == pytest.approx(lrs)


def test_power_1_is_a_line():
    options = {"warmup_steps": 3, "total_steps": 11, "end_factor": 0.1}
    for t in range(13):
        assert warmup_polynomial_lr(t, 0.1, **options, power=1.0) == warmup_linear_lr(t, 0.1, **options)


@given(
    warmup_steps=st.integers(0, 40),
    decay_steps=st.integers(1, 40),
    power=st.floats(0.1, 5),
    a=st.floats(0, 1),
    b=st.floats(0, 1),
    lr=st.floats(1e-9, 100),
)
@settings(deadline=None, max_examples=40)
def test_recursion_follows_function_and_formula(assert_agree, warmup_steps, decay_steps, power, a, b, lr):
    total = warmup_steps + decay_steps
    options = {"warmup_steps": warmup_steps, "total_steps": total, "power": power, "start_factor": a, "end_factor": b}
    assert_agree(WarmupPolynomialLR, warmup_polynomial_lr, options, total + 3, lr, tolerance=0)
    for t in range(total + 3):
        expected = schedule_formulas.warmup_polynomial_lr(t, lr, **options)
        assert warmup_polynomial_lr(t, lr, **options) == pytest.approx(expected, rel=1e-12, abs=1e-15 * lr)


@pytest.mark.parametrize("power", [0, -1])
def test_bad_power_is_refused(assert_refused, power):
    options = {"warmup_steps": 1, "total_steps": 5, "power": power}
    assert_refused(WarmupPolynomialLR, warmup_polynomial_lr, options, f"power must be > 0, got {power}")
