"""Functions of two variables to descend on, where every step can be drawn."""

# torch leaves Tensor.backward without types:
# mypy: allow-untyped-calls

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

__all__ = ["Landscape", "Point", "descend", "ravine"]

Point: TypeAlias = tuple[float, float]


@dataclass(frozen=True)
class Landscape:
    """A function of two variables, and what it takes to draw it and to walk on it.

    Attributes:
        name: its name, as figures print it.
        f: the function; takes two tensors of one shape and works elementwise.
        start: where descents begin unless they say otherwise.
        minimum: where the function is smallest.
        xlim: the range of x worth drawing.
        ylim: the range of y worth drawing.
    """

    name: str
    f: Callable[[Tensor, Tensor], Tensor]
    start: Point
    minimum: Point
    xlim: Point
    ylim: Point

    def grad(self, x: Tensor | float, y: Tensor | float) -> tuple[Tensor, Tensor]:
        """Return ∂f/∂x and ∂f/∂y in float64: at one point, or at every point of a grid."""
        x = torch.as_tensor(x, dtype=torch.float64).detach().requires_grad_()
        y = torch.as_tensor(y, dtype=torch.float64).detach().requires_grad_()
        dx, dy = torch.autograd.grad(self.f(x, y).sum(), (x, y))
        return dx, dy


def _ravine(x: Tensor, y: Tensor) -> Tensor:
    return 0.5 * (x**2 + 20 * y**2)


ravine = Landscape(
    name="Ravine",
    f=_ravine,
    start=(-4.0, 1.0),
    minimum=(0.0, 0.0),
    xlim=(-5.0, 2.0),
    ylim=(-1.75, 1.75),
)
r"""A long valley, $f(x, y) = \tfrac12 (x^2 + 20\,y^2)$.

Its curvature is 1 along x and 20 across, so its condition number is 20. Plain gradient descent
converges for learning rates below $2/20 = 0.1$.
"""


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
