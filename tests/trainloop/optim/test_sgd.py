"""SGD: equal to torch bit for bit. That it follows its formula: test_formulas.py."""

import pytest
import torch
from formulas.sgd import GRID

from trainloop.optim import SGD


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_equals_torch(assert_parity, dtype):
    assert_parity(SGD, torch.optim.SGD, GRID, dtype)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nesterov": True}, "nesterov needs momentum > 0 and dampening == 0, got 0 and 0"),
        (
            {"nesterov": True, "momentum": 0.9, "dampening": 0.1},
            "nesterov needs momentum > 0 and dampening == 0, got 0.9 and 0.1",
        ),
    ],
)
def test_refuses(assert_refuses, options, message):
    assert_refuses(SGD, options, message)


def test_steady_gradient_grows_the_step_tenfold(walk):
    *_, before, end = walk(SGD, [1.0] * 500, lr=1.0, momentum=0.9).places
    assert before - end == pytest.approx(10)


@pytest.mark.parametrize(("lr", "converges"), [(3.79, True), (3.81, False)])
def test_heavy_ball_converges_up_to_its_wall(lr, converges):
    # On ½θ² the wall is 2(1 + μ)/λ = 3.8 for μ = 0.9.
    w = torch.ones((), dtype=torch.float64, requires_grad=True)
    optimizer = SGD([w], lr=lr, momentum=0.9)
    for _ in range(20_000):
        w.grad = w.detach().clone()
        optimizer.step()
        if not abs(w.item()) < 1e6:
            break
    assert (abs(w.item()) < 1e-6) == converges


@pytest.mark.parametrize("options", [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}], ids=str)
@pytest.mark.parametrize("maximize", [False, True])
def test_sparse_gradients_equal_torch(options, maximize):
    def make(optimizer, **extra):
        torch.manual_seed(0)
        table = torch.nn.Embedding(20, 3, sparse=True, dtype=torch.float64)
        return table, optimizer(table.parameters(), lr=0.1, maximize=maximize, **options, **extra)

    ours, theirs = make(SGD), make(torch.optim.SGD, foreach=False)
    for step in range(20):
        rows = torch.randint(20, (6,), generator=torch.Generator().manual_seed(step))
        for table, optimizer in (ours, theirs):
            optimizer.zero_grad()
            table(rows).square().sum().backward()
            assert table.weight.grad.is_sparse
            optimizer.step()
    assert torch.equal(ours[0].weight, theirs[0].weight)


def test_buffer_may_be_missing_or_none():
    # torch < 2.0 saved None for a buffer that momentum had not needed yet.
    w = torch.ones(1, requires_grad=True)
    optimizer = SGD([w], lr=1.0, momentum=0.9)
    saved = optimizer.state_dict()
    saved["state"] = {0: {"momentum_buffer": None}}
    optimizer.load_state_dict(saved)
    w.grad = torch.full((1,), 0.5)
    optimizer.step()
    assert w.item() == 0.5
    assert optimizer.state[w]["momentum_buffer"].item() == 0.5


def test_buffer_is_not_the_gradient():
    # Were b the gradient tensor itself, the next backward pass would change b.
    w = torch.ones(1, requires_grad=True)
    optimizer = SGD([w], lr=1.0, momentum=0.9)
    w.grad = torch.ones(1)
    optimizer.step()
    w.grad.zero_()
    assert optimizer.state[w]["momentum_buffer"].item() == 1


def test_without_momentum_there_is_no_state():
    w = torch.ones(3, requires_grad=True)
    optimizer = SGD([w], lr=0.1)
    w.grad = torch.ones(3)
    optimizer.step()
    assert optimizer.state_dict()["state"] == {}
