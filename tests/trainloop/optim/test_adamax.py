"""Adamax: equal to torch bit for bit. That it follows its formula: test_formulas.py."""

import math

import pytest
import torch
from formulas.adamax import GRID

from trainloop.optim import Adamax


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_equals_torch(assert_parity, dtype):
    assert_parity(Adamax, torch.optim.Adamax, GRID, dtype)


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
