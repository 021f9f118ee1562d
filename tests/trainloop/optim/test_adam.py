"""Adam: equal to torch bit for bit. That it follows its formula: test_formulas.py."""

import copy
import math

import pytest
import torch
from formulas.adam import GRID

from trainloop.optim import Adam


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_equals_torch(assert_parity, dtype):
    assert_parity(Adam, torch.optim.Adam, GRID, dtype)


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
