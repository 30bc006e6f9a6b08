"""Shapes of rows: what one row of a data column looks like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from verifier.process.values import UserValue

if TYPE_CHECKING:
    from verifier.program.program import Shape


def row_shape(data: UserValue, name: str) -> Shape:
    """The shape of one row of the column of that name: () for a number, or where the data has no
    such column or is no mapping of columns.

    >>> row_shape({"x": np.zeros((10, 3))}, "x")
    (3,)
    """
    if not isinstance(data, Mapping) or name not in data:
        return ()
    column = data[name]
    shape = getattr(column, "shape", None)
    if shape is None:
        try:
            shape = np.shape(column)
        except (ValueError, TypeError, RuntimeError):
            return ()  # what is wrong with it is said where it is read
    return tuple(int(length) for length in tuple(shape)[1:])
