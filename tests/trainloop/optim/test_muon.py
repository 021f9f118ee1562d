"""Muon: equal to torch bit for bit; its steps have about one length in every direction."""

import math

import pytest
import torch
from formulas.muon import GRID

from trainloop.optim import Muon
from trainloop.optim.muon import newton_schulz

SHAPES = [(3, 4), (4, 3), (1, 5), (9, 17)]


def random(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def groups(options, dtype):
    # The last of the matrices has its memory in column order.
    return [
        {
            "params": [
                p.requires_grad_() for p in (*(random(*s, dtype=dtype) for s in SHAPES), random(4, 3).to(dtype).t())
            ]
        }
        | option
        for option in options
    ]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_equals_torch(dtype, run, assert_same):
    # Without Nesterov, torch spoils the momentum of bfloat16 parameters: see below.
    options = [option for option in GRID if dtype != torch.bfloat16 or option["nesterov"]]
    ours, theirs = Muon(groups(options, dtype)), torch.optim.Muon(groups(options, dtype))
    run(ours, theirs, steps=range(100))
    assert_same(ours, theirs)


@pytest.mark.parametrize("options", [{"ns_steps": 2}, {"ns_coefficients": (1.5, -0.5, 0.0)}, {"eps": 10.0}], ids=str)
def test_options_of_the_iteration_equal_torch(options, run, assert_same):
    ours, theirs = Muon(groups([options], torch.float32)), torch.optim.Muon(groups([options], torch.float32))
    run(ours, theirs, steps=range(20))
    assert_same(ours, theirs)


def test_momentum_of_bfloat16_parameters_survives():
    def run(make):
        w = torch.zeros(4, 3, dtype=torch.bfloat16, requires_grad=True)
        optimizer = make([w], lr=0.1, nesterov=False)
        for step in range(3):
            w.grad = random(4, 3, seed=step, dtype=torch.bfloat16)
            optimizer.step()
        return optimizer.state[w]["momentum_buffer"]

    average = torch.zeros(4, 3, dtype=torch.bfloat16)
    for step in range(3):
        average.lerp_(random(4, 3, seed=step, dtype=torch.bfloat16), 1 - 0.95)
    assert torch.equal(run(Muon), average)
    assert not torch.allclose(run(torch.optim.Muon), average, rtol=0.5)


@pytest.mark.parametrize(
    ("shape", "adjust", "ratio"),
    [
        ((2, 8), None, 1),
        ((8, 2), "original", 2),
        ((2, 8), "spectral_unclamped", 0.5),
        ((8, 2), "spectral_unclamped", 2),
        ((16, 4), "match_rms_adamw", 0.8),
        ((4, 16), "match_rms_adamw", 0.8),
    ],
)
def test_shape_sets_the_length_of_the_step(shape, adjust, ratio):
    w = torch.zeros(shape, dtype=torch.float64, requires_grad=True)
    w.grad = random(*shape)
    Muon([w], lr=0.1, momentum=0, adjust_lr_fn=adjust).step()
    step = newton_schulz(random(*shape)).double()
    torch.testing.assert_close(w.detach(), -0.1 * ratio * step)


# --- Newton–Schulz ----------------------------------------------------------------------------------


def test_singular_values_end_near_1():
    # Measured: 0.682 to 1.203 in exact arithmetic for values of 0.002 and above; bfloat16 adds a little.
    s = torch.linspace(0.002, 1, 100_001, dtype=torch.float64)
    for _ in range(5):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    assert s.min() > 0.68 and s.max() < 1.21
    for seed, shape in enumerate([(64, 64), (64, 256), (256, 64), (16, 512), (1, 9)]):
        X = random(*shape, seed=seed, dtype=torch.float32)
        values = torch.linalg.svdvals(newton_schulz(X).float())
        kept = torch.linalg.svdvals(X / X.norm()) > 0.005  # a random square matrix has a few that are smaller
        assert values[kept].min() > 0.65 and values.max() < 1.25
        assert kept.float().mean() > 0.9


@pytest.mark.parametrize("shape", [(5, 5), (5, 8), (8, 5)])
def test_singular_vectors_stay(shape):
    X = random(*shape)
    U, _, Vh = torch.linalg.svd(X, full_matrices=False)
    inner = U.T @ newton_schulz(X).double() @ Vh.T
    assert (inner - inner.diag().diag()).abs().max() < 0.05
    torch.testing.assert_close(newton_schulz(X.T), newton_schulz(X).T, rtol=0, atol=0.02)


@pytest.mark.parametrize("shape", [(6, 4), (4, 9)])
def test_newton_and_schulzs_own_polynomial_settles_at_the_singular_vectors(shape):
    X = random(*shape)
    U, _, Vh = torch.linalg.svd(X, full_matrices=False)
    found = newton_schulz(X, coefficients=(1.5, -0.5, 0.0), steps=30).double()
    torch.testing.assert_close(found, U @ Vh, rtol=0, atol=4 / 256)  # bfloat16 has 8 bits


@pytest.mark.parametrize("scale", [2.0**-20, 2.0**-3, 2.0**10])
def test_size_of_the_gradient_has_no_influence(scale):
    def run(scale):
        w = torch.zeros(6, 4, dtype=torch.float64, requires_grad=True)
        optimizer = Muon([w], lr=0.1, eps=0.0)
        for step in range(5):
            w.grad = scale * random(6, 4, seed=step)
            optimizer.step()
        return w

    assert torch.equal(run(scale), run(1.0))  # powers of 2: the same digits


def test_shown_and_coded_momentum_give_the_same_steps():
    # torch's page: B = μB + g and g + μB. The code: averages, which are smaller by 1 − μ.
    μ, w = 0.75, torch.zeros(6, 4, dtype=torch.float64, requires_grad=True)
    optimizer = Muon([w], lr=1.0, weight_decay=0, momentum=μ, adjust_lr_fn="spectral_unclamped")
    total = torch.zeros(6, 4, dtype=torch.float64)
    for step in range(6):
        w.grad = random(6, 4, seed=step)
        before = w.detach().clone()
        optimizer.step()
        total = μ * total + w.grad
        torch.testing.assert_close(optimizer.state[w]["momentum_buffer"], (1 - μ) * total)
        expected = math.sqrt(6 / 4) * newton_schulz(w.grad + μ * total).double()
        torch.testing.assert_close(before - w.detach(), expected, rtol=0, atol=0.02)


def test_zero_gradient_makes_no_step():
    w = torch.ones(2, 3, requires_grad=True)
    optimizer = Muon([w], weight_decay=0)
    w.grad = torch.zeros(2, 3)
    optimizer.step()
    assert torch.equal(w, torch.ones(2, 3))


# --- Refusals ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ns_steps": 100}, "ns_steps must be in [0, 100), got 100"),
        ({"ns_coefficients": (1.5, -0.5)}, "ns_coefficients must be three numbers, got (1.5, -0.5)"),
        (
            {"adjust_lr_fn": "rms"},
            "adjust_lr_fn must be None, 'original', 'match_rms_adamw' or 'spectral_unclamped', got 'rms'",
        ),
    ],
)
def test_refuses(assert_refuses, options, message):
    assert_refuses(Muon, options, message, shape=(2, 2))


@pytest.mark.parametrize("shape", [(), (3,), (2, 3, 3, 3)])
def test_only_matrices_are_taken(shape):
    matrix, other = torch.zeros(2, 2, requires_grad=True), torch.zeros(shape, requires_grad=True)
    optimizer = Muon([matrix])
    for make in (lambda: Muon([matrix, other]), lambda: optimizer.add_param_group({"params": [other]})):
        with pytest.raises(ValueError) as error:
            make()
        assert str(error.value) == f"params must be matrices, got one of shape {shape}: give it to AdamW"
    assert len(optimizer.param_groups) == 1
