"""Landscapes: right gradients, right minima, and descents that agree with a loop written by hand."""

import dataclasses
import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import trainloop.optim
from trainloop import landscapes
from trainloop.landscapes import LANDSCAPES, Landscape, beale, descend, quadratic, ravine, rosenbrock, saddle, sin_r2
from trainloop.optim import SGD, Adam

VALLEYS = [quadratic(), quadratic(100, 30), quadratic(3, -45)]
ALL = [*LANDSCAPES.values(), *VALLEYS]


def everywhere(landscape, n=41):
    x = torch.linspace(*landscape.xlim, n, dtype=torch.float64)
    y = torch.linspace(*landscape.ylim, n, dtype=torch.float64)
    return torch.meshgrid(x, y, indexing="xy")


def height(landscape, point):
    return landscape.f(*torch.tensor(point, dtype=torch.float64)).item()


def curvatures(landscape, point):
    x, y = torch.tensor(point, dtype=torch.float64)
    hessian = torch.autograd.functional.hessian(landscape.f, (x, y))
    return torch.linalg.eigvalsh(torch.tensor(hessian, dtype=torch.float64)).tolist()


@pytest.mark.parametrize("landscape", ALL, ids=lambda landscape: landscape.name)
class TestEveryLandscape:
    def test_gradient_vanishes_at_the_minima(self, landscape):
        for minimum in landscape.minima:
            assert [d.item() for d in landscape.grad(*minimum)] == pytest.approx([0, 0], abs=1e-12)

    def test_minima_are_equally_low(self, landscape):
        for minimum in landscape.minima:
            assert height(landscape, minimum) == pytest.approx(landscape.lowest, abs=1e-25)

    def test_nothing_in_the_picture_is_lower(self, landscape):
        assert (landscape.f(*everywhere(landscape, n=201)) >= landscape.lowest).all()

    def test_start_and_minima_are_in_the_picture(self, landscape):
        for x, y in (landscape.start, *landscape.minima):
            assert landscape.xlim[0] < x < landscape.xlim[1]
            assert landscape.ylim[0] < y < landscape.ylim[1]

    def test_start_is_not_a_minimum(self, landscape):
        assert height(landscape, landscape.start) > landscape.lowest + 1e-3

    def test_gradient_agrees_with_autograd(self, landscape):
        # Sums of up to a hundred thousand, rounded in another order.
        by_hand = landscape.grad(*everywhere(landscape))
        by_autograd = dataclasses.replace(landscape, gradient=None).grad(*everywhere(landscape))
        assert landscape.gradient is not None
        for ours, expected in zip(by_hand, by_autograd, strict=True):
            torch.testing.assert_close(ours, expected, rtol=1e-12, atol=1e-9)

    def test_gradient_agrees_with_central_differences(self, landscape):
        # The error of a difference: h² f'''/6 + ε f/h, of which the heights of Beale ask the most.
        x, y = everywhere(landscape)
        dx, dy = landscape.grad(x, y)
        h = 1e-5
        slope_x = (landscape.f(x + h, y) - landscape.f(x - h, y)) / (2 * h)
        slope_y = (landscape.f(x, y + h) - landscape.f(x, y - h)) / (2 * h)
        atol = 1e-6 + 1e-11 * landscape.f(x, y).abs().max().item()
        torch.testing.assert_close(dx, slope_x, rtol=1e-6, atol=atol)
        torch.testing.assert_close(dy, slope_y, rtol=1e-6, atol=atol)

    def test_gradient_takes_numbers_and_grids(self, landscape):
        x, y = everywhere(landscape)
        dx, dy = landscape.grad(x.float(), y.requires_grad_())
        assert dx.shape == dy.shape == x.shape
        assert dx.dtype == dy.dtype == torch.float64
        assert not dx.requires_grad and not dy.requires_grad
        at_start = [d.item() for d in landscape.grad(*landscape.start)]
        assert at_start == pytest.approx([d.item() for d in landscape.grad(*map(torch.tensor, landscape.start))], 1e-5)

    def test_is_frozen(self, landscape):
        with pytest.raises(dataclasses.FrozenInstanceError):
            landscape.start = (0.0, 0.0)


def test_registry_names_every_landscape_of_the_module():
    assert {name: value for name, value in vars(landscapes).items() if isinstance(value, Landscape)} == LANDSCAPES
    assert set(LANDSCAPES) <= set(landscapes.__all__)


@pytest.mark.parametrize("name", ["rosenbrock", "beale", "himmelblau", "rastrigin"])
def test_no_minimum_is_missing(name):
    # Whatever is nearly as low as the minima, is near one of them; and near each there is such ground.
    landscape = LANDSCAPES[name]
    x, y = everywhere(landscape, n=1001)
    low = landscape.f(x, y) < landscape.lowest + 0.01
    distances = torch.stack([torch.hypot(x - a, y - b)[low] for a, b in landscape.minima])
    nearest = distances.min(dim=0)
    assert nearest.values.max() < 0.5
    assert set(nearest.indices.tolist()) == set(range(len(landscape.minima)))


def test_saddle_has_no_minimum():
    assert saddle.minima == ()
    assert saddle.lowest == -math.inf
    assert [d.item() for d in saddle.grad(0.0, 0.0)] == [0.0, 0.0]
    assert curvatures(saddle, (0.0, 0.0)) == [-2.0, 2.0]
    path = descend(saddle, lambda params: SGD(params, lr=0.1), steps=40)
    assert min(math.hypot(*point) for point in path) < 0.3  # past the saddle point,
    assert abs(path[-1][1]) > 10  # and down the other way


def test_sin_r2_is_as_low_on_all_of_its_circles():
    for k in range(2):
        for turn in (0.0, 1.0, 2.5):
            r = math.sqrt((1.5 + 2 * k) * math.pi)
            assert height(sin_r2, (r * math.cos(turn), r * math.sin(turn))) == pytest.approx(sin_r2.lowest, abs=1e-14)
    assert curvatures(sin_r2, (0.0, 0.0)) == [2.0, 2.0]  # the pit


@pytest.mark.parametrize(("r2", "end"), [(1.5, 0.0), (1.6, 1.5 * math.pi)])
def test_sin_r2_sends_walks_where_the_docstring_says(r2, end):
    x, y = descend(sin_r2, lambda params: SGD(params, lr=0.05), steps=400, start=(math.sqrt(r2 / 2),) * 2)[-1]
    assert x**2 + y**2 == pytest.approx(end, abs=1e-9)


def test_beale_is_steep_in_the_corner():
    assert height(beale, (-4.5, -4.5)) > 180_000
    assert math.hypot(*(d.item() for d in beale.grad(-4.5, -4.5))) > 240_000


def test_rosenbrock_is_ill_conditioned():
    low, high = curvatures(rosenbrock, rosenbrock.minimum)
    assert round(high / low, -2) == 2500
    assert height(rosenbrock, rosenbrock.start) == pytest.approx(24.2)


@settings(deadline=None, max_examples=50)
@given(st.floats(1, 1e4), st.floats(-360, 360))
def test_quadratic_has_the_curvatures_asked_for_at_any_angle(condition, angle):
    valley = quadratic(condition, angle)
    assert curvatures(valley, valley.start) == pytest.approx([1, condition], rel=1e-9)
    along = torch.tensor(math.radians(angle), dtype=torch.float64)
    assert height(valley, (along.cos(), along.sin())) == pytest.approx(0.5, abs=1e-9 * condition)


def test_quadratic_is_the_ravine_by_default():
    assert torch.equal(quadratic().f(*everywhere(ravine)), ravine.f(*everywhere(ravine)))
    assert quadratic().start == ravine.start


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.5,), r"^condition must be >= 1 and finite, got 0\.5$"),
        ((math.inf,), r"^condition must be >= 1 and finite, got inf$"),
        ((math.nan,), r"^condition must be >= 1 and finite, got nan$"),
        ((2, math.inf), r"^angle must be finite, got inf$"),
    ],
)
def test_quadratic_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        quadratic(*arguments)


def test_ravine_has_condition_number_20():
    assert curvatures(ravine, ravine.start) == [1.0, 20.0]


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


# Where 500 steps on Rosenbrock end, to the last digit printed.
ENDS = [
    ("SGD", {"lr": 1e-3}, (-0.509713, 0.267366)),
    ("SGD", {"lr": 1e-3, "momentum": 0.9}, (0.957396, 0.916432)),
    ("SGD", {"lr": 1e-3, "momentum": 0.9, "nesterov": True}, (0.949986, 0.902266)),
    ("Adagrad", {"lr": 0.5}, (0.116882, 0.012465)),
    ("RMSprop", {"lr": 0.01}, (0.437828, 0.190268)),
    ("Adadelta", {"lr": 1}, (0.424840, 0.178321)),
    ("Adam", {"lr": 0.1}, (0.875398, 0.765899)),
    ("AdamW", {"lr": 0.1, "weight_decay": 0.01}, (0.818825, 0.669954)),
    ("Adamax", {"lr": 0.1}, (-0.519527, 0.274311)),
]
OURS = set(trainloop.optim.__all__)


def both(cases):
    """Torch's classes, and those of ours that there are."""
    return [
        pytest.param(getattr(module, name), *rest, id=f"{module.__name__}.{name}-{i}")
        for i, (name, *rest) in enumerate(cases)
        for module in (torch.optim, trainloop.optim)
        if module is torch.optim or name in OURS
    ]


@pytest.mark.parametrize(("optimizer", "options", "end"), both(ENDS))
def test_known_ends_after_500_steps_on_rosenbrock(optimizer, options, end):
    point = descend(rosenbrock, lambda params: optimizer(params, **options), steps=500)[-1]
    assert point == pytest.approx(end, abs=5e-7 * (1 + 1e-6))


@pytest.mark.parametrize("optimizer", both([("SGD",)]))
def test_sgd_explodes_on_rosenbrock_and_clipping_saves_it(optimizer):
    exploded = descend(rosenbrock, lambda params: optimizer(params, lr=0.01), steps=5)[-1]
    assert round(math.log10(height(rosenbrock, exploded))) == 105
    end = descend(rosenbrock, lambda params: optimizer(params, lr=0.01), steps=500, clip=1.0)[-1]
    assert end == pytest.approx((0.7020, 0.5001), abs=5e-5)


@pytest.mark.parametrize("optimizer", both([("RAdam",)]))
def test_radam_fails_on_rosenbrock_and_clipping_saves_it(optimizer):
    # Its first five steps are not rectified: the first is lr · g, and |g| is 233.
    points = descend(rosenbrock, lambda params: optimizer(params, lr=0.1), steps=500)
    dx, dy = (slope.item() for slope in rosenbrock.grad(*points[0]))
    assert points[1] == pytest.approx((points[0][0] - 0.1 * dx, points[0][1] - 0.1 * dy))
    assert all(math.isnan(c) for c in points[-1])
    end = descend(rosenbrock, lambda params: optimizer(params, lr=0.1), steps=500, clip=1.0)[-1]
    assert height(rosenbrock, end) == pytest.approx(6.9e-4, abs=5e-6)


@pytest.mark.parametrize("optimizer", both([("NAdam",)]))
def test_nadam_on_rosenbrock_until_rounding_takes_over(optimizer):
    # The same 200 steps in 50-digit arithmetic end here; torch keeps one factor in float32. From about
    # step 220 the walk is unstable: it multiplies rounding errors by 10¹⁰ within 40 steps, so that after
    # 500 steps the second digit depends on the order in which torch multiplies, and none can be asked for.
    point = descend(rosenbrock, lambda params: optimizer(params, lr=0.1), steps=200)[-1]
    assert point == pytest.approx((0.4603814599, 0.2103354699), abs=1e-8)


@pytest.mark.parametrize(("line_search", "calls", "f"), [(None, 62, 3.2e-12), ("strong_wolfe", 43, 4.2e-10)])
@pytest.mark.parametrize("optimizer", both([("LBFGS",)]))
def test_lbfgs_closure_calls_on_rosenbrock(optimizer, line_search, calls, f):
    # One step runs until the gradient is flat; further steps would cost one call each and stay.
    counted = 0

    def counting(x, y):
        nonlocal counted
        counted += 1
        return rosenbrock.f(x, y)

    landscape = dataclasses.replace(rosenbrock, f=counting)
    end = descend(landscape, lambda p: optimizer(p, max_iter=100, line_search_fn=line_search), steps=1)[-1]
    assert counted == calls
    assert height(rosenbrock, end) == pytest.approx(f, rel=0.02)


def test_clip_bounds_every_step():
    points = descend(rosenbrock, lambda params: SGD(params, lr=0.01), steps=50, clip=1.0)
    for (x, y), (x_next, y_next) in pairwise(points):
        assert ((x_next - x) ** 2 + (y_next - y) ** 2) ** 0.5 <= 0.01 * (1 + 1e-9)


def test_a_landscape_may_leave_its_gradient_to_autograd():
    bowl = Landscape("Bowl", lambda x, y: x**2 + 3 * y**2, (1.0, 1.0), (0.0, 0.0), (-2.0, 2.0), (-2.0, 2.0))
    x = torch.tensor([1.0, 2.0])
    dx, dy = bowl.grad(x, torch.tensor([1.0, -1.0]))
    assert (dx.tolist(), dy.tolist()) == ([2.0, 4.0], [6.0, -6.0])
    assert not x.requires_grad
    assert bowl.minima == ((0.0, 0.0),)


def test_descend_may_start_elsewhere():
    assert descend(ravine, lambda params: SGD(params), steps=0, start=(0.0, 0.0)) == [(0.0, 0.0)]


def test_descend_walks_in_float64_whatever_the_optimizer():
    for make in (SGD, Adam):
        assert all(type(c) is float for point in descend(rosenbrock, make, steps=2) for c in point)


def test_negative_steps_are_refused():
    with pytest.raises(ValueError, match=r"^steps must be >= 0, got -1$"):
        descend(ravine, SGD, steps=-1)
