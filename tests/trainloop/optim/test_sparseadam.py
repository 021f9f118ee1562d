"""SparseAdam: equal to torch bit for bit on sparse gradients, and blind to the rows they lack."""

import math

import pytest
import torch
from formulas.sparseadam import GRID

from trainloop.optim import SparseAdam


def sparse_gradient(step, dtype=torch.float64, kind="rows"):
    """A gradient of a 12 × 3 table: some rows, some of them twice; none on every fifth step."""
    generator = torch.Generator().manual_seed(step)
    count = 0 if step % 5 == 4 else 6
    rows = torch.randint(0, 12, (1, count), generator=generator)
    size = 10 ** (9 * torch.rand(count, 3, generator=generator, dtype=torch.float64) - 6)
    values = (size * torch.randn(count, 3, generator=generator, dtype=torch.float64)).to(dtype)
    gradient = torch.sparse_coo_tensor(rows, values, (12, 3), check_invariants=True)
    return gradient if kind == "rows" else gradient.to_dense().to_sparse()  # single elements


def table(dtype=torch.float64):
    weights = torch.randn(12, 3, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    return weights.to(dtype).requires_grad_()


def step_both(ours, theirs, steps, kind="rows"):
    for step in steps:
        for optimizer in (ours, theirs):
            for group in optimizer.param_groups:
                for p in group["params"]:
                    p.grad = sparse_gradient(step, p.dtype, kind)
            before = p.grad.to_dense()
            optimizer.step()
            assert torch.equal(p.grad.to_dense(), before)


@pytest.mark.parametrize("kind", ["rows", "elements"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_equals_torch(dtype, kind, assert_same):
    ours = SparseAdam([{"params": [table(dtype)], **options} for options in GRID])
    theirs = torch.optim.SparseAdam([{"params": [table(dtype)], **options} for options in GRID])
    step_both(ours, theirs, range(100), kind)
    assert_same(ours, theirs)


def test_trains_an_embedding_as_torch_does():
    def train(make):
        torch.manual_seed(0)
        layer = torch.nn.EmbeddingBag(20, 4, sparse=True, mode="sum")
        optimizer = make(layer.named_parameters(), lr=0.05)
        losses = []
        for step in range(60):
            words = torch.randint(0, 10, (8, 5), generator=torch.Generator().manual_seed(step))
            optimizer.zero_grad()
            loss = (layer(words).sum(1) - words.float().mean(1)).square().mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[-1] < 0.2 * losses[0]
        return layer.weight

    mine, expected = train(SparseAdam), train(torch.optim.SparseAdam)
    assert torch.equal(mine, expected)


def test_rows_without_a_gradient_stay_as_they_are():
    weights = table()
    optimizer = SparseAdam([weights], lr=0.1)
    for step in range(30):
        weights.grad = sparse_gradient(step)
        used = torch.zeros(12, dtype=torch.bool)
        used[weights.grad.coalesce().indices()[0]] = True
        state = optimizer.state.get(weights, {"exp_avg": torch.zeros(12, 3), "exp_avg_sq": torch.zeros(12, 3)})
        before = [x.detach().clone() for x in (weights, state["exp_avg"], state["exp_avg_sq"])]
        optimizer.step()
        state = optimizer.state[weights]
        for x, old in zip((weights, state["exp_avg"], state["exp_avg_sq"]), before, strict=True):
            assert torch.equal(x[~used], old[~used].to(x.dtype))
            assert (x[used] != old[used]).any(1).all()


def test_late_row_starts_with_a_long_step():
    weights = torch.zeros(2, 1, dtype=torch.float64, requires_grad=True)
    optimizer = SparseAdam([weights], lr=0.1)
    for row in (0, 1):
        weights.grad = torch.sparse_coo_tensor([[row]], [[7.0]], (2, 1), dtype=torch.float64, check_invariants=True)
        optimizer.step()
        optimizer.state[weights]["step"].fill_(20_000)
    assert weights[0].item() == pytest.approx(-0.1)
    assert weights[1].item() == pytest.approx(-0.1 * (1 - 0.9) / math.sqrt(1 - 0.999))


# --- Refusals ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": 0}, "lr must be > 0, got 0"),
        ({"eps": 0.0}, "eps must be > 0, got 0.0"),
    ],
)
def test_refuses(assert_refuses, options, message):
    assert_refuses(SparseAdam, options, message)


def test_dense_gradient_is_refused_before_anything_moves():
    weights, dense = table(), torch.ones(2, requires_grad=True)
    optimizer = SparseAdam([weights, dense])
    weights.grad, dense.grad = sparse_gradient(0), torch.ones(2)
    before = weights.detach().clone()
    with pytest.raises(RuntimeError, match=r"needs sparse gradients, got a dense one .* shape \(2,\): give .* to Adam"):
        optimizer.step()
    assert torch.equal(weights, before)
    assert not optimizer.state


def test_sparse_parameter_is_refused():
    sparse = torch.zeros(3, 2).to_sparse().requires_grad_()
    optimizer = SparseAdam([table()])
    for make in (lambda: SparseAdam([sparse]), lambda: optimizer.add_param_group({"params": [sparse]})):
        with pytest.raises(ValueError, match=r"params must be dense, got a sparse one of shape \(3, 2\)"):
            make()
    assert len(optimizer.param_groups) == 1
