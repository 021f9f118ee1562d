"""Adam: equal to torch bit for bit, and to its formula written out once more."""

import copy
import math
from itertools import product

import pytest
import torch

from trainloop.optim import Adam

GRID = [
    {
        "lr": lr,
        "betas": betas,
        "eps": eps,
        "weight_decay": weight_decay,
        "amsgrad": amsgrad,
        "maximize": maximize,
    }
    for lr, betas, eps, weight_decay, amsgrad, maximize in product(
        (0.1,),
        ((0.9, 0.999), (0.5, 0.9), (0.0, 0.0)),
        (1e-8, 1e-2),
        (0, 1e-2),
        (False, True),
        (False, True),
    )
]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_equals_torch(assert_parity, dtype):
    assert_parity(Adam, torch.optim.Adam, GRID, dtype)


def by_hand(w, slopes, lr, betas, eps, weight_decay, amsgrad, maximize):
    """The class's formulas, on one number, in plain Python."""
    beta1, beta2 = betas
    m = v = largest = 0.0
    for t, slope in enumerate(slopes, start=1):
        g = (-slope if maximize else slope) + weight_decay * w
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        largest = max(largest, v)
        m_hat = m / (1 - beta1**t)
        v_hat = (largest if amsgrad else v) / (1 - beta2**t)
        w = w - lr * m_hat / (math.sqrt(v_hat) + eps)
    return w


@pytest.mark.parametrize("options", GRID, ids=str)
def test_follows_its_formula(assert_follows, options):
    assert_follows(Adam, by_hand, options)


@pytest.mark.parametrize("slope", [-1e3, -1.0, 1e-3, 1e3])
def test_first_step_is_lr_long(walk, slope):
    assert walk(Adam, [slope], lr=0.1).end == pytest.approx(-math.copysign(0.1, slope), rel=1e-4)


def test_weight_decay_is_rescaled_like_any_gradient(walk):
    # L2 through Adam takes lr from a small and from a large weight alike; decoupled decay would not.
    end = walk(Adam, [[0.0, 0.0]], [1.0, 100.0], lr=0.1, weight_decay=0.1).end
    assert end == pytest.approx([0.9, 99.9])


def test_refuses_the_state_of_adamw(params, run):
    theirs = torch.optim.AdamW(params, lr=0.1)
    run(theirs, steps=range(2))
    saved = copy.deepcopy(theirs.state_dict())
    optimizer = Adam(params, lr=0.3)
    with pytest.raises(ValueError, match="decoupled_weight_decay must be False, got True"):
        optimizer.load_state_dict(saved)
    assert optimizer.param_groups[0]["lr"] == 0.3  # nothing was loaded
    assert not optimizer.state


def test_refuses_a_group_of_adamw(params):
    with pytest.raises(ValueError, match="decoupled_weight_decay must be False, got True: that rule is AdamW"):
        Adam([{"params": params, "decoupled_weight_decay": True}])
