"""ASGD: equal to torch bit for bit, and to its formula written out once more."""

import copy
import io
import math
from itertools import product

import pytest
import torch

from trainloop.optim import ASGD

GRID = [
    {"lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay, "maximize": maximize}
    for lr, lambd, alpha, t0, weight_decay, maximize in product(
        (1e-2,), (1e-4, 0.1), (0.75, 1.0), (1e6, 20), (0, 1e-2), (False, True)
    )
]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_equals_torch(assert_parity, dtype):
    assert_parity(ASGD, torch.optim.ASGD, GRID, dtype)


def by_hand(w, slopes, lr, lambd, alpha, t0, weight_decay, maximize):
    """The class's formulas, on one number, in plain Python. Returns the weight and the average."""
    average = 0.0
    for t, slope in enumerate(slopes, start=1):
        g = (-slope if maximize else slope) + weight_decay * w
        rate = lr / (1 + lambd * lr * (t - 1)) ** alpha
        w = (1 - lambd * rate) * w - rate * g
        average += (w - average) / max(1, t - 1 - t0)
    return w, average


@pytest.mark.parametrize("options", GRID, ids=str)
def test_follows_its_formula(options):
    # Both the rate and the weight of the average are rounded to float32, by up to 6e-8 of themselves.
    slopes = [math.sin(3 * t) + 0.2 for t in range(50)]
    w = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    optimizer = ASGD([w], **options)
    for slope in slopes:
        w.grad = torch.tensor(slope, dtype=torch.float64)
        optimizer.step()
    end, average = by_hand(1.5, slopes, **options)
    assert w.item() == pytest.approx(end, rel=1e-6)
    assert optimizer.state[w]["ax"].item() == pytest.approx(average, rel=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": -0.1}, "lr must be >= 0, got -0.1"),
        ({"weight_decay": -1}, "weight_decay must be >= 0, got -1"),
        ({"lambd": -1e-4}, "lambd must be >= 0, got -0.0001"),
        ({"alpha": -1}, "alpha must be >= 0, got -1"),
        ({"t0": -1}, "t0 must be >= 0, got -1"),
    ],
)
def test_refuses(options, message):
    w = torch.zeros(2, requires_grad=True)
    for make in (lambda: ASGD([w], **options), lambda: ASGD([{"params": [w], **options}])):
        with pytest.raises(ValueError) as error:
            make()
        assert str(error.value) == message


def walk(steps, **options):
    """Where a weight and its average stand after each step along a steady slope."""
    w = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = ASGD([w], lr=1.0, lambd=0.0, **options)
    places, averages = [], []
    for _ in range(steps):
        w.grad = torch.tensor(-1.0, dtype=torch.float64)
        optimizer.step()
        places.append(w.item())
        averages.append(optimizer.state[w]["ax"].item())
    return places, averages


@pytest.mark.parametrize("t0", [0, 3])
def test_average_is_the_mean_since_step_t0_plus_2(t0):
    places, averages = walk(12, t0=t0)
    start = t0 + 2
    assert averages[:start] == places[:start]
    for t in range(start, 13):
        since = places[start - 1 : t]
        assert averages[t - 1] == pytest.approx(sum(since) / len(since), rel=1e-6)


def test_average_never_starts_by_default():
    places, averages = walk(200)
    assert averages == places


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


# --- State moves ------------------------------------------------------------------------------------

OPTIONS = {"lr": 1e-2, "lambd": 0.1, "t0": 20}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_counters_survive_a_checkpoint(dtype, params, clone_params, run, assert_same):
    # Loading gives every floating-point entry but "step" the parameter's type; ours turns it back.
    params = [p.detach().to(dtype).requires_grad_() for p in params]
    original = ASGD(params, **OPTIONS)
    run(original, steps=range(50))
    file = io.BytesIO()
    torch.save(original.state_dict(), file)
    file.seek(0)
    resumed = ASGD(clone_params(params))
    resumed.load_state_dict(torch.load(file))
    for state in resumed.state.values():
        assert {state[name].dtype for name in ("step", "eta", "mu")} == {torch.float32}
    run(original, resumed, steps=range(50, 100))
    assert_same(original, resumed)


def test_state_of_torch_may_have_plain_numbers(params, clone_params, run, assert_same):
    theirs = torch.optim.ASGD(params, foreach=False, **OPTIONS)
    run(theirs, steps=range(30))
    saved = copy.deepcopy(theirs.state_dict())
    for state in saved["state"].values():  # torch < 1.12
        state["step"], state["eta"], state["mu"] = int(state["step"]), state["eta"].item(), state["mu"].item()
    ours = ASGD(clone_params(params))
    ours.load_state_dict(saved)
    run(ours, theirs, steps=range(30, 60))
    assert_same(ours, theirs)


@pytest.mark.parametrize("tensor_lr", [False, True])
def test_torch_goes_on_from_our_state(tensor_lr, params, clone_params, run, assert_same):
    # In float32, which the counters have anyway, loading changes nothing.
    params = [p.detach().float().requires_grad_() for p in params]
    lr = torch.tensor(1e-2) if tensor_lr else 1e-2
    ours = ASGD(params, **OPTIONS | {"lr": lr})
    run(ours, steps=range(50))
    theirs = torch.optim.ASGD(clone_params(params), foreach=False)
    theirs.load_state_dict(copy.deepcopy(ours.state_dict()))
    run(ours, theirs, steps=range(50, 100))
    assert_same(ours, theirs)
