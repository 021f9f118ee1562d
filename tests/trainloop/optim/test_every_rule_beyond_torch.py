"""What every rule that torch lacks is asked: to run three ways with one result, to resume, and what its state costs."""

import copy
import io
import pickle

import pytest
import torch
from torch._dynamo.testing import CompileCounterWithBackend

from trainloop.optim import LAMB, LARS, SGD, Adam8bit, Lion, Lookahead, ScheduleFreeAdamW, ScheduleFreeSGD, SophiaG
from trainloop.optim import _base as base

RULES = {
    "lamb": (LAMB, {}),
    "lamb-no-ratio": (LAMB, {"adapt": False, "weight_decay": 0}),
    "lars": (LARS, {"weight_decay": 0.1}),
    "lars-nesterov": (LARS, {"nesterov": True, "adapt": False}),
    "lion": (Lion, {"weight_decay": 0.1}),
    "adam8bit": (Adam8bit, {"weight_decay": 0.1, "min_8bit_size": 1, "block_size": 4}),
    "adam8bit-small": (Adam8bit, {}),
    "sophiag": (SophiaG, {"gamma": 2.0}),
    "schedulefreesgd": (ScheduleFreeSGD, {"weight_decay": 0.1, "warmup_steps": 5}),
    "schedulefreeadamw": (ScheduleFreeAdamW, {"weight_decay": 0.1, "warmup_steps": 5, "r": 1.0}),
}


@pytest.fixture(params=RULES)
def rule(request):
    optimizer, options = RULES[request.param]
    return lambda params: with_curvature(optimizer(params, **{"lr": 0.05, **options}))


def with_curvature(optimizer):
    """Give Sophia-G an estimate, as its training loop would; half of it is below 0."""
    if isinstance(optimizer, SophiaG):
        params = [p for group in optimizer.param_groups for p in group["params"]]
        optimizer.update_hessian([p.detach().sin() for p in params])
    return optimizer


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_lists_equal_single_tensors(rule, dtype, params, clone_params, run, assert_same, monkeypatch):
    params = [p.detach().to(dtype).requires_grad_() for p in params]
    params = [p for p in params if p.numel() > 0]
    listed, single = rule(clone_params(params)), rule(clone_params(params))
    for step in range(30):
        run(listed, steps=range(step, step + 1))
        with monkeypatch.context() as patch:
            patch.setattr(base, "SMALL", -1)
            run(single, steps=range(step, step + 1))
    assert_same(listed, single)


def test_compiled_equals_uncompiled(rule, params, clone_params):
    torch._dynamo.reset()
    # It takes operations apart as the default backend does, and then runs them as they are.
    backend = CompileCounterWithBackend("aot_eager_decomp_partition")
    params = [p.detach().float().requires_grad_() for p in params if p.dim() == 2 and p.numel() > 0]
    twins = clone_params(params)
    compiled, plain = rule(params), rule(twins)
    compiled.compile(backend=backend)
    for step in range(10):
        for group in (compiled.param_groups[0], plain.param_groups[0]):
            group["lr"] *= 0.9
        for p, q in zip(params, twins, strict=True):
            p.grad = torch.full_like(p, 0.5).copysign(p.detach() - 0.1 * step)
            q.grad = p.grad.clone()
        compiled.step()
        plain.step()
    assert backend.frame_count == 1
    for p, q in zip(params, twins, strict=True):
        torch.testing.assert_close(p, q)
        for name, value in plain.state[q].items():
            torch.testing.assert_close(compiled.state[p][name], value)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("carry", ["deepcopy", "pickle", "state_dict"])
def test_resumes_bit_for_bit(rule, dtype, carry, params, clone_params, run, assert_same):
    params = [p.detach().to(dtype).requires_grad_() for p in params]
    original = rule(params)
    run(original, steps=range(40))
    if carry == "deepcopy":
        resumed = copy.deepcopy(original)
    elif carry == "pickle":
        resumed = pickle.loads(pickle.dumps(original))
    else:
        file = io.BytesIO()
        torch.save(original.state_dict(), file)
        file.seek(0)
        resumed = rule(clone_params(params))
        resumed.param_groups[0]["lr"] = 9.0
        resumed.load_state_dict(torch.load(file))
    assert_same(original, resumed)
    for optimizer in (original, resumed):
        run(optimizer, steps=range(40, 60))
    assert_same(original, resumed)


def test_maximize_is_minimizing_the_negative(rule, params, clone_params, run, assert_same):
    down, up = rule(params), rule(clone_params(params))
    for group in up.param_groups:
        group["maximize"] = True
    for step in range(20):
        run(down, steps=range(step, step + 1))
        for p, q in zip(down.param_groups[0]["params"], up.param_groups[0]["params"], strict=True):
            q.grad = None if p.grad is None else -p.grad
        up.step()
    assert_same(down, up)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_non_finite_gradients_reach_the_weights(rule, bad):
    # Nothing is hidden, except by Lion: test_lion.py.
    w = torch.ones(8, requires_grad=True)
    optimizer = rule([w])
    for _ in range(2):
        w.grad = torch.ones(8)
        w.grad[3] = bad
        optimizer.step()
    assert w[3].isfinite() == isinstance(optimizer, Lion)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (Lion, 4),
        (LARS, 4),
        (LAMB, 8),
        (SophiaG, 8),
        (ScheduleFreeSGD, 4),
        (ScheduleFreeAdamW, 8),
        (Adam8bit, 2 + 2 * 4 / 256),
        (lambda params: Adam8bit(params, block_size=2048), 2 + 2 * 4 / 2048),
        (lambda params: Adam8bit(params, min_8bit_size=1 << 20), 8),
    ],
    ids=["Lion", "LARS", "LAMB", "SophiaG", "ScheduleFreeSGD", "ScheduleFreeAdamW", "8bit", "8bit-2048", "8bit-small"],
)
def test_state_bytes_per_float32_parameter(make, expected):
    w = torch.zeros(256, 256, requires_grad=True)
    w.grad = torch.ones(256, 256)
    fresh = make([w])
    fresh.step()
    state = fresh.state[w].values()
    assert sum(x.nbytes for x in state if x.dim() > 0) / w.numel() == expected
    assert all(x.is_cpu and x.dtype == torch.float32 for x in state if x.dim() == 0)


def test_lookahead_adds_a_copy_of_the_weights():
    w = torch.zeros(256, 256, requires_grad=True)
    w.grad = torch.ones(256, 256)
    optimizer = Lookahead(SGD([w], momentum=0.9))
    optimizer.step()
    entries = [*optimizer.state[w].values(), *optimizer.slow[w].values()]
    assert sum(x.nbytes for x in entries) / w.numel() == 4 + 4
