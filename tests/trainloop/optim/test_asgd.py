"""ASGD: equal to torch bit for bit. That it follows its formula: test_formulas.py."""

import copy

import pytest
import torch
from formulas.asgd import GRID

from trainloop.optim import ASGD


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_equals_torch(assert_parity, dtype):
    assert_parity(ASGD, torch.optim.ASGD, GRID, dtype)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lambd": -1e-4}, "lambd must be >= 0, got -0.0001"),
        ({"alpha": -1}, "alpha must be >= 0, got -1"),
        ({"t0": -1}, "t0 must be >= 0, got -1"),
    ],
)
def test_refuses(assert_refuses, options, message):
    assert_refuses(ASGD, options, message)


@pytest.mark.parametrize("t0", [0, 3])
def test_average_is_the_mean_since_step_t0_plus_2(walk, t0):
    start = t0 + 2
    for t in range(1, 13):
        walked = walk(ASGD, [-1.0] * t, lr=1.0, lambd=0.0, t0=t0)
        since = walked.places[start - 1 :] if t >= start else [walked.end]
        assert walked.state["ax"].item() == pytest.approx(sum(since) / len(since), rel=1e-6)


def test_average_never_starts_by_default(walk):
    walked = walk(ASGD, [-1.0] * 200, lr=1.0, lambd=0.0)
    assert walked.state["ax"].item() == walked.end


def test_learning_rate_of_a_scheduler_counts_one_step_late():
    w = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = ASGD([w], lr=1.0, lambd=0.0)
    lengths = []
    for lr in (1.0, 0.5, 0.5):
        optimizer.param_groups[0]["lr"] = lr
        before = w.item()
        w.grad = torch.tensor(-1.0, dtype=torch.float64)
        optimizer.step()
        lengths.append(w.item() - before)
    assert lengths == [1.0, 1.0, 0.5]


def test_torch_goes_on_from_our_state_with_a_tensor_lr(params, clone_params, run, assert_same):
    # The rate is a part of the state. In float32, which the counters have anyway, loading changes nothing.
    params = [p.detach().float().requires_grad_() for p in params]
    ours = ASGD(params, lr=torch.tensor(1e-2), lambd=0.1, t0=20)
    run(ours, steps=range(50))
    theirs = torch.optim.ASGD(clone_params(params), foreach=False)
    theirs.load_state_dict(copy.deepcopy(ours.state_dict()))
    run(ours, theirs, steps=range(50, 100))
    assert_same(ours, theirs)
