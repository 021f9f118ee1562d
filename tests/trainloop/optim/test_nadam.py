"""NAdam: equal to torch bit for bit. That it follows its formula: test_formulas.py."""

import copy
import math

import pytest
import torch
from formulas.nadam import GRID

from trainloop.optim import NAdam


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_equals_torch(assert_parity, dtype):
    assert_parity(NAdam, torch.optim.NAdam, GRID, dtype)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"momentum_decay": -1}, "momentum_decay must be >= 0, got -1"),
    ],
)
def test_refuses(assert_refuses, options, message):
    assert_refuses(NAdam, options, message)


@pytest.mark.parametrize("slope", [-1e3, -1.0, 1e-3, 1e3])
def test_first_step_is_a_little_longer_than_lr(walk, slope):
    assert walk(NAdam, [slope], lr=0.1).end == pytest.approx(-math.copysign(0.1056, slope), rel=1e-3)


def test_momentum_warms_up_from_half_to_the_whole():
    w = torch.zeros((), requires_grad=True)
    optimizer = NAdam([w], betas=(0.8, 0.999))

    def mu(t):
        return optimizer.at_step({"step": t, "mu_product": 1.0}, optimizer.param_groups[0])["mu_product"]

    assert mu(1) == pytest.approx(0.4, rel=1e-3)
    assert mu(4245) == pytest.approx(0.6, rel=1e-3)
    assert mu(10**6) == pytest.approx(0.8)


def test_resumed_torch_departs_by_rounding_alone(params, clone_params, run):
    # In float64 torch multiplies mu_product in float64 after loading, and in float32 before. We do
    # the latter at all times, so the two agree to float32's rounding of that one number.
    ours = NAdam(params, lr=0.1)
    run(ours, steps=range(10))
    theirs = torch.optim.NAdam(clone_params(params), foreach=False)
    theirs.load_state_dict(copy.deepcopy(ours.state_dict()))
    run(ours, theirs, steps=range(10, 100))
    for p, q in zip(params, theirs.param_groups[0]["params"], strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=1e-6)
