"""The gradient of a formula: reverse accumulation with SymPy's local derivatives.

One sweep from the result back to the symbols, each node's adjoint multiplied by the derivative of
that one operation (Griewank and Walther, Evaluating Derivatives, 2nd ed., section 3.2): the size of
the gradient's program is linear in that of the formula's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from verifier.operations.table import TABLE
from verifier.program.array_operations.broadcasting import like, unbroadcast
from verifier.program.builder import FormulaBuilder
from verifier.program.gradients.reverse_mode import active_nodes, factor, scaled
from verifier.program.program import ARRAY, BATCH, INPUT, SCALAR, Node, Program


def differentiate(program: Program, names: Sequence[str]) -> Program:
    """The program of the first result of `program` and of its derivative by each symbol of `names`,
    in that order.

    The first result must be scalar. A symbol that it does not depend on has the derivative 0.

    >>> build = FormulaBuilder()
    >>> x = build.input("x")
    >>> square = build.program(build.apply("multiply", x, x))
    >>> from verifier.program.sympy_form import expressions
    >>> expressions(differentiate(square, ["x"]))
    (x**2, 2*x)
    """
    builder = FormulaBuilder()
    places: dict[int, int] = {}
    value = builder.copy(program, program.outputs[0], places)
    sweep = _Sweep(builder, value, frozenset(names))
    sweep.run()
    return builder.program(value, *(sweep.derivative(name) for name in names))


@dataclass(frozen=True)
class Adjoints:
    """The first result of a program and its derivative by each node on the way to some symbols."""

    program: Program
    """The result, then the derivatives."""
    nodes: tuple[int, ...]
    """By which nodes of the program that was differentiated, in order."""


def adjoints(program: Program, names: Sequence[str]) -> Adjoints:
    """What the sweep of `differentiate` finds on its way for `program` and `names`, by every node
    and not by the symbols alone.

    >>> build = FormulaBuilder()
    >>> x = build.input("x")
    >>> fourth = build.program(build.apply("square", build.apply("square", x)))
    >>> from verifier.program.sympy_form import expressions
    >>> adjoints(fourth, ["x"]).nodes, expressions(adjoints(fourth, ["x"]).program)
    ((0, 1, 2), (x**4, 4*x**3, 2*x**2, 1))
    """
    builder = FormulaBuilder()
    places: dict[int, int] = {}
    value = builder.copy(program, program.outputs[0], places)
    sweep = _Sweep(builder, value, frozenset(names))
    sweep.run()
    found = {
        index: sweep.adjoints[place]
        for index, place in sorted(places.items())
        if place in sweep.adjoints
    }
    return Adjoints(builder.program(value, *found.values()), tuple(found))


class _Sweep:
    """Adjoints of the nodes of a builder, from one node back."""

    def __init__(self, builder: FormulaBuilder, value: int, names: frozenset[str]) -> None:
        self._builder = builder
        self._value = value
        self._active = _active(builder, value, names)
        self.adjoints: dict[int, int] = {value: builder.constant(1)}
        self._symbols: dict[str, int] = {}

    def run(self) -> None:
        for index in range(self._value, -1, -1):
            node = self._builder[index]
            if node.operation == INPUT and self._active[index]:
                self._symbols[str(node.payload)] = index
            elif index in self.adjoints:
                self._pass_back(node, index, self.adjoints[index])

    def derivative(self, name: str) -> int:
        return self.adjoints.get(self._symbols.get(name, -1), self._builder.constant(0))

    @property
    def reached(self) -> set[str]:
        """The symbols that have an adjoint."""
        return {name for name, index in self._symbols.items() if index in self.adjoints}

    def _pass_back(self, node: Node, index: int, adjoint: int) -> None:
        active = [
            position for position, argument in enumerate(node.arguments) if self._active[argument]
        ]
        for position in active:
            argument = node.arguments[position]
            if node.operation == ARRAY:
                contribution = node.payload.adjoint(self._builder, index, position, adjoint)
            else:
                contribution = self._contribution(node, position, adjoint)
            self._accumulate(argument, contribution)

    def _accumulate(self, argument: int, contribution: int) -> None:
        """Add to the argument's adjoint, which has the argument's own shape.

        What comes from the rows is summed where they share the argument; what a reduction passes
        back goes to each of its rows.
        """
        contribution = self._fitted(contribution, argument)
        earlier = self.adjoints.get(argument)
        self.adjoints[argument] = (
            contribution if earlier is None else self._builder.apply("add", earlier, contribution)
        )

    def _fitted(self, contribution: int, argument: int) -> int:
        """The contribution in the shape of the argument."""
        shape, given = self._builder.shape(argument), self._builder.shape(contribution)
        if shape == given:
            return contribution
        if (shape, given) == (SCALAR, BATCH):
            return self._builder.apply("sum", contribution)
        if (shape, given) == (BATCH, SCALAR):
            return self._builder.apply("spread", argument, contribution)
        narrow = unbroadcast(self._builder, contribution, shape)
        return like(self._builder, narrow, self._builder.shape(narrow), argument)

    def _contribution(self, node: Node, position: int, adjoint: int) -> int:
        apply = self._builder.apply
        if node.operation == "sum":
            return adjoint
        if node.operation == "mean":
            return apply("divide", adjoint, apply("size", node.arguments[0]))
        if node.operation == "where":
            condition, zero = node.arguments[0], self._builder.constant(0)
            return apply(
                "where", condition, *((adjoint, zero) if position == 1 else (zero, adjoint))
            )
        return scaled(self._builder, adjoint, factor(self._builder, node, position))


def _active(builder: FormulaBuilder, value: int, names: frozenset[str]) -> list[bool]:
    """Which nodes up to the value depend on one of the names in a differentiable way."""
    wanted = {
        index
        for index in range(value + 1)
        if builder[index].operation == INPUT and builder[index].payload in names
    }
    return active_nodes(builder, value, wanted)


def without_derivative(program: Program, names: Sequence[str]) -> list[int]:
    """The nodes on the way from the symbols of `names` to the first result of `program` by which
    torch has no derivative.

    They are indices in `program.only(program.outputs[0])`.
    """
    builder = FormulaBuilder()
    value = builder.copy(program, program.outputs[0])
    active = _active(builder, value, frozenset(names))
    own = builder.program(value)
    return [
        index
        for index, node in enumerate(own.nodes)
        if node.operation in TABLE
        and any(active[node.arguments[place]] for place in TABLE[node.operation].lost)
    ]


def reached(program: Program, names: Sequence[str]) -> set[str]:
    """Which of the `names` the first result of `program` depends on in a differentiable way."""
    builder = FormulaBuilder()
    value = builder.copy(program, program.outputs[0])
    sweep = _Sweep(builder, value, frozenset(names))
    sweep.run()
    return sweep.reached
