"""LAMB: the edge cases of its ratio, and AdamW without it."""

import math

import pytest
import torch

from trainloop.optim import LAMB, AdamW


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


def test_decay_joins_before_the_norm(walk):
    # m̂ / √v̂ is 1 in the first step, so u = (1 + λ · 3, 1 + λ · 4). Added after the norm, λθ would stretch the step.
    end = walk(LAMB, [[1.0, 1.0]], [3.0, 4.0], lr=0.1, eps=0.0, weight_decay=0.5).end
    u = [1 + 0.5 * 3, 1 + 0.5 * 4]
    ratio = 5 / math.hypot(*u)
    assert end == pytest.approx([3 - 0.1 * ratio * u[0], 4 - 0.1 * ratio * u[1]])


def test_ratio_is_1_where_a_norm_is_0(walk):
    # The first step is Adam's there. With a ratio of 0, weights that start at 0 would never leave it.
    assert walk(LAMB, [[1.0, 1.0]], [0.0, 0.0], lr=0.1, weight_decay=0.0).end == pytest.approx([-0.1, -0.1], rel=1e-5)
    assert walk(LAMB, [[0.0, 0.0]], [1.0, 1.0], lr=0.1, weight_decay=0.0).end == [1.0, 1.0]


def test_group_without_ratio_makes_the_steps_of_adamw(params, clone_params, run):
    options = {"lr": 0.01, "eps": 1e-6, "weight_decay": 0.1}
    ours, theirs = LAMB(params, adapt=False, **options), AdamW(clone_params(params), **options)
    run(ours, theirs, steps=range(60))
    for p, q in zip(params, theirs.param_groups[0]["params"], strict=True):
        # Equal but for the order of operations: LAMB decays and moves in one addition.
        torch.testing.assert_close(p, q, rtol=1e-10, atol=1e-12)


def test_large_ratio_is_not_clamped(walk):
    # The paper's first version took at most 10 for ‖θ‖, and some implementations still do. Here it is 1000.
    end = walk(LAMB, [[1.0] * 4], [500.0] * 4, lr=0.1, weight_decay=0.0).end
    assert end == pytest.approx([450.0] * 4)
