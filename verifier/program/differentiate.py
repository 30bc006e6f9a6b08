"""The gradient of a program: reverse accumulation with SymPy's local derivatives.

One sweep from the result back to the symbols, each node's adjoint multiplied by the derivative of
that one operation (Griewank and Walther, Evaluating Derivatives, 2nd ed., section 3.2): the size of
the gradient's program is linear in that of the formula's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import sympy

from verifier.operations.arrays import Expr
from verifier.operations.operation import flat
from verifier.operations.table import TABLE
from verifier.program.builder import FormulaBuilder
from verifier.program.program import BATCH, CONSTANT, INPUT, SCALAR, Node, Program
from verifier.program.sympy_form import read


def differentiate(program: Program, names: Sequence[str]) -> Program:
    """The program of the first result and of its derivative by each named symbol, in that order.

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
    """What the sweep of `differentiate` finds on its way, by every node and not by the symbols
    alone.

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
            self._accumulate(argument, self._contribution(node, position, adjoint))

    def _accumulate(self, argument: int, contribution: int) -> None:
        """Add to the argument's adjoint, which has the argument's own shape.

        What comes from the rows is summed where they share the argument; what a reduction passes
        back goes to each of its rows.
        """
        shapes = (self._builder[argument].shape, self._builder[contribution].shape)
        if shapes == (SCALAR, BATCH):
            contribution = self._builder.apply("sum", contribution)
        elif shapes == (BATCH, SCALAR):
            contribution = self._builder.apply("spread", argument, contribution)
        earlier = self.adjoints.get(argument)
        self.adjoints[argument] = (
            contribution if earlier is None else self._builder.apply("add", earlier, contribution)
        )

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
        return self._scaled(adjoint, self._local(node, position))

    def _local(self, node: Node, position: int) -> int:
        """The node of the operation's derivative by its argument at that position."""
        arguments = tuple(self._builder[index] for index in node.arguments)
        constants = tuple(
            argument.payload if argument.operation == CONSTANT else None for argument in arguments
        )
        tree = local_derivative(node.operation, constants, position)
        return read(tree, self._builder, dict(zip(PLACES, node.arguments, strict=False)))

    def _scaled(self, adjoint: int, factor: int) -> int:
        """adjoint times factor, where neither 0, 1 nor -1 costs an operation and 1/x becomes a
        division.
        """
        builder = self._builder
        if _is_constant(builder[adjoint], 1):
            return factor
        if _is_constant(builder[factor], 1):
            return adjoint
        if _is_constant(builder[factor], -1):
            return builder.apply("negative", adjoint)
        if builder[factor].operation == "divide":
            # As autograd does, from the left: what comes from above times the numerator, by the
            # denominator.
            over, under = builder[factor].arguments
            return builder.apply("divide", self._scaled(adjoint, over), under)
        return builder.apply("multiply", adjoint, factor)


def _is_constant(node: Node, value: int) -> bool:
    return node.operation == CONSTANT and node.payload == value


def _active(builder: FormulaBuilder, value: int, names: frozenset[str]) -> list[bool]:
    """Which nodes up to the value depend on one of the names in a differentiable way."""
    active: list[bool] = []
    for index in range(value + 1):
        node = builder[index]
        if node.operation == INPUT:
            active.append(node.payload in names)
        else:
            inputs_active = any(active[argument] for argument in node.arguments)
            active.append(inputs_active and not _is_flat(node.operation))
    return active


def without_derivative(program: Program, names: Sequence[str]) -> list[int]:
    """The nodes on the way from the names to the first result by which torch has no derivative."""
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


def _is_flat(operation: str) -> bool:
    """Whether the derivative is zero wherever there is one."""
    return operation == "size" or (operation in TABLE and TABLE[operation].derivatives is flat)


def reached(program: Program, names: Sequence[str]) -> set[str]:
    """Which of the names the first result depends on in a differentiable way."""
    builder = FormulaBuilder()
    value = builder.copy(program, program.outputs[0])
    sweep = _Sweep(builder, value, frozenset(names))
    sweep.run()
    return sweep.reached


PLACES = tuple(sympy.Symbol(f"argument_{position}", real=True) for position in range(8))


@lru_cache(maxsize=4096)
def local_derivative(
    operation: str, constants: tuple[int | float | None, ...], position: int
) -> Expr:
    """The derivative of a row by one of its arguments, as a tree in symbols that stand for the
    arguments.

    `constants` gives the arguments that are numbers, and None for the others.
    """
    row = TABLE[operation]
    places = [
        place if constant is None else sympy.sympify(constant)
        for place, constant in zip(PLACES, constants, strict=False)
    ]
    if row.derivatives is None:
        return row.sympy(*places).diff(places[position])
    with sympy.evaluate(False):
        written = row.derivatives(*places)[position]
    return _plain(operation, constants, written)


def _plain(operation: str, constants: tuple[int | float | None, ...], written: Expr) -> Expr:
    """A power's own rule with its constant exponent worked out, 3*x**2 instead of 3*x**(3 - 1),
    where that is exact.
    """
    exponent = constants[1] if operation == "power" else None
    if exponent is None or Fraction(exponent) - 1 != Fraction(exponent - 1):
        return written
    return sympy.sympify(exponent) * PLACES[0] ** (exponent - 1)
