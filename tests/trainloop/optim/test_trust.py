"""The trust ratio: its edge cases, lists as single tensors, and the norms of large ones."""

import math

import pytest
import torch

from trainloop.optim._lists import TensorList
from trainloop.optim._trust import _norm, _ratio, trust_ratio

CASES = [
    (3.0, 4.0, 0.75),
    (0.0, 4.0, 1.0),
    (3.0, 0.0, 1.0),
    (0.0, 0.0, 1.0),
    (1e-30, 1e-30, 1.0),  # a test of the product would find 0 in float32
    (1e-30, 2e-30, 0.5),
    (math.inf, 2.0, math.inf),
    (2.0, math.inf, 0.0),
    (math.nan, 2.0, 1.0),  # the update that it multiplies is NaN by itself
]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("size", "length", "expected"), CASES)
def test_ratio_is_1_where_a_norm_is_not_above_0(size, length, expected, dtype):
    found = _ratio(torch.tensor(size, dtype=dtype), torch.tensor(length, dtype=dtype), 1.0, 0.0, 1.0)
    assert found.dtype == dtype
    assert found.item() == pytest.approx(expected, rel=0.01)


def test_it_is_the_quotient_of_the_norms():
    θ, u = torch.tensor([3.0, 4.0]), torch.tensor([[0.0, 2.0], [0.0, 0.0]])
    assert trust_ratio(θ, u).item() == 2.5
    assert trust_ratio(θ, u, scale=0.5).item() == 1.25
    assert trust_ratio(θ, u, decay=0.4).item() == 1.25


def test_scale_does_not_touch_what_is_returned_otherwise():
    θ, none = torch.tensor([3.0]), torch.zeros(2)
    assert trust_ratio(θ, none, 0.5).item() == 1.0
    assert trust_ratio(none, θ, 0.5, otherwise=7.0).item() == 7.0
    assert trust_ratio(θ, θ, 0.0).item() == 0.0


def test_lists_equal_single_tensors_bit_for_bit():
    torch.manual_seed(0)
    params, steps = [torch.rand(7, 5) for _ in range(50)], [torch.rand(7, 5) for _ in range(50)]
    listed = trust_ratio(TensorList(params), TensorList(steps), 0.3, 0.1)
    for found, θ, u in zip(listed.tensors, params, steps, strict=True):
        assert found.dim() == 0
        assert torch.equal(found, trust_ratio(θ, u, 0.3, 0.1))


@pytest.mark.parametrize("format", [torch.contiguous_format, torch.channels_last])
def test_the_norm_of_a_large_tensor_is_closer_to_that_in_float64_than_torchs(format):
    torch.manual_seed(0)
    x = torch.rand(1000, 100, 10, 10).to(memory_format=format)
    exact = x.double().norm().item()
    ours, torchs = (abs(found.item() / exact - 1) for found in (_norm(x), torch.linalg.vector_norm(x)))
    assert ours < 2e-4  # MKL adds in other blocks on an Intel processor (1e-5) than on one of AMD (9e-5)
    assert torchs > 2 * ours  # or `_norm` has lost its point
    assert _norm(x.bfloat16()).item() == pytest.approx(exact, rel=0.01)
