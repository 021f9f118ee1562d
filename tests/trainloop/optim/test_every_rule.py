"""What every rule is asked: to run three ways with one result, and what its state and its path are."""

import math

import pytest
import torch

from trainloop.optim import ASGD, Adadelta, Adagrad, Adamax, AdamW, NAdam, RAdam, Rprop
from trainloop.optim import _base as base

# The class, its options, and how many programs ten compiled steps need: one, or two where the rule
# changes its form on the way.
RULES = {
    "adamw": (AdamW, {}, 1),
    "adamw-amsgrad": (AdamW, {"amsgrad": True}, 1),
    "adamax": (Adamax, {"weight_decay": 0.1}, 1),
    "nadam": (NAdam, {"weight_decay": 0.1}, 1),
    "nadam-decoupled": (NAdam, {"weight_decay": 0.1, "decoupled_weight_decay": True}, 1),
    "radam": (RAdam, {"weight_decay": 0.1}, 2),
    "radam-decoupled": (RAdam, {"weight_decay": 0.1, "decoupled_weight_decay": True}, 2),
    "adagrad": (Adagrad, {"lr_decay": 0.1, "weight_decay": 0.1}, 1),
    "adadelta": (Adadelta, {"weight_decay": 0.1}, 1),
    "asgd": (ASGD, {"lambd": 0.1, "t0": 3, "weight_decay": 0.1}, 2),
    "rprop": (Rprop, {}, 1),
}


@pytest.fixture(params=RULES)
def rule(request):
    return RULES[request.param]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_lists_equal_single_tensors(rule, dtype, params, clone_params, run, assert_same, monkeypatch):
    optimizer, options, _ = rule
    params = [p.detach().to(dtype).requires_grad_() for p in params]
    listed, single = (optimizer(clone_params(params), lr=0.05, **options) for _ in range(2))
    for step in range(30):
        run(listed, steps=range(step, step + 1))
        with monkeypatch.context() as patch:
            patch.setattr(base, "SMALL", -1)
            run(single, steps=range(step, step + 1))
    assert_same(listed, single)


def test_compiled_equals_uncompiled(rule, params, clone_params, gradients):
    optimizer, options, programs = rule
    torch._dynamo.reset()
    graphs = []

    def backend(graph, _inputs):
        graphs.append(graph)
        return graph.forward

    params = [p for p in params if p.dim() == 2 and p.numel() > 0]
    twins = clone_params(params)
    compiled, plain = optimizer(params, lr=0.05, **options), optimizer(twins, lr=0.05, **options)
    compiled.compile(backend=backend)
    for step in range(10):
        for group in (compiled.param_groups[0], plain.param_groups[0]):
            group["lr"] *= 0.9
        for p, q in zip(params, twins, strict=True):
            p.grad = torch.full_like(p, 0.5).copysign(p.detach() - 0.1 * step)
            q.grad = p.grad.clone()
        compiled.step()
        plain.step()
    assert len(graphs) == programs
    for p, q in zip(params, twins, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-12)
        for name, value in plain.state[q].items():
            torch.testing.assert_close(compiled.state[p][name], value, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("optimizer", "options", "expected"),
    [
        (Adagrad, {}, 4),
        (ASGD, {}, 4),
        (AdamW, {}, 8),
        (Adamax, {}, 8),
        (NAdam, {}, 8),
        (RAdam, {}, 8),
        (Adadelta, {}, 8),
        (Rprop, {}, 8),
        (AdamW, {"amsgrad": True}, 12),
    ],
)
def test_state_bytes_per_float32_parameter(optimizer, options, expected):
    w = torch.zeros(64, 64, requires_grad=True)
    w.grad = torch.ones(64, 64)
    fresh = optimizer([w], **options)
    fresh.step()
    state = fresh.state[w].values()
    assert sum(x.numel() * x.element_size() for x in state if x.dim() > 0) == expected * w.numel()
    assert all(x.is_cpu and x.dtype == torch.float32 for x in state if x.dim() == 0)


def descend(optimizer, clip=math.inf, **options):
    """Where 500 steps on Rosenbrock's function lead from (−1.2, 1)."""
    w = torch.tensor([-1.2, 1.0], dtype=torch.float64, requires_grad=True)
    made = optimizer([w], **options)
    for _ in range(500):
        made.zero_grad()
        rosenbrock(w).backward()
        torch.nn.utils.clip_grad_norm_([w], clip)
        made.step()
    return w.detach()


def rosenbrock(w):
    x, y = w
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


@pytest.mark.parametrize(
    ("optimizer", "options", "end"),
    [
        (Adagrad, {"lr": 0.5}, (0.116882, 0.012465)),
        (Adadelta, {"lr": 1.0}, (0.424840, 0.178321)),
        (AdamW, {"lr": 0.1, "weight_decay": 0.01}, (0.818825, 0.669954)),
        (Adamax, {"lr": 0.1}, (-0.519527, 0.274311)),
        # With float64 as torch's default type, the product of all μ is kept in float64, and this
        # path, which is sensitive, ends in (0.622702, 0.386110).
        (NAdam, {"lr": 0.1}, (0.647061, 0.417143)),
    ],
)
def test_path_through_rosenbrocks_valley(optimizer, options, end):
    assert descend(optimizer, **options).tolist() == pytest.approx(end, abs=1e-6)


def test_radam_needs_clipping_there():
    # Its first five steps are SGD's, which at this learning rate are enough to overflow.
    assert descend(RAdam, lr=0.1).isnan().all()
    assert rosenbrock(descend(RAdam, clip=1.0, lr=0.1)).item() == pytest.approx(6.9e-4, rel=0.01)
