"""WarmupCosineLR: Hugging Face's golden list, the formula, and the same from two of torch's schedulers."""

import math

import pytest
import schedule_formulas
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainloop.schedulers import WarmupCosineLR
from trainloop.schedulers.warmup_cosine_lr import warmup_cosine_lr

HUGGING_FACE = [0, 5, 10, 9.61, 8.53, 6.91, 5, 3.08, 1.46, 0.38]  # cut off after two digits


def test_golden_list_of_hugging_face(run):
    options = {"warmup_steps": 2, "total_steps": 10, "start_factor": 0.0}
    lrs = [warmup_cosine_lr(t, 10.0, **options) for t in range(10)]
    assert [math.floor(100 * lr) / 100 for lr in lrs] == HUGGING_FACE
    assert run(WarmupCosineLR, options, steps=10, lr=10.0) == lrs


def test_by_default_step_0_learns(run):
    options = {"warmup_steps": 3, "total_steps": 7, "end_factor": 0.1}
    lrs = [2.0, 4.0, 6.0, 8.0, 6.945584, 4.4, 1.854416, 0.8, 0.8]
    assert run(WarmupCosineLR, options, steps=9, lr=8.0) == pytest.approx(lrs, abs=1e-6)


def test_it_is_torchs_line_and_wave_in_sequence_until_the_end(make_optimizer, advance, lrs_of):
    ours, theirs = make_optimizer((0.1,)), make_optimizer((0.1,))
    schedule = WarmupCosineLR(ours, 4, 10, start_factor=0.3, end_factor=0.2)
    rise = torch.optim.lr_scheduler.LinearLR(theirs, 0.3, 1.0, total_iters=4)
    fall = torch.optim.lr_scheduler.CosineAnnealingLR(theirs, T_max=6, eta_min=0.02)
    sequence = torch.optim.lr_scheduler.SequentialLR(theirs, [rise, fall], milestones=[4])
    for t in range(13):
        if t <= 10:
            assert lrs_of(ours) == pytest.approx(lrs_of(theirs), rel=1e-14)
        else:  # torch's wave rises again
            assert lrs_of(ours) == [0.1 * 0.2]
            assert lrs_of(theirs)[0] > 0.021
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
    assert_agree(WarmupCosineLR, warmup_cosine_lr, options, total + 3, lr, tolerance=0)
    for t in range(total + 3):
        expected = schedule_formulas.warmup_cosine_lr(t, lr, **options)
        assert warmup_cosine_lr(t, lr, **options) == pytest.approx(expected, rel=0, abs=1e-15 * lr)
