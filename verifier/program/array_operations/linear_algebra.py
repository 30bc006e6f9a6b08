"""Functions of square matrices in a formula: inverse, determinant, trace, linear systems."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from verifier.errors import InputError
from verifier.program.array_operations.broadcasting import Reshape
from verifier.program.array_operations.movement import Transpose
from verifier.program.array_operations.operation import NUMPY, TEXT, TORCH, Argument, ArrayOperation
from verifier.program.array_operations.products import Product
from verifier.program.builder import Builder, FormulaBuilder, places
from verifier.program.matrices.inverse import Determinant as DeterminantOfMatrix
from verifier.program.matrices.inverse import Inverse as InverseOfMatrix
from verifier.program.program import Shape
from verifier.program.shapes import shape_text


class _OfSquareMatrix(ArrayOperation):
    """Takes one square matrix."""

    names: ClassVar[dict[str, str]]
    """What is called in each language."""

    def source(self, language: str, *arguments: Argument) -> str:
        """A call."""
        return f"{self.names[language]}({', '.join(argument.text for argument in arguments)})"


@dataclass(frozen=True)
class Inverse(_OfSquareMatrix):
    """The inverse of a square matrix."""

    names: ClassVar[dict[str, str]] = {
        TORCH: "torch.linalg.inv",
        NUMPY: "np.linalg.inv",
        TEXT: "inverse",
    }

    def shape(self, *arguments: Shape) -> Shape:
        """That of the matrix. Raises InputError for what is no square matrix."""
        return _square("inverse", arguments[0])

    def lowered(self, builder: Builder, *arguments: int) -> int:
        """As a function of a matrix."""
        return builder.matrix(InverseOfMatrix(), arguments[0])

    def adjoint(self, build: FormulaBuilder, node: int, position: int, adjoint: int) -> int:
        """-Bᵀ G Bᵀ for the inverse B and the adjoint G (Giles 2008, section 2.2.3)."""
        turned = build.array(Transpose((1, 0)), node)
        left = build.array(Product(), turned, adjoint)
        return build.apply("negative", build.array(Product(), left, turned))


@dataclass(frozen=True)
class Determinant(_OfSquareMatrix):
    """The determinant of a square matrix."""

    names: ClassVar[dict[str, str]] = {
        TORCH: "torch.linalg.det",
        NUMPY: "np.linalg.det",
        TEXT: "determinant",
    }

    def shape(self, *arguments: Shape) -> Shape:
        """A number. Raises InputError for what is no square matrix."""
        return _square("determinant", arguments[0])[:-2]

    def lowered(self, builder: Builder, *arguments: int) -> int:
        """As a function of a matrix."""
        return builder.matrix(DeterminantOfMatrix(), arguments[0])

    def adjoint(self, build: FormulaBuilder, node: int, position: int, adjoint: int) -> int:
        """g det(A) A⁻ᵀ (Giles 2008, section 2.2.4)."""
        inverse = build.array(Inverse(), build[node].arguments[0])
        factor = build.apply("multiply", adjoint, node)
        return build.apply("multiply", factor, build.array(Transpose((1, 0)), inverse))


@dataclass(frozen=True)
class Trace(_OfSquareMatrix):
    """The sum of the diagonal of a square matrix."""

    names: ClassVar[dict[str, str]] = {TORCH: "torch.trace", NUMPY: "np.trace", TEXT: "trace"}

    def shape(self, *arguments: Shape) -> Shape:
        """A number. Raises InputError for what is no square matrix."""
        return _square("trace", arguments[0])[:-2]

    def lowered(self, builder: Builder, *arguments: int) -> int:
        """The sum of the elements of the diagonal."""
        index = np.diagonal(places(builder.shape(arguments[0])))
        return builder.sum(builder.take(arguments[0], index), (0,))

    def adjoint(self, build: FormulaBuilder, node: int, position: int, adjoint: int) -> int:
        """The adjoint on the diagonal."""
        size = build.shape(build[node].arguments[0])[0]
        return build.apply("multiply", adjoint, build.constant(np.eye(size)))


@dataclass(frozen=True)
class Solve(_OfSquareMatrix):
    """The x of A x = b for a square matrix A, and b a vector or a matrix."""

    names: ClassVar[dict[str, str]] = {
        TORCH: "torch.linalg.solve",
        NUMPY: "np.linalg.solve",
        TEXT: "solve",
    }

    def shape(self, *arguments: Shape) -> Shape:
        """That of b. Raises InputError where A is not square or the lengths differ."""
        matrix, right = arguments
        _square("solve", matrix)
        if len(right) not in (1, 2) or right[0] != matrix[0]:
            raise InputError(
                f"solve takes a matrix and as many rows on the right: {shape_text(matrix)} and "
                f"{shape_text(right)} do not fit"
            )
        return right

    def lowered(self, builder: Builder, *arguments: int) -> int:
        """The inverse times the right side: in exact arithmetic they are the same."""
        matrix, right = arguments
        return Product().lowered(builder, builder.matrix(InverseOfMatrix(), matrix), right)

    def adjoint(self, build: FormulaBuilder, node: int, position: int, adjoint: int) -> int:
        """A⁻ᵀ G by the right side, and minus that times xᵀ by the matrix (Giles 2008, section
        2.3.1).
        """
        matrix, _ = build[node].arguments
        by_right = build.array(self, build.array(Transpose((1, 0)), matrix), adjoint)
        if position == 1:
            return by_right
        if len(build.shape(node)) == 1:
            column = build.array(Reshape((*build.shape(node), 1)), by_right)
            outer = build.apply("multiply", column, node)
        else:
            outer = build.array(Product(), by_right, build.array(Transpose((1, 0)), node))
        return build.apply("negative", outer)


def _square(name: str, shape: Shape) -> Shape:
    if len(shape) != 2 or shape[0] != shape[1] or shape[0] < 1:
        raise InputError(f"{name} takes a square matrix, and this one has {shape_text(shape)}")
    return shape
