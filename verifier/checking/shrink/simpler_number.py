"""Simplicity: which of two numbers is the simpler one, and what is simpler than a number and near
it.

0 comes first, then 1 and -1, whole numbers, halves, numbers of few decimals, of few digits, and of
few bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from verifier.capture.lowering import plain
from verifier.checking.edge_cases.domain import rounded
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
    numbers = [numbers_of(tensor) for tensor in _floating(inputs)]
    ranks = [
        ranks_of(array, format_of(tensor))
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


def numbers_of(tensor: torch.Tensor) -> Any:
    return plain(tensor).ravel()


def format_of(tensor: torch.Tensor) -> Format:
    return CODE_FORMATS[str(tensor.dtype).removeprefix("torch.")]


def _rounding(numbers: Any, scale: float, way: Any) -> Any:
    """Multiples of 1/scale, where that leaves something to be read at a glance."""
    return np.where(np.abs(numbers) < SMALL, way(numbers * scale) / scale, np.nan)


def _away(numbers: Any) -> Any:
    return np.copysign(np.ceil(np.abs(numbers)), numbers)


def _nearest(numbers: Any, format: Format) -> Iterator[Any]:
    """For numbers their nearest ones of each kind, the simplest kinds first; NaN where a kind has
    none.
    """
    for simple in (0.0, 1.0, -1.0):
        yield np.full_like(numbers, simple)
    for scale in _SCALES:
        yield _rounding(numbers, scale, np.rint)
    for digits in _DIGITS if np.size(numbers) <= MANY else ():
        yield _significant(numbers, digits)
    for bits in _BITS:
        if bits < format.precision:
            mantissas, exponents = np.frexp(numbers)
            yield np.ldexp(np.rint(np.ldexp(mantissas, bits)), exponents - bits)


def _significant(numbers: Any, digits: int) -> Any:
    texts = [float(f"{number:.{digits - 1}e}") for number in np.ravel(numbers).tolist()]
    return np.array(texts).reshape(np.shape(numbers))


def candidates(numbers: Any, format: Format) -> Iterator[Any]:
    """What is tried in place of numbers, the simplest first: of some kinds also the nearest ones on
    either side.
    """
    with np.errstate(all="ignore"):
        nearest = list(_nearest(numbers, format))
        yield from nearest[:3]
        for place, scale in enumerate(_SCALES):
            yield nearest[3 + place]
            yield _rounding(numbers, scale, np.trunc)
            yield _rounding(numbers, scale, _away)
        yield from nearest[3 + len(_SCALES) :]


def ranks_of(numbers: Any, format: Format) -> Any:
    """Of each number the first kind that it is of."""
    with np.errstate(all="ignore"):
        kinds = [rounded(kind, format) for kind in _nearest(numbers, format)]
    found = np.full(np.shape(numbers), len(kinds))
    for rank, kind in reversed(list(enumerate(kinds))):
        found[kind == numbers] = rank
    found[~np.isfinite(numbers)] = len(kinds)
    return found


def is_simpler(one: Any, other: Any, format: Format) -> Any:
    """Where: a simpler kind, or of the same kind a smaller number, or the positive one of two."""
    ranks, others = ranks_of(one, format), ranks_of(other, format)
    sizes, larger = np.abs(one), np.abs(other)
    positive = ~np.signbit(one) & np.signbit(other)
    return (ranks < others) | (
        (ranks == others) & ((sizes < larger) | ((sizes == larger) & positive))
    )
