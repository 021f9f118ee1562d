"""Block-wise dynamic quantisation: the codebook's definition, nearest values, error bounds, blocks."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainloop.optim._quantize import codebook, dequantize, dynamic_values, quantize

CPU = torch.device("cpu")
SIZES = st.floats(2.0**-100, 2.0**100, width=32)  # so that no scale times a codebook value is subnormal
NUMBERS = st.one_of(st.just(0.0), SIZES, SIZES.map(lambda x: -x))
SIGNED = pytest.mark.parametrize("signed", [True, False])


# --- The codebook -----------------------------------------------------------------------------------


@SIGNED
def test_there_are_256_different_values_in_order(signed):
    values = dynamic_values(signed)
    assert len(values) == 256
    assert all(a < b for a, b in pairwise(values))
    assert 0.0 in values
    assert values[-1] == 1.0
    assert values[0] == (0.0 if not signed else pytest.approx(-0.99296875))


def read_bits(byte: int) -> float:
    """What a byte says: sign, zeros, a one, fraction. Its fraction names an interval, whose middle is meant."""
    sign, rest = byte >> 7, byte & 0x7F
    if rest == 0:
        return 1.0 if sign else 0.0  # the two bytes without a one
    e = 7 - rest.bit_length()
    fraction_bits = 6 - e
    j = rest & ((1 << fraction_bits) - 1)
    middle = 0.1 + 0.9 * (j + 0.5) / (1 << fraction_bits)
    return (-1) ** sign * 10.0**-e * middle


def test_signed_values_are_what_the_bits_say():
    assert dynamic_values(signed=True) == pytest.approx(sorted(read_bits(byte) for byte in range(256)), rel=1e-12)


def test_values_without_sign_halve_the_intervals():
    # Each interval between the signed values' decades' bounds holds two: so each signed value is the mean of two.
    unsigned = [x for x in dynamic_values(signed=False) if 0 < x < 1]
    pairs = [(a + b) / 2 for a, b in zip(unsigned[::2], unsigned[1::2], strict=True)]
    assert pairs == pytest.approx([x for x in dynamic_values(signed=True) if 0 < x < 1], rel=1e-12)


@SIGNED
def test_no_two_borders_begin_with_the_same_16_bits(signed):
    # This is what makes one look-up and one comparison enough.
    first = codebook(signed, CPU).borders[:-1].view(torch.int32) >> 16
    assert len(first.unique()) == 255


def test_the_codebook_is_made_once():
    assert codebook(True, CPU) is codebook(True, CPU)
    assert codebook(True, CPU) is not codebook(False, CPU)


# --- Codes ------------------------------------------------------------------------------------------


@SIGNED
def test_codes_are_those_of_the_nearest_values(signed):
    torch.manual_seed(0)
    x = 10 ** (8 * torch.rand(100_000, dtype=torch.float64) - 8)
    x = (x * (torch.randint(0, 2, x.shape) * 2 - 1) if signed else x).float()
    x[:256] = codebook(signed, CPU).values
    x[256] = 1.0  # so that the scale of the one block is 1
    codes, scales = quantize(x, codebook(signed, CPU), block_size=len(x))
    assert scales.tolist() == [1.0]
    distance = (x.unsqueeze(1) - codebook(signed, CPU).values).abs()
    chosen = distance.gather(1, codes.long().unsqueeze(1)).squeeze(1)
    # A border is a midpoint rounded to float32: next to it, either side counts as nearest.
    assert (chosen <= distance.amin(1) + 1e-7 * x.abs()).all()
    assert torch.equal(codes, torch.bucketize(x, codebook(signed, CPU).borders[:-1]).to(torch.uint8))


@SIGNED
def test_codebook_values_come_back_as_they_are(signed):
    book = codebook(signed, CPU)
    codes, scales = quantize(book.values * 8, book, block_size=256)
    assert codes.tolist() == list(range(256))
    assert torch.equal(dequantize(codes, scales, book, 256), book.values * 8)


@settings(deadline=None, max_examples=150)
@given(st.lists(NUMBERS, min_size=1, max_size=40), st.integers(1, 45), st.booleans())
def test_error_is_at_most_half_a_gap(numbers, block_size, signed):
    x = torch.tensor(numbers, dtype=torch.float32)
    x = x if signed else x.abs()
    book = codebook(signed, CPU)
    codes, scales = quantize(x, book, block_size)
    back = dequantize(codes, scales, book, block_size)
    assert codes.dtype == torch.uint8
    assert codes.shape == back.shape == x.shape
    assert scales.numel() == math.ceil(len(x) / block_size)
    half_gap = book.values.double().diff().max().item() / 2
    scale = scales.double().repeat_interleave(block_size)[: len(x)]
    assert ((back.double() - x.double()).abs() <= (half_gap + 1e-7) * scale).all()  # float32 rounds by 6e-8


@settings(deadline=None, max_examples=150)
@given(st.lists(NUMBERS, min_size=1, max_size=40), st.integers(1, 45), st.booleans())
def test_second_time_changes_nothing(numbers, block_size, signed):
    # True of blocks whose largest number is positive: it is stored exactly, so the scale stays.
    x = torch.tensor(numbers, dtype=torch.float32)
    x = x if signed else x.abs()
    for block in x.split(block_size):
        block[block.abs().argmax()].abs_()
    book = codebook(signed, CPU)
    once = quantize(x, book, block_size)
    again = quantize(dequantize(*once, book, block_size), book, block_size)
    assert torch.equal(once[0], again[0])
    assert torch.equal(once[1], again[1])


@settings(deadline=None, max_examples=100)
@given(st.lists(NUMBERS, min_size=1, max_size=40), st.integers(1, 45))
def test_order_is_kept_within_a_block(numbers, block_size):
    x = torch.tensor(numbers, dtype=torch.float32).sort().values
    codes, _ = quantize(x, codebook(True, CPU), block_size)
    for block in codes.int().split(block_size):
        assert (block.diff() >= 0).all()


def test_half_gaps_are_those_of_the_docstring():
    for signed, bound in ((True, 0.0071), (False, 0.0036)):
        half_gap = codebook(signed, CPU).values.diff().max().item() / 2
        assert bound - 1e-4 < half_gap < bound


@pytest.mark.parametrize("block_size", [1, 7, 256, 1000])
def test_blocks_run_in_row_order_and_the_last_may_be_shorter(block_size):
    torch.manual_seed(0)
    x = torch.randn(20, 37).t()  # its memory is not in row order
    codes, scales = quantize(x, codebook(True, CPU), block_size)
    expected = [block.abs().max() for block in x.reshape(-1).split(block_size)]
    assert torch.equal(scales, torch.stack(expected))
    assert torch.equal(codes, quantize(x.contiguous(), codebook(True, CPU), block_size)[0])
    assert codes.shape == x.shape


def test_an_outlier_spoils_only_its_own_block():
    torch.manual_seed(0)
    x = torch.randn(512)
    x[5] = 1e8
    back = dequantize(*quantize(x, codebook(True, CPU), 256), codebook(True, CPU), 256)
    assert back[:256].count_nonzero() == 1  # only the outlier is left of its block
    assert (back[256:] - x[256:]).abs().max() < 0.0071 * x[256:].abs().max()


def test_input_stays_as_it_is():
    x = torch.randn(300)
    before = x.clone()
    quantize(x, codebook(True, CPU), 256)
    assert torch.equal(x, before)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_non_finite_numbers_are_not_hidden(bad):
    x = torch.ones(8)
    x[1] = bad
    back = dequantize(*quantize(x, codebook(True, CPU), 4), codebook(True, CPU), 4)
    assert not back[1].isfinite()
    assert torch.equal(back[4:], x[4:])


def test_zeros_stay_zeros():
    codes, scales = quantize(torch.zeros(8), codebook(True, CPU), 4)
    assert torch.equal(dequantize(codes, scales, codebook(True, CPU), 4), torch.zeros(8))
    assert scales.tolist() == [0.0, 0.0]
