"""Operations that move the elements of arrays: other shapes, other orders of axes, parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from verifier.errors import InputError
from verifier.operations.arrays import Numeric
from verifier.program.array_operations.broadcasting import like
from verifier.program.array_operations.operation import NUMPY, TEXT, TORCH, Argument, ArrayOperation
from verifier.program.builder import Builder, FormulaBuilder, places
from verifier.program.program import ROWS, Shape
from verifier.program.shapes import axis_in, shape_text


@dataclass(frozen=True)
class Slice:
    """Places from one to before another, in steps; as in Python's slices."""

    start: int | None = None
    stop: int | None = None
    step: int | None = None

    def __str__(self) -> str:
        start, stop, step = (
            "" if number is None else str(number) for number in (self.start, self.stop, self.step)
        )
        return f"{start}:{stop}" + (f":{step}" if step else "")


WHOLE = Slice()
Part: TypeAlias = int | Slice | tuple[int, ...]
"""What is chosen along one axis: one place, a slice, or several places."""


@dataclass(frozen=True)
class Transpose(ArrayOperation):
    """The axes in another order."""

    axes: tuple[int, ...]

    def shape(self, *arguments: Shape) -> Shape:
        """The lengths in the order of the axes."""
        (argument,) = arguments
        if sorted(self.axes) != list(range(len(argument))):
            raise InputError(
                f"the axes {self.axes} are no order of those of the shape {shape_text(argument)}"
            )
        return tuple(argument[axis] for axis in self.axes)

    def source(self, language: str, *arguments: Argument) -> str:
        """`x.T` for a matrix."""
        (argument,) = arguments
        if self.axes == (1, 0):
            return f"{argument.atom}.T"
        if language == TEXT:
            return f"transpose({argument.text}, {list(self.axes)})"
        call = {TORCH: "torch.permute", NUMPY: "np.transpose"}[language]
        return f"{call}({argument.text}, {self.axes})"

    def lowered(self, builder: Builder, *arguments: int) -> int:
        """As an index of the elements."""
        return builder.permute(arguments[0], self.axes)

    def adjoint(self, build: FormulaBuilder, node: int, position: int, adjoint: int) -> int:
        """The axes put back."""
        return build.array(Transpose(tuple(int(axis) for axis in np.argsort(self.axes))), adjoint)


@dataclass(frozen=True)
class Take(ArrayOperation):
    """Part of an array: what is chosen along each of the first axes; other axes stay whole."""

    key: tuple[Part, ...]

    def shape(self, *arguments: Shape) -> Shape:
        """What NumPy's indexing leaves. Raises InputError for places that the array lacks."""
        (argument,) = arguments
        if len(self.key) > len(argument):
            raise InputError(
                f"{len(self.key)} indices are too many for the shape {shape_text(argument)}"
            )
        listed = [part for part in self.key if isinstance(part, tuple)]
        if len(listed) > 1 or (listed and any(isinstance(part, int) for part in self.key)):
            raise InputError("a list of places stands with : alone in an index")
        for part, length in zip(self.key, argument, strict=False):
            if length == ROWS and part != WHOLE:
                raise InputError("the rows of a batch cannot be chosen by index: use : for them")
        whole = (WHOLE,) * (len(argument) - len(self.key))
        lengths = [_length(part, axis, argument) for axis, part in enumerate((*self.key, *whole))]
        return tuple(length for length in lengths if length is not None)

    def source(self, language: str, *arguments: Argument) -> str:
        """Square brackets; torch's slices only go forward, along flipped axes."""
        backward = [axis for axis, part in enumerate(self.key) if _goes_backward(part)]
        if language == TORCH and backward:
            key = key_text(tuple(map(_forward, self.key)))
            return f"torch.flip({arguments[0].text}, {tuple(backward)})[{key}]"
        return f"{arguments[0].atom}[{key_text(self.key)}]"

    def lowered(self, builder: Builder, *arguments: int) -> int:
        """The elements at these places."""
        return builder.take(arguments[0], places(builder.shape(arguments[0]))[numpy_key(self.key)])

    def adjoint(self, build: FormulaBuilder, node: int, position: int, adjoint: int) -> int:
        """Zeros, and the adjoint at these places."""
        return build.array(Put(self.key), adjoint, build[node].arguments[0])


@dataclass(frozen=True)
class Put(ArrayOperation):
    """Zeros like the second argument, with the first one added at some places."""

    key: tuple[Part, ...]

    def shape(self, *arguments: Shape) -> Shape:
        """That of the second argument."""
        return arguments[1]

    def source(self, language: str, *arguments: Argument) -> str:
        """A call of `put_at` in this module, which works for tensors and arrays."""
        value, other = arguments
        return f"put_at({value.text}, {other.text}, {numpy_key(self.key)})"

    def lowered(self, builder: Builder, *arguments: int) -> int:
        """Each element added at its place."""
        value, other = arguments
        index = places(builder.shape(other))[numpy_key(self.key)]
        return builder.pile(value, index, builder.shape(other))

    def adjoint(self, build: FormulaBuilder, node: int, position: int, adjoint: int) -> int:
        """What stands at the places; nothing comes back to the second argument."""
        if position == 1:
            return like(build, build.constant(0), (), build[node].arguments[1])
        return build.array(Take(self.key), adjoint)


@dataclass(frozen=True)
class Concatenate(ArrayOperation):
    """Arrays one behind another along an axis."""

    axis: int

    def shape(self, *arguments: Shape) -> Shape:
        """The lengths along the axis added up. Raises InputError where the others differ."""
        axis = axis_in(self.axis, arguments[0])
        for shape in arguments:
            others = [other[:axis] + other[axis + 1 :] for other in (shape, arguments[0])]
            if len(shape) != len(arguments[0]) or others[0] != others[1]:
                named = " and ".join(dict.fromkeys(map(shape_text, arguments)))
                raise InputError(f"the shapes {named} do not fit behind one another")
            if shape[axis] == ROWS:
                raise InputError("rows of a batch are not put behind one another")
        lengths = list(arguments[0])
        lengths[axis] = sum(shape[axis] for shape in arguments)
        return tuple(lengths)

    def source(self, language: str, *arguments: Argument) -> str:
        """A call with a list of the arrays."""
        call = {TORCH: "torch.cat", NUMPY: "np.concatenate", TEXT: "concatenate"}[language]
        listed = ", ".join(argument.text for argument in arguments)
        return f"{call}([{listed}], {'dim' if language == TORCH else 'axis'}={self.axis})"

    def lowered(self, builder: Builder, *arguments: int) -> int:
        """All elements joined, and put in order."""
        indices, start = [], 0
        for argument in arguments:
            indices.append(places(builder.shape(argument)) + start)
            start += indices[-1].size
        return builder.take(builder.join(arguments), np.concatenate(indices, self.axis))

    def adjoint(self, build: FormulaBuilder, node: int, position: int, adjoint: int) -> int:
        """The part of the adjoint that stands where the argument did."""
        shapes = [build.shape(argument) for argument in build[node].arguments]
        axis = axis_in(self.axis, shapes[0])
        start = sum(shape[axis] for shape in shapes[:position])
        part = Slice(start, start + shapes[position][axis])
        return build.array(Take((*(WHOLE,) * axis, part)), adjoint)


def _length(part: Part, axis: int, shape: Shape) -> int | None:
    """How many places a part chooses along an axis; None for one place, which leaves no axis."""
    length = shape[axis]
    if part == WHOLE:
        return length
    if isinstance(part, Slice):
        if part.step == 0:
            raise InputError("a slice cannot have steps of 0")
        return len(range(*slice(part.start, part.stop, part.step).indices(length)))
    for place in (part,) if isinstance(part, int) else part:
        if not -length <= place < length:
            raise InputError(
                f"index {place} is out of bounds for axis {axis} with size {length}; the shape is "
                f"{shape_text(shape)}"
            )
    return None if isinstance(part, int) else len(part)


def _goes_backward(part: Part) -> bool:
    return isinstance(part, Slice) and (part.step or 1) < 0


def _forward(part: Part) -> Part:
    """A slice backward as the same one of the flipped axis, where place p is at ~p."""
    if not isinstance(part, Slice) or part.step is None or part.step > 0:
        return part
    start, stop = (None if place is None else ~place for place in (part.start, part.stop))
    return Slice(start, stop, -part.step)


def put_at(value: Numeric, like: Numeric, key: tuple[int | slice | list[int], ...]) -> Numeric:
    """Zeros like an array or a tensor, with a value (or one number) added at the places of a key.

    >>> put_at(np.ones(2), np.ones(3), ([0, 0],))
    array([2., 0., 0.])
    """
    zeros = np.zeros_like(like) if isinstance(like, np.ndarray) else like.new_zeros(like.shape)
    if isinstance(zeros, np.ndarray):
        np.add.at(zeros, key, value)  # type: ignore[arg-type]  # its types know no slices
        return zeros
    chosen = places(tuple(zeros.shape))[key]
    index = zeros.new_tensor(chosen.ravel()).long()
    added = (zeros.new_ones(chosen.shape) * value).flatten()
    return zeros.flatten().index_add(0, index, added).reshape(zeros.shape)


def numpy_key(key: tuple[Part, ...]) -> tuple[int | slice | list[int], ...]:
    """`key`, what is chosen along each of the first axes, as NumPy and torch take it."""
    return tuple(_numpy_part(part) for part in key)


def _numpy_part(part: Part) -> int | slice | list[int]:
    if isinstance(part, Slice):
        return slice(part.start, part.stop, part.step)
    return part if isinstance(part, int) else list(part)


def key_text(key: tuple[Part, ...]) -> str:
    """`key`, what is chosen along each of the first axes, as it is written between square brackets.

    >>> key_text((WHOLE, Slice(0, 3), 1, (0, 2)))
    ':, 0:3, 1, [0, 2]'
    """
    return ", ".join(str(list(part)) if isinstance(part, tuple) else str(part) for part in key)
