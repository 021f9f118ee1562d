"""NAdam: equal to torch bit for bit, and to its formula written out once more."""

import copy
import math
from itertools import product

import pytest
import torch

from trainloop.optim import NAdam

GRID = [
    {
        "lr": lr,
        "betas": betas,
        "eps": eps,
        "weight_decay": weight_decay,
        "momentum_decay": momentum_decay,
        "decoupled_weight_decay": decoupled,
        "maximize": maximize,
    }
    for lr, betas, eps, (weight_decay, decoupled), momentum_decay, maximize in product(
        (0.1,),
        ((0.9, 0.999), (0.5, 0.9), (0.0, 0.0)),
        (1e-3,),
        ((0, False), (0.1, False), (0.1, True)),
        (4e-3, 0.2),
        (False, True),
    )
]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_equals_torch(assert_parity, dtype):
    assert_parity(NAdam, torch.optim.NAdam, GRID, dtype)


def by_hand(w, slopes, lr, betas, eps, weight_decay, momentum_decay, decoupled_weight_decay, maximize):
    """The class's formulas, on one number, in plain Python."""
    beta1, beta2 = betas

    def mu(t):
        return beta1 * (1 - 0.5 * 0.96 ** (t * momentum_decay))

    m = v = 0.0
    for t, slope in enumerate(slopes, start=1):
        g = -slope if maximize else slope
        if decoupled_weight_decay:
            w = (1 - lr * weight_decay) * w
        else:
            g += weight_decay * w
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        so_far = math.prod(mu(i) for i in range(1, t + 1))
        m_hat = mu(t + 1) * m / (1 - so_far * mu(t + 1)) + (1 - mu(t)) * g / (1 - so_far)
        w = w - lr * m_hat / (math.sqrt(v / (1 - beta2**t)) + eps)
    return w


@pytest.mark.parametrize("options", GRID, ids=str)
def test_follows_its_formula(assert_follows, options):
    # The product of all μ is kept in float32: it is off by up to 6e-8 of itself, and only the first steps feel it.
    assert_follows(NAdam, by_hand, options, rel=1e-7)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"momentum_decay": -1}, "momentum_decay must be >= 0, got -1"),
    ],
)
def test_refuses(assert_refuses, options, message):
    assert_refuses(NAdam, options, message)


@pytest.mark.parametrize("slope", [-1e3, -1.0, 1e-3, 1e3])
def test_first_step_is_a_little_longer_than_lr(walk, slope):
    assert walk(NAdam, [slope], lr=0.1).end == pytest.approx(-math.copysign(0.1056, slope), rel=1e-3)


def test_momentum_warms_up_from_half_to_the_whole():
    w = torch.zeros((), requires_grad=True)
    optimizer = NAdam([w], betas=(0.8, 0.999))

    def mu(t):
        return optimizer.at_step({"step": t, "mu_product": 1.0}, optimizer.param_groups[0])["mu_product"]

    assert mu(1) == pytest.approx(0.4, rel=1e-3)
    assert mu(4245) == pytest.approx(0.6, rel=1e-3)
    assert mu(10**6) == pytest.approx(0.8)


def test_resumed_torch_departs_by_rounding_alone(params, clone_params, run):
    # In float64 torch multiplies mu_product in float64 after loading, and in float32 before. We do
    # the latter at all times, so the two agree to float32's rounding of that one number.
    ours = NAdam(params, lr=0.1)
    run(ours, steps=range(10))
    theirs = torch.optim.NAdam(clone_params(params), foreach=False)
    theirs.load_state_dict(copy.deepcopy(ours.state_dict()))
    run(ours, theirs, steps=range(10, 100))
    for p, q in zip(params, theirs.param_groups[0]["params"], strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=1e-6)
