"""The ratio of norms: its edge cases, and lists as single tensors."""

import math

import pytest
import torch

from trainloop.optim._lists import TensorList
from trainloop.optim._trust import ratio

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
    found = ratio(torch.tensor(size, dtype=dtype), torch.tensor(length, dtype=dtype))
    assert found.dtype == dtype
    assert found.item() == pytest.approx(expected, rel=0.01)


def test_scale_does_not_touch_the_1():
    assert ratio(torch.tensor(3.0), torch.tensor(4.0), 0.5).item() == 0.375
    assert ratio(torch.tensor(3.0), torch.tensor(0.0), 0.5).item() == 1.0
    assert ratio(torch.tensor(3.0), torch.tensor(4.0), 0.0).item() == 0.0


def test_lists_equal_single_tensors_bit_for_bit():
    torch.manual_seed(0)
    sizes, lengths = [*torch.rand(50).unbind()], [*torch.rand(50).unbind()]
    listed = ratio(TensorList(sizes), TensorList(lengths), 0.3)
    for found, size, length in zip(listed.tensors, sizes, lengths, strict=True):
        assert found.dim() == 0
        assert torch.equal(found, ratio(size, length, 0.3))
