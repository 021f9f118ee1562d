"""Where rules get to in 500 steps through Rosenbrock's valley: numbers that any change of a formula moves."""

import math

import pytest
import torch

from trainloop.optim import Adadelta, Adagrad, Adamax, AdamW, NAdam, RAdam


def descend(optimizer, clip=math.inf, **options):
    """Where 500 steps on Rosenbrock's function lead from (−1.2, 1)."""
    w = torch.tensor([-1.2, 1.0], dtype=torch.float64, requires_grad=True)
    made = optimizer([w], **options)
    for _ in range(500):
        made.zero_grad()
        rosenbrock(w).backward()
        torch.nn.utils.clip_grad_norm_([w], clip)
        made.step()
    return w.detach()


def rosenbrock(w):
    x, y = w
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


@pytest.mark.parametrize(
    ("optimizer", "options", "end"),
    [
        (Adagrad, {"lr": 0.5}, (0.116882, 0.012465)),
        (Adadelta, {"lr": 1.0}, (0.424840, 0.178321)),
        (AdamW, {"lr": 0.1, "weight_decay": 0.01}, (0.818825, 0.669954)),
        (Adamax, {"lr": 0.1}, (-0.519527, 0.274311)),
        # With float64 as torch's default type, the product of all μ is kept in float64, and this
        # path, which is sensitive, ends in (0.622702, 0.386110).
        (NAdam, {"lr": 0.1}, (0.647061, 0.417143)),
    ],
)
def test_path_through_rosenbrocks_valley(optimizer, options, end):
    assert descend(optimizer, **options).tolist() == pytest.approx(end, abs=1e-6)


def test_radam_needs_clipping_there():
    # Its first five steps are SGD's, which at this learning rate are enough to overflow.
    assert descend(RAdam, lr=0.1).isnan().all()
    assert rosenbrock(descend(RAdam, clip=1.0, lr=0.1)).item() == pytest.approx(6.9e-4, rel=0.01)
