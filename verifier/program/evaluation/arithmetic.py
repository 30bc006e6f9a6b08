"""The number systems that a program is evaluated in: floats of NumPy and balls of Arb.

Arrays have the judged steps along the first axis and the rows of a batch along the last one; a
scalar's last axis has length 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import flint
import numpy as np
from flint import arb

from verifier.operations.arrays import Ball, Balls, Floats, Numeric
from verifier.operations.operation import Operation
from verifier.operations.table import TABLE
from verifier.program.program import Node

_ROWS_FUNCTIONS: dict[str, Callable[..., Numeric]] = {
    "sum": lambda rows: np.sum(rows, axis=-1, keepdims=True),
    "mean": lambda rows: np.mean(rows, axis=-1, keepdims=True),
    "size": lambda rows: rows.dtype.type(rows.shape[-1]),
}


class NumPyArithmetic:
    """Floats of one dtype, rounded as NumPy rounds; for the operations of a formula."""

    def __init__(self, dtype: str) -> None:
        self._type = np.dtype(dtype).type

    def input(self, value: Numeric) -> Numeric:
        """The value rounded to the dtype."""
        return self._type(value)

    def constant(self, place: int, node: Node) -> Numeric:
        """The number as it was written, rounded to the dtype."""
        return self.number(node.payload)

    def row(self, place: int, node: Node, *arguments: Numeric) -> Numeric:
        """What NumPy's function for the row gives in the dtype."""
        return self.apply(TABLE[node.operation], *arguments)

    def number(self, value: int | float) -> Numeric:
        """The float of this dtype beside a number."""
        with np.errstate(over="ignore"):
            return self._type(value)

    def apply(self, operation: Operation, *arguments: Numeric) -> Numeric:
        """A row of the table on floats."""
        with np.errstate(all="ignore"):
            if operation.name in _ROWS_FUNCTIONS:
                return _ROWS_FUNCTIONS[operation.name](*arguments)
            result = operation.numpy.function(*arguments)
            return self._type(result) if isinstance(result, float) else result


@contextmanager
def precision(bits: int) -> Iterator[None]:
    """A block in which Arb computes with so many `bits`; before and behind it with the caller's."""
    before = flint.ctx.prec
    flint.ctx.prec = bits
    try:
        yield
    finally:
        flint.ctx.prec = before


# Arb's own methods, without a function of Python around each: three times as fast.
_arb, _upper, _radius, _middle = (
    np.frompyfunc(function, 1, 1) for function in (arb, arb.abs_upper, arb.rad, float)
)


def balls(numbers: Numeric) -> Balls:
    """The balls of radius 0 around `numbers`, a float or an array of floats, in its shape: a float
    is an exact number.
    """
    return cast(Balls, _arb(np.asarray(numbers, dtype=np.float64)))


def largest_size(array: Balls | Ball) -> Floats:
    """An upper bound of the absolute values in each ball of `array`, as float64 in its shape;
    infinite where nothing is known.
    """
    bounds = np.asarray(_middle(_upper(array)), dtype=np.float64)
    return np.where(np.isnan(bounds), np.inf, np.nextafter(bounds, np.inf))


def radius(array: Balls | Ball) -> Floats:
    """The radius of each ball of `array`, as float64 in its shape; infinite where nothing is
    known.
    """
    return np.asarray(_middle(_radius(array)), dtype=np.float64)


def middle(array: Balls | Ball) -> Floats:
    """The midpoint of each ball of `array`, rounded to float64, in its shape."""
    return np.asarray(_middle(array), dtype=np.float64)
