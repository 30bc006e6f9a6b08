"""Graph: the nodes of a program as people name them, each with what it is by itself.

A node is a symbol or an operation that depends on one; plain numbers stand where they are used. The
nodes of a batch have a row each, and are judged one row at a time: no row depends on another, but
for the mean or the sum at the end, which divides what it passes back by the number of rows, or does
not.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import sympy

from verifier.formula.model import Model
from verifier.operations.operation import Infix, Suffix
from verifier.operations.table import TABLE
from verifier.program.builder import FormulaBuilder
from verifier.program.gradients.formula_gradient import Adjoints, adjoints, differentiate
from verifier.program.program import BATCH, CONDITIONS, CONSTANT, INPUT, Program, Shape
from verifier.program.sympy_form import expressions

LOSS = "loss"
PREDICTION = "prediction"


@dataclass(frozen=True)
class NodeOperation:
    """One operation by itself, of symbols that have the names of the nodes that it takes."""

    value: Program
    """As the code computes it."""
    gradient: Program
    """Of one row: the value, then its derivative by each of the names."""
    names: tuple[str, ...]
    """The nodes through which a gradient passes."""
    formulas: tuple[str, ...]
    """Those derivatives, in the names of the nodes."""
    derivatives: tuple[sympy.Expr, ...]
    """The same as SymPy has them; none for a choice, whose condition is no number."""


@dataclass(frozen=True)
class Graph:
    """The loss of one sample, or of a batch of so many rows, with a name for each node."""

    program: Program
    parameters: tuple[str, ...]
    """By which it is differentiated."""
    prediction: int | None
    """Which node is the prediction, where one is."""
    rows: int | None = None
    """How many rows a batch has; None for one sample."""

    @cached_property
    def names(self) -> dict[int, str]:
        """Symbols have their own names, the others prediction, loss and t1, t2, ... in the order of
        evaluation.
        """
        taken = set(self.program.inputs)
        named = {self.program.outputs[0]: _free_name(LOSS, taken)}
        if self.prediction is not None:
            named.setdefault(self.prediction, _free_name(PREDICTION, taken))
        found: dict[int, str] = {}
        count = 0
        for index in self.nodes:
            node = self.program.nodes[index]
            if node.operation != INPUT and index not in named:
                count += 1
                named[index] = _free_name(f"t{count}", taken)
            found[index] = str(node.payload) if node.operation == INPUT else named[index]
        return found

    @cached_property
    def nodes(self) -> tuple[int, ...]:
        """What depends on a symbol, in the order of evaluation."""
        return tuple(index for index, varies in enumerate(self.program.varying) if varies)

    @cached_property
    def adjoints(self) -> Adjoints:
        """The loss, and its derivative by every node through which a gradient passes."""
        return adjoints(self.program, self.parameters)

    def has_rows(self, index: int) -> bool:
        """Whether the node has a number for each row."""
        return self.program.nodes[index].shape == BATCH

    def is_condition(self, index: int) -> bool:
        """Whether the node is a truth value, not a number."""
        return self.program.nodes[index].operation in CONDITIONS

    def arguments(self, index: int) -> tuple[int, ...]:
        """The nodes that this one takes, each once."""
        taken = self.program.nodes[index].arguments
        return tuple(dict.fromkeys(part for part in taken if part in self.names))

    def users(self, index: int) -> tuple[int, ...]:
        """The nodes that take this one, from the loss back."""
        return tuple(other for other in reversed(self.nodes) if index in self.arguments(other))

    def formula(self, index: int) -> str:
        """The operation in the names of the nodes that it takes; a symbol is its name."""
        node = self.program.nodes[index]
        if node.operation == INPUT:
            return str(node.payload)
        return _notation_text(node.operation, [self._operand(part) for part in node.arguments])

    def _operand(self, index: int) -> str:
        """A node as it stands inside a formula: by its name, or written out where it is a plain
        number.
        """
        if index in self.names:
            return self.names[index]
        node = self.program.nodes[index]
        if node.operation != CONSTANT:
            text = _notation_text(node.operation, [self._operand(part) for part in node.arguments])
            return f"({text})" if isinstance(TABLE[node.operation].python, Infix) else text
        return repr(node.payload) if node.payload >= 0 else f"({node.payload!r})"

    @cached_property
    def one_row(self) -> tuple[Program, dict[int, int]]:
        """The loss as one row has its part in it, and its nodes by those of the batch."""
        builder = FormulaBuilder()
        places: dict[int, int] = {}
        for index, node in enumerate(self.program.nodes):
            arguments = [places[part] for part in node.arguments]
            if node.operation == INPUT:
                places[index] = builder.input(str(node.payload))
            elif node.operation == CONSTANT:
                places[index] = builder.constant(node.payload)
            else:
                places[index] = self._of_one_row(builder, node.operation, arguments)
        program = builder.program(places[self.program.outputs[0]], *places.values())
        return Program(program.nodes, program.outputs[:1]), dict(
            zip(places, program.outputs[1:], strict=True)
        )

    def _of_one_row(self, builder: FormulaBuilder, operation: str, arguments: Sequence[int]) -> int:
        if operation == "sum":
            return arguments[0]
        if operation == "mean":
            return builder.apply("divide", arguments[0], builder.constant(self.rows or 1))
        return builder.apply(operation, *arguments)

    def operation(self, index: int) -> NodeOperation:
        """That node by itself.

        A condition among its arguments holds where the symbol of its name is above 0.
        """
        node = self.program.nodes[index]
        active = tuple(
            self.names[part] for part in self.arguments(index) if part in self.adjoints.nodes
        )
        value, row = FormulaBuilder(), FormulaBuilder()
        computed = value.apply(
            node.operation, *(self._by_itself(value, part, BATCH) for part in node.arguments)
        )
        by_row = self._of_one_row(
            row, node.operation, [self._by_itself(row, part, ()) for part in node.arguments]
        )
        gradient = differentiate(row.program(by_row), active)
        if node.operation == "where":
            return NodeOperation(
                value.program(computed),
                gradient,
                active,
                self._choice_derivatives(index, active),
                (),
            )
        derivatives = expressions(gradient)[1:]
        formulas = tuple(sympy.sstr(derivative, full_prec=False) for derivative in derivatives)
        return NodeOperation(value.program(computed), gradient, active, formulas, derivatives)

    def _by_itself(self, builder: FormulaBuilder, index: int, shape: Shape) -> int:
        if index not in self.names:
            return builder.copy(self.program, index)
        symbol = builder.input(self.names[index], shape if self.has_rows(index) else ())
        return (
            builder.apply("greater", symbol, builder.constant(0))
            if self.is_condition(index)
            else symbol
        )

    def _choice_derivatives(self, index: int, active: Collection[str]) -> tuple[str, ...]:
        """The derivatives of a choice: 1 where its argument is the one taken, else 0."""
        condition, taken, otherwise = map(self._operand, self.program.nodes[index].arguments)
        if taken == otherwise:
            return ("1",)
        return tuple(
            f"(1 if {condition} else 0)" if name == taken else f"(0 if {condition} else 1)"
            for name in active
        )


def graph_of(model: Model, rows: int | None) -> Graph:
    """The graph of what torch computes in `model` for one sample, where `rows` is None, or for a
    batch of so many rows.

    Raises InputError where the model's formula cannot be used.
    """
    whole = model.guarded_program if rows is None else model.batch_program
    builder = FormulaBuilder()
    places: dict[int, int] = {}
    loss = builder.copy(whole, whole.outputs[-1], places)
    program = builder.program(loss)
    prediction = places.get(whole.outputs[0])
    operation = prediction is not None and program.nodes[prediction].operation not in (
        INPUT,
        CONSTANT,
    )
    return Graph(program, model.parameters, prediction if operation else None, rows)


def _free_name(name: str, taken: Collection[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _notation_text(operation: str, operands: Sequence[str]) -> str:
    notation = TABLE[operation].python
    if isinstance(notation, Infix) and len(operands) == 2:
        return f" {notation.symbol} ".join(operands)
    if isinstance(notation, Infix):
        return f"{notation.symbol}{operands[0]}"
    if isinstance(notation, Suffix):
        return f"{operands[0]}{notation.symbol}"
    return f"{operation}({', '.join(operands)})" if operands else operation
