"""ArrayProgram: code on tensors as a straight line of array operations, each different one computed
once.

A dozen kinds of operation are enough for what torch does: a row of the operations table on every
element (broadcast as NumPy does), taking elements by index and piling them up again, joining,
sums, products of matrices, functions of a matrix, and rounding to a narrower format. They are
closed under differentiation. A scalar is the case without axes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from verifier.operations.formats import Format
from verifier.program.guards import CONDITIONS

Shape = tuple[int, ...]

INPUT, CONSTANT, TAKE, PILE, JOIN, RESHAPE, TOTAL, CONTRACT, ROUND, MATRIX = (
    "input", "constant", "take", "pile", "join", "reshape", "total", "contract", "round", "matrix",
)  # fmt: skip
"""The operations that are no rows of the table."""
NOTHING = -1
"""In an index: the element is 0, or goes nowhere."""


class OfMatrix(Protocol):
    """A function of matrices (`verifier.program.matrices`)."""

    def shape(self, argument: Shape) -> Shape: ...


class Fixed:
    """An array that is never written to, equal to another of the same contents."""

    __slots__ = ("_key", "array")

    def __init__(self, array: Any) -> None:
        self.array = np.array(array, order="C")
        self.array.setflags(write=False)
        self._key = (self.array.shape, self.array.dtype.str, self.array.tobytes())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fixed) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


@dataclass(frozen=True, slots=True)
class ArrayNode:
    """One operation on whole arrays."""

    operation: str
    arguments: tuple[int, ...]
    shape: Shape
    payload: Any = None
    """An input's name, a constant's array, an index, the axes of a sum, or a matrix function."""
    format: Format | None = None
    """What each element of the result is rounded to; None is exact."""

    @property
    def number(self) -> float | None:
        """A constant's number where it has no axes."""
        if self.operation != CONSTANT or self.shape or self.payload.array.dtype == bool:
            return None
        return float(self.payload.array)


_HELD = "held"


def is_held(node: ArrayNode) -> bool:
    """Whether nothing is differentiated through it."""
    return node.operation == RESHAPE and node.payload == _HELD


@dataclass(frozen=True)
class ArrayProgram:
    """Nodes in the order of evaluation, and which of them are the results."""

    nodes: tuple[ArrayNode, ...]
    outputs: tuple[int, ...]

    @cached_property
    def last_uses(self) -> dict[int, int]:
        """The nodes that the results depend on, in order, and where each is taken last.

        Results are kept to the end.
        """
        needed = sorted(self.needed(*self.outputs))
        last = {place: place for place in needed}
        for place in needed:
            last.update(dict.fromkeys(self.nodes[place].arguments, place))
        return last | dict.fromkeys(self.outputs, len(self.nodes))

    def needed(self, *places: int) -> set[int]:
        """The places of the nodes that some of them depend on, and they."""
        found: set[int] = set()
        waiting = list(places)
        while waiting:
            place = waiting.pop()
            if place not in found:
                found.add(place)
                waiting.extend(self.nodes[place].arguments)
        return found

    @cached_property
    def elements(self) -> int:
        """How many numbers are computed on the way."""
        return sum(math.prod(node.shape) for node in self.nodes)


class ArrayBuilder:
    """Collects array operations, each different one once.

    >>> build = ArrayBuilder()
    >>> x = build.input("x", (2, 3))
    >>> build[build.sum(build.apply("multiply", x, x), (0,))].shape
    (3,)
    """

    def __init__(self) -> None:
        self._nodes: list[ArrayNode] = []
        self._truths: list[bool] = []
        self._places: dict[Any, int] = {}
        self._format: Format | None = None

    def __getitem__(self, index: int) -> ArrayNode:
        return self._nodes[index]

    def __len__(self) -> int:
        return len(self._nodes)

    @contextmanager
    def rounding(self, format: Format | None) -> Iterator[None]:
        """Operations inside the block are rounded to that format."""
        before, self._format = self._format, format
        try:
            yield
        finally:
            self._format = before

    def shape(self, index: int) -> Shape:
        return self._nodes[index].shape

    def is_truth(self, index: int) -> bool:
        """Whether a node's elements are truth values, not numbers."""
        return self._truths[index]

    def numbers(self, index: int) -> int:
        """The node as numbers: a truth value counts as 1 or 0, as in torch's arithmetic."""
        if not self.is_truth(index):
            return index
        with self.rounding(None):
            if self._nodes[index].operation == CONSTANT:
                return self.constant(self._nodes[index].payload.array.astype(np.float64))
            return self.apply("where", index, self.constant(1.0), self.constant(0.0))

    def input(self, name: str, shape: Shape) -> int:
        return self._add(ArrayNode(INPUT, (), shape, name))

    def constant(self, value: Any) -> int:
        """A number or an array of numbers or of truth values; numbers are exact as float64."""
        array = np.asarray(value)
        array = array if array.dtype == bool else array.astype(np.float64)
        # A number that the format does not hold is rounded to it; an array is data.
        return self._add(
            ArrayNode(
                CONSTANT, (), array.shape, Fixed(array), self._format if array.ndim == 0 else None
            )
        )

    def apply(self, operation: str, *arguments: int) -> int:
        """That row of the table on every element; what it takes as numbers may be truth values."""
        arguments = self._taken(operation, arguments)
        shape = np.broadcast_shapes(*(self._nodes[argument].shape for argument in arguments))
        return self._add(ArrayNode(operation, arguments, shape, None, self._format))

    def take(self, argument: int, index: Any) -> int:
        """The elements at these places of the flattened argument; NOTHING gives 0 (or False)."""
        index = np.asarray(index, dtype=np.int64)
        count = int(np.prod(self.shape(argument)))
        if index.size == count and np.array_equal(index.ravel(), np.arange(count)):
            return self.reshape(argument, index.shape)
        return self._add(ArrayNode(TAKE, (argument,), index.shape, Fixed(index)))

    def pile(self, argument: int, index: Any, shape: Shape) -> int:
        """Zeros of that shape, with each element of the argument added at its place."""
        fixed = Fixed(np.asarray(index, dtype=np.int64))
        argument = self.numbers(argument)
        return self._add(ArrayNode(PILE, (argument,), tuple(shape), fixed, self._format))

    def join(self, arguments: Sequence[int]) -> int:
        """All elements of the arguments one after another, without axes of their own."""
        arguments = self._alike(arguments)
        if len(arguments) == 1:
            return self.reshape(arguments[0], (int(np.prod(self.shape(arguments[0]))),))
        count = sum(int(np.prod(self.shape(argument))) for argument in arguments)
        return self._add(ArrayNode(JOIN, tuple(arguments), (count,)))

    def reshape(self, argument: int, shape: Shape) -> int:
        if self.shape(argument) == tuple(shape):
            return argument
        if self._nodes[argument].operation == RESHAPE and not is_held(self._nodes[argument]):
            return self.reshape(self._nodes[argument].arguments[0], shape)
        return self._add(ArrayNode(RESHAPE, (argument,), tuple(shape)))

    def hold(self, argument: int) -> int:
        """The argument as it is, but as a constant to whoever differentiates."""
        return self._add(ArrayNode(RESHAPE, (argument,), self.shape(argument), _HELD))

    def sum(self, argument: int, axes: Sequence[int]) -> int:
        """The sum over these axes, which are gone from the result."""
        argument, shape = self.numbers(argument), self.shape(argument)
        chosen = tuple(sorted({axis % len(shape) for axis in axes})) if shape else ()
        left = tuple(size for axis, size in enumerate(shape) if axis not in chosen)
        if all(shape[axis] == 1 for axis in chosen):
            return self.reshape(argument, left)
        return self._add(ArrayNode(TOTAL, (argument,), left, chosen, self._format))

    def contract(self, left: int, right: int) -> int:
        """Products of matrices, the last two axes; the axes before them are the same in both."""
        left, right = self.numbers(left), self.numbers(right)
        (*batch, rows, _), (*_, columns) = self.shape(left), self.shape(right)
        return self._add(
            ArrayNode(CONTRACT, (left, right), (*batch, rows, columns), None, self._format)
        )

    def matrix(self, function: OfMatrix, argument: int) -> int:
        """A function of matrices, the last two axes; the axes before them are a batch."""
        argument = self.numbers(argument)
        shape = function.shape(self.shape(argument))
        return self._add(ArrayNode(MATRIX, (argument,), shape, function, self._format))

    def round(self, argument: int, format: Format | None) -> int:
        """The argument in a narrower format."""
        argument = self.numbers(argument)
        return self._add(ArrayNode(ROUND, (argument,), self.shape(argument), None, format))

    def expand(self, argument: int, shape: Shape) -> int:
        """Broadcast as NumPy does."""
        mine = self.shape(argument)
        if mine == tuple(shape):
            return argument
        return self.take(argument, np.broadcast_to(places(mine), shape))

    def permute(self, argument: int, axes: Sequence[int]) -> int:
        return self.take(argument, places(self.shape(argument)).transpose(axes))

    def again(self, index: int, arguments: Sequence[int]) -> int:
        """The same operation on other arguments of the same shapes."""
        return self._add(replace(self._nodes[index], arguments=tuple(arguments)))

    def program(self, *outputs: int) -> ArrayProgram:
        """What these nodes need, in order, and they as its results."""
        kept = self.needed(outputs)
        place = {index: position for position, index in enumerate(kept)}
        nodes = [self._nodes[index] for index in kept]
        moved = tuple(
            ArrayNode(
                node.operation,
                tuple(place[part] for part in node.arguments),
                node.shape,
                node.payload,
                node.format,
            )
            for node in nodes
        )
        return ArrayProgram(moved, tuple(place[output] for output in outputs))

    def places_in(self, *outputs: int) -> dict[int, int]:
        """Where the nodes of this builder stand in the program of these outputs."""
        return {index: position for position, index in enumerate(self.needed(outputs))}

    def uses(self, outputs: Sequence[int]) -> dict[int, int]:
        """How often each node that the outputs need is taken by another or is an output."""
        counts: dict[int, int] = dict.fromkeys(self.needed(outputs), 0)
        for index in (
            *outputs,
            *(argument for node in counts for argument in self._nodes[node].arguments),
        ):
            counts[index] += 1
        return counts

    def needed(self, outputs: Sequence[int]) -> list[int]:
        """The nodes that the outputs depend on, and they, in order of evaluation."""
        needed: set[int] = set()
        waiting = list(outputs)
        while waiting:
            index = waiting.pop()
            if index not in needed:
                needed.add(index)
                waiting.extend(self._nodes[index].arguments)
        return sorted(needed)

    def _taken(self, operation: str, arguments: tuple[int, ...]) -> tuple[int, ...]:
        """The arguments as what the row takes: truth values, numbers, or several of one kind."""
        if operation in _CONNECTIVES:
            return arguments
        if operation == "where":
            return (arguments[0], *self._alike(arguments[1:]))
        if operation in CONDITIONS:
            return self._alike(arguments)
        return tuple(map(self.numbers, arguments))

    def _alike(self, arguments: Sequence[int]) -> tuple[int, ...]:
        """The arguments as they are where all of them are truth values, else as numbers."""
        truths = all(map(self.is_truth, arguments))
        return tuple(arguments) if truths else tuple(map(self.numbers, arguments))

    def _add(self, node: ArrayNode) -> int:
        if node not in self._places:
            self._places[node] = len(self._nodes)
            self._nodes.append(node)
            self._truths.append(self._has_truths(node))
        return self._places[node]

    def _has_truths(self, node: ArrayNode) -> bool:
        if node.operation == CONSTANT:
            return bool(node.payload.array.dtype == bool)
        if node.operation in _MOVING:
            return self._truths[node.arguments[-1]]
        return node.operation in CONDITIONS


_CONNECTIVES = frozenset({"and", "or", "not"})
_MOVING = frozenset({TAKE, JOIN, RESHAPE, "where"})
"""Operations whose elements are those of their last argument, among others of the same kind."""


def places(shape: Shape) -> Any:
    """An array of that shape whose elements are their own places, counted from 0."""
    return np.arange(int(np.prod(shape)), dtype=np.int64).reshape(shape)


class ArrayArithmetic(Protocol):
    """A number system that an array program is evaluated in; each method gets a node, its place and
    its arguments.
    """

    def input(self, value: Any) -> Any: ...

    def constant(self, place: int, node: ArrayNode) -> Any: ...

    def take(self, place: int, node: ArrayNode, argument: Any) -> Any: ...

    def pile(self, place: int, node: ArrayNode, argument: Any) -> Any: ...

    def join(self, place: int, node: ArrayNode, *arguments: Any) -> Any: ...

    def reshape(self, place: int, node: ArrayNode, argument: Any) -> Any: ...

    def total(self, place: int, node: ArrayNode, argument: Any) -> Any: ...

    def contract(self, place: int, node: ArrayNode, left: Any, right: Any) -> Any: ...

    def matrix(self, place: int, node: ArrayNode, argument: Any) -> Any: ...

    def round(self, place: int, node: ArrayNode, argument: Any) -> Any: ...

    def row(self, place: int, node: ArrayNode, *arguments: Any) -> Any: ...


_OWN = frozenset({CONSTANT, TAKE, PILE, JOIN, RESHAPE, TOTAL, CONTRACT, MATRIX, ROUND})


def evaluate(
    program: ArrayProgram, arithmetic: ArrayArithmetic, arguments: Mapping[str, Any]
) -> list[Any]:
    """The program's results in a number system; nodes that no result depends on are left out.

    Raises KeyError for an input without an argument.
    """
    last = program.last_uses
    values: dict[int, Any] = {}
    for place in last:
        node = program.nodes[place]
        if node.operation == INPUT:
            values[place] = arithmetic.input(arguments[str(node.payload)])
        else:
            method = getattr(arithmetic, node.operation if node.operation in _OWN else "row")
            values[place] = method(place, node, *(values[argument] for argument in node.arguments))
        for argument in node.arguments:
            if last[argument] == place:
                values[argument] = None
    return [values[output] for output in program.outputs]
