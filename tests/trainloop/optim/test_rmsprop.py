"""RMSprop: equal to torch bit for bit, and to its formula written out once more."""

import math
from itertools import product

import pytest
import torch

from trainloop.optim import RMSprop

GRID = [
    {
        "lr": lr,
        "alpha": alpha,
        "eps": eps,
        "weight_decay": weight_decay,
        "momentum": momentum,
        "centered": centered,
        "maximize": maximize,
    }
    for lr, alpha, eps, weight_decay, momentum, centered, maximize in product(
        (0.1,), (0.9, 0.99), (1e-8, 1e-2), (0, 1e-2), (0, 0.9), (False, True), (False, True)
    )
]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_equals_torch(assert_parity, dtype):
    assert_parity(RMSprop, torch.optim.RMSprop, GRID, dtype)


def by_hand(w, slopes, lr, alpha, eps, weight_decay, momentum, centered, maximize):
    """The class's formulas, on one number, in plain Python."""
    v = m = b = 0.0
    for slope in slopes:
        g = (-slope if maximize else slope) + weight_decay * w
        v = alpha * v + (1 - alpha) * g**2
        m = alpha * m + (1 - alpha) * g
        scaled = g / (math.sqrt(v - m**2 if centered else v) + eps)
        b = momentum * b + scaled
        w = w - lr * (b if momentum > 0 else scaled)
    return w


@pytest.mark.parametrize("options", GRID, ids=str)
def test_follows_its_formula(assert_follows, options):
    assert_follows(RMSprop, by_hand, options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": -0.1}, "alpha must be in [0, 1), got -0.1"),
        ({"alpha": 1.0}, "alpha must be in [0, 1), got 1.0"),
        ({"alpha": math.nan}, "alpha must be in [0, 1), got nan"),
    ],
)
def test_refuses(assert_refuses, options, message):
    assert_refuses(RMSprop, options, message)


@pytest.mark.parametrize("slope", [1e-3, 1.0, 1e3])
def test_first_step_has_one_length_for_all_gradients(walk, slope):
    end = walk(RMSprop, [slope], lr=0.1, alpha=0.99, eps=0.0).end
    assert end == pytest.approx(-0.1 / math.sqrt(1 - 0.99))


def test_state_holds_what_the_options_need(walk):
    for momentum, centered in product((0, 0.9), (False, True)):
        expected = {"step", "square_avg"}
        expected |= {"momentum_buffer"} if momentum else set()
        expected |= {"grad_avg"} if centered else set()
        assert walk(RMSprop, [1.0], momentum=momentum, centered=centered).state.keys() == expected
