"""Program: a straight line of operations on arrays, each different one computed once.

A node names an operation and the earlier nodes that it takes. Equal nodes are the same node
(hash-consing), so a program stays small where a tree would not. The order of operations is that of
the nodes; nothing is ever re-ordered or cancelled. A number is the array without axes.

A dozen kinds of operation are enough for what torch does: a row of the operations table on every
element (broadcast as NumPy does), taking elements by index and piling them up again, joining,
sums, products of matrices, functions of a matrix, and rounding to a narrower format. They are
closed under differentiation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, TypeAlias

import numpy as np

from verifier.operations.formats import Format

Shape = tuple[int, ...]
SCALAR: Shape = ()
ROWS = -1
"""The length of a batch's axis in a formula, which is known with the data only."""
BATCH: Shape = (ROWS,)

INPUT, CONSTANT, TAKE, PILE, JOIN, RESHAPE, TOTAL, CONTRACT, ROUND, MATRIX = (
    "input", "constant", "take", "pile", "join", "reshape", "total", "contract", "round", "matrix",
)  # fmt: skip
"""The operations that are no rows of the table."""
ARRAY = "array"
"""In a formula: an operation on whole arrays (`verifier.program.array_operations`)."""
CONDITIONS = frozenset(
    {"less", "less_equal", "greater", "greater_equal", "equal", "not_equal", "and", "or", "not"}
)
"""Rows of the table whose results are truth values."""
_MOVING = frozenset({TAKE, JOIN, RESHAPE, "where"})
"""Operations whose elements are those of their last argument, among others of the same kind."""
NOTHING = -1
"""In an index: the element is 0, or goes nowhere."""


class OfMatrix(Protocol):
    """A function of matrices (`verifier.program.matrices`)."""

    def shape(self, argument: Shape) -> Shape:
        """The shape of the result for matrices of a shape; batch axes stay."""


class OnArrays(Protocol):
    """An operation of a formula on whole arrays (`verifier.program.array_operations`)."""

    def shape(self, *arguments: Shape) -> Shape:
        """The shape of the result. Raises InputError where those of the arguments do not fit."""


class FrozenArray:
    """An array that is never written to, equal to another of the same contents."""

    __slots__ = ("_key", "array")

    def __init__(self, array: Any) -> None:
        self.array = np.array(array, order="C")
        self.array.setflags(write=False)
        self._key = (self.array.shape, self.array.dtype.str, self.array.tobytes())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FrozenArray) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


@dataclass(frozen=True, slots=True)
class Node:
    """One operation on whole arrays."""

    operation: str
    arguments: tuple[int, ...] = ()
    shape: Shape = SCALAR
    payload: Any = None
    """An input's name, a constant's array (in a formula its number, as it was written), an index,
    the axes of a sum, a function of matrices, or an operation on arrays.
    """
    format: Format | None = None
    """What each element of the result is rounded to; None is exact."""

    @property
    def is_array(self) -> bool:
        """Whether a constant is an array, and not a number as it was written in a formula."""
        return isinstance(self.payload, FrozenArray)

    @property
    def array(self) -> Any:
        """A constant's numbers or truth values, or the places of an index, as an array."""
        if self.is_array:
            return self.payload.array
        return np.asarray(self.payload, dtype=np.float64)

    @property
    def number(self) -> float | None:
        """A constant's number where it has no axes; in a formula as it was written."""
        if self.operation == CONSTANT and not self.is_array:
            return self.payload  # type: ignore[no-any-return]
        if self.operation != CONSTANT or self.shape or self.array.dtype == bool:
            return None
        return float(self.array)


HELD = "held"


def is_held(node: Node) -> bool:
    """Whether nothing is differentiated through `node`."""
    return node.operation == RESHAPE and node.payload == HELD


def has_truths(node: Node, truths: Sequence[bool]) -> bool:
    """Whether a node's elements are truth values, where that is known of the nodes before it."""
    if node.operation == CONSTANT:
        return isinstance(node.payload, FrozenArray) and bool(node.array.dtype == bool)
    if node.operation in _MOVING:
        return truths[node.arguments[-1]]
    return node.operation in CONDITIONS


_POSITIVE = frozenset({"exp", "exp2", "cosh", "sigmoid", "softplus", "erfc"})
"""Rows that are above 0 everywhere."""
_KEEP_POSITIVE = frozenset({"add", "multiply", "divide", "minimum", "square", "sqrt"})
"""Rows that are above 0 where all of their arguments are."""


def _is_positive(node: Node, positive: Sequence[bool]) -> bool:
    """Whether a node shows that its numbers are above 0; `positive` says it of those before it."""
    arguments = [positive[argument] for argument in node.arguments]
    if node.operation == CONSTANT:
        return node.array.dtype != bool and bool((node.array > 0).all())
    if node.operation == TAKE:
        return arguments[0] and bool((node.array != NOTHING).all())
    if node.operation == "where":
        return all(arguments[1:])
    if node.operation == "maximum":
        return any(arguments)
    moves = node.operation in (JOIN, RESHAPE, TOTAL, ROUND, CONTRACT)
    if moves or node.operation in _KEEP_POSITIVE:
        return all(arguments)
    return node.operation in _POSITIVE


@dataclass(frozen=True)
class Program:
    """Nodes in the order of evaluation, and which of them are the results."""

    nodes: tuple[Node, ...]
    outputs: tuple[int, ...]

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the inputs, in order of first use."""
        return tuple(str(node.payload) for node in self.nodes if node.operation == INPUT)

    @cached_property
    def varying(self) -> list[bool]:
        """For each node whether it depends on an input; what does not is a plain number."""
        varying: list[bool] = []
        for node in self.nodes:
            varying.append(node.operation == INPUT or any(varying[part] for part in node.arguments))
        return varying

    @cached_property
    def truths(self) -> list[bool]:
        """For each node whether its elements are truth values, not numbers."""
        truths: list[bool] = []
        for node in self.nodes:
            truths.append(has_truths(node, truths))
        return truths

    @cached_property
    def positive(self) -> list[bool]:
        """For each node whether all of its numbers are above 0, whatever the inputs are: sums and
        products of exponentials, and others that show it.
        """
        positive: list[bool] = []
        for node in self.nodes:
            positive.append(_is_positive(node, positive))
        return positive

    def uses(self) -> list[int]:
        """How often each node is taken by another or is a result."""
        counts = [0] * len(self.nodes)
        for index in (
            *self.outputs,
            *(argument for node in self.nodes for argument in node.arguments),
        ):
            counts[index] += 1
        return counts

    @property
    def only_last(self) -> Program:
        """The part of this program that its last result needs."""
        return self.only(self.outputs[-1])

    def only(self, *outputs: int) -> Program:
        """The part of this program that these nodes need, with them as its results."""
        return subprogram(self.nodes, outputs)

    @cached_property
    def last_uses(self) -> dict[int, int]:
        """The nodes that the results depend on, in order, and where each is taken last.

        Results are kept to the end.
        """
        needed = needed_by(self.nodes, self.outputs)
        last = {place: place for place in needed}
        for place in needed:
            last.update(dict.fromkeys(self.nodes[place].arguments, place))
        return last | dict.fromkeys(self.outputs, len(self.nodes))

    @cached_property
    def steps(self) -> list[tuple[int, Node, list[int]]]:
        """The nodes that the results depend on, in order: their places, they, and those of their
        arguments that nothing takes later.
        """
        last = self.last_uses
        return [
            (
                place,
                node := self.nodes[place],
                [one for one in node.arguments if last[one] == place],
            )
            for place in last
        ]

    def needed(self, *places: int) -> set[int]:
        """The places of the nodes that some of them depend on, and they."""
        return set(needed_by(self.nodes, places))

    @cached_property
    def elements(self) -> int:
        """How many numbers are computed on the way."""
        return sum(math.prod(node.shape) for node in self.nodes)


def needed_by(
    nodes: Sequence[Node], outputs: Sequence[int], present: Mapping[int, int] | None = None
) -> list[int]:
    """The nodes that the outputs depend on, and they, in order of evaluation; without those that
    are present.
    """
    known = present or {}
    is_needed = bytearray(1 + max(outputs, default=-1))
    for output in outputs:
        is_needed[output] = output not in known
    # A node takes earlier ones only.
    for index in range(len(is_needed) - 1, -1, -1):
        if is_needed[index]:
            for part in nodes[index].arguments:
                if not is_needed[part] and part not in known:
                    is_needed[part] = True
    return [index for index, one in enumerate(is_needed) if one]


def subprogram(nodes: Sequence[Node], outputs: Sequence[int]) -> Program:
    """What these nodes need, in order, and they as the results."""
    kept = needed_by(nodes, outputs)
    place = {index: position for position, index in enumerate(kept)}
    moved = tuple(with_arguments_at(nodes[index], place) for index in kept)
    return Program(moved, tuple(place[output] for output in outputs))


def with_arguments_at(node: Node, places: Mapping[int, int]) -> Node:
    """The node with its arguments at other places."""
    arguments = tuple([places[argument] for argument in node.arguments])
    if arguments == node.arguments:
        return node
    return Node(node.operation, arguments, node.shape, node.payload, node.format)


Value: TypeAlias = Any
"""What a number system computes with: floats, balls, or pairs of them."""


class Arithmetic(Protocol):
    """A number system that a formula is evaluated in; each method gets a node, its place and its
    arguments.
    """

    def input(self, value: Value) -> Value:
        """What an input's argument is in this number system."""

    def constant(self, place: int, node: Node) -> Value:
        """The node's constant in this number system."""

    def row(self, place: int, node: Node, *arguments: Value) -> Value:
        """The result of a row of the operations table, element by element."""


class ArrayArithmetic(Arithmetic, Protocol):
    """A number system that every program is evaluated in."""

    def take(self, place: int, node: Node, argument: Value) -> Value:
        """The argument's elements at the places of the node's index; 0 at `NOTHING`."""

    def pile(self, place: int, node: Node, argument: Value) -> Value:
        """Zeros in the node's shape, and each element added at its place in the index; none at
        `NOTHING`.
        """

    def join(self, place: int, node: Node, *arguments: Value) -> Value:
        """The elements of all arguments behind each other, along one axis."""

    def reshape(self, place: int, node: Node, argument: Value) -> Value:
        """The argument's elements in the node's shape."""

    def total(self, place: int, node: Node, argument: Value) -> Value:
        """The sums of the argument along the node's axes, which are gone then."""

    def contract(self, place: int, node: Node, left: Value, right: Value) -> Value:
        """The products of the matrices in the last two axes."""

    def matrix(self, place: int, node: Node, argument: Value) -> Value:
        """What the node's function of matrices gives of the argument."""

    def round(self, place: int, node: Node, argument: Value) -> Value:
        """The argument rounded to the node's format."""


_OWN = frozenset({ARRAY, CONSTANT, TAKE, PILE, JOIN, RESHAPE, TOTAL, CONTRACT, MATRIX, ROUND})


def evaluate(
    program: Program, arithmetic: Arithmetic, arguments: Mapping[str, Value]
) -> list[Value]:
    """The results of `program` in the number system of `arithmetic`; nodes that no result depends
    on are left out.

    `arguments` has by name what each input is, as `arithmetic.input` takes it. Raises KeyError for
    an input without an argument.

    >>> from verifier.program.builder import FormulaBuilder
    >>> from verifier.program.evaluation.arithmetic import NumPyArithmetic
    >>> build = FormulaBuilder()
    >>> x = build.input("x")
    >>> square = build.program(build.apply("multiply", x, x))
    >>> evaluate(square, NumPyArithmetic("float32"), {"x": 3.0})
    [np.float32(9.0)]
    """
    values: dict[int, Value] = {}
    for place, node, used_last in program.steps:
        operation = node.operation
        if operation == INPUT:
            values[place] = arithmetic.input(arguments[str(node.payload)])
        else:
            method = getattr(arithmetic, operation if operation in _OWN else "row")
            values[place] = method(place, node, *[values[part] for part in node.arguments])
        for argument in used_last:
            values[argument] = None
    return [values[output] for output in program.outputs]
