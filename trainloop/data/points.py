"""Points in space, computed: two moons and spirals to classify, Friedman's function to fit.

Friedman, "Multivariate Adaptive Regression Splines", 1991, https://doi.org/10.1214/aos/1176347963.
"""

import math

import torch
from torch import Tensor

__all__ = ["spirals", "synthetic_regression", "two_moons"]


def two_moons(n: int = 200, *, noise: float = 0.1, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Two half circles of radius 1, each with its end in the other's hollow: no line parts them.

    Class 0 is the upper one, around (0, 0); class 1 the lower one, around (1, 0.5).

    Args:
        n: number of points, at least 2, half of them in each class; class 0 comes first.
        noise: standard deviation of the Gaussian noise on both coordinates, >= 0.
        seed: seed of the noise.

    Returns:
        the points, float32, shape (n, 2), and their classes, int64, shape (n,).

    Raises:
        ValueError: n < 2 or noise < 0.

    Examples:
        >>> x, y = two_moons(4, noise=0.0)
        >>> [[round(c, 3) + 0.0 for c in point] for point in x.tolist()]
        [[1.0, 0.0], [-1.0, 0.0], [0.0, 0.5], [2.0, 0.5]]
    """
    _check(n, 2, noise)
    upper = torch.linspace(0, math.pi, n - n // 2)
    lower = torch.linspace(0, math.pi, n // 2)
    x = torch.cat(
        [
            torch.stack([upper.cos(), upper.sin()], dim=1),
            torch.stack([1 - lower.cos(), 0.5 - lower.sin()], dim=1),
        ]
    )
    y = torch.cat([torch.zeros(len(upper), dtype=torch.int64), torch.ones(len(lower), dtype=torch.int64)])
    return x + noise * torch.randn(n, 2, generator=torch.Generator().manual_seed(seed)), y


def spirals(
    n: int = 300,
    *,
    classes: int = 3,
    turns: float = 0.75,
    noise: float = 0.05,
    seed: int = 0,
) -> tuple[Tensor, Tensor]:
    r"""Arms that wind around the origin, evenly spaced: point r of arm k has the polar coordinates
    $(r,\; 2\pi\,(k / \text{classes} + \text{turns}\cdot r))$ with r from 0 to 1.

    Args:
        n: number of points, at least one per class; class 0 comes first, and from its inner end.
        classes: number of arms, at least 1.
        turns: how often each arm winds around the origin.
        noise: standard deviation of the Gaussian noise on both coordinates, >= 0.
        seed: seed of the noise.

    Returns:
        the points, float32, shape (n, 2), and their classes, int64, shape (n,).

    Raises:
        ValueError: classes < 1, n < classes, or noise < 0.

    Examples:
        >>> x, y = spirals(6, classes=3, noise=0.0)
        >>> y.tolist()
        [0, 0, 1, 1, 2, 2]
    """
    if classes < 1:
        raise ValueError(f"classes must be >= 1, got {classes}")
    _check(n, classes, noise)
    sizes = [n // classes + (k < n % classes) for k in range(classes)]
    r = torch.cat([torch.linspace(0, 1, size) for size in sizes])
    y = torch.repeat_interleave(torch.arange(classes), torch.tensor(sizes))
    φ = 2 * math.pi * (y / classes + turns * r)
    x = r.unsqueeze(1) * torch.stack([φ.cos(), φ.sin()], dim=1)
    return x + noise * torch.randn(n, 2, generator=torch.Generator().manual_seed(seed)), y


def synthetic_regression(
    n: int = 1000,
    *,
    features: int = 10,
    noise: float = 1.0,
    seed: int = 0,
) -> tuple[Tensor, Tensor]:
    r"""Friedman's first function, a smooth one that no linear model fits, with Gaussian noise.

    $$
    y = 10\sin(\pi x_1 x_2) + 20\,(x_3 - \tfrac12)^2 + 10\,x_4 + 5\,x_5 + \text{noise}\cdot\epsilon
    $$

    The other features say nothing about y.

    Args:
        n: number of samples, at least 1.
        features: number of features, at least 5, each uniform on [0, 1).
        noise: standard deviation of the noise, in units of y, >= 0: no model predicts with a smaller
            root mean squared error.
        seed: seed of the features and of the noise.

    Returns:
        x, float32, shape (n, features), and y, float32, shape (n, 1).

    Raises:
        ValueError: n < 1, features < 5, or noise < 0.

    Examples:
        >>> x, y = synthetic_regression(n=3)
        >>> x.shape, y.shape
        (torch.Size([3, 10]), torch.Size([3, 1]))
    """
    if features < 5:
        raise ValueError(f"features must be >= 5, got {features}")
    _check(n, 1, noise)
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(n, features, generator=generator)
    x1, x2, x3, x4, x5 = x[:, :5].unbind(dim=1)
    y = 10 * (math.pi * x1 * x2).sin() + 20 * (x3 - 0.5) ** 2 + 10 * x4 + 5 * x5
    return x, (y + noise * torch.randn(n, generator=generator)).unsqueeze(1)


def _check(n: int, least: int, noise: float) -> None:
    if n < least:
        raise ValueError(f"n must be >= {least}, got {n}")
    if noise < 0:
        raise ValueError(f"noise must be >= 0, got {noise}")
