"""Adam: equal to torch bit for bit, and to its formula written out once more."""

import copy
import math
from itertools import product

import pytest
import torch

from trainloop.optim import Adam

GRID = [
    {
        "lr": lr,
        "betas": betas,
        "eps": eps,
        "weight_decay": weight_decay,
        "amsgrad": amsgrad,
        "maximize": maximize,
    }
    for lr, betas, eps, weight_decay, amsgrad, maximize in product(
        (1e-3, 0.1),
        ((0.9, 0.999), (0.5, 0.9), (0.0, 0.0)),
        (1e-8, 1e-2),
        (0, 1e-2),
        (False, True),
        (False, True),
    )
]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_equals_torch(assert_parity, dtype):
    assert_parity(Adam, torch.optim.Adam, GRID, dtype)


def by_hand(w, slopes, lr, betas, eps, weight_decay, amsgrad, maximize):
    """The class's formulas, on one number, in plain Python."""
    beta1, beta2 = betas
    m = v = largest = 0.0
    for t, slope in enumerate(slopes, start=1):
        g = (-slope if maximize else slope) + weight_decay * w
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        largest = max(largest, v)
        m_hat = m / (1 - beta1**t)
        v_hat = (largest if amsgrad else v) / (1 - beta2**t)
        w = w - lr * m_hat / (math.sqrt(v_hat) + eps)
    return w


@pytest.mark.parametrize("options", GRID, ids=str)
def test_follows_its_formula(options):
    # Gradients of the size of the larger eps, so that its place in the formula shows.
    slopes = [0.02 * math.sin(3 * t) + 0.004 for t in range(50)]
    w = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    optimizer = Adam([w], **options)
    for slope in slopes:
        w.grad = torch.tensor(slope, dtype=torch.float64)
        optimizer.step()
    assert w.item() == pytest.approx(by_hand(1.5, slopes, **options), rel=1e-11)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": -0.1}, "lr must be >= 0, got -0.1"),
        ({"eps": -1e-8}, "eps must be >= 0, got -1e-08"),
        ({"weight_decay": -1}, "weight_decay must be >= 0, got -1"),
        ({"betas": (1.0, 0.999)}, "betas must be in [0, 1), got (1.0, 0.999)"),
        ({"betas": (0.9, -0.1)}, "betas must be in [0, 1), got (0.9, -0.1)"),
        ({"betas": [0.9, 1.0]}, "betas must be in [0, 1), got [0.9, 1.0]"),
    ],
)
def test_refuses(options, message):
    w = torch.zeros(2, requires_grad=True)
    for make in (lambda: Adam([w], **options), lambda: Adam([{"params": [w], **options}])):
        with pytest.raises(ValueError) as error:
            make()
        assert str(error.value) == message


@pytest.mark.parametrize("slope", [-1e3, -1.0, 1e-3, 1e3])
def test_first_step_is_lr_long(slope):
    w = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = Adam([w], lr=0.1)
    w.grad = torch.tensor(slope, dtype=torch.float64)
    optimizer.step()
    assert w.item() == pytest.approx(-math.copysign(0.1, slope), rel=1e-4)


def test_weight_decay_is_rescaled_like_any_gradient():
    # L2 through Adam takes lr from a small and from a large weight alike; decoupled decay would not.
    w = torch.tensor([1.0, 100.0], dtype=torch.float64, requires_grad=True)
    optimizer = Adam([w], lr=0.1, weight_decay=0.1)
    w.grad = torch.zeros(2, dtype=torch.float64)
    optimizer.step()
    assert w.tolist() == pytest.approx([0.9, 99.9])


def test_refuses_the_state_of_adamw(params, run):
    theirs = torch.optim.AdamW(params, lr=0.1)
    run(theirs, steps=range(2))
    saved = copy.deepcopy(theirs.state_dict())
    optimizer = Adam(params, lr=0.3)
    with pytest.raises(ValueError, match="decoupled_weight_decay must be False, got True"):
        optimizer.load_state_dict(saved)
    assert optimizer.param_groups[0]["lr"] == 0.3  # nothing was loaded
    assert not optimizer.state
