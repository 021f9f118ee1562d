"""The data are the author's, to the bit, and the best line is the best line."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainloop.data import least_squares, noisy_line


def test_same_points_as_the_global_generator_gives():
    torch.manual_seed(42)
    x = torch.linspace(0, 1, 100).unsqueeze(1)
    y = 2 * x + 3 + 0.2 * torch.randn_like(x)
    ours = noisy_line()
    assert torch.equal(ours[0], x)
    assert torch.equal(ours[1], y)


def test_global_random_state_is_left_alone():
    before = torch.get_rng_state()
    noisy_line(seed=7)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("argument", "value"), [("n", 0), ("noise", -0.1)])
def test_bad_arguments_are_named(argument, value):
    with pytest.raises(ValueError, match=f"{argument} must be .* got {value}"):
        noisy_line(**{argument: value})


@given(st.integers(3, 50), st.floats(-5, 5), st.floats(-5, 5), st.floats(0, 2), st.integers(0, 100))
def test_no_neighbouring_line_is_better(n, slope, intercept, noise, seed):
    x, y = noisy_line(n, slope=slope, intercept=intercept, noise=noise, seed=seed, dtype=torch.float64)
    w, b, mse = least_squares(x, y)
    for dw, db in [(1e-3, 0), (-1e-3, 0), (0, 1e-3), (0, -1e-3)]:
        assert ((w + dw) * x + (b + db) - y).square().mean().item() >= mse
    gradient = torch.stack([(2 * (w * x + b - y) * x).mean(), (2 * (w * x + b - y)).mean()])
    assert gradient.abs().max() < 1e-10


def test_shapes_are_checked():
    with pytest.raises(ValueError, match=r"shape \(n, 1\), got \(3,\) and \(3,\)"):
        least_squares(torch.zeros(3), torch.zeros(3))
