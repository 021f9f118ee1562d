"""Runs side by side, our optimizer's and torch's, and what the files of single rules share: one weight, one option."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import Any

import pytest
import torch
from torch import Tensor

# --- Many parameters --------------------------------------------------------------------------------


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


def params_of(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [p for group in optimizer.param_groups for p in group["params"]]


@pytest.fixture(name="params_of")
def _params_of():
    return params_of


def assert_same(ours: torch.optim.Optimizer, oracle: torch.optim.Optimizer, note: str = "") -> None:
    """Parameters and state are equal to the last bit, and the state has torch's keys and types."""
    for p, q in zip(params_of(ours), params_of(oracle), strict=True):
        assert p.isfinite().all(), note
        assert torch.equal(p, q), f"{note} differs by {(p - q).abs().max()}"
    states, expected = (
        {index: state for index, state in optimizer.state_dict()["state"].items() if state}
        for optimizer in (ours, oracle)
    )
    assert_same_entry(states, expected, note)


def assert_same_entry(entry: Any, expected: Any, note: str) -> None:
    if isinstance(expected, dict):
        assert entry.keys() == expected.keys(), note
        for key, value in expected.items():
            assert_same_entry(entry[key], value, f"{note} {key}")
    elif isinstance(expected, list):
        assert len(entry) == len(expected), note
        for value, other in zip(entry, expected, strict=True):
            assert_same_entry(value, other, note)
    elif isinstance(expected, Tensor):
        assert entry.dtype == expected.dtype, note
        assert entry.stride() == expected.stride(), note
        assert torch.equal(entry, expected), f"{note} differs by {(entry - expected).abs().max()}"
    else:
        assert entry == expected, note


@pytest.fixture(name="assert_same")
def _assert_same():
    return assert_same


@pytest.fixture
def run(gradients):
    """Return a function that steps optimizers side by side, and checks that gradients stay untouched."""

    def run(*optimizers: torch.optim.Optimizer, steps: range) -> None:
        for step in steps:
            for optimizer in optimizers:
                params = params_of(optimizer)
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

    def assert_parity(ours, oracle, options: list[dict], dtype: torch.dtype, steps: int = 100) -> None:
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


# --- One parameter ----------------------------------------------------------------------------------


@dataclass
class Walk:
    """Where a parameter stood after each step, and the optimizer that moved it."""

    places: list[Any]
    optimizer: torch.optim.Optimizer
    state: dict[str, Any]

    @property
    def end(self) -> Any:
        return self.places[-1]


@pytest.fixture(name="walk")
def _walk():
    return walk


def walk(optimizer: Callable[..., torch.optim.Optimizer], slopes: list, start: Any = 0.0, **options: Any) -> Walk:
    """Step a new optimizer with these gradients, on one float64 parameter that starts here.

    Gradients and start are numbers, or nested lists of them.
    """
    w = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    made, places = optimizer([w], **options), []
    for slope in slopes:
        w.grad = torch.tensor(slope, dtype=torch.float64)
        made.step()
        places.append(w.tolist())
    return Walk(places, made, made.state.get(w, {}))


@pytest.fixture
def assert_refuses():
    """Return a function that checks what an optimizer says to an option, its own or a group's."""

    def assert_refuses(optimizer, options: dict, message: str, shape: tuple[int, ...] = (2,)) -> None:
        w = torch.zeros(shape, requires_grad=True)
        for make in (lambda: optimizer([w], **options), lambda: optimizer([{"params": [w], **options}])):
            with pytest.raises(ValueError) as error:
                make()
            assert str(error.value) == message

    return assert_refuses


# --- Programs ---------------------------------------------------------------------------------------


@pytest.fixture
def count_graphs():
    """A backend for torch.compile that runs what it is given as it stands, and the list of what it was given."""
    torch._dynamo.reset()
    graphs: list[Any] = []

    def backend(graph, _inputs):
        graphs.append(graph)
        return graph.forward

    return graphs, backend
