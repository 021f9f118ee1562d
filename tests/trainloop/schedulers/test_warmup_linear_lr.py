"""WarmupLinearLR: Hugging Face's golden list, the formula, and the same from two of torch's schedulers."""

import pytest
import schedule_formulas
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainloop.schedulers import WarmupLinearLR
from trainloop.schedulers.warmup_linear_lr import warmup_linear_lr

HUGGING_FACE = [0, 5, 10, 8.75, 7.5, 6.25, 5, 3.75, 2.5, 1.25]


def test_golden_list_of_hugging_face(run):
    options = {"warmup_steps": 2, "total_steps": 10, "start_factor": 0.0}
    assert [warmup_linear_lr(t, 10.0, **options) for t in range(10)] == HUGGING_FACE
    assert run(WarmupLinearLR, options, steps=10, lr=10.0) == HUGGING_FACE


def test_by_default_step_0_learns(run):
    options = {"warmup_steps": 3, "total_steps": 8}
    lrs = [2.0, 4.0, 6.0, 8.0, 6.4, 4.8, 3.2, 1.6, 0.0, 0.0]
    assert run(WarmupLinearLR, options, steps=10, lr=8.0) == pytest.approx(lrs, rel=1e-15, abs=0)


def test_it_is_torchs_two_lines_in_sequence(make_optimizer, advance, lrs_of):
    ours, theirs = make_optimizer(), make_optimizer()
    schedule = WarmupLinearLR(ours, 4, 10, start_factor=0.3, end_factor=0.2)
    rise = torch.optim.lr_scheduler.LinearLR(theirs, 0.3, 1.0, total_iters=4)
    fall = torch.optim.lr_scheduler.LinearLR(theirs, 1.0, 0.2, total_iters=6)
    sequence = torch.optim.lr_scheduler.SequentialLR(theirs, [rise, fall], milestones=[4])
    for _ in range(14):
        assert lrs_of(ours) == pytest.approx(lrs_of(theirs), rel=1e-14)
        advance(ours, schedule)
        advance(theirs, sequence)


@given(
    warmup_steps=st.integers(0, 40),
    decay_steps=st.integers(1, 40),
    a=st.floats(0, 1),
    b=st.floats(0, 1),
    lr=st.floats(1e-9, 100),
)
@settings(deadline=None, max_examples=40)
def test_recursion_follows_function_and_formula(assert_agree, warmup_steps, decay_steps, a, b, lr):
    total = warmup_steps + decay_steps
    options = {"warmup_steps": warmup_steps, "total_steps": total, "start_factor": a, "end_factor": b}
    assert_agree(WarmupLinearLR, warmup_linear_lr, options, total + 3, lr, tolerance=0)
    for t in range(total + 3):
        expected = schedule_formulas.warmup_linear_lr(t, lr, **options)
        assert warmup_linear_lr(t, lr, **options) == pytest.approx(expected, rel=1e-14)
