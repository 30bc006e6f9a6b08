"""The inverse and the determinant of a matrix."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import numpy as np
from flint import arb, arb_mat

from verifier.program.builder import Builder
from verifier.program.matrices.function import Balls, Floats, MatrixFunction, Noise, exact, norms
from verifier.program.matrices.nodes import product, transposed
from verifier.program.program import Shape


@dataclass(frozen=True)
class Inverse(MatrixFunction):
    """A⁻¹, by Arb's elimination (`arb_mat.inv`)."""

    def shape(self, argument: Shape) -> Shape:
        """That of the matrices."""
        return argument

    def balls(self, matrix: Balls, place: int) -> Balls:
        """NaN where the matrix may be singular."""
        result = np.full(matrix.shape, arb("nan"), dtype=object)
        if all(entry.is_finite() for entry in matrix.ravel()):
            with contextlib.suppress(ZeroDivisionError):
                result[...] = arb_mat(matrix.tolist()).inv().tolist()
        return result

    def floats(self, matrices: Floats, noise: Noise) -> Floats:
        """By LU with a rounding of the matrix, as a backward stable method does it (Higham,
        Accuracy and Stability of Numerical Algorithms, 2nd ed., section 14.1).
        """
        with np.errstate(all="ignore"):
            inverses = _inverses(noise(matrices, norms(matrices)))
            return noise(inverses, norms(inverses))

    def sizes(self, matrices: Floats) -> Floats:
        """The norm of the inverse, for each entry."""
        result = self.floats(matrices, exact)
        return np.broadcast_to(norms(result), result.shape)

    def adjoint(self, builder: Builder, argument: int, adjoint: int) -> int:
        """-Bᵀ G Bᵀ for the inverse B and the adjoint G (Giles, An extended collection of matrix
        derivative results, 2008, section 2.2.3).
        """
        turned = transposed(builder, builder.matrix(self, argument))
        return builder.apply("negative", product(builder, turned, adjoint, turned))


@dataclass(frozen=True)
class Determinant(MatrixFunction):
    """det A, by Arb's elimination (`arb_mat.det`)."""

    def shape(self, argument: Shape) -> Shape:
        """The batch alone."""
        return argument[:-2]

    def balls(self, matrix: Balls, place: int) -> Balls:
        """One ball."""
        result = np.empty((), dtype=object)
        finite = all(entry.is_finite() for entry in matrix.ravel())
        result[()] = arb_mat(matrix.tolist()).det() if finite else arb("nan")
        return result

    def floats(self, matrices: Floats, noise: Noise) -> Floats:
        """By LU with a rounding of the matrix."""
        with np.errstate(all="ignore"):
            found = np.linalg.det(noise(matrices, norms(matrices)))
            return noise(np.asarray(found), np.abs(found))

    def sizes(self, matrices: Floats) -> Floats:
        """Hadamard's bound: the product of the norms of the rows."""
        bound: Floats = np.prod(np.sqrt(np.sum(matrices * matrices, axis=-1)), axis=-1)
        return bound

    def adjoint(self, builder: Builder, argument: int, adjoint: int) -> int:
        """g det(A) A⁻ᵀ (Giles 2008, section 2.2.4)."""
        factor = builder.apply("multiply", adjoint, builder.matrix(self, argument))
        column = builder.reshape(factor, (*builder.shape(factor), 1, 1))
        inverse = builder.matrix(Inverse(), argument)
        return builder.apply("multiply", column, transposed(builder, inverse))


def _inverses(matrices: Floats) -> Floats:
    """Of each matrix; NaN for those that float64 finds singular."""
    size = matrices.shape[-1]
    found = np.full(matrices.shape, np.nan)
    for one, matrix in zip(
        found.reshape(-1, size, size), matrices.reshape(-1, size, size), strict=True
    ):
        try:
            one[...] = np.linalg.inv(matrix)
        except np.linalg.LinAlgError:
            continue
    return found
