"""WSDLR: Hugging Face's golden list, the formula of each shape, and runs finished from one checkpoint."""

import pytest
import schedule_formulas
from hypothesis import given, settings
from hypothesis import strategies as st

from trainloop.schedulers import WSDLR
from trainloop.schedulers.warmup_cosine_lr import warmup_cosine_lr
from trainloop.schedulers.wsd_lr import wsd_lr

# What get_wsd_schedule of transformers 4.57.1 gave for 2 steps of warmup from a tenth, 2 stable ones and 3 of decay
# to a tenth, to three digits.
HUGGING_FACE = {
    "1-sqrt": [1, 5.5, 10, 10, 10, 4.804, 2.652, 1, 1, 1],
    "linear": [1, 5.5, 10, 10, 10, 7, 4, 1, 1, 1],
    "cosine": [1, 5.5, 10, 10, 10, 7.75, 3.25, 1, 1, 1],
}


@pytest.mark.parametrize("decay", HUGGING_FACE)
def test_golden_list_of_hugging_face(run, decay):
    options = {"warmup_steps": 2, "total_steps": 7, "decay_steps": 3, "decay": decay}
    options |= {"start_factor": 0.1, "end_factor": 0.1}
    lrs = [wsd_lr(t, 10.0, **options) for t in range(10)]
    assert [round(lr, 3) for lr in lrs] == HUGGING_FACE[decay]
    assert run(WSDLR, options, steps=10, lr=10.0) == lrs


@pytest.mark.parametrize(
    ("decay", "fall"),
    [("1-sqrt", [8, 4, 2.343146, 1.071797]), ("linear", [8, 6, 4, 2]), ("cosine", [8, 6.828427, 4, 1.171573])],
)
def test_shapes(run, decay, fall):
    options = {"warmup_steps": 3, "total_steps": 10, "decay_steps": 4, "decay": decay}
    lrs = [2, 4, 6, 8, 8, 8, *fall, 0, 0]
    assert run(WSDLR, options, steps=12, lr=8.0) == pytest.approx(lrs, abs=1e-6)


def test_without_a_stable_stretch_it_is_a_warmup_and_a_wave():
    options = {"warmup_steps": 3, "total_steps": 10}
    for t in range(12):
        assert wsd_lr(t, 0.1, **options, decay_steps=7, decay="cosine") == warmup_cosine_lr(t, 0.1, **options)


def test_runs_of_several_lengths_share_their_stable_stretch(make_optimizer, advance, lrs_of):
    long = make_optimizer((8.0,))
    trunk = WSDLR(long, warmup_steps=2, total_steps=1000, decay_steps=200)
    for _ in range(10):
        advance(long, trunk)
    for total, decay_steps in ((14, 4), (30, 6)):
        optimizer = make_optimizer((8.0,))
        branch = WSDLR(optimizer, warmup_steps=2, total_steps=total, decay_steps=decay_steps)
        optimizer.load_state_dict(long.state_dict())
        branch.load_state_dict(trunk.state_dict() | {"total_steps": total, "decay_steps": decay_steps})
        for t in range(10, total + 2):
            expected = wsd_lr(t, 8.0, warmup_steps=2, total_steps=total, decay_steps=decay_steps)
            assert lrs_of(optimizer) == [expected]
            advance(optimizer, branch)


@given(
    warmup_steps=st.integers(0, 30),
    stable_steps=st.integers(0, 30),
    decay_steps=st.integers(1, 30),
    decay=st.sampled_from(list(HUGGING_FACE)),
    a=st.floats(0, 1),
    b=st.floats(0, 1),
    lr=st.floats(1e-9, 100),
)
@settings(deadline=None, max_examples=60)
def test_recursion_follows_function_and_formula(assert_agree, warmup_steps, stable_steps, decay_steps, decay, a, b, lr):
    total = warmup_steps + stable_steps + decay_steps
    options = {"warmup_steps": warmup_steps, "total_steps": total, "decay_steps": decay_steps}
    options |= {"decay": decay, "start_factor": a, "end_factor": b}
    assert_agree(WSDLR, wsd_lr, options, total + 3, lr, tolerance=0)
    for t in range(total + 3):
        expected = schedule_formulas.wsd_lr(t, lr, **options)
        assert wsd_lr(t, lr, **options) == pytest.approx(expected, rel=0, abs=1e-15 * lr)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"decay_steps": 0}, "decay_steps must be a whole number >= 1, got 0"),
        ({"decay_steps": 8}, "decay_steps must be <= total_steps - warmup_steps = 7, got 8"),
        ({"decay": "sqrt"}, "decay must be '1-sqrt', 'linear' or 'cosine', got 'sqrt'"),
    ],
)
def test_bad_options_are_refused(assert_refused, bad, message):
    options = {"warmup_steps": 3, "total_steps": 10, "decay_steps": 4}
    assert_refused(WSDLR, wsd_lr, options | bad, message)
