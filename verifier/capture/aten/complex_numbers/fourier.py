"""Fourier transforms, as products with matrices of exact roots of unity.

Long ones are made of short ones (J. W. Cooley and J. W. Tukey, 1965), as in every library, so that
they round about as much.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch

from verifier.capture.aten.complex_numbers.pairs import ComplexPair, Number, pair_of, pair_rule
from verifier.capture.aten.complex_numbers.products import bilinear

DIRECT = 32
"""Transforms of at most so many points are one product."""
BY_ROOT, BY_COUNT = 1, 2
"""How torch numbers what a transform is divided by."""


@pair_rule("_fft_c2c")
def complex_to_complex(
    self: Number, dim: Sequence[int], normalization: int, forward: bool
) -> ComplexPair:
    """The transform along axes, forward or backward, divided as `normalization` says."""
    found = _along_each(self, dim, -1 if forward else 1)
    return _divided(found, [self.shape[axis] for axis in dim], normalization)


@pair_rule("_fft_r2c")
def real_to_complex(
    self: torch.Tensor, dim: Sequence[int], normalization: int, onesided: bool
) -> ComplexPair:
    """The transform of real numbers; the half of the last axis that tells it all, where `onesided`
    says so.
    """
    *others, last = dim
    found = _along_each(self, [last], -1)
    if onesided:
        found = found.each(lambda part: part.narrow(last, 0, self.shape[last] // 2 + 1))
    return _divided(
        _along_each(found, others, -1), [self.shape[axis] for axis in dim], normalization
    )


@pair_rule("_fft_c2r")
def complex_to_real(
    self: ComplexPair, dim: Sequence[int], normalization: int, last_dim_size: int
) -> torch.Tensor:
    """The real numbers that have this half of a spectrum."""
    *others, last = dim
    spectrum = _whole_spectrum(_along_each(self, others, 1), last, last_dim_size)
    sizes = [*(self.shape[axis] for axis in others), last_dim_size]
    return _divided(_along_each(spectrum, [last], 1), sizes, normalization).real


def _whole_spectrum(half: ComplexPair, axis: int, count: int) -> ComplexPair:
    """Both halves of what becomes real: the second one has the conjugates of the first. The
    imaginary parts of what is its own conjugate count for nothing.
    """
    places = torch.tensor([min(place, count - place) for place in range(count)])
    signs = [
        0.0 if 2 * place % count == 0 else 1.0 if 2 * place < count else -1.0
        for place in range(count)
    ]
    shape = [1] * half.real.ndim
    shape[axis] = count
    factor = torch.tensor(signs, dtype=half.real.dtype).reshape(shape)
    return ComplexPair(
        half.real.index_select(axis, places), half.imag.index_select(axis, places) * factor
    )


def _divided(whole: ComplexPair, sizes: Sequence[int], normalization: int) -> ComplexPair:
    count = float(math.prod(sizes))
    if normalization == BY_ROOT:
        root = torch.sqrt(torch.full_like(whole.real, count))
        return whole.each(lambda part: part / root)
    return whole.each(lambda part: part / count) if normalization == BY_COUNT else whole


def _along_each(numbers: Number, axes: Sequence[int], sign: int) -> ComplexPair:
    for axis in axes:
        numbers = _along(numbers, axis, sign)
    return pair_of(numbers)


def _along(numbers: Number, axis: int, sign: int) -> ComplexPair:
    moved = _each(numbers, lambda part: part.movedim(axis, -1))
    return _transformed(moved, sign).each(lambda part: part.movedim(-1, axis))


def _each(numbers: Number, operation: Callable[[torch.Tensor], torch.Tensor]) -> Number:
    return numbers.each(operation) if isinstance(numbers, ComplexPair) else operation(numbers)


def _transformed(numbers: Number, sign: int) -> ComplexPair:
    """The transform along the last axis; the sign is that of the exponent."""
    *outer, count = numbers.shape
    like = numbers.real if isinstance(numbers, ComplexPair) else numbers
    short = next((size for size in range(DIRECT, 1, -1) if count % size == 0), count)
    if count <= DIRECT or short == count:
        indices = torch.arange(count)
        matrix = _roots(count, sign, indices[:, None] * indices, like)
        rows = _each(numbers, lambda part: part.reshape(-1, count))
        found = pair_of(bilinear(torch.mm, rows, matrix))
        return found.each(lambda part: part.reshape(*outer, count))
    long = count // short
    rows = _each(numbers, lambda part: part.reshape(*outer, short, long).transpose(-1, -2))
    turns = _roots(count, sign, torch.arange(long)[:, None] * torch.arange(short), like)
    turned = _transformed(rows, sign) * turns
    columns = _transformed(turned.each(lambda part: part.transpose(-1, -2)), sign)
    return columns.each(lambda part: part.transpose(-1, -2).reshape(*outer, count))


def _roots(count: int, sign: int, powers: torch.Tensor, like: torch.Tensor) -> ComplexPair:
    """exp(sign 2 pi i k / count) for each power k.

    Sines and cosines of an eighth of a turn at most, so that the roots on the axes are exact.
    """
    fourths = 4 * torch.arange(count)
    quadrant, rest = fourths // count, fourths % count
    is_late = 2 * rest > count
    angle = torch.where(is_late, count - rest, rest).to(like.dtype)
    half_turn = torch.acos(torch.full_like(angle, -1.0))
    angle = angle * half_turn / (2.0 * count)
    sines, cosines = torch.sin(angle), torch.cos(angle)
    along = torch.where(is_late, sines, cosines)
    across = torch.where(is_late, cosines, sines)
    odd = quadrant % 2 == 1
    real_sign = torch.where((quadrant == 0) | (quadrant == 3), 1.0, -1.0).to(like.dtype)
    imag_sign = torch.where(quadrant < 2, float(sign), -float(sign)).to(like.dtype)
    real = torch.where(odd, across, along) * real_sign
    imag = torch.where(odd, along, across) * imag_sign
    places = powers % count
    return ComplexPair(real[places], imag[places])
