"""Shapes of rows: what one row of each data column looks like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING

import numpy as np

from verifier.process.values import UserInputs, UserValue

if TYPE_CHECKING:
    from verifier.program.program import Shape


def row_shapes(data: UserValue, names: Sequence[str]) -> dict[str, Shape]:
    """The shape of one row of each column: () for a number, and where the data does not say.

    `data` is what `read_columns` takes; of a dataset the first row is looked at.

    >>> row_shapes({"x": np.zeros((10, 3)), "y": [0.5]}, ["x", "y"])
    {'x': (3,), 'y': ()}
    """
    fields = getattr(data.dtype, "names", None) if hasattr(type(data), "dtype") else None
    offered = data if isinstance(data, Mapping) else (fields or ())
    if offered:
        return {name: _shape(data[name])[1:] if name in offered else () for name in names}
    first = _first_row(data, names)
    return {name: _shape(first[name]) if name in first else () for name in names}


def _shape(values: UserValue) -> Shape:
    shape = getattr(values, "shape", None)
    if shape is None:
        try:
            shape = np.shape(values)
        except (ValueError, TypeError, RuntimeError):
            return ()  # what is wrong with it is said where it is read
    return tuple(int(length) for length in tuple(shape))


def _first_row(data: UserValue, names: Sequence[str]) -> UserInputs:
    """The entries of a dataset's first row by their columns' names; none of other data."""
    kind = type(data)
    if isinstance(data, Sequence | PathLike) or hasattr(kind, "dtype") or hasattr(kind, "columns"):
        return {}
    try:
        row = data[0]
    except Exception:
        return {}  # so it is here
    if hasattr(row, "_asdict"):
        row = row._asdict()
    if isinstance(row, Mapping):
        return row
    fits = isinstance(row, tuple | list) and len(row) == len(names)
    return dict(zip(names, row, strict=True)) if fits else {}
