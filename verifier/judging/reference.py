"""Reference: what code is supposed to compute, as nodes from which the exact gradient is
derived.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from verifier.capture.autograd_derivatives import ForwardAlone
from verifier.capture.code_at_point import SEED, Statements
from verifier.capture.joint_graph import NotReadableError, captured, captured_with_detached
from verifier.capture.lowering import lowered
from verifier.capture.random_draws import with_seed
from verifier.errors import InputError
from verifier.process.values import UserFunction
from verifier.program.builder import Builder, FormulaBuilder
from verifier.program.guards import guarded
from verifier.program.lift import Reduction, common_shape, lifted, unreduced
from verifier.program.program import Program, Shape
from verifier.program.shapes import shape_text


class Specification(Protocol):
    """What says which values are right."""

    def values(self, statements: Statements, builder: Builder) -> list[int]:
        """The node of each result, of the shape that the code returned. Raises InputError where
        there is none.
        """
        ...


@dataclass(frozen=True)
class Formula:
    """A formula of the inputs, element by element, and what is done with its elements."""

    program: Program
    reduction: Reduction = unreduced

    def values(self, statements: Statements, builder: Builder) -> list[int]:
        """The node of the formula's reduced value in `builder`, in the shape that the code returns.

        `statements` are those of the code at its point. Raises InputError where the code returns
        several tensors, or a shape that the formula does not have.
        """
        value = self.unfitted(statements, builder)
        return [common_shape(builder, value, statements.shapes[0])]

    def unfitted(self, statements: Statements, builder: Builder) -> int:
        """The node of the formula's reduced value in `builder`, in the formula's own shape.

        `statements` are those of the code at its point. Raises InputError where the code returns
        several tensors.
        """
        if len(statements.results) != 1:
            raise InputError(
                f"the code returns {len(statements.results)} tensors, the formula describes one"
            )
        nodes = input_nodes(statements, builder)
        return self.reduction(builder, lifted(self.program, builder, nodes))


@dataclass(frozen=True, eq=False)
class ArrayFormula:
    """A formula that does something with whole arrays, so that it depends on their shapes."""

    write: Callable[[FormulaBuilder, Mapping[str, int]], int]
    """Writes the formula, and gives its node, for the nodes of its symbols by name."""
    numbers: Mapping[str, float]
    """The inputs that are plain numbers."""
    reduction: Reduction = unreduced

    def values(self, statements: Statements, builder: Builder) -> list[int]:
        """The node of the formula's reduced value in `builder`, of the shape that the code returns.

        `statements` are those of the code at its point. Raises InputError where the shapes of the
        inputs do not fit the formula, and where its value has another shape than the code's; axes
        of length 1 do not matter.
        """
        nodes = input_nodes(statements, builder)
        shapes = {name: builder.shape(nodes[name]) for name in statements.inputs if name in nodes}
        formula = Formula(self._program(shapes), self.reduction)
        value = formula.unfitted(statements, builder)
        found, expected = builder.shape(value), tuple(statements.shapes[0])
        if _without_ones(found) != _without_ones(expected):
            raise InputError(
                f"the formula's value is {_described(found)}, the code's {_described(expected)}"
            )
        return [builder.reshape(value, expected)]

    def _program(self, shapes: Mapping[str, Shape]) -> Program:
        """The guarded program for inputs of these shapes."""
        build = FormulaBuilder()
        symbols = {name: build.input(name, shape) for name, shape in shapes.items()}
        symbols |= {name: build.constant(number) for name, number in self.numbers.items()}
        return guarded(build.program(self.write(build, symbols)))


def _without_ones(shape: Shape) -> Shape:
    return tuple(length for length in shape if length != 1)


def _described(shape: Shape) -> str:
    return f"of shape {shape_text(shape)}" if shape else "a number"


@dataclass(frozen=True)
class Reference:
    """Another version of the code, whose forward is read; its own backward is not run."""

    code: UserFunction
    """Takes the same inputs in the same order and returns as many tensors of the same shapes."""

    def values(self, statements: Statements, builder: Builder) -> list[int]:
        """The nodes in `builder` of what the reference returns.

        `statements` are those of the code at its point. Raises InputError where the reference's
        forward cannot be read, or its results have other shapes than the code's.
        """
        try:
            nodes = forward_nodes(self.code, statements, builder)
        except NotReadableError as error:
            raise InputError(
                f"the reference's forward cannot be read: {error}; give a plainer version"
            ) from error
        shapes = [builder.shape(node) for node in nodes]
        expected = [tuple(result.shape) for result in statements.results]
        if shapes != expected:
            raise InputError(
                f"the reference returns the shapes {_listed(shapes)}, the code returns "
                f"{_listed(expected)}"
            )
        return nodes


def forward_nodes(code: UserFunction, statements: Statements, builder: Builder) -> list[int]:
    """The nodes in `builder` of what `code` returns at the point of these `statements`, read from
    its forward. Raises NotReadableError where it cannot be read.
    """
    inputs = list(statements.inputs.values())
    weights = statements.results
    seeded = with_seed(code, statements.subject.random_seed)
    joint = ForwardAlone(seeded, statements.joint.wanted, len(weights))
    capture = captured if statements.subject.honour_detach else captured_with_detached
    graph = capture(joint, [*inputs, *weights])
    names = [*statements.inputs, *(f"{SEED}{place}" for place in range(len(weights)))]
    quantity = statements.subject.quantity
    results = lowered(graph, names, [*inputs, *weights], builder, quantity).results
    return [builder.constant(0) if node is None else node for node in results]


def input_nodes(statements: Statements, builder: Builder) -> dict[str, int]:
    """The nodes of everything that is given, by name."""
    return {
        name: builder.input(name, tuple(value.shape))
        for name, value in zip(statements.names, statements.arguments, strict=True)
        if value.is_floating_point()
    }


def _listed(shapes: list[tuple[int, ...]]) -> str:
    return ", ".join("x".join(map(str, shape)) or "a number" for shape in shapes) or "none"
