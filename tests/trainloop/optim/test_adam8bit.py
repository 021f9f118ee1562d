"""8-bit Adam: Adam with quantised state, as its authors test it, and state that survives every way of saving."""

import copy

import pytest
import torch

from trainloop.optim import Adam, Adam8bit
from trainloop.optim._quantize import codebook, dequantize

CPU = torch.device("cpu")


def moments(optimizer, w):
    """The 8-bit state as numbers, under Adam's names."""
    state, size = optimizer.state[w], optimizer.param_groups[0]["block_size"]
    return {
        name: dequantize(state[name], state[f"{name}_scale"], codebook(signed, CPU), size)
        for name, signed in (("exp_avg", True), ("exp_avg_sq", False))
    }


# --- The rule ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1024, 32), (257, 33)], ids=str)
def test_errors_are_those_its_authors_allow(shape):
    # Their test, test_optimizer8bit: after every step, the 32-bit twin takes over weights and state.
    torch.manual_seed(0)
    w = (0.1 * torch.randn(shape)).requires_grad_()
    twin = w.detach().clone().requires_grad_()
    optimizer, expected = Adam8bit([w]), torch.optim.Adam([twin])
    for _ in range(50):
        w.grad = 0.01 * torch.randn(shape)
        twin.grad = w.grad.clone()
        optimizer.step()
        expected.step()
        for name, numbers in moments(optimizer, w).items():
            exact = expected.state[twin][name]
            assert (~torch.isclose(exact, numbers, atol=3e-3, rtol=1e-3)).sum() < 20
            exact.copy_(numbers)
        error = (w - twin).detach().abs()
        assert error.mean() < 6e-5
        assert (error / (twin.abs() + 1e-9)).mean() < 6e-4
        with torch.no_grad():
            w.copy_(twin)


def test_runs_side_by_side_stay_within_a_fifth_of_a_step():
    # Here nobody sets the twin right after each step, so the errors of 50 steps add up.
    torch.manual_seed(0)
    w = (0.1 * torch.randn(256, 64)).requires_grad_()
    twin = w.detach().clone().requires_grad_()
    optimizer, expected = Adam8bit([w]), torch.optim.Adam([twin])
    for _ in range(50):
        w.grad = 0.01 * torch.randn(256, 64)
        twin.grad = w.grad.clone()
        optimizer.step()
        expected.step()
    assert 0 < (w - twin).abs().mean() < 0.2 * 1e-3


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_small_parameters_are_adams_bit_for_bit(params, clone_params, run, assert_same, dtype):
    params = [p.detach().to(dtype).requires_grad_() for p in params]
    options = {"lr": 0.05, "weight_decay": 0.1}
    ours, theirs = Adam8bit(params, **options), Adam(clone_params(params), **options)
    run(ours, theirs, steps=range(50))
    assert_same(ours, theirs)


@pytest.mark.parametrize(("elements", "dtype"), [(4095, torch.float32), (4096, torch.uint8)])
def test_4096_elements_are_the_border(elements, dtype):
    w = torch.zeros(elements, requires_grad=True)
    w.grad = torch.ones(elements)
    optimizer = Adam8bit([w])
    optimizer.step()
    assert optimizer.state[w]["exp_avg"].dtype == optimizer.state[w]["exp_avg_sq"].dtype == dtype


def test_bfloat16_parameters_keep_32_bit_arithmetic():
    # 1 − β₂ = 0.001 is lost in bfloat16's 8 bits: Adam's own v stands still where it would grow.
    torch.manual_seed(0)
    small, large = torch.zeros(4, dtype=torch.bfloat16), torch.zeros(4096, dtype=torch.bfloat16)
    small, large = small.requires_grad_(), large.requires_grad_()
    optimizer = Adam8bit([small, large], lr=0.01)
    for _ in range(20):
        small.grad, large.grad = torch.ones_like(small), torch.ones_like(large)
        optimizer.step()
    assert optimizer.state[small]["exp_avg_sq"].dtype == torch.float32
    for v in (optimizer.state[small]["exp_avg_sq"][0], moments(optimizer, large)["exp_avg_sq"][0]):
        assert v.item() == pytest.approx(1 - 0.999**20, rel=1e-5)
    assert torch.equal(small, large[:4])


def test_a_second_moment_far_below_its_blocks_largest_is_stored_as_0(walk):
    # The limit that the docstring states: v of the small weight is 1e-8 of the large one's, m 1e-4.
    large, small = walk(Adam8bit, [[1.0, 1e-4], [1.0, 0.0]], [0.0, 0.0], lr=0.1, min_8bit_size=1).end
    assert abs(large) < 0.21
    assert abs(small) > 100


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"block_size": 0}, "block_size must be >= 1, got 0"),
        ({"min_8bit_size": -1}, "min_8bit_size must be >= 0, got -1"),
    ],
)
def test_refuses(assert_refuses, options, message):
    assert_refuses(Adam8bit, options, message)


# --- State ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "expected"),
    [({"block_size": 2048}, 2 + 2 * 4 / 2048), ({"min_8bit_size": 1 << 20}, 8)],
    ids=str,
)
def test_state_bytes_per_parameter(options, expected):
    w = torch.zeros(256, 256, requires_grad=True)
    w.grad = torch.ones(256, 256)
    optimizer = Adam8bit([w], **options)
    optimizer.step()
    assert sum(x.nbytes for x in optimizer.state[w].values() if x.dim() > 0) / w.numel() == expected


def test_takes_over_adams_state_and_keeps_it_wide():
    torch.manual_seed(0)
    w = torch.randn(64, 65, requires_grad=True)
    wide = torch.optim.Adam([w], lr=0.01)
    w.grad = torch.randn(64, 65)
    wide.step()
    twin = w.detach().clone().requires_grad_()
    optimizer = Adam8bit([twin])
    optimizer.load_state_dict(copy.deepcopy(wide.state_dict()))
    for p in (w, twin):
        p.grad = torch.ones(64, 65)
    wide.step()
    optimizer.step()
    assert torch.equal(w, twin)
    assert optimizer.state[twin]["exp_avg"].dtype == torch.float32


def test_refuses_the_state_of_adamw():
    w = torch.zeros(4096, requires_grad=True)
    theirs = torch.optim.AdamW([w])
    with pytest.raises(ValueError, match="decoupled_weight_decay must be False, got True"):
        Adam8bit([w]).load_state_dict(theirs.state_dict())
