"""Adadelta: equal to torch bit for bit. That it follows its formula: test_formulas.py."""

import math

import pytest
import torch
from formulas.adadelta import GRID

from trainloop.optim import Adadelta


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_equals_torch(assert_parity, dtype):
    assert_parity(Adadelta, torch.optim.Adadelta, GRID, dtype)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rho": -0.1}, "rho must be in [0, 1], got -0.1"),
        ({"rho": 1.1}, "rho must be in [0, 1], got 1.1"),
        ({"rho": math.nan}, "rho must be in [0, 1], got nan"),
    ],
)
def test_refuses(assert_refuses, options, message):
    assert_refuses(Adadelta, options, message)


@pytest.mark.parametrize("slope", [-1e3, 1.0, 1e3])
def test_eps_sets_the_length_of_the_first_step(walk, slope):
    expected = -math.copysign(math.sqrt(1e-6 / 0.1), slope)
    assert walk(Adadelta, [slope]).end == pytest.approx(expected, rel=1e-4)


def test_without_eps_nothing_moves(walk):
    assert walk(Adadelta, [1.0] * 10, 1.0, eps=0.0).end == 1.0


def test_endless_memory_is_gradient_descent(walk):
    # With rho = 1 both averages stay 0, and the two roots cancel.
    assert walk(Adadelta, [3.0], 1.0, lr=0.1, rho=1.0).end == pytest.approx(0.7)
