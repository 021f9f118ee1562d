"""Lion: equal to its plain tensor form bit for bit, and to its formula written out once more."""

import math
from itertools import product

import pytest
import torch

from trainloop.optim import Lion

GRID = [
    {"lr": lr, "betas": betas, "weight_decay": weight_decay, "maximize": maximize}
    for lr, betas, weight_decay, maximize in product(
        (1e-3, 0.1), ((0.9, 0.99), (0.5, 0.9), (0.0, 0.0)), (0, 0.3), (False, True)
    )
]


def by_hand(w, slopes, lr, betas, weight_decay, maximize):
    """The class's formulas, on one number, in plain Python."""
    beta1, beta2 = betas
    m = 0.0
    for slope in slopes:
        g = -slope if maximize else slope
        blend = beta1 * m + (1 - beta1) * g
        u = math.copysign(1.0, blend) if blend != 0 else 0.0
        w = (1 - lr * weight_decay) * w - lr * u
        m = beta2 * m + (1 - beta2) * g
    return w


@pytest.mark.parametrize("options", GRID, ids=str)
def test_follows_its_formula(options):
    slopes = [math.sin(3 * t) + 0.1 for t in range(120)]
    w = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    optimizer = Lion([w], **options)
    for slope in slopes:
        w.grad = torch.tensor(slope, dtype=torch.float64)
        optimizer.step()
    assert w.item() == pytest.approx(by_hand(1.5, slopes, **options), rel=1e-12)


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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": -0.1}, "lr must be >= 0, got -0.1"),
        ({"weight_decay": -1}, "weight_decay must be >= 0, got -1"),
        ({"betas": (1.0, 0.99)}, "betas must be in [0, 1), got (1.0, 0.99)"),
        ({"betas": (0.9, math.nan)}, "betas must be in [0, 1), got (0.9, nan)"),
    ],
)
def test_refuses(options, message):
    w = torch.zeros(2, requires_grad=True)
    for make in (lambda: Lion([w], **options), lambda: Lion([{"params": [w], **options}])):
        with pytest.raises(ValueError) as error:
            make()
        assert str(error.value) == message


def test_every_step_is_lr_long_whatever_the_gradient():
    w = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimizer = Lion([w], lr=0.25)
    w.grad = torch.tensor([1e-30, -1e30, 0.0], dtype=torch.float64)
    optimizer.step()
    assert w.tolist() == [-0.25, 0.25, 0.0]


def test_decay_is_decoupled():
    # Decay that is added to the gradient changes a sign at most: with no gradient, both weights would move by lr.
    w = torch.tensor([1.0, 100.0], dtype=torch.float64, requires_grad=True)
    optimizer = Lion([w], lr=0.1, weight_decay=0.1)
    w.grad = torch.zeros(2, dtype=torch.float64)
    optimizer.step()
    assert w.tolist() == pytest.approx([0.99, 99.0])


def test_newest_gradient_weighs_more_in_the_step_than_in_the_memory():
    # m = 1 · 0.5; then g = −0.6: the step sees 0.2 · 0.5 − 0.8 · 0.6 < 0, the memory 0.5 · 0.5 − 0.5 · 0.6 < 0.
    # With β₁ = 0.8 the step sees 0.8 · 0.5 − 0.2 · 0.6 > 0, though the memory turns negative.
    for beta1, second in ((0.2, 1.0), (0.8, -1.0)):
        w = torch.zeros((), dtype=torch.float64, requires_grad=True)
        optimizer = Lion([w], lr=1.0, betas=(beta1, 0.5))
        positions = []
        for slope in (1.0, -0.6):
            w.grad = torch.tensor(slope, dtype=torch.float64)
            optimizer.step()
            positions.append(w.item())
        assert positions == [-1.0, -1.0 + second]
        assert optimizer.state[w]["exp_avg"].item() == pytest.approx(-0.05)


def test_a_nan_gradient_stops_its_weight_for_good():
    w = torch.zeros(2, requires_grad=True)
    optimizer = Lion([w], lr=0.25)
    for slope in (torch.nan, 1.0, 1.0):
        w.grad = torch.tensor([slope, 1.0])
        optimizer.step()
    assert w.tolist() == [0.0, -0.75]
