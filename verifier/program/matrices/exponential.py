"""The exponential of a matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flint import arb, arb_mat

from verifier.program.builder import Builder, places
from verifier.program.matrices.function import (
    Balls,
    Floats,
    MatrixFunction,
    Noise,
    exact,
    norms,
)
from verifier.program.matrices.nodes import blocks, transposed
from verifier.program.program import Shape

_TERMS = 20
"""Of the series. For a matrix of norm 1/2 the rest is below 1e-24, far below float64's rounding."""
_LARGEST = 0.5
"""The norm from which on a matrix is halved and its exponential squared."""


@dataclass(frozen=True)
class Exponential(MatrixFunction):
    """exp(A), by Arb's own series. Its gradient is the exponential of a matrix of twice the size
    (Mathias, A chain rule for matrix functions and applications, SIMAX 17, 1996, theorem 2.1).
    """

    def shape(self, argument: Shape) -> Shape:
        """That of the matrices."""
        return argument

    def balls(self, matrix: Balls, place: int) -> Balls:
        """Arb's exponential of one matrix (`arb_mat.exp`); NaN where an entry is not finite."""
        result = np.empty(matrix.shape, dtype=object)
        finite = all(entry.is_finite() for entry in matrix.ravel())
        result[...] = arb_mat(matrix.tolist()).exp().tolist() if finite else arb("nan")
        return result

    def floats(self, matrices: Floats, noise: Noise) -> Floats:
        """By scaling and squaring, as libraries do it: each squaring rounds (Higham, Functions of
        Matrices, 2008, section 10.3).
        """
        with np.errstate(all="ignore"):
            size = norms(matrices)
            largest = float(np.max(size, where=np.isfinite(size), initial=_LARGEST))
            halvings = int(np.ceil(np.log2(largest / _LARGEST)))
            result = _series(noise(matrices, size) / 2.0**halvings)
            result = noise(result, norms(result))
            for _ in range(halvings):
                result = np.matmul(result, result)
                result = noise(result, norms(result))
        return result

    def sizes(self, matrices: Floats) -> Floats:
        """The norm of the exponential, for each entry."""
        result = self.floats(matrices, exact)
        return np.broadcast_to(norms(result), result.shape)

    def adjoint(self, builder: Builder, argument: int, adjoint: int) -> int:
        """The upper right block of exp([[Aᵀ, G], [0, Aᵀ]]) for the adjoint G (Mathias 1996, theorem
        2.1).
        """
        turned = transposed(builder, argument)
        size = builder.shape(argument)[-1]
        whole = builder.matrix(self, blocks(builder, turned, adjoint))
        return builder.take(whole, places(builder.shape(whole))[..., :size, size:])


def _series(matrices: Floats) -> Floats:
    """Taylor's, by Horner's rule."""
    unit = np.broadcast_to(np.eye(matrices.shape[-1]), matrices.shape)
    result = unit
    for term in range(_TERMS, 0, -1):
        result = unit + np.matmul(matrices, result) / term
    return np.asarray(result)
