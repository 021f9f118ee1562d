"""Adafactor: equal to torch bit for bit. That it follows its formula: test_formulas.py."""

import math

import pytest
import torch
from formulas.adafactor import GRID

from trainloop.optim import Adafactor


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_equals_torch(assert_parity, dtype):
    assert_parity(Adafactor, torch.optim.Adafactor, GRID, dtype)


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("shape", [(2, 3, 2), (1, 1), (1, 5), (7, 1), (4, 1, 3), (40, 70)])
def test_other_shapes_equal_torch(shape, assert_same, run):
    p, q = (random(*shape).requires_grad_() for _ in range(2))
    ours, theirs = Adafactor([p], lr=0.05), torch.optim.Adafactor([q], lr=0.05, foreach=False)
    run(ours, theirs, steps=range(100))
    assert_same(ours, theirs)


# --- What it is for ---------------------------------------------------------------------------------


def test_factors_give_back_a_second_moment_of_rank_one():
    # Rows of g² that are multiples of one another: the product of the factors is exact.
    rows, columns = random(6, 1).abs(), random(1, 4, seed=1).abs()
    w = torch.zeros(6, 4, dtype=torch.float64, requires_grad=True)
    optimizer = Adafactor([w], eps=(0.0, 1e-3))
    moment = torch.zeros(6, 4, dtype=torch.float64)
    for t in range(1, 20):
        w.grad = (0.5 + math.sin(t) ** 2) * (rows * columns).sqrt()
        optimizer.step()
        moment.lerp_(w.grad**2, t**-0.8)
        R, C = optimizer.state[w]["row_var"], optimizer.state[w]["col_var"]
        torch.testing.assert_close(R * C / R.mean(), moment)


def test_factors_give_back_the_row_and_column_means_of_any_second_moment():
    w = torch.zeros(6, 4, dtype=torch.float64, requires_grad=True)
    optimizer = Adafactor([w])
    moment = torch.zeros(6, 4, dtype=torch.float64)
    for t in range(1, 20):
        w.grad = random(6, 4, seed=t)
        optimizer.step()
        moment.lerp_(w.grad**2, t**-0.8)
    R, C = optimizer.state[w]["row_var"], optimizer.state[w]["col_var"]
    estimate = R * C / R.mean()
    torch.testing.assert_close(estimate.mean(1), moment.mean(1))
    torch.testing.assert_close(estimate.mean(0), moment.mean(0))
    assert not torch.allclose(estimate, moment, rtol=0.1)  # but not the moment itself


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_step_is_relative_to_the_size_of_the_parameter(scale):
    w = torch.full((3, 4), 2.0 * scale, dtype=torch.float64, requires_grad=True)
    optimizer = Adafactor([w], lr=0.01, eps=(None, 0.0))
    w.grad = torch.full((3, 4), 5.0, dtype=torch.float64)
    optimizer.step()
    torch.testing.assert_close(w.detach(), torch.full((3, 4), 1.98 * scale, dtype=torch.float64))


# --- Where torch differs ----------------------------------------------------------------------------


def test_empty_parameter_is_left_alone():
    p, q = (torch.zeros(0, 3, requires_grad=True) for _ in range(2))
    p.grad, q.grad = torch.zeros(0, 3), torch.zeros(0, 3)
    Adafactor([p]).step()
    with pytest.raises(ZeroDivisionError):
        torch.optim.Adafactor([q], foreach=False).step()


def test_each_type_has_its_own_eps():
    def step(make, *dtypes):
        params = [torch.ones(3, dtype=dtype, requires_grad=True) for dtype in dtypes]
        for p in params:
            p.grad = torch.full_like(p, 1e-6)
        make(params).step()
        return params[-1]

    alone = step(Adafactor, torch.float64)
    assert torch.equal(alone, step(torch.optim.Adafactor, torch.float64))
    assert torch.equal(alone, step(Adafactor, torch.bfloat16, torch.float64))
    assert not torch.equal(alone, step(torch.optim.Adafactor, torch.bfloat16, torch.float64))


# --- Refusals ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beta2_decay": 0.1}, "beta2_decay must be <= 0, got 0.1"),
        ({"eps": (-1e-8, 1e-3)}, "eps must be >= 0, got (-1e-08, 0.001)"),
        ({"eps": (None, -1)}, "eps must be >= 0, got (None, -1)"),
        ({"d": 0.5}, "d must be >= 1, got 0.5"),
        ({"d": math.nan}, "d must be >= 1, got nan"),
    ],
)
def test_refuses(assert_refuses, options, message):
    assert_refuses(Adafactor, options, message)
