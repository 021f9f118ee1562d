"""Points lie where the docstrings put them; scikit-learn makes the same shapes."""

import math

import pytest
import torch
from sklearn.datasets import make_friedman1, make_moons

from trainloop.data import spirals, synthetic_regression, two_moons


@pytest.mark.parametrize("n", [2, 7, 100])
def test_two_moons_are_those_of_scikit_learn(n):
    x, y = two_moons(n, noise=0.0)
    moons, classes = make_moons((n - n // 2, n // 2), shuffle=False)
    assert x.dtype == torch.float32 and y.dtype == torch.int64
    torch.testing.assert_close(x, torch.from_numpy(moons).float(), rtol=0, atol=1e-6)
    assert y.tolist() == classes.tolist()


@pytest.mark.parametrize(("n", "classes"), [(3, 3), (100, 3), (10, 1), (11, 4)])
def test_spirals_have_the_polar_coordinates_of_the_docstring(n, classes):
    x, y = spirals(n, classes=classes, turns=0.5, noise=0.0)
    assert x.shape == (n, 2) and y.shape == (n,)
    sizes = y.bincount()
    assert sizes.sum() == n and sizes.max() - sizes.min() <= 1
    for k in range(classes):
        arm = x[y == k].double()
        r = torch.linspace(0, 1, len(arm), dtype=torch.float64)
        torch.testing.assert_close(arm.norm(dim=1), r, rtol=0, atol=1e-6)
        for (a, b), radius in zip(arm.tolist(), r.tolist(), strict=True):
            turn = 2 * math.pi * (k / classes + 0.5 * radius)
            assert (a, b) == pytest.approx((radius * math.cos(turn), radius * math.sin(turn)), abs=1e-6)


def friedman(x):
    return 10 * torch.sin(math.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]


def test_regression_is_friedmans_function():
    theirs_x, theirs_y = map(torch.from_numpy, make_friedman1(500, n_features=7, random_state=0))
    torch.testing.assert_close(friedman(theirs_x), theirs_y)  # the formula is the one scikit-learn has,
    x, y = synthetic_regression(500, features=7, noise=0.0)
    torch.testing.assert_close(y.squeeze(1), friedman(x.double()).float(), rtol=1e-5, atol=1e-5)  # and ours
    assert (x >= 0).all() and (x < 1).all()


@pytest.mark.parametrize("make", [two_moons, spirals, synthetic_regression])
def test_noise_has_the_size_asked_for(make):
    # 4,000 draws or more: the standard deviation of their standard deviation is about 1 % of it.
    clean, noisy = make(4000, noise=0.0), make(4000, noise=0.3)
    moved = 1 if make is synthetic_regression else 0
    difference = noisy[moved] - clean[moved]
    assert difference.std().item() == pytest.approx(0.3, rel=0.05)
    assert torch.equal(noisy[1 - moved], clean[1 - moved])


@pytest.mark.parametrize("make", [two_moons, spirals, synthetic_regression])
def test_seed_decides(make):
    first, again, other = make(seed=1), make(seed=1), make(seed=2)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (two_moons, {"n": 1}, r"^n must be >= 2, got 1$"),
        (two_moons, {"noise": -1}, r"^noise must be >= 0, got -1$"),
        (spirals, {"n": 2}, r"^n must be >= 3, got 2$"),
        (spirals, {"classes": 0}, r"^classes must be >= 1, got 0$"),
        (spirals, {"noise": -1}, r"^noise must be >= 0, got -1$"),
        (synthetic_regression, {"n": 0}, r"^n must be >= 1, got 0$"),
        (synthetic_regression, {"features": 4}, r"^features must be >= 5, got 4$"),
        (synthetic_regression, {"noise": -1}, r"^noise must be >= 0, got -1$"),
    ],
)
def test_bad_arguments_are_named(make, arguments, message):
    with pytest.raises(ValueError, match=message):
        make(**arguments)
