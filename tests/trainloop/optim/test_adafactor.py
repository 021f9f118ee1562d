"""Adafactor: equal to torch bit for bit, and to its formula written out once more."""

import math
from itertools import product

import pytest
import torch

from trainloop.optim import Adafactor

GRID = [
    {"lr": lr, "beta2_decay": decay, "eps": eps, "d": d, "weight_decay": weight_decay, "maximize": maximize}
    for lr, decay, eps, d, (weight_decay, maximize) in product(
        (1e-2, 0.5), (-0.8, -0.3), ((None, 1e-3), (1e-2, 0.1)), (1.0, 2.0), ((0, False), (1e-2, True))
    )
]


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


def rms(numbers):
    return math.sqrt(sum(x**2 for x in numbers) / len(numbers))


def by_hand(w, gradients, lr, beta2_decay, eps, d, weight_decay, maximize):
    """The class's formulas, on a matrix as a list of rows, or a vector as a list of numbers."""
    is_matrix = isinstance(w[0], list)
    rows, columns = len(w), len(w[0]) if is_matrix else 1
    cells = [(i, j) for i in range(rows) for j in range(columns)]
    w = {(i, j): w[i][j] if is_matrix else w[i] for i, j in cells}
    eps1 = torch.finfo(torch.float64).eps if eps[0] is None else eps[0]
    R, C, V = [0.0] * rows, [0.0] * columns, dict.fromkeys(cells, 0.0)
    for t, gradient in enumerate(gradients, start=1):
        sign = -1 if maximize else 1
        g = {(i, j): sign * (gradient[i][j] if is_matrix else gradient[i]) for i, j in cells}
        beta2 = 1 - t**beta2_decay
        alpha = max(eps[1], rms(list(w.values()))) * min(lr, 1 / math.sqrt(t))
        if is_matrix:
            R = [beta2 * R[i] + (1 - beta2) * sum(g[i, j] ** 2 for j in range(columns)) / columns for i in range(rows)]
            C = [beta2 * C[j] + (1 - beta2) * sum(g[i, j] ** 2 for i in range(rows)) / rows for j in range(columns)]
            V = {(i, j): R[i] * C[j] / max(sum(R) / rows, eps1) for i, j in cells}
        else:
            V = {cell: beta2 * V[cell] + (1 - beta2) * g[cell] ** 2 for cell in cells}
        u = {cell: g[cell] / max(math.sqrt(V[cell]), eps1) for cell in cells}
        shrink = max(1, rms(list(u.values())) / d)
        w = {cell: (1 - lr * weight_decay) * w[cell] - alpha * u[cell] / shrink for cell in cells}
    return list(w.values())


@pytest.mark.parametrize("shape", [(3, 4), (5,)])
def test_follows_its_formula(shape):
    for options in GRID:
        # Gradients of the size of the larger eps, so that its places in the formula show.
        gradients = [0.02 * random(*shape, seed=t) for t in range(30)]
        w = random(*shape, seed=99).requires_grad_()
        start = w.tolist()
        optimizer = Adafactor([w], **options)
        for gradient in gradients:
            w.grad = gradient
            optimizer.step()
        expected = by_hand(start, [g.tolist() for g in gradients], **options)
        assert w.flatten().tolist() == pytest.approx(expected, rel=1e-10, abs=1e-12), options


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
