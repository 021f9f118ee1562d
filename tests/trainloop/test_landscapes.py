"""Landscapes: right gradients, right minima, and descents that agree with a loop written by hand."""

import dataclasses
from itertools import pairwise

import pytest
import torch

from trainloop import landscapes
from trainloop.landscapes import Landscape, descend, ravine
from trainloop.optim import SGD, Adam, RMSprop

ALL = [value for value in vars(landscapes).values() if isinstance(value, Landscape)]

# Not part of the package yet; known values for it are.
rosenbrock = Landscape(
    name="Rosenbrock",
    f=lambda x, y: (1 - x) ** 2 + 100 * (y - x**2) ** 2,
    start=(-1.2, 1.0),
    minimum=(1.0, 1.0),
    xlim=(-2.0, 2.0),
    ylim=(-1.0, 3.0),
)


def everywhere(landscape, n=41):
    x = torch.linspace(*landscape.xlim, n, dtype=torch.float64)
    y = torch.linspace(*landscape.ylim, n, dtype=torch.float64)
    return torch.meshgrid(x, y, indexing="xy")


@pytest.mark.parametrize("landscape", ALL, ids=lambda landscape: landscape.name)
class TestEveryLandscape:
    def test_gradient_vanishes_at_the_minimum(self, landscape):
        assert [d.item() for d in landscape.grad(*landscape.minimum)] == pytest.approx([0, 0], abs=1e-9)

    def test_nothing_in_the_picture_is_lower_than_the_minimum(self, landscape):
        lowest = landscape.f(*torch.tensor(landscape.minimum, dtype=torch.float64))
        assert (landscape.f(*everywhere(landscape)) >= lowest - 1e-9).all()

    def test_start_and_minimum_are_in_the_picture(self, landscape):
        for x, y in (landscape.start, landscape.minimum):
            assert landscape.xlim[0] < x < landscape.xlim[1]
            assert landscape.ylim[0] < y < landscape.ylim[1]

    def test_gradient_agrees_with_central_differences(self, landscape):
        x, y = everywhere(landscape)
        dx, dy = landscape.grad(x, y)
        h = 1e-5
        slope_x = (landscape.f(x + h, y) - landscape.f(x - h, y)) / (2 * h)
        slope_y = (landscape.f(x, y + h) - landscape.f(x, y - h)) / (2 * h)
        torch.testing.assert_close(dx, slope_x, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(dy, slope_y, rtol=1e-6, atol=1e-6)

    def test_is_frozen(self, landscape):
        with pytest.raises(dataclasses.FrozenInstanceError):
            landscape.start = (0.0, 0.0)


def test_gradient_takes_numbers_and_grids():
    dx, dy = ravine.grad(3, -2.0)
    assert (dx.item(), dy.item()) == (3.0, -40.0)
    x, y = everywhere(ravine)
    dx, dy = ravine.grad(x.float(), y)
    assert dx.shape == dy.shape == x.shape
    assert dx.dtype == torch.float64
    assert not x.requires_grad


def test_ravine_has_condition_number_20():
    x, y = torch.tensor(ravine.start, dtype=torch.float64)
    hessian = torch.autograd.functional.hessian(ravine.f, (x, y))
    curvatures = torch.linalg.eigvalsh(torch.tensor(hessian, dtype=torch.float64))
    assert curvatures.tolist() == [1.0, 20.0]


@pytest.mark.parametrize(("lr", "converges"), [(0.099, True), (0.101, False)])
def test_ravine_has_its_wall_where_the_docstring_says(lr, converges):
    x, y = descend(ravine, lambda params: SGD(params, lr=lr), steps=2000)[-1]
    assert (abs(x) + abs(y) < 1e-6) == converges


def test_descend_is_gradient_descent_by_hand():
    points = descend(ravine, lambda params: SGD(params, lr=0.03), steps=50)
    x, y = ravine.start
    assert points[0] == (x, y)
    assert len(points) == 51
    for point in points[1:]:
        x, y = x - 0.03 * x, y - 0.03 * 20 * y
        assert point == pytest.approx((x, y), rel=1e-12)


@pytest.mark.parametrize(
    ("make", "clip", "end"),
    [
        (lambda p: SGD(p, lr=1e-3), None, (-0.509713, 0.267366)),
        (lambda p: SGD(p, lr=1e-3, momentum=0.9), None, (0.957396, 0.916432)),
        (lambda p: SGD(p, lr=1e-3, momentum=0.9, nesterov=True), None, (0.949986, 0.902266)),
        (lambda p: RMSprop(p, lr=0.01), None, (0.437828, 0.190268)),
        (lambda p: Adam(p, lr=0.1), None, (0.875398, 0.765899)),
        (lambda p: SGD(p, lr=0.01), 1.0, (0.7020, 0.5001)),
    ],
    ids=["SGD", "momentum", "Nesterov", "RMSprop", "Adam", "SGD clipped"],
)
def test_known_ends_after_500_steps_on_rosenbrock(make, clip, end):
    point = descend(rosenbrock, make, steps=500, clip=clip)[-1]
    assert point == pytest.approx(end, abs=5e-5 if clip else 5e-7)


def test_clip_bounds_every_step():
    points = descend(rosenbrock, lambda params: SGD(params, lr=0.01), steps=50, clip=1.0)
    for (x, y), (x_next, y_next) in pairwise(points):
        assert ((x_next - x) ** 2 + (y_next - y) ** 2) ** 0.5 <= 0.01 * (1 + 1e-9)


def test_descend_takes_optimizers_that_need_a_closure():
    def lbfgs(params):
        return torch.optim.LBFGS(params, line_search_fn="strong_wolfe")

    assert descend(rosenbrock, lbfgs, steps=5)[-1] == pytest.approx(rosenbrock.minimum, abs=1e-4)


def test_descend_may_start_elsewhere():
    assert descend(ravine, lambda params: SGD(params), steps=0, start=(0.0, 0.0)) == [(0.0, 0.0)]


def test_negative_steps_are_refused():
    with pytest.raises(ValueError, match=r"^steps must be >= 0, got -1$"):
        descend(ravine, SGD, steps=-1)
