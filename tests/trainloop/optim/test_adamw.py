"""AdamW: equal to torch bit for bit. That it follows its formula: test_formulas.py."""

import copy
import math

import pytest
import torch
from formulas.adamw import GRID

from trainloop.optim import AdamW


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_equals_torch(assert_parity, dtype):
    assert_parity(AdamW, torch.optim.AdamW, GRID, dtype)


@pytest.mark.parametrize("slope", [-1e3, -1.0, 1e-3, 1e3])
def test_first_step_is_lr_long(walk, slope):
    assert walk(AdamW, [slope], lr=0.1).end == pytest.approx(-math.copysign(0.1, slope), rel=1e-4)


def test_decay_takes_the_same_share_of_every_weight(walk):
    # L2 through Adam takes lr from a small and from a large weight alike: [0.9, 99.9].
    end = walk(AdamW, [[0.0, 0.0]], [1.0, 100.0], lr=0.1, weight_decay=0.1).end
    assert end == pytest.approx([0.99, 99.0])


@pytest.mark.parametrize("maximize", [False, True])
def test_decay_stays_out_of_the_averages(params, clone_params, run, maximize):
    decayed, free = (AdamW(clone_params(params), weight_decay=decay, maximize=maximize) for decay in (0.5, 0.0))
    run(decayed, free, steps=range(20))
    pairs = zip(decayed.param_groups[0]["params"], free.param_groups[0]["params"], strict=True)
    for p, q in pairs:
        for name in free.state.get(q, {}):
            assert torch.equal(decayed.state[p][name], free.state[q][name])


def test_without_a_gradient_a_weight_falls_to_1_over_e(walk):
    end = walk(AdamW, [0.0] * 100, 1.0, lr=0.1, weight_decay=0.1).end  # 1 / (lr · weight_decay) steps
    assert end == pytest.approx(math.exp(-1), rel=0.01)


def test_refuses_the_state_of_adam(params, run):
    theirs = torch.optim.Adam(params, lr=0.1)
    run(theirs, steps=range(2))
    optimizer = AdamW(params, lr=0.3)
    with pytest.raises(ValueError, match="decoupled_weight_decay must be True, got False: this state is Adam's"):
        optimizer.load_state_dict(copy.deepcopy(theirs.state_dict()))
    assert optimizer.param_groups[0]["lr"] == 0.3  # nothing was loaded
    assert not optimizer.state


def test_refuses_a_group_of_adam(params):
    with pytest.raises(ValueError, match="decoupled_weight_decay must be True, got False: Adam has"):
        AdamW([{"params": params, "decoupled_weight_decay": False}])


def test_torchs_adam_knows_the_state_for_adamws(params, clone_params, run, assert_same):
    # torch.optim.Adam with decoupled_weight_decay is AdamW, and our state_dict says so.
    ours = AdamW(params, lr=0.1, weight_decay=0.3)
    run(ours, steps=range(5))
    theirs = torch.optim.Adam(clone_params(params), foreach=False)
    theirs.load_state_dict(copy.deepcopy(ours.state_dict()))
    run(ours, theirs, steps=range(5, 20))
    assert_same(ours, theirs)


def test_state_from_before_torch_2_7_lacks_the_entry(params, clone_params, run, assert_same):
    theirs = torch.optim.AdamW(params, lr=0.1, weight_decay=0.3, foreach=False)
    run(theirs, steps=range(5))
    saved = copy.deepcopy(theirs.state_dict())
    for group in saved["param_groups"]:
        del group["decoupled_weight_decay"]
    ours = AdamW(clone_params(params))
    ours.load_state_dict(saved)
    run(ours, theirs, steps=range(5, 20))
    assert_same(ours, theirs)
