"""LambdaLR: torch's, bit for bit; its function agrees; what it saves of its functions."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainloop.schedulers import ExponentialLR, LambdaLR
from trainloop.schedulers.lambda_lr import lambda_lr


class Decay:
    """A schedule with a memory: its own count of calls."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.calls = []

    def __call__(self, step: int) -> float:
        self.calls.append(step)
        return self.rate ** len(self.calls)


@pytest.mark.parametrize(
    "lr_lambda",
    [
        lambda t: 0.95**t,
        [lambda t: 1 / (1 + t), lambda t: float(t < 5)],
        (Decay(0.9), lambda t: 1.0),
        [Decay(0.9), Decay(0.8)],
    ],
    ids=["one", "list", "tuple with an object", "objects"],
)
def test_equals_torch(parity, lr_lambda):
    parity(LambdaLR, {"lr_lambda": lr_lambda}, steps=10)


def test_golden_values(run):
    def factor(t: int) -> float:
        return 1 / (1 + t)

    assert run(LambdaLR, {"lr_lambda": factor}, steps=4, lr=12.0) == [12.0, 6.0, 4.0, 3.0]
    assert [lambda_lr(t, 12.0, lr_lambda=factor) for t in range(4)] == [12.0, 6.0, 4.0, 3.0]


@given(rate=st.floats(0, 2), lr=st.floats(1e-9, 100), steps=st.integers(1, 60))
@settings(deadline=None, max_examples=30)
def test_it_is_the_function(assert_agree, rate, lr, steps):
    assert_agree(LambdaLR, lambda_lr, {"lr_lambda": lambda t: rate**t}, steps, lr, tolerance=0)


def test_it_overwrites_what_others_did_as_in_torch(make_optimizer, advance, lrs_of):
    optimizer = make_optimizer((1.0,))
    schedulers = [ExponentialLR(optimizer, 0.5), LambdaLR(optimizer, lambda t: 1.0)]
    for _ in range(3):
        advance(optimizer, *schedulers)
    assert lrs_of(optimizer) == [1.0]


def test_a_saved_object_comes_back_and_is_shared_with_nobody(make_optimizer, advance, lrs_of):
    optimizer, other = make_optimizer((1.0,)), make_optimizer((1.0,))
    scheduler, fresh = LambdaLR(optimizer, Decay(0.5)), LambdaLR(other, Decay(0.1))
    advance(optimizer, scheduler)
    state = scheduler.state_dict()
    fresh.load_state_dict(state)
    assert vars(fresh.lr_lambdas[0]) == {"rate": 0.5, "calls": [0, 1]}
    advance(other, fresh)
    assert lrs_of(other) == [0.125]
    assert vars(scheduler.lr_lambdas[0]) == {"rate": 0.5, "calls": [0, 1]}
    advance(optimizer, scheduler)
    assert state["lr_lambdas"] == [{"rate": 0.5, "calls": [0, 1]}]


def test_a_builtin_can_be_saved_though_not_by_torch(make_optimizer, advance, lrs_of):
    optimizer = make_optimizer((1.0,))
    with pytest.raises(AttributeError, match="__dict__"):
        torch.optim.lr_scheduler.LambdaLR(make_optimizer(), math.exp).state_dict()
    scheduler = LambdaLR(optimizer, math.exp)
    state = scheduler.state_dict()
    assert state["lr_lambdas"] == [None]
    scheduler.load_state_dict(state)
    advance(optimizer, scheduler)
    assert lrs_of(optimizer) == [math.e]


def test_bad_arguments_are_refused(make_optimizer):
    with pytest.raises(ValueError, match=r"^lr_lambda must have one value for each of the 2 groups, got \["):
        LambdaLR(make_optimizer(), [lambda t: 1.0])
    with pytest.raises(TypeError, match=r"^lr_lambda must be a function, got 0\.5$"):
        LambdaLR(make_optimizer(), 0.5)
    with pytest.raises(TypeError, match=r"^lr_lambda must be a function, got None$"):
        LambdaLR(make_optimizer(), [lambda t: 1.0, None])
