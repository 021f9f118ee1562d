"""Lion: equal to its plain tensor form bit for bit."""

import math

import pytest
import torch
from formulas.lion import GRID

from trainloop.optim import Lion


class Plain(torch.optim.Optimizer):
    """The rule out of place, one tensor at a time, with torch's interpolation: what a reader would write."""

    def __init__(self, params, lr=1e-4, betas=(0.9, 0.99), weight_decay=0, maximize=False, foreach=False):
        options = {"lr": lr, "betas": betas, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, options)

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            (beta1, beta2), lr = group["betas"], group["lr"]
            for p in (p for p in group["params"] if p.grad is not None):
                g = -p.grad if group["maximize"] else p.grad
                m = self.state[p].setdefault("exp_avg", torch.zeros_like(p))
                if group["weight_decay"]:
                    p.copy_(p * (1 - lr * group["weight_decay"]))
                p.copy_(torch.add(p, torch.lerp(m, g, 1 - beta1).sign(), alpha=-lr))
                self.state[p]["exp_avg"] = torch.lerp(m, g, 1 - beta2)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_equals_the_plain_form_bit_for_bit(assert_parity, dtype):
    assert_parity(Lion, Plain, GRID, dtype)


def test_every_step_is_lr_long_whatever_the_gradient(walk):
    assert walk(Lion, [[1e-30, -1e30, 0.0]], [0.0] * 3, lr=0.25).end == [-0.25, 0.25, 0.0]


def test_decay_is_decoupled(walk):
    # Decay that is added to the gradient changes a sign at most: with no gradient, both weights would move by lr.
    end = walk(Lion, [[0.0, 0.0]], [1.0, 100.0], lr=0.1, weight_decay=0.1).end
    assert end == pytest.approx([0.99, 99.0])


def test_newest_gradient_weighs_more_in_the_step_than_in_the_memory(walk):
    # m = 1 · 0.5; then g = −0.6: the step sees 0.2 · 0.5 − 0.8 · 0.6 < 0, the memory 0.5 · 0.5 − 0.5 · 0.6 < 0.
    # With β₁ = 0.8 the step sees 0.8 · 0.5 − 0.2 · 0.6 > 0, though the memory turns negative.
    for beta1, second in ((0.2, 1.0), (0.8, -1.0)):
        walked = walk(Lion, [1.0, -0.6], lr=1.0, betas=(beta1, 0.5))
        assert walked.places == [-1.0, -1.0 + second]
        assert walked.state["exp_avg"].item() == pytest.approx(-0.05)


def test_a_nan_gradient_stops_its_weight_for_good(walk):
    assert walk(Lion, [[slope, 1.0] for slope in (math.nan, 1.0, 1.0)], [0.0, 0.0], lr=0.25).end == [0.0, -0.75]
