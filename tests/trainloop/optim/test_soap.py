"""SOAP: Adam in the eigenbasis, for tensors of any shape and type."""

import math

import pytest
import torch

from trainloop.optim import SOAP, Adam
from trainloop.optim.soap import _merge


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def gradient(step, *shape):
    """Gradients of full rank, with eigenvalues far apart: then the formula leaves nothing to chance but signs."""
    scale = torch.arange(1, shape[0] + 1, dtype=torch.float64).reshape(-1, *[1] * (len(shape) - 1)) ** 2
    return 0.01 * scale * random(*shape, seed=1000 + step)


def step_all(optimizers, steps):
    for step in steps:
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                for p in group["params"]:
                    p.grad = random(*p.shape, seed=step).to(p.dtype)
            optimizer.step()


# --- Adam in the eigenbasis -------------------------------------------------------------------------


@pytest.mark.parametrize("weight_decay", [0, 0.1])
def test_adam_on_vectors_after_a_skipped_step(weight_decay):
    w, v = (random(5).requires_grad_() for _ in range(2))
    ours, adam = SOAP([w], lr=0.1, weight_decay=weight_decay), Adam([v], lr=0.1, betas=(0.95, 0.95), eps=1e-8)
    for step in range(50):
        w.grad = v.grad = random(5, seed=step)
        ours.step()
        if step > 0:
            adam.step()  # differs in where ε stands: before the correction of √v
            with torch.no_grad():
                v.mul_(1 - 0.1 * weight_decay)
    torch.testing.assert_close(w, v, rtol=1e-5, atol=1e-6)


def batch(step):
    """Which elements of a 4 × 4 matrix a mini-batch tells about: one in each row and column."""
    order = torch.arange(4) if step == 0 else torch.randperm(4, generator=torch.Generator().manual_seed(step))
    return torch.eye(4, dtype=torch.float64)[order]


def test_on_a_rotated_quadratic_it_is_adam_in_the_eigenbasis():
    # f(w) = ½ Σ hᵢⱼ xᵢⱼ² where x = UᵀwV. Along the axes of x, each gradient's rows are orthogonal, and so are its
    # columns: U and V are the eigenvectors of L and R. SOAP has to find them; Adam is given x.
    U, V = (torch.linalg.qr(random(4, 4, seed=seed))[0] for seed in (1, 2))
    h = torch.logspace(-2, 2, 16, dtype=torch.float64).reshape(4, 4).T
    x = (1 + random(4, 4).abs()).requires_grad_()
    w, lost = ((U @ x.detach() @ V.T).requires_grad_() for _ in range(2))
    options = {"lr": 0.02, "betas": (0.9, 0.99), "eps": 1e-8}
    soap = SOAP([w], **options, weight_decay=0, precondition_frequency=1)
    adam, adam_on_w = Adam([x], **options), Adam([lost], **options)
    for step in range(100):
        w.grad = U @ (batch(step) * h * (U.T @ w.detach() @ V)) @ V.T
        soap.step()
        if step > 0:  # SOAP only looks at the first gradient
            x.grad = batch(step) * h * x.detach()
            lost.grad = U @ (batch(step) * h * (U.T @ lost.detach() @ V)) @ V.T
            adam.step()
            adam_on_w.step()
    torch.testing.assert_close(U.T @ w.detach() @ V, x.detach(), rtol=1e-4, atol=1e-4)
    assert (lost - w).abs().max() > 0.3


@pytest.mark.parametrize("frequency", [1, 5])
def test_rotating_the_problem_rotates_the_steps(frequency):
    U, V = (torch.linalg.qr(random(4, 4, seed=seed))[0] for seed in (1, 2))
    start = random(4, 4)
    plain, turned = start.clone().requires_grad_(), (U @ start @ V.T).requires_grad_()
    optimizers = [SOAP([p], lr=0.05, precondition_frequency=frequency) for p in (plain, turned)]
    for step in range(60):
        plain.grad = gradient(step, 4, 4)
        turned.grad = U @ plain.grad @ V.T
        for optimizer in optimizers:
            optimizer.step()
    torch.testing.assert_close(turned.detach(), U @ plain.detach() @ V.T, rtol=1e-7, atol=1e-8)


def test_bases_are_orthogonal_and_close_in_on_the_eigenvectors():
    w = torch.zeros(6, 4, requires_grad=True)
    optimizer = SOAP([w], shampoo_beta=0.99, precondition_frequency=1)
    for step in range(300):
        w.grad = gradient(step % 3, 6, 4).float()
        optimizer.step()
    for axis, Q in optimizer.state[w]["Q"].items():
        L = optimizer.state[w]["GG"][axis]
        diagonal = Q.T @ L @ Q
        torch.testing.assert_close(Q.T @ Q, torch.eye(len(Q)), rtol=0, atol=1e-5)
        assert (diagonal - diagonal.diag().diag()).abs().max() < 5e-3 * diagonal.max()  # 1 % comes from the last G
        assert (diagonal.diag().diff() <= 1e-6 * diagonal.max()).all()  # the largest first


# --- Shapes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "options", "axes"),
    [
        ((), {}, {}),
        ((5,), {}, {}),
        ((5,), {"precondition_1d": True}, {0: 5}),
        ((5,), {"precondition_1d": True, "max_precond_dim": 4}, {}),
        ((5, 3), {}, {0: 5, 1: 3}),
        ((5, 3), {"max_precond_dim": 4}, {1: 3}),
        ((5, 3), {"max_precond_dim": 2}, {}),
        ((0, 3), {}, {}),
        ((4, 2, 3, 3), {}, {0: 4, 1: 2, 2: 3, 3: 3}),
        ((4, 2, 3, 3), {"merge_dims": True, "max_precond_dim": 10}, {0: 8, 1: 9}),
        ((4, 2, 3, 3), {"merge_dims": True}, {0: 72}),
    ],
)
def test_which_dimensions_have_a_basis(shape, options, axes):
    w = random(*shape).requires_grad_()
    start = w.detach().clone()
    optimizer = SOAP([w], lr=0.01, weight_decay=0, **options)
    step_all([optimizer], range(2))
    state = optimizer.state[w]
    assert {axis: len(Q) for axis, Q in state["Q"].items()} == axes
    assert {axis: len(L) for axis, L in state["GG"].items()} == axes
    assert w.shape == start.shape
    # After one moving step, N is Q(G′ / |G′|): its size is that of a matrix of signs.
    moved = (start - w.detach()).norm().item()
    assert moved == pytest.approx(0.01 * math.sqrt(w.numel()), rel=1e-4)


@pytest.mark.parametrize("memory", ["transposed", "channels_last"])
def test_order_in_memory_makes_no_difference(memory):
    start = random(4, 3, 2, 5)
    w = start.clone().requires_grad_()
    other = (
        start.transpose(0, 3).contiguous().transpose(0, 3)
        if memory == "transposed"
        else start.contiguous(memory_format=torch.channels_last)
    )
    other = other.clone().requires_grad_()
    assert not other.is_contiguous()
    for options in ({}, {"merge_dims": True, "max_precond_dim": 12}):
        optimizers = [SOAP([p], **options) for p in (w, other)]
        for step in range(15):
            w.grad = random(4, 3, 2, 5, seed=step)
            other.grad = torch.empty_like(other).copy_(w.grad)
            for optimizer in optimizers:
                optimizer.step()
    torch.testing.assert_close(w, other)


def test_tensor_of_four_dimensions_follows_its_formula():
    # Each dimension's Q by einsum.
    w, shape = random(3, 2, 4, 2).requires_grad_(), (3, 2, 4, 2)
    θ, β = w.detach().clone(), 0.95
    optimizer = SOAP([w], lr=0.01, weight_decay=0, precondition_frequency=1000)
    M = V = torch.zeros(shape, dtype=torch.float64)
    for k in range(20):
        w.grad = G = random(*shape, seed=k)
        if k == 0:
            unfolded = [G.movedim(i, 0).reshape(n, -1) for i, n in enumerate(shape)]
            A, B, C, D = (torch.linalg.eigh(X @ X.T)[1].flip(1) for X in unfolded)
        else:
            M = β * M + (1 - β) * torch.einsum("abcd,ai,bj,ck,dl->ijkl", G, A, B, C, D)
            V = β * V + (1 - β) * torch.einsum("abcd,ai,bj,ck,dl->ijkl", G, A, B, C, D) ** 2
            N = torch.einsum("ijkl,ai,bj,ck,dl->abcd", M / (V.sqrt() + 1e-8), A, B, C, D)
            θ = θ - 0.01 * math.sqrt(1 - β**k) / (1 - β**k) * N
        optimizer.step()
    torch.testing.assert_close(w.detach(), θ, rtol=1e-9, atol=1e-9)


def test_merging_joins_neighbours_up_to_the_limit():
    assert _merge(torch.Size([128, 64, 3, 3]), 10000) == (8192, 9)
    assert _merge(torch.Size([128, 64, 3, 3]), 600) == (128, 576)
    assert _merge(torch.Size([20000, 3, 3]), 10000) == (20000, 9)
    assert _merge(torch.Size([]), 10) == ()


# --- Types, programs --------------------------------------------------------------------------------

SHAPES = [(4, 3), (5,), (2, 3, 2), ()]


def make(dtype=torch.float64, source=None, **options):
    source = source or [random(*shape).to(dtype) for shape in SHAPES]
    params = [p.detach().clone().requires_grad_() for p in source]
    return SOAP(params, **{"lr": 0.01, "precondition_frequency": 3} | options)


def params_of(optimizer):
    return optimizer.param_groups[0]["params"]


def test_bfloat16_parameters_have_float32_state():
    narrow, wide = make(torch.bfloat16), make(torch.float32)
    step_all([narrow, wide], range(30))
    for p, q in zip(params_of(narrow), params_of(wide), strict=True):
        assert p.dtype == torch.bfloat16
        assert {x.dtype for x in narrow.state[p]["Q"].values()} <= {torch.float32}
        # 30 steps of 0.01, each rounded to 8 bits of numbers below 4: half of 2⁻⁶ each at most
        torch.testing.assert_close(p.float(), q, rtol=0, atol=30 * 2**-7)


def test_compiled_by_inductor_it_takes_steps_of_the_right_length():
    # torch 2.14's inductor turns θ.add_(Q @ N, alpha=-η) into θ + Q @ N. No other backend shows it.
    eager, compiled = (make(source=[random(4, 4)]) for _ in range(2))
    compiled.compile()
    step_all([eager, compiled], range(3))
    torch.testing.assert_close(params_of(eager), params_of(compiled))


# --- Refusals ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_first_gradient_must_be_finite(value):
    w = torch.ones(3, 3, requires_grad=True)
    optimizer = SOAP([w])
    w.grad = torch.full((3, 3), value)
    with pytest.raises(torch.linalg.LinAlgError):
        optimizer.step()
    assert torch.equal(w, torch.ones(3, 3))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shampoo_beta": 1.0}, "shampoo_beta must be in [0, 1), got 1.0"),
        ({"precondition_frequency": 0}, "precondition_frequency must be >= 1, got 0"),
        ({"max_precond_dim": 0}, "max_precond_dim must be >= 1, got 0"),
    ],
)
def test_refuses(assert_refuses, options, message):
    assert_refuses(SOAP, options, message)
