r"""Gradient clipping: limit how far one step can go, whatever its batch was.

Between `loss.backward()` and `optimizer.step()`, make the gradient shorter where it is too long: as a whole
(`clip_grad_norm_`), entry by entry (`clip_grad_value_`), or for each unit against the size of its weights
(`clip_grad_adaptive_`). With `torch.amp.GradScaler`, call `scaler.unscale_(optimizer)` first.

Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", 2013,
https://arxiv.org/abs/1211.5063 (the norm).
Brock et al., "High-Performance Large-Scale Image Recognition Without Normalization", 2021,
https://arxiv.org/abs/2102.06171 (adaptive).
https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.clip_grad_norm_.html
"""

# torch's functions on many tensors at once, torch._foreach_*, have no public name:
# pyright: reportPrivateImportUsage=false

import warnings
from collections.abc import Iterable, Iterator
from typing import TypeAlias

import torch
from torch import Tensor

from trainloop.parallel import whole

__all__ = ["Tensors", "clip_grad_adaptive_", "clip_grad_norm_", "clip_grad_value_", "total_norm"]

Tensors: TypeAlias = Tensor | Iterable[Tensor]
"""One tensor, or several, such as `model.parameters()`."""


@torch.no_grad()
def total_norm(tensors: Tensors, norm_type: float = 2.0, error_if_nonfinite: bool = False) -> Tensor:
    r"""Return the norm of all entries of all tensors, as if they were one vector $x$.

    $$
    \|x\|_p = \Bigl(\sum_i |x_i|^p\Bigr)^{1/p}, \qquad \|x\|_\infty = \max_i |x_i|
    $$

    Args:
        tensors: one tensor or several, of any shapes; dense or sparse, real or complex, on any devices.
        norm_type: $p$, any number or `inf`, or the string `"inf"`. For $p > 0$ this is the norm above. What
            torch makes of the rest holds here, too: `-inf` gives the smallest $|x_i|$, a finite $p < 0$ the
            formula above (0 where any $x_i$ is 0), and 0 counts the tensors that have an entry other than 0,
            not the entries.
        error_if_nonfinite: raise if the norm is NaN or infinite.

    Returns:
        A scalar tensor on the first tensor's device, with the widest of their dtypes; 0 for no tensors. Of
        tensors that FSDP2 has cut (DTensors), the norm of the whole, on every rank. The
        sum is kept in that dtype: among float16 gradients a norm beyond 65,504 is `inf`. A NaN among
        the entries makes the norm NaN, and an infinite entry makes it infinite (for $p > 0$).

    Raises:
        ValueError: `norm_type` is NaN.
        RuntimeError: `error_if_nonfinite` and the norm is NaN or infinite; or a tensor has no entries and
            $p$ is negative or infinite, which leaves its norm undefined.

    Differs from torch:
        Bitwise equal to `torch.nn.utils.get_total_norm(foreach=False)` for tensors of one dtype, tested on
        the CPU. Of several dtypes, torch sums the tensors' norms grouped by dtype, this function in the
        order given: the last digits may differ. torch's norm of DTensors is a DTensor.

    Examples:
        >>> total_norm([torch.tensor([3.0]), torch.tensor([[0.0, -4.0]])])
        tensor(5.)
        >>> total_norm([torch.tensor([3.0]), torch.tensor([[0.0, -4.0]])], norm_type=float("inf"))
        tensor(4.)
    """
    p = float(norm_type)
    if p != p:
        raise ValueError(f"norm_type must be a number or inf, got {norm_type}")
    # --8<-- [start:total_norm]
    xs = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    if not xs:
        return torch.tensor(0.0)
    xs = [x.coalesce().values() if x.is_sparse else x for x in xs]
    norms = [n.to(xs[0].device) for n in torch._foreach_norm(xs, p)]
    norm = whole(torch.linalg.vector_norm(torch.stack(norms), p))
    if error_if_nonfinite and not norm.isfinite():
        message = f"the norm of order {p} is {norm.item()}, not finite"
        raise RuntimeError(message)
    return norm
    # --8<-- [end:total_norm]


@torch.no_grad()
def clip_grad_norm_(
    parameters: Tensors,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> Tensor:
    r"""Scale all gradients by one number, in place, so that their total norm is at most `max_norm`.

    $$
    g \leftarrow \min\Bigl(1, \frac{c}{\|g\|_p + 10^{-6}}\Bigr)\, g, \qquad c = \text{max norm}
    $$

    The direction stays, only the length changes. Gradients whose norm is below `max_norm` by 1e-6 or more keep
    every bit.

    A norm that is not finite spoils the gradients, silently unless `error_if_nonfinite`:

    - NaN, because some entry is NaN: every gradient becomes NaN, all over the model.
    - Infinite, because some entry is, or because the sum overflows: the finite entries become 0 and the
      infinite ones NaN. (With an infinite `max_norm`, every entry becomes NaN.)

    Args:
        parameters: one parameter or several. Those without a gradient are skipped.
        max_norm: $c \ge 0$, in units of the gradient. 0 makes the gradients 0; `inf` clips nothing and still
            returns the norm.
        norm_type: $p$, as in `total_norm`. Only for $p > 0$ does `max_norm` bound a norm.
        error_if_nonfinite: raise if the norm is NaN or infinite, before any gradient has changed.

    Returns:
        The total norm **before** clipping, as `total_norm` gives it; 0 if there are no gradients.

    Raises:
        ValueError: `max_norm` is negative or NaN; `norm_type` is NaN.
        RuntimeError: `error_if_nonfinite` and the norm is NaN or infinite.

    Warns:
        UserWarning: `parameters` is an iterator with nothing left in it, such as a `model.parameters()` that
            the optimizer has read before. Nothing is clipped.

    Differs from torch:
        Bitwise equal to `torch.nn.utils.clip_grad_norm_(foreach=False)` for gradients of one dtype, tested on
        the CPU; for several see `total_norm`. torch takes a negative `max_norm`, and turns the gradients round.

    Examples:
        >>> w = torch.tensor([0.0, 0.0], requires_grad=True)
        >>> w.grad = torch.tensor([30.0, 40.0])
        >>> clip_grad_norm_([w], max_norm=1.0)
        tensor(50.)
        >>> w.grad
        tensor([0.6000, 0.8000])
    """
    c = _at_least_0("max_norm", max_norm)
    # --8<-- [start:clip_grad_norm]
    grads = [g for _, g in _with_gradient(parameters)]
    norm = total_norm(grads, norm_type, error_if_nonfinite)
    # Always multiply: asking "is the norm too large?" would make the
    # processor wait for the GPU's answer, and · 1 changes no bit.
    scale = torch.clamp(c / (norm + 1e-6), max=1.0)
    for device in {g.device for g in grads}:
        there = [g for g in grads if g.device == device]
        torch._foreach_mul_(there, scale.to(device))
    return norm
    # --8<-- [end:clip_grad_norm]


@torch.no_grad()
def clip_grad_value_(parameters: Tensors, clip_value: float) -> None:
    r"""Clamp every entry of every gradient to $[-c, c]$, in place.

    Large entries are cut and small ones stay, so the direction changes, towards a diagonal. An infinite entry
    becomes $\pm c$; a NaN stays NaN, and no other entry with it.

    Args:
        parameters: one parameter or several. Those without a gradient are skipped.
        clip_value: $c \ge 0$, in units of the gradient.

    Raises:
        ValueError: `clip_value` is negative or NaN.

    Warns:
        UserWarning: `parameters` is an iterator with nothing left in it.

    Differs from torch:
        Bitwise equal to `torch.nn.utils.clip_grad_value_(foreach=False)`, tested on the CPU. torch takes a
        negative `clip_value`, and sets every entry to it.

    Examples:
        >>> w = torch.tensor([0.0, 0.0], requires_grad=True)
        >>> w.grad = torch.tensor([30.0, -0.5])
        >>> clip_grad_value_([w], clip_value=1.0)
        >>> w.grad
        tensor([ 1.0000, -0.5000])
    """
    c = _at_least_0("clip_value", clip_value)
    # --8<-- [start:clip_grad_value]
    grads = [g for _, g in _with_gradient(parameters)]
    if grads:
        torch._foreach_clamp_min_(grads, -c)
        torch._foreach_clamp_max_(grads, c)
    # --8<-- [end:clip_grad_value]


@torch.no_grad()
def clip_grad_adaptive_(
    parameters: Tensors,
    clip_factor: float = 0.01,
    eps: float = 1e-3,
    norm_type: float = 2.0,
) -> None:
    r"""Limit each unit's gradient to a fraction of the size of its weights, in place.

    $$
    g_u \leftarrow \min\Bigl(1, \frac{c \max(\|\theta_u\|, \varepsilon)}{\|g_u\|}\Bigr)\, g_u
    $$

    A unit $u$ is what makes one output: a row of a matrix, a filter of a convolution (everything behind the
    first dimension). A vector or a scalar – a bias, the weight of a norm layer – is one unit as a whole. For
    layers that keep their outputs in another dimension, such as transposed convolutions, the slices are
    by the first dimension all the same. The paper leaves the last linear layer unclipped: do not pass it.

    A unit whose gradient's norm is NaN becomes NaN, one whose norm is infinite becomes 0 where it was finite
    and NaN where it was infinite, and one whose weights' norm is NaN becomes NaN. Other units are not touched by it.

    Args:
        parameters: one parameter or several. Those without a gradient are skipped.
        clip_factor: $c > 0$, the largest ratio of gradient to weights. The paper takes 0.01 for batches of 4096;
            smaller batches bear larger values.
        eps: $\varepsilon > 0$, in units of the weights: lets units that start at 0 move.
        norm_type: order of both norms, above 0; `inf` included.

    Raises:
        ValueError: an argument is out of range.
        RuntimeError: a gradient is sparse.

    Warns:
        UserWarning: `parameters` is an iterator with nothing left in it.

    Examples:
        >>> w = torch.tensor([[3.0, 4.0], [0.0, 5.0]], requires_grad=True)
        >>> w.grad = torch.tensor([[0.3, 0.4], [0.01, 0.0]])
        >>> clip_grad_adaptive_([w], clip_factor=0.01)
        >>> w.grad  # the first row's norm was 0.5, and may be 0.01 · 5
        tensor([[0.0300, 0.0400],
                [0.0100, 0.0000]])
    """
    for name, value in (("clip_factor", clip_factor), ("eps", eps), ("norm_type", norm_type)):
        if not value > 0:
            raise ValueError(f"{name} must be > 0, got {value}")
    # --8<-- [start:clip_grad_adaptive]
    for θ, g in _with_gradient(parameters):
        limit = clip_factor * _unit_norms(θ, norm_type).clamp(min=eps)
        g.mul_((limit / _unit_norms(g, norm_type)).clamp(max=1.0))
    # --8<-- [end:clip_grad_adaptive]


# --8<-- [start:unit_norms]
def _unit_norms(x: Tensor, p: float) -> Tensor:
    """One norm for each slice x[i], shaped to scale x."""
    inner = tuple(range(1, x.ndim)) or None  # None: all of a vector
    norms: Tensor = torch.linalg.vector_norm(x, p, inner, x.ndim > 1)
    return norms


# --8<-- [end:unit_norms]


def _with_gradient(parameters: Tensors) -> list[tuple[Tensor, Tensor]]:
    listed = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    if not listed and isinstance(parameters, Iterator):
        message = "parameters is an iterator with nothing left in it, nothing is clipped: call model.parameters() anew"
        warnings.warn(message, stacklevel=4)  # past the caller here and torch.no_grad, to who called that
    return [(p, p.grad) for p in listed if p.grad is not None]


def _at_least_0(name: str, value: float) -> float:
    if not value >= 0:
        raise ValueError(f"{name} must be >= 0, got {value}")
    return float(value)
