r"""Eight bits for a number: block-wise dynamic quantisation.

A tensor is cut into blocks. Each block keeps its largest absolute value, the scale, and for every element the
index of the nearest of 256 values in [−1, 1], the codebook. One outlier then spoils one block, not the tensor.

The codebook is dense near 0 and covers seven decades. A code's bits would read: a sign; zeros, whose number
is the decade; a one; and a fraction in what bits are left, which places the value linearly between 0.1 and 1:

$$
\pm\,10^{-e}\,\Bigl(0.1 + 0.9\,\frac{j + 1/2}{n_e}\Bigr), \qquad
e = 0, \dots, 6, \quad j = 0, \dots, n_e - 1, \quad n_e = 64 \cdot 2^{-e},
$$

together with 0 and 1. Without signs, $n_e$ is twice as large.

Dettmers, "8-Bit Approximations for Parallelism in Deep Learning", 2015, https://arxiv.org/abs/1511.04561.
Dettmers et al., "8-bit Optimizers via Block-wise Quantization", 2021, https://arxiv.org/abs/2110.02861.
"""

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Codebook", "codebook", "dequantize", "dynamic_values", "quantize"]

TINY = torch.finfo(torch.float32).tiny


class Codebook(NamedTuple):
    """256 values in ascending order, and what finds the nearest of them quickly."""

    values: Tensor
    """float32, 256 entries: what a code stands for."""

    borders: Tensor
    """float32, 256 entries: the midpoint between each value and the next; infinity after the last."""

    start: Tensor
    """uint8, 65,536 entries. A number's first 16 bits select one: the code of the smallest number that
    begins so. A larger one that begins so has this code or the next, since no two borders begin alike."""


# --8<-- [start:codebook]
def dynamic_values(signed: bool) -> list[float]:
    """Return the 256 values, in ascending order."""
    values = [0.0, 1.0]
    for e in range(7):
        n = (64 if signed else 128) >> e  # half as many in each decade
        for j in range(n):
            value = 10.0**-e * (0.1 + 0.9 * (j + 0.5) / n)
            values += [value, -value] if signed else [value]
    return sorted(values)


# --8<-- [end:codebook]

_codebooks: dict[tuple[bool, torch.device], Codebook] = {}


def codebook(signed: bool, device: torch.device) -> Codebook:
    """Return the codebook, made once per device."""
    key = (signed, device)
    if key not in _codebooks:
        values = torch.tensor(dynamic_values(signed), dtype=torch.float32, device="cpu")
        borders = torch.cat([(values[1:] + values[:-1]) / 2, values.new_tensor([torch.inf])])
        patterns = torch.arange(-(1 << 15), 1 << 15, dtype=torch.int32, device="cpu") << 16
        patterns[patterns < 0] |= 0xFFFF  # the smallest negative number is the one farthest from 0
        start = torch.bucketize(patterns.view(torch.float32), borders[:-1]).to(torch.uint8)
        _codebooks[key] = Codebook(*(part.to(device) for part in (values, borders, start)))
    return _codebooks[key]


def quantize(x: Tensor, book: Codebook, block_size: int) -> tuple[Tensor, Tensor]:
    """Return the codes and the blocks' scales.

    A block with a NaN or an infinity in it is NaN or infinite when it is read back: nothing is hidden.

    Args:
        x: float32, any shape, at least one element. Blocks run through it in row order; the last may be shorter.
        book: the codebook; one without signs takes x >= 0.
        block_size: elements per block, >= 1.

    Returns:
        The codes, uint8 and of x's shape, and the scales, float32 and one per block.
    """
    # --8<-- [start:quantize]
    shape, x = x.shape, x.reshape(-1).clone()
    blocks = _blocks(x, block_size)
    scales = torch.cat([block.abs().amax(1) for block in blocks])
    for block, scale in zip(blocks, _columns(scales, blocks), strict=True):
        block.div_(scale.clamp_min(TINY))  # a block of zeros stays zeros
    first_bits = (x.view(torch.int32) >> 16).add_(1 << 15)
    codes = book.start.index_select(0, first_bits)
    codes += book.borders.index_select(0, codes.int()) < x
    return codes.view(shape), scales
    # --8<-- [end:quantize]


def dequantize(codes: Tensor, scales: Tensor, book: Codebook, block_size: int) -> Tensor:
    """Return the numbers that the codes stand for: float32, of the codes' shape.

    Each is off by at most half the distance between the two codebook values around it, times its
    block's scale: 0.71 % of the scale with signs, 0.36 % without. The codebook has 1 and not -1: where a
    block's largest number is negative, it comes back 0.7 % smaller.
    """
    # --8<-- [start:dequantize]
    x = book.values.index_select(0, codes.reshape(-1).int())
    blocks = _blocks(x, block_size)
    for block, scale in zip(blocks, _columns(scales, blocks), strict=True):
        block.mul_(scale)
    return x.view(codes.shape)
    # --8<-- [end:dequantize]


def _blocks(x: Tensor, size: int) -> list[Tensor]:
    """The full blocks, one per row, and then the rest, if there is one."""
    full = x.numel() // size * size
    views = [x[:full].view(-1, size), x[full:].view(1, -1)]
    return [view for view in views if view.numel() > 0]


def _columns(scales: Tensor, blocks: list[Tensor]) -> tuple[Tensor, ...]:
    """The scales beside the blocks that they belong to."""
    return torch.split(scales.unsqueeze(1), [len(block) for block in blocks])
