"""Adadelta: equal to torch bit for bit, and to its formula written out once more."""

import math
from itertools import product

import pytest
import torch

from trainloop.optim import Adadelta

GRID = [
    {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
    for lr, rho, eps, weight_decay, maximize in product(
        (0.5,), (0.9, 0.5, 0.0, 1.0), (1e-6, 1e-3), (0, 1e-2), (False, True)
    )
]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_equals_torch(assert_parity, dtype):
    assert_parity(Adadelta, torch.optim.Adadelta, GRID, dtype)


def by_hand(w, slopes, lr, rho, eps, weight_decay, maximize):
    """The class's formulas, on one number, in plain Python."""
    v = u = 0.0
    for slope in slopes:
        g = (-slope if maximize else slope) + weight_decay * w
        v = rho * v + (1 - rho) * g**2
        d = math.sqrt(u + eps) / math.sqrt(v + eps) * g
        u = rho * u + (1 - rho) * d**2
        w = w - lr * d
    return w


@pytest.mark.parametrize("options", GRID, ids=str)
def test_follows_its_formula(options):
    # Gradients of the size of the root of the larger eps, so that its place in the formula shows.
    slopes = [0.02 * math.sin(3 * t) + 0.004 for t in range(50)]
    w = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    optimizer = Adadelta([w], **options)
    for slope in slopes:
        w.grad = torch.tensor(slope, dtype=torch.float64)
        optimizer.step()
    assert w.item() == pytest.approx(by_hand(1.5, slopes, **options), rel=1e-11)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": -0.1}, "lr must be >= 0, got -0.1"),
        ({"eps": -1e-8}, "eps must be >= 0, got -1e-08"),
        ({"weight_decay": -1}, "weight_decay must be >= 0, got -1"),
        ({"rho": -0.1}, "rho must be in [0, 1], got -0.1"),
        ({"rho": 1.1}, "rho must be in [0, 1], got 1.1"),
        ({"rho": math.nan}, "rho must be in [0, 1], got nan"),
    ],
)
def test_refuses(options, message):
    w = torch.zeros(2, requires_grad=True)
    for make in (lambda: Adadelta([w], **options), lambda: Adadelta([{"params": [w], **options}])):
        with pytest.raises(ValueError) as error:
            make()
        assert str(error.value) == message


@pytest.mark.parametrize("slope", [-1e3, 1.0, 1e3])
def test_eps_sets_the_length_of_the_first_step(slope):
    w = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = Adadelta([w])
    w.grad = torch.tensor(slope, dtype=torch.float64)
    optimizer.step()
    assert w.item() == pytest.approx(-math.copysign(math.sqrt(1e-6 / 0.1), slope), rel=1e-4)


def test_without_eps_nothing_moves():
    w = torch.ones((), dtype=torch.float64, requires_grad=True)
    optimizer = Adadelta([w], eps=0.0)
    for _ in range(10):
        w.grad = torch.ones((), dtype=torch.float64)
        optimizer.step()
    assert w.item() == 1.0


def test_endless_memory_is_gradient_descent():
    # With rho = 1 both averages stay 0, and the two roots cancel.
    w = torch.ones((), dtype=torch.float64, requires_grad=True)
    optimizer = Adadelta([w], lr=0.1, rho=1.0)
    w.grad = torch.tensor(3.0, dtype=torch.float64)
    optimizer.step()
    assert w.item() == pytest.approx(0.7)
