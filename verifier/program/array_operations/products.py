"""Products of matrices and vectors."""

from __future__ import annotations

from dataclasses import dataclass

from verifier.errors import InputError
from verifier.program.array_operations.broadcasting import Reshape, Sum, unbroadcast
from verifier.program.array_operations.movement import Transpose
from verifier.program.array_operations.operation import Argument, ArrayOperation
from verifier.program.builder import Builder, FormulaBuilder
from verifier.program.program import Shape
from verifier.program.shapes import broadcast, shape_text


@dataclass(frozen=True)
class Product(ArrayOperation):
    """`a @ b`, by NumPy's rule: a vector is a row on the left and a column on the right, and axes
    before the last two are a batch.
    """

    symbol = "@"

    def shape(self, *arguments: Shape) -> Shape:
        """Of the product. Raises InputError where the inner lengths differ."""
        left, right = arguments
        if not left or not right:
            raise InputError("@ multiplies arrays, and one of these is a number: use *")
        rows, columns = _as_matrices(left, right)
        if rows[-1] != columns[-2]:
            raise InputError(
                f"{shape_text(left)} @ {shape_text(right)} cannot be multiplied: the last length "
                f"on the left and the {'first' if len(right) < 3 else 'last but one'} on the right "
                "differ"
            )
        batch = broadcast(rows[:-2], columns[:-2])
        ends = (
            *((rows[-2],) if len(left) > 1 else ()),
            *((columns[-1],) if len(right) > 1 else ()),
        )
        return (*batch, *ends)

    def source(self, language: str, *arguments: Argument) -> str:
        """The operator between its arguments."""
        left, right = arguments
        return f"{left.atom} @ {right.atom}"

    def lowered(self, builder: Builder, *arguments: int) -> int:
        """As a product of matrices with equal batches."""
        shapes = [builder.shape(argument) for argument in arguments]
        rows, columns = _as_matrices(*shapes)
        batch = broadcast(rows[:-2], columns[:-2])
        left, right = (
            builder.expand(builder.reshape(argument, shape), (*batch, *shape[-2:]))
            for argument, shape in zip(arguments, (rows, columns), strict=True)
        )
        return builder.reshape(builder.contract(left, right), self.shape(*shapes))

    def adjoint(self, build: FormulaBuilder, node: int, position: int, adjoint: int) -> int:
        """The adjoint times the other factor transposed (Giles, An extended collection of matrix
        derivative results, 2008, section 2.2.1).
        """
        left, right = build[node].arguments
        vectors = [len(build.shape(argument)) == 1 for argument in (left, right)]
        if any(vectors):
            return self._by_vector(build, node, position, adjoint)
        if position == 0:
            found = build.array(self, adjoint, _transposed(build, right))
        else:
            found = build.array(self, _transposed(build, left), adjoint)
        return unbroadcast(build, found, build.shape(build[node].arguments[position]))

    def _by_vector(self, build: FormulaBuilder, node: int, position: int, adjoint: int) -> int:
        """Where one factor is a vector, the gradient by the other is an outer product."""
        left, right = build[node].arguments
        own, other = (left, right) if position == 0 else (right, left)
        shape = build.shape(own)
        if len(shape) > 1:
            # The other one is a vector: each entry of the adjoint times the whole of it.
            column = (*build.shape(adjoint), 1) if position == 0 else _row(build.shape(adjoint))
            vector = build.shape(other) if position == 0 else (*build.shape(other), 1)
            outer = [build.array_if_reshaping(Reshape(column), adjoint)]
            outer.append(build.array_if_reshaping(Reshape(vector), other))
            return build.apply("multiply", *outer)
        if len(build.shape(other)) == 1:
            return build.apply("multiply", adjoint, other)
        if len(build.shape(other)) == 2:
            factors = (_transposed(build, left), adjoint) if position == 1 else (right, adjoint)
            return build.array(self, *factors)
        return self._summed(build, other, position, adjoint)

    def _summed(self, build: FormulaBuilder, other: int, position: int, adjoint: int) -> int:
        """By a vector that every matrix of a batch is multiplied by."""
        if position == 1:
            weights = build.array(Reshape((*build.shape(adjoint), 1)), adjoint)
            product = build.apply("multiply", other, weights)
            return build.array(Sum(tuple(range(len(build.shape(other)) - 1))), product)
        weights = build.array(Reshape(_row(build.shape(adjoint))), adjoint)
        product = build.apply("multiply", other, weights)
        axes = [*range(len(build.shape(other)) - 2), len(build.shape(other)) - 1]
        return build.array(Sum(tuple(axes)), product)


def _row(shape: Shape) -> Shape:
    """The shape of row vectors where that of the vectors is given."""
    return (*shape[:-1], 1, shape[-1]) if shape else (1, 1)


def _as_matrices(left: Shape, right: Shape) -> tuple[Shape, Shape]:
    """The shapes with vectors as a row on the left and a column on the right."""
    return (1, *left) if len(left) == 1 else left, (*right, 1) if len(right) == 1 else right


def _transposed(build: FormulaBuilder, node: int) -> int:
    axes = list(range(len(build.shape(node))))
    return build.array(Transpose((*axes[:-2], axes[-1], axes[-2])), node)
