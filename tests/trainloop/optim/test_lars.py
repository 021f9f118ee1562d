"""LARS: equal to the paper's form at a constant rate, and to SGD without the ratio."""

import math
from itertools import product

import pytest
import torch

from trainloop.optim import LARS

START = [1.5, -0.5, 0.25]
SLOPES = [[0.02 * math.sin(3 * t + i) + 0.004 for i in range(3)] for t in range(1, 121)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trust_coefficient": -1}, "trust_coefficient must be >= 0, got -1"),
        ({"momentum": 0, "nesterov": True}, "nesterov needs momentum > 0, got 0"),
    ],
)
def test_refuses(assert_refuses, options, message):
    assert_refuses(LARS, options, message)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_without_the_ratio_it_is_sgd_bit_for_bit(assert_parity, dtype):
    def plain(groups, **options):
        return LARS([{"adapt": False, **group} for group in groups], **options)

    options = [
        {"lr": lr, "momentum": momentum, "weight_decay": decay, "nesterov": nesterov, "maximize": maximize}
        for lr, momentum, decay, nesterov, maximize in product(
            (1e-3, 0.1), (0, 0.9), (0, 0.1), (False, True), (False, True)
        )
        if momentum or not nesterov
    ]
    assert_parity(plain, torch.optim.SGD, options, dtype)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_first_step_is_the_trusted_share_whatever_the_gradient(scale):
    torch.manual_seed(0)
    w = torch.randn(20, 5, dtype=torch.float64, requires_grad=True)
    start = w.detach().clone()
    w.grad = scale * torch.randn_like(start)
    LARS([w], lr=2.0, trust_coefficient=0.01).step()
    assert ((w - start).norm() / start.norm()).item() == pytest.approx(2.0 * 0.01)


def test_ratio_is_1_where_the_weights_or_the_denominator_are_0(walk):
    assert walk(LARS, [[1.0, 1.0]], [0.0, 0.0], lr=0.5).end == [-0.5, -0.5]
    assert walk(LARS, [[0.0, 0.0]], [1.0, 1.0], lr=0.5).end == [1.0, 1.0]


def test_weights_without_a_gradient_still_decay_by_the_formula(walk):
    # The denominator is λ‖θ‖: r = τ / λ, and the step is lr · τ · θ.
    end = walk(LARS, [[0.0, 0.0]], [8.0, 8.0], lr=1.0, weight_decay=0.25, trust_coefficient=0.125).end
    assert end == [7.0, 7.0]


def papers_form(rates, momentum=0.9, decay=0.1, trust=0.05):
    """Algorithm 1 of the paper: the learning rate inside the buffer."""
    w, b = list(START), [0.0] * 3
    for g, lr in zip(SLOPES, rates, strict=False):
        size = math.hypot(*w)
        rate = lr * trust * size / (math.hypot(*g) + decay * size)
        b = [momentum * b_i + rate * (g_i + decay * w_i) for b_i, g_i, w_i in zip(b, g, w, strict=True)]
        w = [w_i - b_i for w_i, b_i in zip(w, b, strict=True)]
    return w


@pytest.mark.parametrize(("end_rate", "same"), [(0.1, True), (0.001, False)])
def test_agrees_with_the_paper_while_the_rate_is_constant(end_rate, same):
    rates = [0.1] * 30 + [end_rate] * 5
    w = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    optimizer = LARS([w], weight_decay=0.1, trust_coefficient=0.05)
    for g, lr in zip(SLOPES, rates, strict=False):
        optimizer.param_groups[0]["lr"] = lr
        w.grad = torch.tensor(g, dtype=torch.float64)
        optimizer.step()
    assert (w.tolist() == pytest.approx(papers_form(rates), rel=1e-10)) is same
