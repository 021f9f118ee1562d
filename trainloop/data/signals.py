"""Signals over time, computed: a damped oscillation to fit, and MNIST-1D to classify.

Greydanus and Kobak, "Scaling Down Deep Learning with MNIST-1D", 2020, https://arxiv.org/abs/2011.14439.
"""

import math
import random

import torch
from torch import Tensor

from trainloop.data._packages import require
from trainloop.data.split import Split

__all__ = ["damped_oscillator", "mnist1d"]


def damped_oscillator(
    n: int = 100,
    *,
    duration: float = 10.0,
    omega: float = 2.0,
    damping: float = 0.1,
    noise: float = 0.0,
    seed: int = 0,
) -> tuple[Tensor, Tensor]:
    r"""A mass on a spring that is pulled to 1, let go, and comes to rest.

    It solves $\ddot x + 2\zeta\omega\,\dot x + \omega^2 x = 0$ with $x(0) = 1$ and $\dot x(0) = 0$:

    $$
    x(t) = e^{-\zeta\omega t} \Bigl(\cos \omega_d t + \frac{\zeta\omega}{\omega_d} \sin \omega_d t\Bigr),
    \qquad \omega_d = \omega\sqrt{1 - \zeta^2}
    $$

    Args:
        n: number of times, at least 1, evenly spaced from 0 to `duration`.
        duration: the last time, in seconds, > 0.
        omega: $\omega > 0$, the angular frequency without damping, in radians per second.
        damping: $\zeta$ in [0, 1), the damping ratio; at 1 it would no longer swing.
        noise: standard deviation of the Gaussian noise on x, >= 0.
        seed: seed of the noise.

    Returns:
        t and x, float32, each of shape (n, 1).

    Raises:
        ValueError: an argument is out of range.

    Examples:
        >>> t, x = damped_oscillator(n=3, damping=0.0, omega=3.141592653589793, duration=2.0)
        >>> [round(position, 3) for position in x.squeeze(1).tolist()]
        [1.0, -1.0, 1.0]
    """
    if n < 1:
        raise ValueError(f"n must be >= 1, got {n}")
    if not duration > 0:
        raise ValueError(f"duration must be > 0, got {duration}")
    if not omega > 0:
        raise ValueError(f"omega must be > 0, got {omega}")
    if not 0 <= damping < 1:
        raise ValueError(f"damping must be in [0, 1), got {damping}")
    if noise < 0:
        raise ValueError(f"noise must be >= 0, got {noise}")
    t = torch.linspace(0, duration, n).unsqueeze(1)
    δ, ω_d = damping * omega, omega * math.sqrt(1 - damping**2)
    x = (-δ * t).exp() * ((ω_d * t).cos() + δ / ω_d * (ω_d * t).sin())
    return t, x + noise * torch.randn(n, 1, generator=torch.Generator().manual_seed(seed))


def mnist1d(n: int = 5000, *, seed: int = 42) -> Split:
    """MNIST-1D: ten classes of short signals, made like handwritten digits are: padded, scaled, moved,
    sheared and noisy copies of ten templates. In the paper a linear model gets 32 % right, a person 96 %.

    Computed by the package `mnist1d` (Apache-2.0), not downloaded: with n = 5000 and seed = 42 its
    default set. numpy's and Python's random states are as before, afterwards.

    Args:
        n: number of samples, a multiple of 10, at least 10; four fifths are for training.
        seed: seed of the signals.

    Returns:
        signals, float32, shape (samples, 40), mean 0 and variance 1 over the set; classes 0 to 9.

    Raises:
        ValueError: n is not a positive multiple of 10.
        ImportError: `mnist1d` is not installed.
    """
    if n < 10 or n % 10 != 0:
        raise ValueError(f"n must be a positive multiple of 10, got {n}")
    package = require("mnist1d.data", "pip install mnist1d", "mnist1d()")
    numpy = require("numpy", "pip install numpy", "mnist1d()")
    arguments = package.get_dataset_args()
    arguments.num_samples, arguments.seed = n, seed
    states = random.getstate(), numpy.random.get_state()  # it seeds both
    try:
        made = package.make_dataset(arguments)
    finally:
        random.setstate(states[0])
        numpy.random.set_state(states[1])
    return Split(
        torch.from_numpy(made["x"]).float(),
        torch.from_numpy(made["y"]),
        torch.from_numpy(made["x_test"]).float(),
        torch.from_numpy(made["y_test"]),
    )
