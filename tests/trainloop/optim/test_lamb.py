"""LAMB: equal to its formula written out once more, and the edge cases of its ratio."""

import math
from itertools import product

import pytest
import torch

from trainloop.optim import LAMB, AdamW

GRID = [
    {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "adapt": adapt, "maximize": maximize}
    for lr, betas, eps, weight_decay, adapt, maximize in product(
        (1e-3, 0.05), ((0.9, 0.999), (0.5, 0.9)), (1e-6, 1e-2), (0, 0.1), (False, True), (False, True)
    )
]
START = [1.5, -0.5, 0.25]


def slopes_at(t):
    return [0.02 * math.sin(3 * t + i) + 0.004 for i in range(3)]


def by_hand(steps, lr, betas, eps, weight_decay, adapt, maximize):
    """The class's formulas, on a layer of three weights, in plain Python."""
    beta1, beta2 = betas
    w, m, v = list(START), [0.0] * 3, [0.0] * 3
    for t in range(1, steps + 1):
        g = [-x if maximize else x for x in slopes_at(t)]
        m = [beta1 * a + (1 - beta1) * x for a, x in zip(m, g, strict=True)]
        v = [beta2 * a + (1 - beta2) * x**2 for a, x in zip(v, g, strict=True)]
        u = []
        for w_i, m_i, v_i in zip(w, m, v, strict=True):
            m_hat, v_hat = m_i / (1 - beta1**t), v_i / (1 - beta2**t)
            u.append(m_hat / (math.sqrt(v_hat) + eps) + weight_decay * w_i)
        ratio = math.hypot(*w) / math.hypot(*u) if adapt else 1.0
        w = [w_i - lr * ratio * u_i for w_i, u_i in zip(w, u, strict=True)]
    return w


@pytest.mark.parametrize("options", GRID, ids=str)
def test_follows_its_formula(options):
    w = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    optimizer = LAMB([w], **options)
    for t in range(1, 121):
        w.grad = torch.tensor(slopes_at(t), dtype=torch.float64)
        optimizer.step()
    assert w.tolist() == pytest.approx(by_hand(120, **options), rel=1e-10)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": -0.1}, "lr must be >= 0, got -0.1"),
        ({"eps": -1e-8}, "eps must be >= 0, got -1e-08"),
        ({"weight_decay": -1}, "weight_decay must be >= 0, got -1"),
        ({"betas": (1.0, 0.999)}, "betas must be in [0, 1), got (1.0, 0.999)"),
    ],
)
def test_refuses(options, message):
    w = torch.zeros(2, requires_grad=True)
    for make in (lambda: LAMB([w], **options), lambda: LAMB([{"params": [w], **options}])):
        with pytest.raises(ValueError) as error:
            make()
        assert str(error.value) == message


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_each_tensor_moves_by_the_share_lr_of_its_length(scale, weight_decay):
    torch.manual_seed(0)
    layers = [scale * torch.randn(30, 10, dtype=torch.float64), torch.randn(7, dtype=torch.float64) / scale]
    layers = [w.requires_grad_() for w in layers]
    before = [w.detach().clone() for w in layers]
    optimizer = LAMB(layers, lr=0.02, weight_decay=weight_decay)
    for w in layers:
        w.grad = torch.randn_like(w)
    optimizer.step()
    for w, start in zip(layers, before, strict=True):
        assert ((w - start).norm() / start.norm()).item() == pytest.approx(0.02)


def test_decay_joins_before_the_norm():
    # m̂ / √v̂ is 1 in the first step, so u = (1 + λ · 3, 1 + λ · 4). Added after the norm, λθ would stretch the step.
    w = torch.tensor([3.0, 4.0], dtype=torch.float64, requires_grad=True)
    w.grad = torch.ones(2, dtype=torch.float64)
    LAMB([w], lr=0.1, eps=0.0, weight_decay=0.5).step()
    u = [1 + 0.5 * 3, 1 + 0.5 * 4]
    ratio = 5 / math.hypot(*u)
    assert w.tolist() == pytest.approx([3 - 0.1 * ratio * u[0], 4 - 0.1 * ratio * u[1]])


def test_ratio_is_1_where_a_norm_is_0():
    zeros = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    still = torch.ones(2, dtype=torch.float64, requires_grad=True)
    zeros.grad = torch.ones(2, dtype=torch.float64)
    still.grad = torch.zeros(2, dtype=torch.float64)
    LAMB([zeros, still], lr=0.1, weight_decay=0.0).step()
    assert zeros.tolist() == pytest.approx([-0.1, -0.1], rel=1e-5)  # Adam's first step: without it, never off 0
    assert still.tolist() == [1.0, 1.0]


def test_group_without_ratio_makes_the_steps_of_adamw(params, clone_params, run):
    options = {"lr": 0.01, "eps": 1e-6, "weight_decay": 0.1}
    ours, theirs = LAMB(params, adapt=False, **options), AdamW(clone_params(params), **options)
    run(ours, theirs, steps=range(60))
    for p, q in zip(params, theirs.param_groups[0]["params"], strict=True):
        # Equal but for the order of operations: LAMB decays and moves in one addition.
        torch.testing.assert_close(p, q, rtol=1e-10, atol=1e-12)


def test_large_ratio_is_not_clamped():
    # The paper's first version took at most 10 for ‖θ‖, and some implementations still do.
    w = torch.full((4,), 500.0, dtype=torch.float64, requires_grad=True)  # 1000 long
    w.grad = torch.ones(4, dtype=torch.float64)
    LAMB([w], lr=0.1, weight_decay=0.0).step()
    assert w.tolist() == pytest.approx([450.0] * 4)
