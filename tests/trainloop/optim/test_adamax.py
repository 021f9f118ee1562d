"""Adamax: equal to torch bit for bit, and to its formula written out once more."""

import math
from itertools import product

import pytest
import torch

from trainloop.optim import Adamax

GRID = [
    {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
    for lr, betas, eps, weight_decay, maximize in product(
        (0.1,), ((0.9, 0.999), (0.5, 0.9), (0.0, 0.0)), (1e-8, 1e-2), (0, 1e-2), (False, True)
    )
]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_equals_torch(assert_parity, dtype):
    assert_parity(Adamax, torch.optim.Adamax, GRID, dtype)


def by_hand(w, slopes, lr, betas, eps, weight_decay, maximize):
    """The class's formulas, on one number, in plain Python."""
    beta1, beta2 = betas
    m = u = 0.0
    for t, slope in enumerate(slopes, start=1):
        g = (-slope if maximize else slope) + weight_decay * w
        m = beta1 * m + (1 - beta1) * g
        u = max(beta2 * u, abs(g) + eps)
        w = w - lr * m / (1 - beta1**t) / u
    return w


@pytest.mark.parametrize("options", GRID, ids=str)
def test_follows_its_formula(options):
    # Gradients of the size of the larger eps, so that its place in the formula shows.
    slopes = [0.02 * math.sin(3 * t) + 0.004 for t in range(50)]
    w = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    optimizer = Adamax([w], **options)
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
        ({"betas": (1.0, 0.999)}, "betas must be in [0, 1), got (1.0, 0.999)"),
        ({"betas": (0.9, -0.1)}, "betas must be in [0, 1), got (0.9, -0.1)"),
        ({"betas": (0.9, 0.9, 0.9)}, "betas must be 2 numbers in [0, 1), got (0.9, 0.9, 0.9)"),
        ({"betas": 0.9}, "betas must be 2 numbers in [0, 1), got 0.9"),
    ],
)
def test_refuses(options, message):
    w = torch.zeros(2, requires_grad=True)
    for make in (lambda: Adamax([w], **options), lambda: Adamax([{"params": [w], **options}])):
        with pytest.raises(ValueError) as error:
            make()
        assert str(error.value) == message


@pytest.mark.parametrize("slope", [-1e3, -1.0, 1e-3, 1e3])
def test_first_step_is_lr_long(slope):
    w = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = Adamax([w], lr=0.1)
    w.grad = torch.tensor(slope, dtype=torch.float64)
    optimizer.step()
    assert w.item() == pytest.approx(-math.copysign(0.1, slope), rel=1e-4)


def test_norm_jumps_at_a_large_gradient_and_fades_after():
    w = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = Adamax([w], betas=(0.9, 0.5), eps=0.0)
    norms = []
    for slope in (1.0, -8.0, 0.0, 0.0, 3.0):
        w.grad = torch.tensor(slope, dtype=torch.float64)
        optimizer.step()
        norms.append(optimizer.state[w]["exp_inf"].item())
    assert norms == [1.0, 8.0, 4.0, 2.0, 3.0]


def test_non_finite_gradient_spreads_as_with_torch():
    ends = []
    for make in (Adamax, torch.optim.Adamax):
        w = torch.ones(3, dtype=torch.float64, requires_grad=True)
        optimizer = make([w])
        for slopes in ([1.0, math.nan, math.inf], [1.0, 1.0, 1.0]):
            w.grad = torch.tensor(slopes, dtype=torch.float64)
            optimizer.step()
        ends.append((w.detach(), optimizer.state[w]["exp_inf"]))
    for ours, theirs in zip(*ends, strict=True):
        assert torch.equal(ours.isnan(), theirs.isnan())
        assert torch.equal(ours.nan_to_num(), theirs.nan_to_num())
        assert ours[1].isnan()
