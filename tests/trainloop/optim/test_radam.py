"""RAdam: equal to torch bit for bit. That it follows its formula: test_formulas.py."""

from itertools import pairwise

import pytest
import torch
from formulas.radam import GRID

from trainloop.optim import RAdam


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_equals_torch(assert_parity, dtype):
    assert_parity(RAdam, torch.optim.RAdam, GRID, dtype)


@pytest.mark.parametrize("slope", [-1e3, -1.0, 1e-3, 1e3])
def test_first_step_is_one_of_sgd(walk, slope):
    assert walk(RAdam, [slope], lr=0.1).end == pytest.approx(-0.1 * slope)


@pytest.fixture
def step_lengths(walk):
    def step_lengths(slope, steps, **options):
        places = [0.0, *walk(RAdam, [slope] * steps, lr=0.1, **options).places]
        return [before - after for before, after in pairwise(places)]

    return step_lengths


def test_five_steps_depend_on_the_size_of_the_gradient_and_the_sixth_does_not(step_lengths):
    small, large = step_lengths(1.0, 8), step_lengths(100.0, 8)
    assert small[:5] == pytest.approx([0.1] * 5)
    assert large[:5] == pytest.approx([10.0] * 5)
    assert small[5:] == pytest.approx(large[5:])
    assert all(0 < length < 0.1 for length in small[5:])  # shortened by r


def test_rectification_fades(step_lengths):
    lengths = step_lengths(1.0, 3000, betas=(0.9, 0.99))
    rectified = lengths[6:]
    assert rectified == pytest.approx(sorted(rectified))  # r grows
    assert rectified[-1] == pytest.approx(0.1, rel=1e-3)  # to 1


@pytest.mark.parametrize(("beta2", "rectifies"), [(2 / 3, False), (0.68, True)])
def test_short_memory_never_rectifies(step_lengths, beta2, rectifies):
    lengths = step_lengths(100.0, 200, betas=(0.9, beta2))
    assert (min(lengths) < 9) is rectifies
