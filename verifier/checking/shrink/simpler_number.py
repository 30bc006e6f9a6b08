"""Simplicity: which of two numbers is the simpler one, and what is simpler than a number and near
it.

0 comes first, then 1 and -1, whole numbers, halves, numbers of few decimals, of few digits, and of
few bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import torch

from verifier.capture.lowering import plain
from verifier.checking.edge_cases.domain import round_to_floats
from verifier.operations.arrays import Array, Floats, Indices, Truths
from verifier.operations.formats import CODE_FORMATS, Format

MANY = 4096
"""More numbers than that are not rounded to decimal digits, which takes long."""
SMALL = 1e4
"""Whole numbers below it, and decimals of such, are read at a glance."""
_SCALES, _DIGITS, _BITS = (
    (1.0, 2.0, 10.0, 100.0, 1000.0),
    (1, 2, 3, 4),
    (4, 8, 12, 16, 20, 24, 32, 40, 48),
)


def complexity(inputs: Mapping[str, torch.Tensor]) -> tuple[float, ...]:
    """How complex a point is, to be compared with others: its size, then how many numbers are not
    0, then their digits.

    >>> complexity({"x": torch.tensor([0.0, 2.0])}) < complexity({"x": torch.tensor([0.5, 2.0])})
    True
    """
    numbers = [numbers_of_tensor(tensor) for tensor in _floating(inputs)]
    ranks = [
        simplicity_ranks(array, format_of_tensor(tensor))
        for array, tensor in zip(numbers, _floating(inputs), strict=True)
    ]
    return (
        float(sum(tensor.numel() for tensor in inputs.values())),
        float(sum(np.count_nonzero(array) for array in numbers)),
        float(sum(rank.sum() for rank in ranks)),
        float(sum(np.abs(array[np.isfinite(array)]).sum() for array in numbers)),
        float(sum(np.signbit(array).sum() for array in numbers)),
    )


def _floating(inputs: Mapping[str, torch.Tensor]) -> list[torch.Tensor]:
    return [tensor for tensor in inputs.values() if tensor.is_floating_point()]


def numbers_of_tensor(tensor: torch.Tensor) -> Array:
    """The tensor's numbers, flattened; float64 where its dtype is a floating-point one."""
    return plain(tensor).ravel()


def format_of_tensor(tensor: torch.Tensor) -> Format:
    """The format of a floating-point tensor's dtype."""
    return CODE_FORMATS[str(tensor.dtype).removeprefix("torch.")]


def _multiples(numbers: Floats, scale: float, way: Callable[[Floats], Floats]) -> Floats:
    """Multiples of 1/scale, where that leaves something to be read at a glance."""
    return np.where(np.abs(numbers) < SMALL, way(numbers * scale) / scale, np.nan)


def _away_from_zero(numbers: Floats) -> Floats:
    return np.copysign(np.ceil(np.abs(numbers)), numbers)


def _nearest_of_each_kind(numbers: Floats, format: Format) -> Iterator[Floats]:
    """For numbers their nearest ones of each kind, the simplest kinds first; NaN where a kind has
    none.
    """
    for simple in (0.0, 1.0, -1.0):
        yield np.full_like(numbers, simple)
    for scale in _SCALES:
        yield _multiples(numbers, scale, np.rint)
    for digits in _DIGITS if np.size(numbers) <= MANY else ():
        yield _to_significant_digits(numbers, digits)
    for bits in _BITS:
        if bits < format.precision:
            mantissas, exponents = np.frexp(numbers)
            yield np.ldexp(np.rint(np.ldexp(mantissas, bits)), exponents - bits)


def _to_significant_digits(numbers: Floats, digits: int) -> Floats:
    texts = [float(f"{number:.{digits - 1}e}") for number in np.ravel(numbers).tolist()]
    return np.array(texts).reshape(np.shape(numbers))


def simpler_candidates(numbers: Floats, format: Format) -> Iterator[Floats]:
    """What is tried in place of numbers, the simplest first.

    Each is an array of the same shape; where a kind has no number near, it has NaN. Of some kinds
    the nearest ones on either side come as well.
    """
    with np.errstate(all="ignore"):
        nearest = list(_nearest_of_each_kind(numbers, format))
        yield from nearest[:3]
        for place, scale in enumerate(_SCALES):
            yield nearest[3 + place]
            yield _multiples(numbers, scale, np.trunc)
            yield _multiples(numbers, scale, _away_from_zero)
        yield from nearest[3 + len(_SCALES) :]


def simplicity_ranks(numbers: Floats, format: Format) -> Indices:
    """For each number the first kind that it is of; the lower, the simpler."""
    with np.errstate(all="ignore"):
        kinds = [round_to_floats(kind, format) for kind in _nearest_of_each_kind(numbers, format)]
    found = np.full(np.shape(numbers), len(kinds))
    for rank, kind in reversed(list(enumerate(kinds))):
        found[kind == numbers] = rank
    found[~np.isfinite(numbers)] = len(kinds)
    return found


def is_simpler(one: Floats, other: Floats, format: Format) -> Truths:
    """Where a number is simpler than another one.

    It is of a simpler kind, or of the same kind and smaller, or the positive one of two.
    """
    ranks, others = simplicity_ranks(one, format), simplicity_ranks(other, format)
    sizes, larger = np.abs(one), np.abs(other)
    positive = ~np.signbit(one) & np.signbit(other)
    result: Truths = (ranks < others) | (
        (ranks == others) & ((sizes < larger) | ((sizes == larger) & positive))
    )
    return result
