"""RMSprop: equal to torch bit for bit. That it follows its formula: test_formulas.py."""

import math
from itertools import product

import pytest
import torch
from formulas.rmsprop import GRID

from trainloop.optim import RMSprop


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_equals_torch(assert_parity, dtype):
    assert_parity(RMSprop, torch.optim.RMSprop, GRID, dtype)


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
