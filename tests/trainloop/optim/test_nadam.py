"""NAdam: equal to torch bit for bit, and to its formula written out once more."""

import copy
import io
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
def test_follows_its_formula(options):
    # Gradients of the size of eps, so that its place in the formula shows. The product of
    # all μ is kept in float32: it is off by up to 6e-8 of itself, and only the first steps feel it.
    slopes = [0.02 * math.sin(3 * t) + 0.004 for t in range(50)]
    w = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    optimizer = NAdam([w], **options)
    for slope in slopes:
        w.grad = torch.tensor(slope, dtype=torch.float64)
        optimizer.step()
    change = by_hand(1.5, slopes, **options) - 1.5
    assert w.item() - 1.5 == pytest.approx(change, rel=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": -0.1}, "lr must be >= 0, got -0.1"),
        ({"eps": -1e-8}, "eps must be >= 0, got -1e-08"),
        ({"weight_decay": -1}, "weight_decay must be >= 0, got -1"),
        ({"momentum_decay": -1}, "momentum_decay must be >= 0, got -1"),
        ({"betas": (1.0, 0.999)}, "betas must be in [0, 1), got (1.0, 0.999)"),
        ({"betas": (0.9, -0.1)}, "betas must be in [0, 1), got (0.9, -0.1)"),
        ({"betas": (0.9,)}, "betas must be 2 numbers in [0, 1), got (0.9,)"),
        ({"betas": 0.9}, "betas must be 2 numbers in [0, 1), got 0.9"),
    ],
)
def test_refuses(options, message):
    w = torch.zeros(2, requires_grad=True)
    for make in (lambda: NAdam([w], **options), lambda: NAdam([{"params": [w], **options}])):
        with pytest.raises(ValueError) as error:
            make()
        assert str(error.value) == message


@pytest.mark.parametrize("slope", [-1e3, -1.0, 1e-3, 1e3])
def test_first_step_is_a_little_longer_than_lr(slope):
    w = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = NAdam([w], lr=0.1)
    w.grad = torch.tensor(slope, dtype=torch.float64)
    optimizer.step()
    assert w.item() == pytest.approx(-math.copysign(0.1056, slope), rel=1e-3)


def test_momentum_warms_up_from_half_to_the_whole():
    w = torch.zeros((), requires_grad=True)
    optimizer = NAdam([w], betas=(0.8, 0.999))

    def mu(t):
        return optimizer.at_step({"step": t, "mu_product": 1.0}, optimizer.param_groups[0])["mu_product"]

    assert mu(1) == pytest.approx(0.4, rel=1e-3)
    assert mu(4245) == pytest.approx(0.6, rel=1e-3)
    assert mu(10**6) == pytest.approx(0.8)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_product_of_mu_survives_a_checkpoint(dtype, params, clone_params, run, assert_same):
    # Loading gives every floating-point entry but "step" the parameter's type; ours turns it back.
    params = [p.detach().to(dtype).requires_grad_() for p in params]
    original = NAdam(params)
    run(original, steps=range(50))
    file = io.BytesIO()
    torch.save(original.state_dict(), file)
    file.seek(0)
    resumed = NAdam(clone_params(params))
    resumed.load_state_dict(torch.load(file))
    assert all(state["mu_product"].dtype == torch.float32 for state in resumed.state.values())
    run(original, resumed, steps=range(50, 100))
    assert_same(original, resumed)


def test_state_of_torch_may_have_plain_numbers(params, clone_params, run, assert_same):
    theirs = torch.optim.NAdam(params, foreach=False)
    run(theirs, steps=range(10))
    saved = copy.deepcopy(theirs.state_dict())
    for state in saved["state"].values():  # torch < 1.12
        state["step"], state["mu_product"] = int(state["step"]), state["mu_product"].item()
    ours = NAdam(clone_params(params))
    ours.load_state_dict(saved)
    run(ours, theirs, steps=range(10, 30))
    assert_same(ours, theirs)


def test_torch_goes_on_from_our_state(params, clone_params, run, assert_same):
    # In float32, which the product of all μ has anyway, loading changes nothing.
    params = [p.detach().float().requires_grad_() for p in params]
    ours = NAdam(params, lr=0.1)
    run(ours, steps=range(50))
    theirs = torch.optim.NAdam(clone_params(params), foreach=False)
    theirs.load_state_dict(copy.deepcopy(ours.state_dict()))
    run(ours, theirs, steps=range(50, 100))
    assert_same(ours, theirs)


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
