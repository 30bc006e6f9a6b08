"""Traced arrays: what stands for an array while the body of a model runs, and writes down nodes.

Its operators and methods have the meaning of NumPy's, so that a body computes the same with arrays
of numbers. Each node is made in the order in which the body has it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeAlias

import numpy as np
import sympy

from verifier.errors import InputError
from verifier.operations.arrays import Operand
from verifier.program.array_operations.broadcasting import Reshape, Sum
from verifier.program.array_operations.movement import Part, Slice, Take, Transpose
from verifier.program.array_operations.operation import ArrayOperation
from verifier.program.array_operations.products import Product
from verifier.program.array_operations.reductions import Mean
from verifier.program.builder import FormulaBuilder
from verifier.program.infix_operators import operate
from verifier.program.pretty import readback
from verifier.program.program import ROWS, Shape
from verifier.program.shapes import axis_in, shape_text

Axes: TypeAlias = int | Sequence[int] | None
Number: TypeAlias = Any
"""What stands in a body beside symbols: a number or an array of them."""


class TracedArray:
    """An array of a formula that is being written down."""

    __array_ufunc__ = None
    """NumPy leaves operators between its arrays and these to this class."""

    def __init__(self, build: FormulaBuilder, node: int) -> None:
        self.build, self.node = build, node

    @property
    def shape(self) -> tuple[Any, ...]:
        """The lengths of its axes; the number of rows is not known, and stands as -1."""
        return self.build.shape(self.node)

    @property
    def ndim(self) -> int:
        """How many axes it has."""
        return len(self.shape)

    @property
    def T(self) -> TracedArray:  # noqa: N802
        """The axes in reverse order."""
        return self.transpose()

    def transpose(self, *axes: int) -> TracedArray:
        """The axes in another order, in reverse order by default."""
        order = axes or tuple(reversed(range(self.ndim)))
        if self.ndim < 2:
            return self
        return self.with_operation(Transpose(tuple(axis_in(axis, self.shape) for axis in order)))

    def reshape(self, *shape: Any) -> TracedArray:
        """The elements in another shape; a length of -1 follows from the others."""
        wanted = tuple(shape[0]) if len(shape) == 1 and not isinstance(shape[0], int) else shape
        return self.with_operation(Reshape(_completed(self.shape, wanted)))

    def sum(self, axis: Axes = None) -> TracedArray:
        """The sum over axes, all of them by default."""
        axes = self._axes(axis)
        return self.with_operation(Sum(axes)) if axes else self

    def mean(self, axis: Axes = None) -> TracedArray:
        """The mean over axes, all of them by default."""
        axes = self._axes(axis)
        return self.with_operation(Mean(axes)) if axes else self

    def with_operation(self, operation: ArrayOperation, *others: TracedArray) -> TracedArray:
        """An operation on this array and others."""
        return on_nodes(self.build, operation, self, *others)

    def applied(self, row: str, *others: Operand) -> TracedArray:
        """A row of the operations table on this array and others."""
        arguments = [self, *(self.beside(other) for other in others)]
        return _checked(self.build, lambda nodes: self.build.apply(row, *nodes), row, arguments)

    def beside(self, other: Operand) -> TracedArray:
        """What stands beside this array, as another one."""
        return as_traced(self.build, other)

    def _axes(self, axis: Axes) -> tuple[int, ...]:
        if axis is None:
            return tuple(range(self.ndim))
        listed = (axis,) if isinstance(axis, int) else tuple(axis)
        try:
            return tuple(sorted({axis_in(one, self.shape) for one in listed}))
        except InputError as error:
            raise InputError(f"{self.text}: {error.sentence}") from None

    @property
    def is_condition(self) -> bool:
        """Whether its elements are truth values."""
        return self.build.program(self.node).truths[-1]

    @property
    def text(self) -> str:
        """The formula so far, for messages."""
        return readback(self.build.program(self.node))

    def __getitem__(self, key: Any) -> TracedArray:
        listed = key if isinstance(key, tuple) else (key,)
        inserted = [place for place, part in enumerate(listed) if part is None]
        if Ellipsis in [part for part in listed if not isinstance(part, np.ndarray)]:
            listed = _without_ellipsis(listed, self.ndim)
            inserted = [place for place, part in enumerate(listed) if part is None]
        parts = tuple(_part(part) for part in listed if part is not None)
        taken = self
        if any(part != Slice() for part in parts):
            taken = self.with_operation(Take(parts))
        return taken._with_axes(listed) if inserted else taken

    def _with_axes(self, key: Sequence[Any]) -> TracedArray:
        """With axes of length 1 where the key has None."""
        lengths, shape = list(self.shape), []
        for part in key:
            if part is None:
                shape.append(1)
            elif not isinstance(part, int | np.integer):
                shape.append(lengths.pop(0))
        return self.with_operation(Reshape((*shape, *lengths)))

    def _with(self, row: str, other: Operand, swapped: bool = False) -> TracedArray:
        if not _is_operand(other):
            return NotImplemented  # type: ignore[no-any-return]
        pair = (self.beside(other), self) if swapped else (self, self.beside(other))
        return _checked(self.build, lambda nodes: operate(self.build, row, *nodes), row, pair)

    def __add__(self, other: Operand) -> TracedArray:
        return self._with("add", other)

    def __radd__(self, other: Operand) -> TracedArray:
        return self._with("add", other, swapped=True)

    def __sub__(self, other: Operand) -> TracedArray:
        return self._with("subtract", other)

    def __rsub__(self, other: Operand) -> TracedArray:
        return self._with("subtract", other, swapped=True)

    def __mul__(self, other: Operand) -> TracedArray:
        return self._with("multiply", other)

    def __rmul__(self, other: Operand) -> TracedArray:
        return self._with("multiply", other, swapped=True)

    def __truediv__(self, other: Operand) -> TracedArray:
        return self._with("divide", other)

    def __rtruediv__(self, other: Operand) -> TracedArray:
        return self._with("divide", other, swapped=True)

    def __pow__(self, other: Operand) -> TracedArray:
        return self._with("power", other)

    def __rpow__(self, other: Operand) -> TracedArray:
        return self._with("power", other, swapped=True)

    def __matmul__(self, other: Operand) -> TracedArray:
        return self.with_operation(Product(), self.beside(other))

    def __rmatmul__(self, other: Operand) -> TracedArray:
        return self.beside(other).with_operation(Product(), self)

    def __neg__(self) -> TracedArray:
        return self.applied("negative")

    def __pos__(self) -> TracedArray:
        return self

    def __abs__(self) -> TracedArray:
        return self.applied("abs")

    def __lt__(self, other: Operand) -> TracedArray:
        return self._with("less", other)

    def __le__(self, other: Operand) -> TracedArray:
        return self._with("less_equal", other)

    def __gt__(self, other: Operand) -> TracedArray:
        return self._with("greater", other)

    def __ge__(self, other: Operand) -> TracedArray:
        return self._with("greater_equal", other)

    def __and__(self, other: Operand) -> TracedArray:
        return self._with("and", other)

    def __or__(self, other: Operand) -> TracedArray:
        return self._with("or", other)

    def __invert__(self) -> TracedArray:
        return self.applied("not")

    def __bool__(self) -> NoReturn:
        raise InputError("a formula has no value that could decide a branch: use where")

    def __len__(self) -> int:
        if not self.shape or self.shape[0] == ROWS:
            raise InputError("how many rows a batch has is not known to a formula: use mean or sum")
        return int(self.shape[0])

    def __iter__(self) -> Any:
        return (self[place] for place in range(len(self)))

    def __float__(self) -> NoReturn:
        raise InputError("a formula is no number: leave out float()")


def on_nodes(
    build: FormulaBuilder, operation: ArrayOperation, *arguments: TracedArray
) -> TracedArray:
    """An operation on arrays. Raises InputError where their shapes do not fit, which the message
    shows beside the formula.
    """
    name = operation.symbol or type(operation).__name__.lower()
    return _checked(build, lambda nodes: build.array(operation, *nodes), name, arguments)


def as_traced(build: FormulaBuilder, value: Operand) -> TracedArray:
    """A number or an array of numbers as a constant of the formula; a traced array as it is.

    Raises InputError for anything else.
    """
    if isinstance(value, TracedArray):
        return value
    if isinstance(value, sympy.Expr) and value in (sympy.pi, sympy.E):
        return TracedArray(build, build.apply("pi" if value == sympy.pi else "e"))
    if isinstance(value, np.ndarray | list | tuple):
        array = np.asarray(value)
        if array.dtype.kind not in "biuf" or not np.isfinite(array).all():
            raise InputError("an array in a formula must hold finite numbers")
        value = array if array.ndim else array.item()
        if isinstance(value, np.ndarray):
            return TracedArray(build, build.constant(value))
    if isinstance(value, np.number | np.bool_):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InputError(f"{value!r} is no finite number: a formula is made of numbers and arrays")
    return TracedArray(build, build.constant(value))


def _is_operand(value: Operand) -> bool:
    kinds = TracedArray | int | float | np.ndarray | np.number | list | tuple | sympy.Expr
    return isinstance(value, kinds)


def _checked(
    build: FormulaBuilder,
    write: Callable[[list[int]], int],
    name: str,
    arguments: Sequence[TracedArray],
) -> TracedArray:
    try:
        return TracedArray(build, write([argument.node for argument in arguments]))
    except InputError as error:
        shapes = ", ".join(_named(argument) for argument in arguments)
        raise InputError(f"{name} of {shapes}: {error.sentence}") from None


def _named(argument: TracedArray) -> str:
    return f"{argument.text} with shape {shape_text(argument.shape)}"


def _part(part: Any) -> Part:
    if isinstance(part, slice):
        return Slice(part.start, part.stop, part.step)
    if isinstance(part, bool | TracedArray):
        raise InputError("an index must be whole numbers: a formula's own values choose with where")
    if isinstance(part, int | np.integer):
        return int(part)
    array = np.asarray(part)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise InputError(f"{part!r} is no index: use whole numbers, slices, or a list of places")
    return tuple(array.tolist())


def _without_ellipsis(key: Sequence[Any], axes: int) -> tuple[Any, ...]:
    place = list(key).index(Ellipsis)
    missing = axes - sum(part is not None for part in key) + 1
    return (*key[:place], *(slice(None),) * missing, *key[place + 1 :])


def _completed(shape: Shape, wanted: Sequence[Any]) -> Shape:
    """The wanted shape with what -1 stands for worked out; the rows of a batch stay rows."""
    lengths = [int(length) for length in wanted]
    if lengths.count(-1) != 1 or ROWS in shape:
        return tuple(lengths)
    others = math.prod(length for length in lengths if length != -1)
    count = math.prod(shape)
    if not others or count % others:
        raise InputError(f"{shape_text(shape)} cannot be reshaped to {tuple(lengths)}")
    return tuple(count // others if length == -1 else length for length in lengths)
