"""MultiplicativeLR: torch's, bit for bit; its function agrees."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainloop.schedulers import MultiplicativeLR
from trainloop.schedulers.multiplicative_lr import multiplicative_lr


class Alternate:
    """A schedule with a memory: halves at every second call."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, step: int) -> float:
        self.calls += 1
        return 0.5 if self.calls % 2 == 0 else 1.0


@pytest.mark.parametrize(
    "lr_lambda",
    [lambda t: 0.95, [lambda t: 1 / t if t else 2.0, lambda t: float(t < 5)], [Alternate(), lambda t: 0.9]],
    ids=["one", "list", "with an object"],
)
def test_equals_torch(parity, lr_lambda):
    parity(MultiplicativeLR, {"lr_lambda": lr_lambda}, steps=10)


def test_golden_values(run):
    options = {"lr_lambda": lambda t: 1 / t}
    lrs = [12.0, 12.0, 6.0, 2.0, 0.5]
    assert run(MultiplicativeLR, options, steps=5, lr=12.0) == pytest.approx(lrs, rel=1e-15)
    assert [multiplicative_lr(t, 12.0, **options) for t in range(5)] == pytest.approx(lrs, rel=1e-15)


@given(rates=st.lists(st.floats(0, 1.5), min_size=1, max_size=60), lr=st.floats(1e-9, 100))
@settings(deadline=None, max_examples=30)
def test_it_is_the_function(assert_agree, rates, lr):
    options = {"lr_lambda": lambda t: rates[t - 1]}
    assert_agree(MultiplicativeLR, multiplicative_lr, options, len(rates), lr, tolerance=0)


def test_a_builtin_can_be_saved(make_optimizer):
    scheduler = MultiplicativeLR(make_optimizer(), math.exp)
    state = scheduler.state_dict()
    assert state["lr_lambdas"] == [None, None]
    scheduler.load_state_dict(state)
    assert scheduler.lr_lambdas == [math.exp, math.exp]


def test_bad_arguments_are_refused(make_optimizer):
    with pytest.raises(ValueError, match=r"^lr_lambda must have one value for each of the 2 groups, got \["):
        MultiplicativeLR(make_optimizer(), [lambda t: 1.0] * 3)
    with pytest.raises(TypeError, match=r"^lr_lambda must be a function, got 0\.5$"):
        MultiplicativeLR(make_optimizer(), 0.5)
