"""Adagrad: equal to torch bit for bit. That it follows its formula: test_formulas.py."""

import copy
import math
from itertools import pairwise

import pytest
import torch
from formulas.adagrad import GRID

from trainloop.optim import Adagrad


@pytest.mark.parametrize("start", [0, 0.1])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_equals_torch(assert_parity, dtype, start):
    def ours(groups):
        return Adagrad(groups, initial_accumulator_value=start)

    def theirs(groups, **options):
        return torch.optim.Adagrad(groups, initial_accumulator_value=start, **options)

    assert_parity(ours, theirs, GRID, dtype)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr_decay": -0.1}, "lr_decay must be >= 0, got -0.1"),
        ({"initial_accumulator_value": -1}, "initial_accumulator_value must be >= 0, got -1"),
    ],
)
def test_refuses(assert_refuses, options, message):
    assert_refuses(Adagrad, options, message)


def test_eps_is_small_and_outside_the_root(walk):
    # 1e-10 inside the root would stop a gradient of 1e-6; outside, it hardly shows.
    walked = walk(Adagrad, [1e-6], lr=0.1)
    assert walked.optimizer.defaults["eps"] == 1e-10
    assert walked.end == pytest.approx(-0.1 * 1e-6 / (1e-6 + 1e-10), rel=1e-12)


def test_steady_gradient_shrinks_steps_by_the_root_of_t(walk):
    places = [0.0, *walk(Adagrad, [7.0] * 50, lr=0.1).places]
    lengths = [before - after for before, after in pairwise(places)]
    assert lengths == pytest.approx([0.1 / math.sqrt(t) for t in range(1, 51)])


# --- State from the start ---------------------------------------------------------------------------


def test_state_is_made_by_the_constructor_as_torchs(params, clone_params, assert_same):
    ours = Adagrad(params, initial_accumulator_value=0.5)
    theirs = torch.optim.Adagrad(clone_params(params), initial_accumulator_value=0.5)
    assert_same(ours, theirs)
    assert len(ours.state_dict()["state"]) == len(params)


def test_late_group_gets_its_state_at_its_first_step_as_torchs(params, clone_params, run, assert_same):
    late, late_copies = clone_params(params), clone_params(params)
    # Torch has both groups from the start: before 2.12 it makes no state for a late one, and fails.
    ours = Adagrad(params)
    theirs = torch.optim.Adagrad([{"params": clone_params(params)}, {"params": late_copies}], foreach=False)
    ours.add_param_group({"params": late})
    assert late[0] not in ours.state
    run(ours, theirs, steps=range(5))
    assert_same(ours, theirs)


def test_group_has_its_own_initial_accumulator_value():
    # torch accepts the option in a group, and uses the constructor's.
    first, second = (torch.zeros((), requires_grad=True) for _ in range(2))
    optimizer = Adagrad([{"params": [first]}, {"params": [second], "initial_accumulator_value": 16.0}], lr=1.0)
    for p in (first, second):
        p.grad = torch.tensor(3.0)
    optimizer.step()
    assert first.item() == -1.0  # 3 / √9
    assert second.item() == pytest.approx(-0.6)  # 3 / √(16 + 9)


# --- Sparse gradients -------------------------------------------------------------------------------


@pytest.fixture
def valid_sparse_tensors():
    """Every sparse tensor is checked. Without a word on that, torch warns when it makes the first one."""
    with torch.sparse.check_sparse_tensor_invariants():
        yield


def sparse_gradient(rows: list[int], seed: int) -> torch.Tensor:
    values = torch.randn(len(rows), 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.sparse_coo_tensor([rows], values, (6, 3))


@pytest.mark.usefixtures("valid_sparse_tensors")
@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("lr_decay", [0, 0.1])
def test_sparse_gradients_equal_torch(lr_decay, maximize, clone_params, assert_same):
    table = torch.randn(6, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    weights = clone_params([table]) + clone_params([table])
    options = {"lr": 0.5, "lr_decay": lr_decay, "maximize": maximize}
    ours, theirs = Adagrad(weights[:1], **options), torch.optim.Adagrad(weights[1:], foreach=False, **options)
    for step in range(100):
        rows = [step % 6, (step * step) % 6, 2] if step % 7 else []  # some rows twice, some steps without any
        for w, optimizer in zip(weights, (ours, theirs), strict=True):
            w.grad = sparse_gradient(rows, step)
            before = w.grad.to_dense()
            optimizer.step()
            assert torch.equal(w.grad.to_dense(), before)
    assert_same(ours, theirs)


@pytest.mark.usefixtures("valid_sparse_tensors")
def test_sparse_and_dense_gradients_do_the_same(clone_params):
    table = torch.randn(6, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    (sparse,), (dense,) = clone_params([table]), clone_params([table])
    optimizers = Adagrad([sparse], lr=0.5), Adagrad([dense], lr=0.5)
    for step in range(30):
        sparse.grad = sparse_gradient([step % 5, 4 * step % 5, 1], step)  # row 5 never
        dense.grad = sparse.grad.to_dense()
        for optimizer in optimizers:
            optimizer.step()
    torch.testing.assert_close(sparse, dense, rtol=1e-14, atol=1e-14)
    assert torch.equal(sparse[5], table[5])


def test_embedding_trains_sparsely():
    table = torch.nn.Embedding(5, 2, sparse=True)
    before = table.weight.detach().clone()
    table(torch.tensor([1, 1, 3])).sum().backward()
    Adagrad(table.parameters(), lr=0.1).step()
    moved = (table.weight - before).detach()
    torch.testing.assert_close(moved[[1, 3]], torch.full((2, 2), -0.1))
    assert not moved[[0, 2, 4]].any()


@pytest.mark.usefixtures("valid_sparse_tensors")
def test_weight_decay_needs_dense_gradients():
    w = torch.zeros(6, 3, dtype=torch.float64, requires_grad=True)
    optimizer = Adagrad([w], weight_decay=0.1)
    w.grad = sparse_gradient([1], 0)
    with pytest.raises(RuntimeError, match=r"^weight_decay must be 0 for sparse gradients, got 0.1$"):
        optimizer.step()
    assert not w.any()


@pytest.mark.usefixtures("valid_sparse_tensors")
def test_state_of_torch_with_sparse_gradients_goes_on(clone_params, assert_same):
    (ours_table,), (table,) = (clone_params([torch.ones(6, 3, dtype=torch.float64)]) for _ in range(2))
    theirs = torch.optim.Adagrad([table], foreach=False)
    table.grad = sparse_gradient([1, 2], 0)
    theirs.step()
    ours = Adagrad([ours_table])
    ours.load_state_dict(copy.deepcopy(theirs.state_dict()))
    with torch.no_grad():
        ours_table.copy_(table)
    for w, optimizer in ((ours_table, ours), (table, theirs)):
        w.grad = sparse_gradient([2, 3], 1)
        optimizer.step()
    assert_same(ours, theirs)
