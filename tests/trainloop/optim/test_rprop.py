"""Rprop: equal to torch bit for bit. That it follows its formula: test_formulas.py."""

import math

import pytest
import torch
from formulas.rprop import GRID

from trainloop.optim import Rprop


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_equals_torch(assert_parity, dtype):
    assert_parity(Rprop, torch.optim.Rprop, GRID, dtype)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"etas": (0.0, 1.2)}, "etas must be two numbers, in (0, 1) and above 1, got (0.0, 1.2)"),
        ({"etas": (1.0, 1.2)}, "etas must be two numbers, in (0, 1) and above 1, got (1.0, 1.2)"),
        ({"etas": (0.5, 1.0)}, "etas must be two numbers, in (0, 1) and above 1, got (0.5, 1.0)"),
        ({"etas": (0.5,)}, "etas must be two numbers, in (0, 1) and above 1, got (0.5,)"),
        ({"etas": 0.5}, "etas must be two numbers, in (0, 1) and above 1, got 0.5"),
        ({"step_sizes": (-1, 50)}, "step_sizes must be two numbers >= 0, the smaller one first, got (-1, 50)"),
        ({"step_sizes": (50, 1)}, "step_sizes must be two numbers >= 0, the smaller one first, got (50, 1)"),
        ({"step_sizes": (1,)}, "step_sizes must be two numbers >= 0, the smaller one first, got (1,)"),
    ],
)
def test_refuses(assert_refuses, options, message):
    assert_refuses(Rprop, options, message)


def test_only_the_sign_of_the_gradient_counts(walk):
    signs = [1, 1, 1, -1, -1, 1, 0, 1, 1]
    assert walk(Rprop, [1e-9 * s for s in signs]).places == walk(Rprop, [1e9 * s for s in signs]).places


def test_weight_waits_where_the_gradient_turns(walk):
    # Steps of 1 and 2; the turn halves the size and costs a step; the way back is 1 long.
    places = walk(Rprop, [1.0, 1.0, -1.0, -1.0], lr=1.0, etas=(0.5, 2.0)).places
    assert places == [-1.0, -3.0, -3.0, -2.0]


def test_scheduler_changes_nothing_after_the_first_step():
    def end(gamma):
        w = torch.zeros((), dtype=torch.float64, requires_grad=True)
        optimizer = Rprop([w], lr=0.1)
        scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma)
        for _ in range(10):
            w.grad = torch.ones((), dtype=torch.float64)
            optimizer.step()
            scheduler.step()
        return w.item()

    assert end(1.0) == end(0.1) < -0.1


def test_non_finite_gradient_moves_a_weight_like_zero_or_any_other(walk):
    slopes = [[1.0, math.nan, math.inf], [-1.0, 1.0, -math.inf], [1.0, 1.0, 0.0]]
    ours, theirs = (walk(make, slopes, [1.0, 1.0, 1.0]) for make in (Rprop, torch.optim.Rprop))
    assert ours.places == theirs.places
    for name in ("step_size", "prev"):
        assert torch.equal(ours.state[name].nan_to_num(), theirs.state[name].nan_to_num())
    assert all(math.isfinite(w) for w in ours.end)
