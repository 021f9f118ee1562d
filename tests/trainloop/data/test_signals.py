"""The oscillation solves its equation; MNIST-1D is the package's, and leaves the random states alone."""

import math
import random
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mnist1d.data import get_dataset_args, make_dataset

from trainloop.data import damped_oscillator, mnist1d


@settings(deadline=None, max_examples=30)
@given(st.floats(0.5, 5), st.floats(0, 0.9))
def test_oscillation_solves_its_equation(omega, damping):
    # In float32, second differences at spacing h are good to about 4ε/h²; 1e-2 is h² ω⁴/12 and that.
    t, x = damped_oscillator(401, duration=4.0, omega=omega, damping=damping)
    t, x = t.double().squeeze(1), x.double().squeeze(1)
    h = (t[-1] - t[0]) / (len(t) - 1)
    velocity, acceleration = (x[2:] - x[:-2]) / (2 * h), (x[2:] - 2 * x[1:-1] + x[:-2]) / h**2
    residual = acceleration + 2 * damping * omega * velocity + omega**2 * x[1:-1]
    assert residual.abs().max() < 1e-2 * (1 + omega**2)
    assert x[0] == 1
    assert abs(x[1] - 1) < omega**2 * h**2  # it starts at rest


def test_oscillation_loses_height_by_the_damping():
    omega, damping = 2 * math.pi / math.sqrt(1 - 0.2**2), 0.2  # a period of one second
    _, x = damped_oscillator(4, duration=3.0, omega=omega, damping=damping)
    for before, after in pairwise(x):
        assert (after / before).item() == pytest.approx(math.exp(-damping * omega), rel=1e-4)


def test_noise_has_the_size_asked_for():
    t, clean = damped_oscillator(4000)
    same_t, noisy = damped_oscillator(4000, noise=0.5, seed=3)
    assert t.shape == clean.shape == (4000, 1)
    assert torch.equal(t, same_t)
    assert (noisy - clean).std().item() == pytest.approx(0.5, rel=0.05)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, r"^n must be >= 1, got 0$"),
        ({"duration": 0}, r"^duration must be > 0, got 0$"),
        ({"omega": -1}, r"^omega must be > 0, got -1$"),
        ({"damping": 1}, r"^damping must be in \[0, 1\), got 1$"),
        ({"noise": -1}, r"^noise must be >= 0, got -1$"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        damped_oscillator(**arguments)


def test_mnist1d_is_the_packages_default_set():
    expected = make_dataset(get_dataset_args())
    split = mnist1d()
    assert split.x_train.shape == (4000, 40) and split.x_test.shape == (1000, 40)
    for ours, theirs in zip(split, (expected[key] for key in ("x", "y", "x_test", "y_test")), strict=True):
        torch.testing.assert_close(ours, torch.from_numpy(theirs).to(ours.dtype), rtol=0, atol=0)
    assert split.x_train.dtype == torch.float32 and split.y_train.dtype == torch.int64


def test_mnist1d_leaves_the_random_states_alone():
    random.seed(5), np.random.seed(5), torch.manual_seed(5)
    mnist1d(50)
    after = random.random(), np.random.rand(), torch.rand(()).item()
    random.seed(5), np.random.seed(5), torch.manual_seed(5)
    assert after == (random.random(), np.random.rand(), torch.rand(()).item())


def test_mnist1d_restores_the_random_states_when_the_package_fails(monkeypatch):
    def fails(arguments):
        random.seed(arguments.seed)
        raise RuntimeError("no signals")

    monkeypatch.setattr("mnist1d.data.make_dataset", fails)
    before = random.getstate()
    with pytest.raises(RuntimeError, match="no signals"):
        mnist1d(50)
    assert random.getstate() == before


def test_mnist1d_seed_and_size():
    first, other = mnist1d(50, seed=1), mnist1d(50, seed=2)
    assert len(first.x_train) == 40 and len(first.x_test) == 10
    assert torch.cat([first.y_train, first.y_test]).bincount().tolist() == [5] * 10
    assert not torch.equal(first.x_train, other.x_train)


@pytest.mark.parametrize("n", [0, 15, -10])
def test_mnist1d_size_is_checked(n):
    with pytest.raises(ValueError, match=rf"^n must be a positive multiple of 10, got {n}$"):
        mnist1d(n)
