"""RAdam: equal to torch bit for bit, and to its formula written out once more."""

import math
from itertools import pairwise, product

import pytest
import torch

from trainloop.optim import RAdam

GRID = [
    {
        "lr": lr,
        "betas": betas,
        "eps": eps,
        "weight_decay": weight_decay,
        "decoupled_weight_decay": decoupled,
        "maximize": maximize,
    }
    for lr, betas, eps, (weight_decay, decoupled), maximize in product(
        (0.1,),
        ((0.9, 0.999), (0.5, 0.9), (0.0, 0.0)),
        (1e-8, 1e-2),
        ((0, False), (0.1, False), (0.1, True)),
        (False, True),
    )
]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_equals_torch(assert_parity, dtype):
    assert_parity(RAdam, torch.optim.RAdam, GRID, dtype)


def by_hand(w, slopes, lr, betas, eps, weight_decay, decoupled_weight_decay, maximize):
    """The class's formulas, on one number, in plain Python."""
    beta1, beta2 = betas
    limit = 2 / (1 - beta2) - 1
    m = v = 0.0
    for t, slope in enumerate(slopes, start=1):
        g = -slope if maximize else slope
        if decoupled_weight_decay:
            w = (1 - lr * weight_decay) * w
        else:
            g += weight_decay * w
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat = m / (1 - beta1**t)
        rho = limit - 2 * t * beta2**t / (1 - beta2**t)
        if rho > 5:
            r = math.sqrt((rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho))
            w = w - lr * m_hat * r * math.sqrt(1 - beta2**t) / (math.sqrt(v) + eps)
        else:
            w = w - lr * m_hat
    return w


@pytest.mark.parametrize("options", GRID, ids=str)
def test_follows_its_formula(assert_follows, options):
    assert_follows(RAdam, by_hand, options)


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
