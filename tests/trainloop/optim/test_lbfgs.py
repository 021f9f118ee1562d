"""LBFGS: equal to torch bit for bit, call for call."""

from itertools import product

import pytest
import torch

from trainloop.optim import LBFGS

# Before 2.10 torch's line search goes on beyond max_eval: here that is out of reach.
GRID = [
    {"lr": lr, "history_size": history, "maximize": maximize, "max_iter": max_iter, "line_search_fn": search}
    | {"max_eval": 26 * max_iter}
    for (lr, history, maximize), max_iter, search in product(
        ((1, 100, False), (0.3, 3, True)), (1, 20), (None, "strong_wolfe")
    )
]
SEARCHES = [None, "strong_wolfe"]


def valley(x):
    """Rosenbrock's function, for any number of parameters."""
    return ((1 - x[:-1]) ** 2 + 100 * (x[1:] - x[:-1] ** 2) ** 2).sum()


class Problem:
    """Parameters of several shapes, a loss that couples them, and a closure that counts its calls."""

    def __init__(self, dtype=torch.float64, seed=0, maximize=False):
        generator = torch.Generator().manual_seed(seed)
        shapes = [(3,), (), (2, 2), (1,)]
        self.params = [torch.randn(s, generator=generator, dtype=torch.float64).to(dtype) for s in shapes]
        self.params.append(torch.randn(2, 3, generator=generator, dtype=torch.float64).to(dtype).t())
        for p in self.params:
            p.requires_grad_()
        self.sign = -1 if maximize else 1
        self.calls = 0

    def loss(self):
        return self.sign * valley(torch.cat([p.reshape(-1) for p in self.params]))

    def step(self, optimizer):
        def closure():
            self.calls += 1
            optimizer.zero_grad()
            loss = self.loss()
            loss.backward()
            for p in self.params:
                p.grad = p.grad.contiguous()  # torch's class wants it
            return loss

        return optimizer.step(closure).item()


def assert_same_state(ours, theirs):
    (ours,), (theirs,) = ours.state.values(), theirs.state.values()
    assert ours.keys() == theirs.keys()
    for key, expected in theirs.items():
        x, y = (ours[key], expected) if key != "t" else (float(ours[key]), float(expected))  # torch's may be an int
        torch.testing.assert_close(x, y, rtol=0, atol=0, equal_nan=True)


def assert_same_steps(ours, theirs, mine, other, steps):
    for _ in range(steps):
        assert mine.sign * mine.step(ours) == other.sign * other.step(theirs)
        assert mine.calls == other.calls
        for p, q in zip(mine.params, other.params, strict=True):
            assert torch.equal(p, q)
    assert_same_state(ours, theirs)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_equals_torch(dtype):
    for seed, options in enumerate(GRID):
        mine, other = (Problem(dtype, seed, options["maximize"]) for _ in range(2))
        ours = LBFGS(mine.params, **options)
        if torch.__version__ < "2.14":  # which brought torch's `maximize`: before, it minimises the negative
            options = {name: option for name, option in options.items() if name != "maximize"}
            other.sign = 1
        theirs = torch.optim.LBFGS(other.params, **options)
        assert_same_steps(ours, theirs, mine, other, steps=100 // options["max_iter"])


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize(
    "options",
    [
        {"max_eval": 1},
        {"max_eval": 5},
        {"tolerance_grad": 1.0},
        {"tolerance_change": 0.05},
        {"tolerance_grad": 0, "tolerance_change": 0, "max_iter": 200},
    ],
    ids=str,
)
def test_stops_where_torch_stops(search, options):
    mine, other = Problem(seed=3), Problem(seed=3)
    ours = LBFGS(mine.params, line_search_fn=search, **options)
    theirs = torch.optim.LBFGS(other.params, line_search_fn=search, **options)
    assert_same_steps(ours, theirs, mine, other, steps=4)


@pytest.mark.parametrize(("search", "calls", "height"), [(None, 62, 3.2e-12), ("strong_wolfe", 43, 4.2e-10)])
def test_rosenbrock_takes_as_many_calls_as_documented(search, calls, height):
    x = torch.tensor([-1.2, 1.0], dtype=torch.float64, requires_grad=True)
    optimizer = LBFGS([x], max_iter=500, line_search_fn=search)
    made = []

    def closure():
        optimizer.zero_grad()
        loss = valley(x)
        loss.backward()
        made.append(loss.item())
        return loss

    assert optimizer.step(closure).item() == pytest.approx(24.2) == made[0]
    assert len(made) == calls == optimizer.state[x]["func_evals"]
    assert valley(x).item() == pytest.approx(height, rel=0.02)


def test_two_loops_explain_the_newest_step():
    n, h = 7, 4
    generator = torch.Generator().manual_seed(1)
    curvature = torch.randn(n, n, generator=generator, dtype=torch.float64)
    curvature = curvature @ curvature.T + torch.eye(n, dtype=torch.float64)
    ss = [torch.randn(n, generator=generator, dtype=torch.float64) for _ in range(h)]
    ys = [curvature @ s for s in ss]
    ρs = [1 / y.dot(s) for y, s in zip(ys, ss, strict=True)]
    γ = ys[-1].dot(ss[-1]) / ys[-1].dot(ys[-1])
    optimizer = LBFGS([torch.zeros(n, requires_grad=True)])
    torch.testing.assert_close(optimizer._minus_h_times(ys[-1], ys, ss, ρs, γ, [None] * h), -ss[-1])  # Hy = s


def test_gradients_of_any_kind():
    # A table with sparse gradients, a transposed gradient, a parameter without one.
    table, matrix, idle = torch.ones(4, 2), torch.ones(3, 2), torch.ones(2)
    for p in (table, matrix, idle):
        p.requires_grad_()
    optimizer = LBFGS([table, matrix, idle], lr=1)
    target = torch.arange(6.0).reshape(2, 3).T

    def closure():
        optimizer.zero_grad()
        rows = torch.nn.functional.embedding(torch.tensor([1, 3]), table, sparse=True)
        loss = rows.square().sum() + (matrix - target).square().sum()
        loss.backward()
        matrix.grad = matrix.grad.t().contiguous().t()
        assert table.grad.is_sparse and not matrix.grad.is_contiguous()
        return loss

    for _ in range(3):
        optimizer.step(closure)
    torch.testing.assert_close(table, torch.tensor([[1.0, 1], [0, 0], [1, 1], [0, 0]]))
    torch.testing.assert_close(matrix, target)
    assert torch.equal(idle, torch.ones(2))


def test_at_the_minimum_nothing_happens():
    x = torch.ones(3, requires_grad=True)
    optimizer = LBFGS([x])

    def closure():
        optimizer.zero_grad()
        loss = valley(x)
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 0
    assert torch.equal(x, torch.ones(3))
    assert optimizer.state[x] == {"func_evals": 1, "n_iter": 0}


def test_pair_without_curvature_is_not_remembered():
    # On a slope that gets steeper, y · s < 0. The curvature stays at what it was believed to be: 1.
    x = torch.zeros(1, requires_grad=True)
    optimizer = LBFGS([x], max_iter=4, lr=0.5)

    def closure():
        optimizer.zero_grad()
        loss = (-x - x**2).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    assert optimizer.state[x]["n_iter"] == 4
    assert optimizer.state[x]["old_dirs"] == []
    assert x.item() == 0.5 + 1 + 2 + 4  # 0.5 times slopes of 1, 2, 4, 8


def test_lr_tensor_may_be_changed_in_place():
    # torch's class keeps the tensor itself as the last step length, and then measures that step with the new lr.
    def run(optimizer, lower):
        for _ in range(6):
            problem.step(optimizer)
            lower(optimizer.param_groups[0])
        return torch.cat([p.detach().reshape(-1) for p in problem.params])

    def lower_tensor(group):
        group["lr"].mul_(0.5)

    def lower_number(group):
        group["lr"] *= 0.5

    problem = Problem()
    expected = run(LBFGS(problem.params, lr=0.5, max_iter=3), lower_number)
    problem = Problem()
    half = torch.tensor(0.5, dtype=torch.float64)
    assert torch.equal(run(LBFGS(problem.params, lr=half, max_iter=3), lower_tensor), expected)
    problem = Problem()
    half = torch.tensor(0.5, dtype=torch.float64)
    assert not torch.equal(run(torch.optim.LBFGS(problem.params, lr=half, max_iter=3), lower_tensor), expected)


# --- Refusals ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_iter": 0}, "max_iter must be >= 1, got 0"),
        ({"max_eval": 0}, "max_eval must be >= 1, got 0"),
        ({"history_size": 0}, "history_size must be >= 1, got 0"),
        ({"tolerance_grad": -1}, "tolerance_grad must be >= 0, got -1"),
        ({"tolerance_change": -1}, "tolerance_change must be >= 0, got -1"),
        ({"line_search_fn": "armijo"}, "line_search_fn must be None or 'strong_wolfe', got 'armijo'"),
    ],
)
def test_refuses(assert_refuses, options, message):
    assert_refuses(LBFGS, options, message)


def test_group_without_parameters_returns_the_loss():
    assert LBFGS([{"params": []}]).step(lambda: torch.tensor(3.0)).item() == 3


def test_default_of_max_eval_follows_max_iter():
    w = torch.zeros(2, requires_grad=True)
    for max_iter in (1, 3, 20):
        theirs = torch.optim.LBFGS([w], max_iter=max_iter)
        assert (
            LBFGS([w], max_iter=max_iter).param_groups[0].items()
            >= {name: x for name, x in theirs.param_groups[0].items() if name != "params"}.items()
        )
