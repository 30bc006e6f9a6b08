"""Builders: they collect the nodes of a program, each different one once."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from verifier.operations.arrays import Array, Indices
from verifier.operations.formats import Format
from verifier.operations.table import REDUCTIONS
from verifier.program.program import (
    ARRAY,
    CONDITIONS,
    CONSTANT,
    CONTRACT,
    HELD,
    INPUT,
    JOIN,
    MATRIX,
    PILE,
    RESHAPE,
    ROUND,
    SCALAR,
    TAKE,
    TOTAL,
    FrozenArray,
    Node,
    OfMatrix,
    OnArrays,
    Program,
    Shape,
    has_truths,
    is_held,
    needed_by,
    subprogram,
)
from verifier.program.shapes import broadcast


class Builder:
    """Collects array operations, each different one once.

    >>> build = Builder()
    >>> x = build.input("x", (2, 3))
    >>> build[build.sum(build.apply("multiply", x, x), (0,))].shape
    (3,)
    """

    def __init__(self) -> None:
        self._nodes: list[Node] = []
        self._truths: list[bool] = []
        self._places: dict[Hashable, int] = {}
        self._format: Format | None = None
        self.actual: dict[int, Array] = {}
        """What code that was read had for nodes (float64), where it showed it."""

    def __getitem__(self, index: int) -> Node:
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
        """The shape of a node's result; in a formula `ROWS` is the length of a batch."""
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
                return self.constant(self._nodes[index].array.astype(np.float64))
            return self.apply("where", index, self.constant(1.0), self.constant(0.0))

    def is_one(self, index: int, beside: int) -> bool:
        """Whether a node is the number 1, so that it times another one of its shape is that one."""
        return self._nodes[index].number == 1 and not self._nodes[beside].shape

    def input(self, name: str, shape: Shape = SCALAR) -> int:
        """The node of an input; one name is one node."""
        return self._add(Node(INPUT, (), shape, name))

    def constant(self, value: Array | float) -> int:
        """A number or an array of numbers or of truth values; numbers are exact as float64."""
        array = np.asarray(value)
        array = array if array.dtype == bool else array.astype(np.float64)
        # A number that the format does not hold is rounded to it; an array is data.
        return self._add(
            Node(
                CONSTANT,
                (),
                array.shape,
                FrozenArray(array),
                self._format if array.ndim == 0 else None,
            )
        )

    def apply(self, operation: str, *arguments: int) -> int:
        """That row of the table on every element; what it takes as numbers may be truth values."""
        arguments = self._taken(operation, arguments)
        shape = np.broadcast_shapes(*(self._nodes[argument].shape for argument in arguments))
        return self._add(Node(operation, arguments, shape, None, self._format))

    def take(self, argument: int, index: Indices | Sequence[int] | int) -> int:
        """The elements at these places of the flattened argument; NOTHING gives 0 (or False)."""
        index = np.asarray(index, dtype=np.int64)
        count = int(np.prod(self.shape(argument)))
        if index.size == count and np.array_equal(index.ravel(), np.arange(count)):
            return self.reshape(argument, index.shape)
        return self._add(Node(TAKE, (argument,), index.shape, FrozenArray(index)))

    def pile(self, argument: int, index: Indices | Sequence[int] | int, shape: Shape) -> int:
        """Zeros of that shape, with each element of the argument added at its place."""
        fixed = FrozenArray(np.asarray(index, dtype=np.int64))
        argument = self.numbers(argument)
        return self._add(Node(PILE, (argument,), tuple(shape), fixed, self._format))

    def join(self, arguments: Sequence[int]) -> int:
        """All elements of the arguments one after another, without axes of their own."""
        arguments = self._alike(arguments)
        if len(arguments) == 1:
            return self.reshape(arguments[0], (int(np.prod(self.shape(arguments[0]))),))
        count = sum(int(np.prod(self.shape(argument))) for argument in arguments)
        return self._add(Node(JOIN, tuple(arguments), (count,)))

    def reshape(self, argument: int, shape: Shape) -> int:
        """The elements in another shape; of two reshapes in a row the second stays, unless the
        first is held.
        """
        if self.shape(argument) == tuple(shape):
            return argument
        if self._nodes[argument].operation == RESHAPE and not is_held(self._nodes[argument]):
            return self.reshape(self._nodes[argument].arguments[0], shape)
        return self._add(Node(RESHAPE, (argument,), tuple(shape)))

    def hold(self, argument: int) -> int:
        """The argument as it is, but as a constant to whoever differentiates."""
        return self._add(Node(RESHAPE, (argument,), self.shape(argument), HELD))

    def sum(self, argument: int, axes: Sequence[int]) -> int:
        """The sum over these axes, which are gone from the result."""
        argument, shape = self.numbers(argument), self.shape(argument)
        chosen = tuple(sorted({axis % len(shape) for axis in axes})) if shape else ()
        left = tuple(size for axis, size in enumerate(shape) if axis not in chosen)
        if all(shape[axis] == 1 for axis in chosen):
            return self.reshape(argument, left)
        return self._add(Node(TOTAL, (argument,), left, chosen, self._format))

    def contract(self, left: int, right: int) -> int:
        """Products of matrices, the last two axes; the axes before them are the same in both."""
        left, right = self.numbers(left), self.numbers(right)
        (*batch, rows, _), (*_, columns) = self.shape(left), self.shape(right)
        return self._add(Node(CONTRACT, (left, right), (*batch, rows, columns), None, self._format))

    def matrix(self, function: OfMatrix, argument: int) -> int:
        """A function of matrices, the last two axes; the axes before them are a batch."""
        argument = self.numbers(argument)
        shape = function.shape(self.shape(argument))
        return self._add(Node(MATRIX, (argument,), shape, function, self._format))

    def round(self, argument: int, format: Format | None) -> int:
        """The argument in a narrower format."""
        argument = self.numbers(argument)
        return self._add(Node(ROUND, (argument,), self.shape(argument), None, format))

    def expand(self, argument: int, shape: Shape) -> int:
        """Broadcast as NumPy does."""
        mine = self.shape(argument)
        if mine == tuple(shape):
            return argument
        return self.take(argument, np.broadcast_to(places(mine), shape))

    def permute(self, argument: int, axes: Sequence[int]) -> int:
        """The argument with its axes in the order of `axes`, as an index of its elements."""
        return self.take(argument, places(self.shape(argument)).transpose(axes))

    def again(self, index: int, arguments: Sequence[int]) -> int:
        """The same operation on other arguments of the same shapes."""
        return self._add(replace(self._nodes[index], arguments=tuple(arguments)))

    def program(self, *outputs: int) -> Program:
        """What these nodes need, in order, and they as its results."""
        return subprogram(self._nodes, outputs)

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
        return needed_by(self._nodes, outputs)

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

    def _add(self, node: Node) -> int:
        place = self._places.setdefault(self._key(node), len(self._nodes))
        if place == len(self._nodes):
            self._nodes.append(node)
            self._truths.append(has_truths(node, self._truths))
        return place

    def _key(self, node: Node) -> Hashable:
        """What is equal for two nodes that compute the same."""
        return node


class FormulaBuilder(Builder):
    """Collects the operations of a formula, whose numbers stay as they were written.

    Its shapes have one length that is not known: how many rows a batch has.

    >>> build = FormulaBuilder()
    >>> x = build.input("x")
    >>> build.apply("multiply", x, x) == build.apply("multiply", x, x)
    True
    """

    def constant(self, value: Array | float) -> int:
        """A number, as it was written: 2 and 2.0 are different ones. An array is data."""
        if isinstance(value, np.ndarray) and value.ndim:
            return super().constant(value)
        return self._add(Node(CONSTANT, payload=value))

    def is_one(self, index: int, beside: int) -> bool:
        """Whether a node is the number 1, so that times another one it is that one."""
        return self._nodes[index].number == 1 and not self._nodes[index].is_array

    def apply(self, operation: str, *arguments: int) -> int:
        """The node of that row; the arguments are broadcast, and a reduction gives a number.

        Raises InputError where their shapes do not fit.
        """
        if operation in _TO_NUMBER:
            return self._add(Node(operation, arguments, SCALAR))
        shape = broadcast(*(self._nodes[index].shape for index in arguments))
        return self._add(Node(operation, arguments, shape))

    def array(self, operation: OnArrays, *arguments: int) -> int:
        """The node of an operation on arrays. Raises InputError where the shapes do not fit."""
        shape = operation.shape(*(self._nodes[index].shape for index in arguments))
        return self._add(Node(ARRAY, arguments, shape, operation))

    def array_if_reshaping(self, operation: OnArrays, *arguments: int) -> int:
        """The same, or the first argument as it is where it has the result's shape already."""
        shapes = [self._nodes[index].shape for index in arguments]
        if operation.shape(*shapes) == shapes[0]:
            return arguments[0]
        return self.array(operation, *arguments)

    def copy(self, program: Program, output: int, places: dict[int, int] | None = None) -> int:
        """Take over what one node of another program needs; `places` says where nodes already stand
        here. Shapes follow from those of the nodes that stand here.
        """
        places = {} if places is None else places
        for index in needed_by(program.nodes, (output,), places):
            places[index] = self.copied(program.nodes[index], places)
        return places[output]

    def copied(self, node: Node, places: Mapping[int, int]) -> int:
        """The same operation on the nodes at these places."""
        arguments = [places[argument] for argument in node.arguments]
        if node.operation == ARRAY:
            return self.array(node.payload, *arguments)
        if node.operation in (INPUT, CONSTANT):
            return self._add(node)
        return self.apply(node.operation, *arguments)

    def _key(self, node: Node) -> Hashable:
        # 1 and 1.0, 0.0 and -0.0 are equal to Python and different to a formula.
        payload = node.payload if node.is_array else repr(node.payload)
        return (node.operation, node.arguments, type(node.payload), payload, node.shape)


_TO_NUMBER = frozenset(row.name for row in REDUCTIONS) - {"spread"}
_CONNECTIVES = frozenset({"and", "or", "not"})


def places(shape: Shape) -> Indices:
    """An int64 array of that `shape` whose elements are their own places, counted from 0."""
    return np.arange(int(np.prod(shape)), dtype=np.int64).reshape(shape)
