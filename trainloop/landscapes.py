r"""Functions of two variables to descend on, where every step can be drawn.

Each has a start, its limits worth drawing, its minima, and a gradient written out by hand. `LANDSCAPES`
holds them by name; `quadratic` makes valleys of any condition number, turned by any angle.

Rosenbrock, "An Automatic Method for Finding the Greatest or Least Value of a Function", 1960,
https://doi.org/10.1093/comjnl/3.3.175. The other test functions, with formulas and minima:
https://www.sfu.ca/~ssurjano/optimization.html and
https://en.wikipedia.org/wiki/Test_functions_for_optimization.
"""

# torch leaves Tensor.backward without types:
# mypy: allow-untyped-calls

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor
from torch.optim import Optimizer

from trainloop.clip import clip_grad_norm_

__all__ = [
    "LANDSCAPES",
    "Landscape",
    "Point",
    "beale",
    "descend",
    "himmelblau",
    "quadratic",
    "rastrigin",
    "ravine",
    "rosenbrock",
    "saddle",
    "sin_r2",
]

Point: TypeAlias = tuple[float, float]


@dataclass(frozen=True)
class Landscape:
    """A function of two variables, and what it takes to draw it and to walk on it.

    Attributes:
        name: its name, as figures print it.
        f: the function; takes two tensors of one shape and works elementwise.
        start: where descents begin unless they say otherwise.
        minimum: where the function is smallest; None if it falls without end.
        xlim: the range of x worth drawing.
        ylim: the range of y worth drawing.
        gradient: ∂f/∂x and ∂f/∂y as a function of the same two tensors. Without it, autograd
            differentiates `f`.
        other_minima: the further points where the function is as small as at `minimum`. Where they
            form curves, there are none here and the landscape's docstring names the curves.
    """

    name: str
    f: Callable[[Tensor, Tensor], Tensor]
    start: Point
    minimum: Point | None
    xlim: Point
    ylim: Point
    gradient: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None = None
    other_minima: tuple[Point, ...] = ()

    @property
    def minima(self) -> tuple[Point, ...]:
        """`minimum` and `other_minima`; empty if the function falls without end."""
        return () if self.minimum is None else (self.minimum, *self.other_minima)

    @property
    def lowest(self) -> float:
        """The value at the minima; -inf if the function falls without end."""
        if self.minimum is None:
            return -math.inf
        return self.f(*torch.tensor(self.minimum, dtype=torch.float64)).item()

    def grad(self, x: Tensor | float, y: Tensor | float) -> tuple[Tensor, Tensor]:
        """Return ∂f/∂x and ∂f/∂y in float64: at one point, or at every point of a grid."""
        x = torch.as_tensor(x, dtype=torch.float64).detach()
        y = torch.as_tensor(y, dtype=torch.float64).detach()
        if self.gradient is not None:
            return self.gradient(x, y)
        x, y = x.clone().requires_grad_(), y.clone().requires_grad_()
        dx, dy = torch.autograd.grad(self.f(x, y).sum(), (x, y))
        return dx, dy


def quadratic(condition: float = 20.0, angle: float = 0.0) -> Landscape:
    r"""Return a valley $f(x, y) = \tfrac12 (u^2 + \kappa\,v^2)$ with its floor along the u axis.

    $$
    u = x\cos\alpha + y\sin\alpha, \qquad v = y\cos\alpha - x\sin\alpha
    $$

    Its curvature is 1 along u and $\kappa$ across, whatever the angle; its minimum is (0, 0). Plain
    gradient descent converges for learning rates below $2/\kappa$. With the defaults it is `ravine`.

    Args:
        condition: $\kappa \ge 1$, the condition number.
        angle: $\alpha$, the turn from the x axis to the valley's floor, counter-clockwise, in degrees.

    Raises:
        ValueError: the condition number is below 1 or not finite, or the angle is not finite.

    Examples:
        >>> [slope.item() for slope in quadratic(condition=50).grad(3.0, 2.0)]
        [3.0, 100.0]
    """
    if not 1 <= condition < math.inf:
        raise ValueError(f"condition must be >= 1 and finite, got {condition}")
    if not math.isfinite(angle):
        raise ValueError(f"angle must be finite, got {angle}")
    κ, c, s = condition, math.cos(math.radians(angle)), math.sin(math.radians(angle))

    def f(x: Tensor, y: Tensor) -> Tensor:
        u, v = c * x + s * y, c * y - s * x
        return 0.5 * (u**2 + κ * v**2)

    def gradient(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        u, v = c * x + s * y, κ * (c * y - s * x)
        return c * u - s * v, s * u + c * v

    return Landscape(
        name=f"Quadratic, κ = {condition:g}" + (f", {angle:g}°" if angle else ""),
        f=f,
        start=(-4.0 * c - s, c - 4.0 * s),  # u = −4, v = 1
        minimum=(0.0, 0.0),
        xlim=(-5.0, 5.0),
        ylim=(-5.0, 5.0),
        gradient=gradient,
    )


def _ravine(x: Tensor, y: Tensor) -> Tensor:
    return 0.5 * (x**2 + 20 * y**2)


def _ravine_gradient(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return x.clone(), 20 * y


ravine = Landscape(
    name="Ravine",
    f=_ravine,
    start=(-4.0, 1.0),
    minimum=(0.0, 0.0),
    xlim=(-5.0, 2.0),
    ylim=(-1.75, 1.75),
    gradient=_ravine_gradient,
)
r"""A long valley, $f(x, y) = \tfrac12 (x^2 + 20\,y^2)$.

Its curvature is 1 along x and 20 across, so its condition number is 20. Plain gradient descent
converges for learning rates below $2/20 = 0.1$.
"""


def _rosenbrock(x: Tensor, y: Tensor) -> Tensor:
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def _rosenbrock_gradient(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return -2 * (1 - x) - 400 * x * (y - x**2), 200 * (y - x**2)


rosenbrock = Landscape(
    name="Rosenbrock",
    f=_rosenbrock,
    start=(-1.2, 1.0),
    minimum=(1.0, 1.0),
    xlim=(-2.0, 2.0),
    ylim=(-1.0, 3.0),
    gradient=_rosenbrock_gradient,
)
r"""A bent valley with a flat floor, $f(x, y) = (1 - x)^2 + 100\,(y - x^2)^2$.

The floor is the parabola $y = x^2$: easy to reach, slow to follow. At the minimum (1, 1), where f = 0,
the condition number is about 2500. The start is the one of the paper, f(−1.2, 1) = 24.2.

$$
\nabla f = \bigl(-2(1 - x) - 400\,x\,(y - x^2),\; 200\,(y - x^2)\bigr)
$$
"""


def _beale(x: Tensor, y: Tensor) -> Tensor:
    return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2


def _beale_gradient(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    a, b, c = 1.5 - x + x * y, 2.25 - x + x * y**2, 2.625 - x + x * y**3
    dx = 2 * (a * (y - 1) + b * (y**2 - 1) + c * (y**3 - 1))
    dy = 2 * x * (a + 2 * b * y + 3 * c * y**2)
    return dx, dy


beale = Landscape(
    name="Beale",
    f=_beale,
    start=(1.0, 1.0),
    minimum=(3.0, 0.5),
    xlim=(-4.5, 4.5),
    ylim=(-4.5, 4.5),
    gradient=_beale_gradient,
)
r"""A flat middle between steep corners.

$$
f(x, y) = (1.5 - x + xy)^2 + (2.25 - x + xy^2)^2 + (2.625 - x + xy^3)^2
$$

Its one minimum is (3, 0.5), where f = 0. In the corner (−4.5, −4.5) f is above 180,000 and its
gradient longer than 240,000: a learning rate that is right for the middle throws a walk from there out
of the picture. With $a, b, c$ for what stands in the three brackets,

$$
\nabla f = \bigl(2\,[a(y - 1) + b(y^2 - 1) + c(y^3 - 1)],\; 2x\,[a + 2by + 3cy^2]\bigr)
$$
"""


def _himmelblau(x: Tensor, y: Tensor) -> Tensor:
    return (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2


def _himmelblau_gradient(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    a, b = x**2 + y - 11, x + y**2 - 7
    return 4 * x * a + 2 * b, 2 * a + 4 * y * b


himmelblau = Landscape(
    name="Himmelblau",
    f=_himmelblau,
    start=(0.0, 0.0),
    minimum=(3.0, 2.0),
    xlim=(-5.0, 5.0),
    ylim=(-5.0, 5.0),
    gradient=_himmelblau_gradient,
    other_minima=(
        (-2.805118086952745, 3.131312518250573),
        (-3.7793102533777469, -3.2831859912861694),
        (3.5844283403304918, -1.8481265269644034),
    ),
)
r"""Four valleys of equal depth, $f(x, y) = (x^2 + y - 11)^2 + (x + y^2 - 7)^2$.

The four minima, where f = 0, are where the two parabolas in the brackets cross; the first is (3, 2).
Which of them a walk finds depends on its start and on its optimizer. With $a$ and $b$ for the brackets,
$\nabla f = (4xa + 2b,\; 2a + 4yb)$.
"""


def _rastrigin(x: Tensor, y: Tensor) -> Tensor:
    return 20 + x**2 - 10 * torch.cos(2 * math.pi * x) + y**2 - 10 * torch.cos(2 * math.pi * y)


def _rastrigin_gradient(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    dx = 2 * x + 20 * math.pi * torch.sin(2 * math.pi * x)
    dy = 2 * y + 20 * math.pi * torch.sin(2 * math.pi * y)
    return dx, dy


rastrigin = Landscape(
    name="Rastrigin",
    f=_rastrigin,
    start=(2.7, -1.8),
    minimum=(0.0, 0.0),
    xlim=(-5.12, 5.12),
    ylim=(-5.12, 5.12),
    gradient=_rastrigin_gradient,
)
r"""An egg box in a bowl, $f(x, y) = 20 + r(x) + r(y)$ with $r(x) = x^2 - 10\cos 2\pi x$.

Its one global minimum is (0, 0), where f = 0. Near every other pair of whole numbers in the picture lies
a local one, 120 of them, and descent stops in the nearest.
$\nabla f = (r'(x),\; r'(y))$ with $r'(x) = 2x + 20\pi\sin 2\pi x$.
"""


def _saddle(x: Tensor, y: Tensor) -> Tensor:
    return x**2 - y**2


def _saddle_gradient(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return 2 * x, -2 * y


saddle = Landscape(
    name="Saddle",
    f=_saddle,
    start=(-1.5, 0.01),
    minimum=None,
    xlim=(-2.0, 2.0),
    ylim=(-2.0, 2.0),
    gradient=_saddle_gradient,
)
r"""A saddle, $f(x, y) = x^2 - y^2$, with $\nabla f = (2x,\; -2y)$.

The slope is zero at (0, 0), yet that is no minimum: f falls without end along y, so there is none. From
the start, close to the ridge y = 0, a walk first approaches the saddle point and then leaves it.
"""


def _sin_r2(x: Tensor, y: Tensor) -> Tensor:
    return torch.sin(x**2 + y**2)


def _sin_r2_gradient(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    cos = torch.cos(x**2 + y**2)
    return 2 * x * cos, 2 * y * cos


sin_r2 = Landscape(
    name="sin r²",
    f=_sin_r2,
    start=(1.5, 0.5),
    minimum=(math.sqrt(1.5 * math.pi), 0.0),
    xlim=(-3.0, 3.0),
    ylim=(-3.0, 3.0),
    gradient=_sin_r2_gradient,
)
r"""Rings around a pit, $f(x, y) = \sin(x^2 + y^2)$, with $\nabla f = 2\cos(x^2 + y^2)\,(x,\; y)$.

Its minima, where f = −1, are whole circles: $x^2 + y^2 = \tfrac32\pi + 2\pi k$ for k = 0, 1, …; `minimum`
is a point of the innermost. The pit at (0, 0), where f = 0, is a local minimum only. Descent from
$x^2 + y^2 < \tfrac12\pi$ ends there, from just outside on the first circle.
"""

LANDSCAPES: dict[str, Landscape] = {
    "ravine": ravine,
    "rosenbrock": rosenbrock,
    "beale": beale,
    "himmelblau": himmelblau,
    "rastrigin": rastrigin,
    "saddle": saddle,
    "sin_r2": sin_r2,
}
"""Every landscape of this module by its name in Python."""


def descend(
    landscape: Landscape,
    make_optimizer: Callable[[list[Tensor]], Optimizer],
    steps: int,
    clip: float | None = None,
    start: Point | None = None,
) -> list[Point]:
    """Walk down a landscape in float64.

    Args:
        landscape: the function to descend.
        make_optimizer: takes a list with the one parameter, returns the optimizer that moves it.
        steps: how many updates.
        clip: the largest gradient norm let through; None clips nothing.
        start: the first point; the landscape's own by default.

    Returns:
        The points visited, `steps + 1` of them: the start, then one after each update.

    Raises:
        ValueError: `steps` is negative.

    Examples:
        >>> from trainloop.optim import SGD
        >>> descend(ravine, lambda params: SGD(params, lr=0.0625), steps=2)
        [(-4.0, 1.0), (-3.75, -0.25), (-3.515625, 0.0625)]
    """
    if steps < 0:
        raise ValueError(f"steps must be >= 0, got {steps}")
    xy = torch.tensor(start or landscape.start, dtype=torch.float64, requires_grad=True)
    optimizer = make_optimizer([xy])

    def closure() -> float:
        optimizer.zero_grad()
        loss = landscape.f(xy[0], xy[1])
        loss.backward()
        if clip is not None:
            clip_grad_norm_([xy], clip)
        return loss.item()

    points = [_point(xy)]
    for _ in range(steps):
        optimizer.step(closure)
        points.append(_point(xy))
    return points


def _point(xy: Tensor) -> Point:
    x, y = xy.tolist()
    return x, y
