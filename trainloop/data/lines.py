"""Points on a line with noise, and the line that no training run can beat."""

import torch
from torch import Tensor


def noisy_line(
    n: int = 100,
    *,
    slope: float = 2.0,
    intercept: float = 3.0,
    noise: float = 0.2,
    seed: int = 42,
    dtype: torch.dtype = torch.float32,
) -> tuple[Tensor, Tensor]:
    """Points on a line with Gaussian noise: y = slope · x + intercept + noise · ε, ε ~ N(0, 1).

    Args:
        n: number of points, at least 1; x is evenly spaced on [0, 1].
        slope: true slope, in units of y per unit of x.
        intercept: true value of y at x = 0.
        noise: standard deviation of the noise, in units of y, >= 0.
        seed: seed of the noise; `torch.manual_seed(seed)` followed by `torch.randn(n, 1)` gives the same ε.
        dtype: floating-point type of both tensors.

    Returns:
        x and y, each of shape (n, 1).

    Raises:
        ValueError: n < 1 or noise < 0.

    Examples:
        >>> x, y = noisy_line(n=3, noise=0.0)
        >>> y.squeeze(1).tolist()
        [3.0, 4.0, 5.0]
    """
    if n < 1:
        raise ValueError(f"n must be >= 1, got {n}")
    if noise < 0:
        raise ValueError(f"noise must be >= 0, got {noise}")
    # --8<-- [start:noisy_line]
    x = torch.linspace(0, 1, n, dtype=dtype).unsqueeze(1)
    generator = torch.Generator().manual_seed(seed)
    ε = torch.randn(n, 1, generator=generator).to(dtype)
    return x, slope * x + intercept + noise * ε
    # --8<-- [end:noisy_line]


def least_squares(x: Tensor, y: Tensor) -> tuple[float, float, float]:
    """The line no training run can beat: slope, intercept and mean squared error of the best fit.

    Args:
        x: inputs, shape (n, 1).
        y: targets, shape (n, 1).

    Returns:
        slope, intercept and mean squared error, computed in float64.

    Raises:
        ValueError: the shapes differ or are not (n, 1).

    Examples:
        >>> x, y = noisy_line(n=3, noise=0.0)
        >>> [round(value, 6) for value in least_squares(x, y)]
        [2.0, 3.0, 0.0]
    """
    if x.shape != y.shape or x.ndim != 2 or x.shape[1] != 1:
        raise ValueError(f"x and y must both have shape (n, 1), got {tuple(x.shape)} and {tuple(y.shape)}")
    design = torch.cat([x, torch.ones_like(x)], dim=1).double()
    solution = torch.linalg.lstsq(design, y.double()).solution
    residual = design @ solution - y.double()
    slope, intercept = solution.squeeze(1).tolist()
    return slope, intercept, residual.square().mean().item()
