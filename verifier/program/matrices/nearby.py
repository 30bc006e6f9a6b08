"""A matrix nearby: the same one, as backward stable code sees it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from verifier.program.builder import Builder
from verifier.program.matrices.function import Balls, Floats, MatrixFunction, Noise, norms
from verifier.program.program import Shape


@dataclass(frozen=True)
class Nearby(MatrixFunction):
    """The matrix itself. Under rounding each entry moves by a rounding of the whole matrix: what a
    library computes by reflections is exact for such a matrix, so that zeros of the result may come
    out as small numbers (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., theorem
    19.4).
    """

    def shape(self, argument: Shape) -> Shape:
        """That of the matrices."""
        return argument

    def balls(self, matrix: Balls, place: int) -> Balls:
        """The matrix itself, since exact arithmetic rounds nothing."""
        return matrix

    def floats(self, matrices: Floats, noise: Noise) -> Floats:
        """The matrices moved by noise of the size of their norms."""
        return noise(matrices, norms(matrices))

    def sizes(self, matrices: Floats) -> Floats:
        """The norm of each matrix, for each of its entries."""
        return np.broadcast_to(norms(matrices), matrices.shape)

    def adjoint(self, builder: Builder, argument: int, adjoint: int) -> int:
        """The adjoint itself: the derivative of doing nothing."""
        return adjoint
