"""Sophia-G: its step, and the protocol of its Hessian estimates."""

import copy

import pytest
import torch
from torch import nn

from trainloop.optim import SophiaG
from trainloop.optim._curvature import gnb_diagonal


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gamma": -0.1}, "gamma must be >= 0, got -0.1"),
        ({"hessian_every": 0}, "hessian_every must be >= 1, got 0"),
    ],
)
def test_refuses(assert_refuses, options, message):
    assert_refuses(SophiaG, options, message)


# --- The step ---------------------------------------------------------------------------------------


def stepped(slopes, curvatures, **options):
    w = torch.zeros(len(slopes), dtype=torch.float64, requires_grad=True)
    optimizer = SophiaG([w], **{"lr": 1.0, "betas": (0.0, 0.0), "weight_decay": 0.0, **options})
    optimizer.update_hessian([torch.tensor(curvatures, dtype=torch.float64)])
    w.grad = torch.tensor(slopes, dtype=torch.float64)
    optimizer.step()
    return w.tolist()


def test_each_weight_is_clipped_by_itself():
    # m / (γh): 0.5, −0.5, 5 → 1, −5 → −1; and where h is 0 or below, the sign.
    slopes, curvatures = [1.0, -1.0, 1.0, -1.0, 1e-9, -1e-9], [2.0, 2.0, 0.2, 0.2, 0.0, -3.0]
    assert stepped(slopes, curvatures, gamma=1.0) == [-0.5, 0.5, -1.0, 1.0, -1.0, 1.0]


def test_one_step_solves_a_quadratic_where_nothing_is_clipped():
    # With γ = 1 and no memory it is Newton's step, whatever the curvature.
    w = torch.tensor([0.5, -0.25], dtype=torch.float64, requires_grad=True)
    optimizer = SophiaG([w], lr=1.0, betas=(0.0, 0.0), gamma=1.0, weight_decay=0.0)
    loss = (torch.tensor([1e3, 1e-3]) * w.square()).sum()
    optimizer.update_hessian_hutchinson(loss)
    loss.backward()
    optimizer.step()
    assert w.tolist() == pytest.approx([0.0, 0.0], abs=1e-12)


def test_decay_is_decoupled():
    w = torch.tensor([1.0, 100.0], dtype=torch.float64, requires_grad=True)
    w.grad = torch.zeros(2, dtype=torch.float64)
    SophiaG([w], lr=0.1, weight_decay=0.1).step()
    assert w.tolist() == pytest.approx([0.99, 99.0])


# --- The protocol -----------------------------------------------------------------------------------


def train(optimizer, model, x, y, steps, estimate):
    due = []
    for _ in range(steps):
        logits = model(x)
        loss = nn.functional.cross_entropy(logits, y)
        due.append(optimizer.hessian_due)
        if optimizer.hessian_due:
            if estimate == "gnb":
                optimizer.update_hessian_gnb(logits)
            else:
                optimizer.update_hessian_hutchinson(loss)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return due, loss.item()


def problem():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3)).double()
    x = torch.randn(60, 4, dtype=torch.float64)
    return model, x, x[:, :3].argmax(1)


@pytest.mark.parametrize("estimate", ["gnb", "hutchinson"])
def test_trains_a_classifier_with_an_estimate_every_k_steps(estimate):
    model, x, y = problem()
    optimizer = SophiaG(model.parameters(), lr=0.02, weight_decay=0.0, hessian_every=5)
    due, loss = train(optimizer, model, x, y, 100, estimate)
    assert due == [t % 5 == 0 for t in range(100)]
    assert loss < 0.2  # from log 3 = 1.1


def test_a_missed_estimate_stays_due():
    w = torch.zeros(2, requires_grad=True)
    optimizer = SophiaG([w], hessian_every=2)
    seen = []
    for t in range(8):
        seen.append(optimizer.hessian_due)
        if t in (1, 5):
            optimizer.update_hessian([torch.ones(2)])
        w.grad = torch.ones(2)
        optimizer.step()
    #                the first at 1     due from 3     made at 5       due at 7
    assert seen == [True, True, False, True, True, True, False, True]


@pytest.mark.parametrize("carry", ["deepcopy", "state_dict"])
def test_resumes_between_two_estimates(carry):
    model, x, y = problem()
    optimizer = SophiaG(model.parameters(), lr=0.02, hessian_every=5)
    train(optimizer, model, x, y, 7, "gnb")
    if carry == "deepcopy":
        twin, resumed = copy.deepcopy((model, optimizer))
    else:
        twin = copy.deepcopy(model)
        resumed = SophiaG(twin.parameters())
        resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    dues = []
    for net, opt in ((model, optimizer), (twin, resumed)):
        torch.manual_seed(3)
        dues.append(train(opt, net, x, y, 10, "gnb")[0])
    assert dues[0] == dues[1] == [t % 5 == 3 for t in range(10)]
    for p, q in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.equal(p, q)


def test_estimates_go_to_their_parameters_over_groups_and_frozen_layers():
    first, frozen, last = torch.zeros(2, requires_grad=True), torch.zeros(2), torch.zeros(3, requires_grad=True)
    optimizer = SophiaG(
        [{"params": [first, frozen]}, {"params": [last], "betas": (0.9, 0.5), "hessian_every": 1}],
        betas=(0.9, 0.75),
    )
    optimizer.update_hessian([torch.full((2,), 4.0), torch.full((3,), 4.0)])
    assert optimizer.state[first]["hessian"].tolist() == [1.0, 1.0]
    assert optimizer.state[last]["hessian"].tolist() == [2.0, 2.0, 2.0]
    assert frozen not in optimizer.state
    assert not optimizer.hessian_due
    first.grad = torch.ones(2)
    optimizer.step()
    assert optimizer.hessian_due  # the second group's hessian_every is 1


@pytest.mark.parametrize("count", [0, 1, 3])
def test_refuses_a_wrong_number_of_estimates(count):
    optimizer = SophiaG([torch.zeros(2, requires_grad=True), torch.zeros(2, requires_grad=True)])
    message = f"^estimates must be one per trained parameter, 2, got {count}$"
    with pytest.raises(ValueError, match=message):
        optimizer.update_hessian([torch.zeros(2)] * count)
    assert optimizer.hessian_due
    assert not optimizer.state


def test_gnb_takes_in_the_estimate_of_the_logits():
    model, x, _ = problem()
    params = list(model.parameters())
    optimizer = SophiaG(params, betas=(0.9, 0.0))
    torch.manual_seed(5)
    optimizer.update_hessian_gnb(model(x))
    torch.manual_seed(5)
    for p, expected in zip(params, gnb_diagonal(model(x), params), strict=True):
        assert torch.equal(optimizer.state[p]["hessian"], expected)


def test_maximize_climbs_with_the_curvature_of_what_it_climbs():
    def make(sign, **options):
        w = torch.tensor([0.3], dtype=torch.float64, requires_grad=True)
        optimizer = SophiaG([w], lr=1.0, betas=(0.0, 0.0), gamma=1.0, weight_decay=0.0, **options)
        loss = sign * w.square().sum()
        optimizer.update_hessian_hutchinson(loss)
        loss.backward()
        optimizer.step()
        return w.item()

    assert make(1.0) == make(-1.0, maximize=True) == pytest.approx(0.0, abs=1e-15)
