"""Broadcasting: other shapes, copies along axes, and sums over what was copied."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from verifier.errors import InputError
from verifier.operations.arrays import Numeric
from verifier.program.array_operations.operation import NUMPY, TEXT, TORCH, Argument, ArrayOperation
from verifier.program.builder import Builder, FormulaBuilder
from verifier.program.program import ROWS, Shape
from verifier.program.shapes import axis_in, kept, shape_text, without


@dataclass(frozen=True)
class Reshape(ArrayOperation):
    """The elements in another shape."""

    to: Shape

    def shape(self, *arguments: Shape) -> Shape:
        """The new shape. Raises InputError where it has another number of elements."""
        (argument,) = arguments
        if _count(argument) != _count(self.to):
            raise InputError(
                f"{shape_text(argument)} has another number of elements than {shape_text(self.to)}"
            )
        return self.to

    def source(self, language: str, *arguments: Argument) -> str:
        """A method; -1 stands for the rows of a batch, which a shape may have twice."""
        if language == TEXT:
            return f"reshape({arguments[0].text}, {list(self.to)})"
        if self.to.count(ROWS) > 1:
            return f"reshape_rows({arguments[0].text}, {self.to})"
        return f"{arguments[0].atom}.reshape({', '.join(map(str, self.to)) or '()'})"

    def lowered(self, builder: Builder, *arguments: int) -> int:
        """In the shape with the rows of the data."""
        shape = _with_rows(self.to, builder.shape(arguments[0]))
        return builder.reshape(arguments[0], shape)

    def adjoint(self, build: FormulaBuilder, node: int, position: int, adjoint: int) -> int:
        """The shape put back."""
        (argument,) = build[node].arguments
        return like(build, adjoint, build.shape(argument), argument)


def reshape_rows(value: Numeric, shape: Shape) -> Numeric:
    """An array or a tensor in a shape that has the rows several times, each of them as -1.

    >>> reshape_rows(np.ones((3, 3)), (-1, 1, -1)).shape
    (3, 1, 3)
    """
    return value.reshape(_with_rows(shape, tuple(value.shape)))


def _with_rows(shape: Shape, found: Shape) -> Shape:
    """The shape with the number of rows, of an array that has the shape `found` now."""
    power, others = _count(shape)
    rows = round((math.prod(found) / max(others, 1)) ** (1 / max(power, 1)))
    return tuple(rows if length == ROWS else length for length in shape)


def _count(shape: Shape) -> tuple[int, int]:
    """How often the rows are a factor of the number of elements, and the other factors."""
    return shape.count(ROWS), int(np.prod([length for length in shape if length != ROWS]))


@dataclass(frozen=True)
class ExpandLike(ArrayOperation):
    """The first argument broadcast to the shape of the second."""

    def shape(self, *arguments: Shape) -> Shape:
        """That of the second argument."""
        return arguments[1]

    def source(self, language: str, *arguments: Argument) -> str:
        """For numbers too, in the dtype of the second argument."""
        value, other = arguments
        if language == NUMPY:
            return f"np.full_like({other.text}, {value.text})"
        return f"torch.ones_like({other.text}).mul({value.text})"

    def lowered(self, builder: Builder, *arguments: int) -> int:
        """As an index of the elements."""
        return builder.expand(arguments[0], builder.shape(arguments[1]))

    def adjoint(self, build: FormulaBuilder, node: int, position: int, adjoint: int) -> int:
        """The sum over what was repeated; nothing comes back to the second argument."""
        if position == 1:
            return like(build, build.constant(0), (), build[node].arguments[1])
        return unbroadcast(build, adjoint, build.shape(build[node].arguments[0]))


@dataclass(frozen=True)
class Sum(ArrayOperation):
    """The sum over some axes, which are gone then."""

    axes: tuple[int, ...]

    def shape(self, *arguments: Shape) -> Shape:
        """The axes that are left. Raises InputError for an axis that the argument lacks."""
        (argument,) = arguments
        return without(argument, [axis_in(axis, argument) for axis in self.axes])

    def source(self, language: str, *arguments: Argument) -> str:
        """A method of the argument."""
        return reduced_text("sum", language, self.axes, arguments[0])

    def lowered(self, builder: Builder, *arguments: int) -> int:
        """A sum in any order."""
        return builder.sum(arguments[0], self.axes)

    def adjoint(self, build: FormulaBuilder, node: int, position: int, adjoint: int) -> int:
        """The adjoint at each of the places that were added."""
        (argument,) = build[node].arguments
        return like(build, adjoint, kept(build.shape(argument), self.axes), argument)


def reduced_text(name: str, language: str, axes: tuple[int, ...], argument: Argument) -> str:
    """The source of a sum or a mean over axes.

    >>> reduced_text("sum", NUMPY, (0, 1), Argument("x", "x"))
    'x.sum(axis=(0, 1))'
    """
    chosen = str(axes[0]) if len(axes) == 1 else str(axes)
    if language == TEXT:
        return f"{name}({argument.text}, axis={list(axes) if len(axes) > 1 else chosen})"
    keyword = {TORCH: "dim", NUMPY: "axis"}[language]
    return f"{argument.atom}.{name}({keyword}={chosen})"


def like(build: FormulaBuilder, value: int, shape: Shape, node: int) -> int:
    """A value in `shape`, which is broadcast to the shape of another node."""
    reshaped = build.array_if_reshaping(Reshape(shape), value) if build.shape(value) else value
    return build.array_if_reshaping(ExpandLike(), reshaped, node)


def unbroadcast(build: FormulaBuilder, value: int, shape: Shape) -> int:
    """A value summed over the axes along which something of that shape was broadcast to it."""
    wide = build.shape(value)
    lead = len(wide) - len(shape)
    repeated = [
        lead + axis
        for axis, length in enumerate(shape)
        if lead + axis >= 0 and length == 1 and wide[lead + axis] != 1
    ]
    axes = (*range(lead), *repeated)
    if not axes:
        return value
    return build.array_if_reshaping(
        Reshape(kept(wide, axes)[max(lead, 0) :]), build.array(Sum(axes), value)
    )
