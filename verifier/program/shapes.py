"""Shapes of a formula's arrays, in which one length is not known: how many rows a batch has."""

from __future__ import annotations

from collections.abc import Sequence

from verifier.errors import InputError
from verifier.program.program import ROWS, Shape


def shape_text(shape: Shape) -> str:
    """`shape` for people.

    >>> shape_text((ROWS, 64)), shape_text((3,)), shape_text(())
    ('(rows, 64)', '(3,)', 'a number')
    """
    lengths = ["rows" if length == ROWS else str(length) for length in shape]
    if not lengths:
        return "a number"
    return f"({lengths[0]},)" if len(lengths) == 1 else f"({', '.join(lengths)})"


def broadcast(*shapes: Shape) -> Shape:
    """The shape that arrays of these shapes have together, by NumPy's rule.

    Raises InputError where they do not fit.

    >>> broadcast((ROWS, 1), (3,))
    (-1, 3)
    """
    width = max(map(len, shapes), default=0)
    padded = [(1,) * (width - len(shape)) + shape for shape in shapes]
    lengths = []
    for column in zip(*padded, strict=True):
        others = {length for length in column if length != 1}
        if len(others) > 1:
            named = " and ".join(dict.fromkeys(map(shape_text, shapes)))
            raise InputError(f"the shapes {named} do not fit")
        lengths.append(others.pop() if others else 1)
    return tuple(lengths)


def axis_in(axis: int, shape: Shape) -> int:
    """`axis` of `shape` counted from 0; a negative one counts from the end. Raises InputError where
    the shape has no such axis.

    >>> axis_in(-1, (ROWS, 10))
    1
    """
    if not -len(shape) <= axis < len(shape):
        raise InputError(f"there is no axis {axis} in the shape {shape_text(shape)}")
    return axis % len(shape)


def without(shape: Shape, axes: Sequence[int]) -> Shape:
    """The shape with these axes gone."""
    return tuple(length for axis, length in enumerate(shape) if axis not in axes)


def kept(shape: Shape, axes: Sequence[int]) -> Shape:
    """`shape` with these `axes`, counted from 0, of length 1."""
    return tuple(1 if axis in axes else length for axis, length in enumerate(shape))
