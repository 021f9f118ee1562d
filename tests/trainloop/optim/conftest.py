"""Two runs side by side: our optimizer and torch's, on the same parameters and the same gradients."""

from dataclasses import dataclass
from itertools import chain

import pytest
import torch
from torch import Tensor

from trainloop.optim import ASGD, SGD, Adadelta, Adagrad, Adam, Adamax, AdamW, NAdam, RAdam, RMSprop, Rprop

# The class, torch's own, and two sets of options for two parameter groups. Together they use every
# kind of state the rule can have.
CASES = {
    "sgd": (SGD, torch.optim.SGD, {}, {"weight_decay": 0.1, "lr": 0.02}),
    "sgd-momentum": (
        SGD,
        torch.optim.SGD,
        {"momentum": 0.9, "nesterov": True},
        {"momentum": 0.5, "nesterov": False, "dampening": 0.3, "weight_decay": 0.1},
    ),
    "rmsprop": (RMSprop, torch.optim.RMSprop, {}, {"alpha": 0.9, "weight_decay": 0.1}),
    "rmsprop-centered": (
        RMSprop,
        torch.optim.RMSprop,
        {"centered": True},
        {"centered": True, "momentum": 0.9, "alpha": 0.8},
    ),
    "adam": (Adam, torch.optim.Adam, {}, {"betas": (0.8, 0.9), "weight_decay": 0.1}),
    "adam-amsgrad": (Adam, torch.optim.Adam, {"amsgrad": True}, {"amsgrad": False, "eps": 1e-3}),
    "adamw": (AdamW, torch.optim.AdamW, {}, {"betas": (0.8, 0.9), "weight_decay": 0.3}),
    "adamw-amsgrad": (AdamW, torch.optim.AdamW, {"amsgrad": True}, {"amsgrad": False, "eps": 1e-3}),
    "adamax": (Adamax, torch.optim.Adamax, {}, {"betas": (0.8, 0.9), "weight_decay": 0.1}),
    "nadam": (NAdam, torch.optim.NAdam, {}, {"betas": (0.8, 0.9), "weight_decay": 0.1, "momentum_decay": 0.1}),
    "nadam-decoupled": (
        NAdam,
        torch.optim.NAdam,
        {"weight_decay": 0.1, "decoupled_weight_decay": True},
        {"eps": 1e-3},
    ),
    "radam": (RAdam, torch.optim.RAdam, {}, {"betas": (0.8, 0.9), "weight_decay": 0.1}),
    "radam-decoupled": (
        RAdam,
        torch.optim.RAdam,
        {"weight_decay": 0.1, "decoupled_weight_decay": True},
        {"eps": 1e-3},
    ),
    "adagrad": (Adagrad, torch.optim.Adagrad, {}, {"lr_decay": 0.1, "weight_decay": 0.1}),
    "adadelta": (Adadelta, torch.optim.Adadelta, {}, {"rho": 0.5, "weight_decay": 0.1}),
    "asgd": (ASGD, torch.optim.ASGD, {}, {"lambd": 0.1, "t0": 20, "weight_decay": 0.1}),
    "rprop": (Rprop, torch.optim.Rprop, {}, {"etas": (0.3, 1.7), "step_sizes": (1e-4, 1)}),
}


@dataclass(frozen=True)
class Case:
    """One of our optimizers, its oracle, and options for two parameter groups."""

    ours: type[torch.optim.Optimizer]
    oracle: type[torch.optim.Optimizer]
    first: dict
    second: dict
    lr: float = 0.05

    def groups(self, params: list[Tensor]) -> list[dict]:
        half = len(params) // 2
        return [{"params": params[:half], **self.first}, {"params": params[half:], **self.second}]

    def make(self, params: list[Tensor], **options) -> torch.optim.Optimizer:
        return self.ours(self.groups(params), **{"lr": self.lr} | options)

    def make_oracle(self, params: list[Tensor], **options) -> torch.optim.Optimizer:
        return self.oracle(self.groups(params), foreach=False, **{"lr": self.lr} | options)


@pytest.fixture(params=CASES)
def case(request) -> Case:
    return Case(*CASES[request.param])


class Gradients:
    """A stream of gradients, the same for every list of parameters that asks for the same step.

    They span nine decades and hold exact zeros. The second parameter has no gradient on every third
    step, the third never has one.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def set(self, params: list[Tensor], step: int) -> None:
        generator = torch.Generator().manual_seed(1_000_003 * self.seed + step)
        for i, p in enumerate(params):
            size = 10 ** (9 * torch.rand(p.shape, generator=generator, dtype=torch.float64) - 6)
            g = size * torch.randn(p.shape, generator=generator, dtype=torch.float64)
            g[torch.rand(p.shape, generator=generator) < 0.1] = 0
            absent = i == 2 or (i == 1 and step % 3 == 2)
            # Laid out in memory as autograd does it: like the parameter.
            p.grad = None if absent else torch.empty_like(p).copy_(g).detach()


@pytest.fixture
def gradients() -> Gradients:
    return Gradients()


def make_params(dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """Matrices, vectors, a scalar, an empty tensor, and one whose memory is not in row order."""
    generator = torch.Generator().manual_seed(7)
    shapes = [(3, 4), (5,), (2, 2), (), (0, 3), (2, 3, 2)]
    params = [torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) for shape in shapes]
    params.append(torch.randn(4, 3, generator=generator, dtype=torch.float64).to(dtype).t())
    return [p.requires_grad_() for p in params]


@pytest.fixture
def params() -> list[Tensor]:
    return make_params()


def clone_params(params: list[Tensor]) -> list[Tensor]:
    return [p.detach().clone().requires_grad_() for p in params]


@pytest.fixture(name="clone_params")
def _clone_params():
    return clone_params


def assert_same(ours: torch.optim.Optimizer, oracle: torch.optim.Optimizer, note: str = "") -> None:
    """Parameters and state are equal to the last bit, and the state has torch's keys and types."""
    pairs = zip(ours.param_groups, oracle.param_groups, strict=True)
    for p, q in chain.from_iterable(zip(g["params"], h["params"], strict=True) for g, h in pairs):
        assert p.isfinite().all(), note
        assert torch.equal(p, q), f"{note} differs by {(p - q).abs().max()}"
        state, expected = ours.state.get(p, {}), oracle.state.get(q, {})
        assert state.keys() == expected.keys(), note
        for key, value in state.items():
            assert value.dtype == expected[key].dtype, (note, key)
            assert value.stride() == expected[key].stride(), (note, key)
            assert torch.equal(value, expected[key]), (note, key)


@pytest.fixture(name="assert_same")
def _assert_same():
    return assert_same


@pytest.fixture
def run(gradients):
    """Return a function that steps optimizers side by side, and checks that gradients stay untouched."""

    def run(*optimizers: torch.optim.Optimizer, steps: range) -> None:
        for step in steps:
            for optimizer in optimizers:
                params = [p for group in optimizer.param_groups for p in group["params"]]
                gradients.set(params, step)
                before = [None if p.grad is None else (p.grad, p.grad.clone()) for p in params]
                optimizer.step()
                for p, grad in zip(params, before, strict=True):
                    if grad is None:
                        assert p.grad is None
                    else:
                        assert p.grad is grad[0]
                        assert torch.equal(p.grad, grad[1])

    return run


@pytest.fixture
def assert_parity():
    """Return a function that compares every combination of options with torch, bit for bit.

    All combinations are parameter groups of one optimizer, so one run tests them all.
    """

    def assert_parity(ours, oracle, options: list[dict], dtype: torch.dtype, steps: int = 120) -> None:
        first = make_params(dtype)[:4]
        groups = [{"params": clone_params(first), **option} for option in options]
        same_groups = [{"params": clone_params(first), **option} for option in options]
        optimizer, expected = ours(groups), oracle(same_groups, foreach=False)
        stream = Gradients()
        for step in range(steps):
            stream.set(first, step)
            before = [None if p.grad is None else p.grad.clone() for p in first]
            for group in chain(groups, same_groups):
                for p, source in zip(group["params"], first, strict=True):
                    p.grad = source.grad
            optimizer.step()
            for p, grad in zip(first, before, strict=True):
                assert p.grad is None or torch.equal(p.grad, grad), f"gradient changed at step {step}"
            expected.step()
        assert_same(optimizer, expected)

    return assert_parity
