"""Program: a formula as a straight line of operations, each different one computed once.

A node names a row of the operations table and the earlier nodes it takes. Equal nodes are the
same node (hash-consing), so a program stays small where a SymPy tree would not. The order of
operations is that of the nodes; nothing is ever re-ordered or cancelled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from verifier.operations.operation import Operation
from verifier.operations.table import TABLE

SYMBOL = "symbol"
CONSTANT = "constant"

Shape = tuple[str, ...]
"""The names of an array's axes."""
SCALAR: Shape = ()
BATCH: Shape = ("rows",)

_REDUCTIONS = frozenset({"sum", "mean", "size"})


@dataclass(frozen=True, slots=True)
class Node:
    """One step: a symbol (its name is the payload), a constant (its number is), or an operation."""

    operation: str
    arguments: tuple[int, ...] = ()
    payload: Any = None
    shape: Shape = SCALAR


@dataclass(frozen=True)
class Program:
    """Nodes in the order of evaluation, and which of them are the results."""

    nodes: tuple[Node, ...]
    outputs: tuple[int, ...]

    @property
    def symbols(self) -> tuple[str, ...]:
        """The names of the symbols that the results depend on, in order of first use."""
        return tuple(str(node.payload) for node in self.nodes if node.operation == SYMBOL)

    @cached_property
    def varying(self) -> list[bool]:
        """For each node whether it depends on a symbol; what does not is a plain number."""
        varying: list[bool] = []
        for node in self.nodes:
            varying.append(
                node.operation == SYMBOL or any(varying[part] for part in node.arguments)
            )
        return varying

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
        """The part of this program that the nodes at these indices need, and they as its
        results.
        """
        builder = Builder()
        return builder.program(*(builder.copy(self, output) for output in outputs))


class Builder:
    """Collects nodes, each different one once.

    >>> build = Builder()
    >>> x = build.symbol("x")
    >>> build.apply("multiply", x, x) == build.apply("multiply", x, x)
    True
    """

    def __init__(self) -> None:
        self._nodes: list[Node] = []
        self._index: dict[tuple[Any, ...], int] = {}

    def __getitem__(self, index: int) -> Node:
        return self._nodes[index]

    def __len__(self) -> int:
        return len(self._nodes)

    def symbol(self, name: str, shape: Shape = SCALAR) -> int:
        return self._add(Node(SYMBOL, payload=name, shape=shape))

    def constant(self, value: int | float) -> int:
        return self._add(Node(CONSTANT, payload=value))

    def apply(self, operation: str, *arguments: int) -> int:
        """The node of that row; its shape is that of the widest argument, a reduction's is
        scalar.
        """
        shape = max((self._nodes[index].shape for index in arguments), key=len, default=SCALAR)
        return self._add(
            Node(operation, arguments, shape=SCALAR if operation in _REDUCTIONS else shape)
        )

    def copy(self, program: Program, output: int, places: dict[int, int] | None = None) -> int:
        """Take over what one node of another program needs; `places` says where nodes already stand
        here.
        """
        places = {} if places is None else places
        for index in _needed(program.nodes, (output,), places):
            node = program.nodes[index]
            places[index] = self._add(
                Node(
                    node.operation,
                    tuple(places[argument] for argument in node.arguments),
                    node.payload,
                    node.shape,
                )
            )
        return places[output]

    def program(self, *outputs: int) -> Program:
        """What these nodes need, in order, and they as its results."""
        kept = _needed(self._nodes, outputs, {})
        place = {index: position for position, index in enumerate(kept)}
        nodes = tuple(
            Node(
                node.operation,
                tuple(place[argument] for argument in node.arguments),
                node.payload,
                node.shape,
            )
            for node in (self._nodes[index] for index in kept)
        )
        return Program(nodes, tuple(place[output] for output in outputs))

    def _add(self, node: Node) -> int:
        # 1 and 1.0, 0.0 and -0.0 are equal to Python and different to a formula.
        key = (node.operation, node.arguments, type(node.payload), repr(node.payload), node.shape)
        if key not in self._index:
            self._index[key] = len(self._nodes)
            self._nodes.append(node)
        return self._index[key]


def _needed(nodes: Sequence[Node], outputs: Sequence[int], present: Mapping[int, int]) -> list[int]:
    """The indices that the outputs depend on and that are not present, in order of evaluation."""
    needed: set[int] = set()
    waiting = [output for output in outputs if output not in present]
    while waiting:
        index = waiting.pop()
        if index not in needed:
            needed.add(index)
            waiting.extend(
                argument for argument in nodes[index].arguments if argument not in present
            )
    return sorted(needed)


class Arithmetic(Protocol):
    """A number system that a program can be evaluated in."""

    def symbol(self, value: Any) -> Any:
        """A given argument as a value of this system."""

    def constant(self, value: int | float) -> Any: ...

    def apply(self, operation: Operation, *arguments: Any) -> Any: ...


def evaluate(
    program: Program, arithmetic: Arithmetic, arguments: Mapping[str, Any]
) -> tuple[Any, ...]:
    """The program's results in a number system.

    Raises KeyError for a symbol without an argument.

    >>> from verifier.program.evaluation.arithmetic import NumPyArithmetic
    >>> build = Builder()
    >>> x = build.symbol("x")
    >>> square = build.program(build.apply("multiply", x, x))
    >>> evaluate(square, NumPyArithmetic("float32"), {"x": 3.0})
    (np.float32(9.0),)
    """
    values: list[Any] = []
    for node in program.nodes:
        if node.operation == SYMBOL:
            values.append(arithmetic.symbol(arguments[str(node.payload)]))
        elif node.operation == CONSTANT:
            values.append(arithmetic.constant(node.payload))
        else:
            values.append(
                arithmetic.apply(
                    TABLE[node.operation], *(values[index] for index in node.arguments)
                )
            )
    return tuple(values[output] for output in program.outputs)
