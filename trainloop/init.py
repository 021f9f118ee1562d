r"""Starting weights: drawn so that signals neither fade nor explode from layer to layer.

A layer with independent weights of variance $\sigma^2$ and `fan_in` inputs multiplies the variance of what
passes through it by $\text{fan\_in} \cdot \sigma^2$, and backwards by $\text{fan\_out} \cdot \sigma^2$. Xavier
holds the mean of the two at 1, Kaiming one of them, with a gain for what the nonlinearity takes away.
Orthogonal matrices keep the length of every vector. LSUV measures instead of assuming.

Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010,
https://proceedings.mlr.press/v9/glorot10a.html (Xavier). He et al., "Delving Deep into Rectifiers", 2015,
https://arxiv.org/abs/1502.01852 (Kaiming). Saxe et al., "Exact solutions to the nonlinear dynamics of
learning in deep linear neural networks", 2013, https://arxiv.org/abs/1312.6120 (orthogonal). Mishkin and
Matas, "All you need is a good init", 2015, https://arxiv.org/abs/1511.06422 (LSUV).

Where `torch.nn.init` has the function, its name and options are the same and the values are bitwise
equal under the same seed or generator: https://docs.pytorch.org/docs/stable/nn.init.html.

Examples:
    >>> import torch
    >>> w = kaiming_normal_(torch.empty(64, 128), nonlinearity="relu")
    >>> abs(w.std().item() - (2 / 128) ** 0.5) < 0.005
    True
"""

import math
from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias

import torch
from torch import Generator, Tensor, nn

from trainloop.loop import in_mode
from trainloop.rng import unchanged_random_state

__all__ = [
    "Adjusted",
    "constant_",
    "fan_in_and_out",
    "gain",
    "kaiming_normal_",
    "kaiming_uniform_",
    "lsuv_",
    "orthogonal_",
    "xavier_normal_",
    "xavier_uniform_",
]

Nonlinearity: TypeAlias = Literal["linear", "sigmoid", "tanh", "relu", "leaky_relu", "selu"]
Fan: TypeAlias = Literal["fan_in", "fan_out"]


def fan_in_and_out(weight: Tensor) -> tuple[int, int]:
    r"""Count the inputs of each output, and the outputs of each input.

    For a weight of shape (out, in, k₁, k₂, …):

    $$
    \text{fan\_in} = \text{in}\cdot k_1 k_2 \cdots, \qquad \text{fan\_out} = \text{out}\cdot k_1 k_2 \cdots
    $$

    Args:
        weight: of a linear layer, shape (out, in), or of a convolution, shape (out, in, *kernel).

    Raises:
        ValueError: the weight has fewer than 2 dimensions.

    Examples:
        >>> fan_in_and_out(torch.empty(16, 3, 5, 5))
        (75, 400)
    """
    if weight.dim() < 2:
        raise ValueError(f"weight must have at least 2 dimensions, got shape {tuple(weight.shape)}")
    taps = math.prod(weight.shape[2:])
    return weight.shape[1] * taps, weight.shape[0] * taps


def gain(nonlinearity: Nonlinearity, a: float = 0.01) -> float:
    r"""Return the factor that makes up for what a nonlinearity does to the size of a signal.

    ReLU halves the mean square, so its gain is $\sqrt 2$; a leaky ReLU's is $\sqrt{2 / (1 + a^2)}$. 5/3 for
    tanh and 3/4 for SELU were found by experiment; linear and sigmoid have 1. (Torch's further names, from
    conv1d to conv_transpose3d, all mean linear.)

    Args:
        nonlinearity: its name in `torch.nn.functional`, or `"linear"` for none.
        a: the slope of a leaky ReLU below 0; the others ignore it.

    Raises:
        ValueError: the nonlinearity is none of these.

    Examples:
        >>> gain("relu") == gain("leaky_relu", a=0) == 2**0.5
        True
    """
    gains = {
        "linear": 1.0,
        "sigmoid": 1.0,
        "tanh": 5 / 3,
        "relu": math.sqrt(2),
        "leaky_relu": math.sqrt(2 / (1 + a**2)),
        "selu": 3 / 4,
    }
    if nonlinearity not in gains:
        raise ValueError(f"nonlinearity must be one of {', '.join(gains)}, got {nonlinearity!r}")
    return gains[nonlinearity]


@torch.no_grad()
def constant_(tensor: Tensor, value: float) -> Tensor:
    """Fill a tensor with one value, in place.

    Weights that start equal get equal gradients and stay equal: for biases and norms only.
    """
    return tensor.fill_(value)


@torch.no_grad()
def xavier_uniform_(weight: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    r"""Draw from the uniform distribution on $[-b, b]$, in place.

    $$
    b = \sqrt 3\,\sigma, \qquad \sigma = \text{gain}\cdot\sqrt{\frac{2}{\text{fan\_in} + \text{fan\_out}}}
    $$

    Args:
        weight: shape (out, in, *kernel).
        gain: see `gain`.
        generator: where the numbers come from; torch's global one by default.

    Raises:
        ValueError: the weight has fewer than 2 dimensions.
    """
    bound = math.sqrt(3) * _xavier_std(weight, gain)
    return weight.uniform_(-bound, bound, generator=generator)


@torch.no_grad()
def xavier_normal_(weight: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    r"""Draw from the normal distribution with mean 0, in place, and with the standard deviation

    $$
    \sigma = \text{gain}\cdot\sqrt{\frac{2}{\text{fan\_in} + \text{fan\_out}}}
    $$

    Args:
        weight: shape (out, in, *kernel).
        gain: see `gain`.
        generator: where the numbers come from; torch's global one by default.

    Raises:
        ValueError: the weight has fewer than 2 dimensions.
    """
    return weight.normal_(0, _xavier_std(weight, gain), generator=generator)


@torch.no_grad()
def kaiming_uniform_(
    weight: Tensor,
    a: float = 0.0,
    mode: Fan = "fan_in",
    nonlinearity: Nonlinearity = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    r"""Draw from the uniform distribution on $[-b, b]$, in place.

    $$
    b = \sqrt 3\,\sigma, \qquad \sigma = \frac{\text{gain}}{\sqrt{\text{fan}}}
    $$

    Args:
        weight: shape (out, in, *kernel). One without elements stays as it is.
        a: the slope of a leaky ReLU below 0.
        mode: `"fan_in"` keeps the size of signals forward, `"fan_out"` that of gradients backward.
        nonlinearity: the one that follows the layer, as `gain` takes it.
        generator: where the numbers come from; torch's global one by default.

    Raises:
        ValueError: the weight has fewer than 2 dimensions, or mode or nonlinearity is unknown.
    """
    bound = math.sqrt(3) * _kaiming_std(weight, a, mode, nonlinearity)
    return weight.uniform_(-bound, bound, generator=generator)


@torch.no_grad()
def kaiming_normal_(
    weight: Tensor,
    a: float = 0.0,
    mode: Fan = "fan_in",
    nonlinearity: Nonlinearity = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    r"""Draw from the normal distribution with mean 0, in place, and with the standard deviation

    $$
    \sigma = \frac{\text{gain}}{\sqrt{\text{fan}}}
    $$

    Args:
        weight: shape (out, in, *kernel). One without elements stays as it is.
        a: the slope of a leaky ReLU below 0.
        mode: `"fan_in"` keeps the size of signals forward, `"fan_out"` that of gradients backward.
        nonlinearity: the one that follows the layer, as `gain` takes it.
        generator: where the numbers come from; torch's global one by default.

    Raises:
        ValueError: the weight has fewer than 2 dimensions, or mode or nonlinearity is unknown.
    """
    return weight.normal_(0, _kaiming_std(weight, a, mode, nonlinearity), generator=generator)


@torch.no_grad()
def orthogonal_(weight: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    r"""Draw a random matrix with orthonormal rows or columns, whichever are fewer, in place.

    It is gain times the $Q$ of $A = QR$ for a matrix $A$ of standard normal numbers. $Q$ is unique, and
    uniform over all such matrices, once the diagonal of $R$ is made positive:
    $Q \leftarrow Q\,\operatorname{sign}(\operatorname{diag} R)$.

    Args:
        weight: shape (out, in, *kernel); a kernel counts as part of the rows. One without elements stays
            as it is.
        gain: see `gain`.
        generator: where the numbers come from; torch's global one by default.

    Raises:
        ValueError: the weight has fewer than 2 dimensions.

    Examples:
        >>> q = orthogonal_(torch.empty(3, 5))
        >>> torch.allclose(q @ q.T, torch.eye(3), atol=1e-6)
        True
    """
    fan_in_and_out(weight)  # checks the shape
    if weight.numel() == 0:
        return weight
    rows = weight.shape[0]
    columns = weight.numel() // rows
    a = weight.new_empty(rows, columns).normal_(generator=generator)
    wide = rows < columns
    q, r = torch.linalg.qr(a.T if wide else a)
    q *= r.diagonal().sign()
    return weight.copy_((q.T if wide else q).view_as(weight)).mul_(gain)


class Adjusted(NamedTuple):
    """What `lsuv_` did to a layer.

    Attributes:
        layer: its name in the model.
        iterations: how often its weight was divided by the standard deviation of its output.
        std: the standard deviation of its output in the end.
    """

    layer: str
    iterations: int
    std: float


@torch.no_grad()
def lsuv_(
    model: nn.Module,
    x: Tensor,
    *,
    tolerance: float = 0.1,
    max_iterations: int = 10,
    generator: Generator | None = None,
) -> list[Adjusted]:
    r"""Layer-sequential unit variance: give every layer's output a variance of 1 on a batch, in place.

    Weights of linear and convolutional layers start orthogonal, their biases at 0. Then, layer by layer
    in the order in which they run, with $\sigma$ the standard deviation of the layer's output,

    $$
    W \leftarrow W / \sigma \quad\text{until}\quad |\sigma^2 - 1| < \text{tolerance}.
    $$

    It is measured in eval mode: without dropout, and with the running statistics of batch norms. Layers
    that do not run keep their weights; of a layer that runs more than once, the first output counts.

    Args:
        model: on the device of x. Every layer keeps its mode.
        x: a batch, as the model takes it.
        tolerance: how far from 1 a variance may be, > 0.
        max_iterations: how many divisions a layer gets at most, at least 0.
        generator: where the orthogonal weights come from; torch's global one by default. Measuring
            leaves the random state alone.

    Returns:
        One entry for each layer that ran, in that order.

    Raises:
        ValueError: an argument is out of range, or a layer's output has no variance, or none that is
            finite.

    Examples:
        >>> model = nn.Sequential(nn.Linear(8, 64), nn.Tanh(), nn.Linear(64, 1))
        >>> report = lsuv_(model, torch.randn(256, 8))
        >>> [entry.layer for entry in report], all(0.9 < entry.std**2 < 1.1 for entry in report)
        (['0', '2'], True)
    """
    if not tolerance > 0:
        raise ValueError(f"tolerance must be > 0, got {tolerance}")
    if max_iterations < 0:
        raise ValueError(f"max_iterations must be >= 0, got {max_iterations}")
    with in_mode(model, training=False), unchanged_random_state():
        layers = _in_order(model, x)
    for layer in layers.values():
        orthogonal_(layer.weight, generator=generator)
        if layer.bias is not None:
            constant_(layer.bias, 0.0)

    report = []
    with in_mode(model, training=False), unchanged_random_state():
        for name, layer in layers.items():
            iterations, std = 0, _output_std(model, x, name, layer)
            while abs(std**2 - 1) >= tolerance and iterations < max_iterations:
                layer.weight.div_(std)
                iterations, std = iterations + 1, _output_std(model, x, name, layer)
            report.append(Adjusted(name, iterations, std))
    return report


Layer: TypeAlias = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d


def _in_order(model: nn.Module, x: Tensor) -> dict[str, Layer]:
    """Return the linear and convolutional layers that run, by name, in the order of their first run."""
    names = {layer: name for name, layer in model.named_modules() if isinstance(layer, Layer)}
    ran: dict[str, Layer] = {}

    def note(layer: Layer, _: object, __: object) -> None:
        ran.setdefault(names[layer], layer)

    _run_hooked(model, x, list(names), note)
    return ran


def _output_std(model: nn.Module, x: Tensor, name: str, layer: Layer) -> float:
    stds: list[float] = []

    def measure(_: object, __: object, output: Tensor) -> None:  # at once: an in-place ReLU may follow
        stds.append(output.std().item())

    _run_hooked(model, x, [layer], measure)
    if not 0 < stds[0] < math.inf:
        raise ValueError(f"the output of layer {name!r} must vary on x, got a standard deviation of {stds[0]}")
    return stds[0]


def _run_hooked(model: nn.Module, x: Tensor, layers: list[Layer], hook: Callable[..., None]) -> None:
    handles = [layer.register_forward_hook(hook) for layer in layers]
    try:
        model(x)
    finally:
        for handle in handles:
            handle.remove()


def _xavier_std(weight: Tensor, gain: float) -> float:
    fan_in, fan_out = fan_in_and_out(weight)
    return gain * math.sqrt(2 / max(fan_in + fan_out, 1))  # a fan of 0 means: no elements


def _kaiming_std(weight: Tensor, a: float, mode: str, nonlinearity: Nonlinearity) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"mode must be 'fan_in' or 'fan_out', got {mode!r}")
    fan_in, fan_out = fan_in_and_out(weight)
    fan = fan_in if mode == "fan_in" else fan_out
    return gain(nonlinearity, a) / math.sqrt(max(fan, 1))
