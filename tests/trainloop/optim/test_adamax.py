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
def test_follows_its_formula(assert_follows, options):
    assert_follows(Adamax, by_hand, options)


@pytest.mark.parametrize("slope", [-1e3, -1.0, 1e-3, 1e3])
def test_first_step_is_lr_long(walk, slope):
    assert walk(Adamax, [slope], lr=0.1).end == pytest.approx(-math.copysign(0.1, slope), rel=1e-4)


def test_norm_jumps_at_a_large_gradient_and_fades_after(walk):
    slopes = (1.0, -8.0, 0.0, 0.0, 3.0)
    norms = [walk(Adamax, slopes[:t], betas=(0.9, 0.5), eps=0.0).state["exp_inf"].item() for t in range(1, 6)]
    assert norms == [1.0, 8.0, 4.0, 2.0, 3.0]


def test_non_finite_gradient_stays_in_the_norm_as_with_torch(walk):
    slopes = [[1.0, math.nan, math.inf], [1.0, 1.0, 1.0]]
    ours, theirs = (walk(make, slopes, [1.0, 1.0, 1.0]).state["exp_inf"] for make in (Adamax, torch.optim.Adamax))
    assert ours[1].isnan() and ours[2].isinf()
    assert torch.equal(ours.nan_to_num(), theirs.nan_to_num())
    assert torch.equal(ours.isnan(), theirs.isnan())
