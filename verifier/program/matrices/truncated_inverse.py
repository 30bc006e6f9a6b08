"""The pseudo-inverse of matrices whose small singular values are cut off."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb, arb_mat

from verifier.program.builder import Builder
from verifier.program.matrices.function import Balls, Floats, MatrixFunction, Noise, exact, norms
from verifier.program.matrices.nodes import product, total, transposed
from verifier.program.program import FrozenArray, Shape

_STEPS = 80
"""Of Newton's iteration, which doubles its digits; a gap of one part in a million takes thirty."""


@dataclass(frozen=True)
class TruncatedInverse(MatrixFunction):
    """The pseudo-inverse of the largest singular values, so many of each matrix, and their vectors.

    Its gradient is that along matrices of the same rank (Golub and Pereyra, The differentiation of
    pseudo-inverses, SIAM Journal on Numerical Analysis 10, 1973, equation 4.12).
    """

    ranks: FrozenArray
    """Of each matrix of the batch (whole numbers, in its shape)."""

    def shape(self, argument: Shape) -> Shape:
        """That of the transposed matrices."""
        *batch, rows, columns = argument
        return (*batch, columns, rows)

    def balls(self, matrix: Balls, place: int) -> Balls:
        """By the projector onto the vectors of the largest singular values; NaN where they are not
        apart from the others.
        """
        rows, columns = matrix.shape
        if rows < columns:
            return self.balls(matrix.T, place).T
        found = np.full((columns, rows), arb("nan"), dtype=object)
        if not all(entry.is_finite() for entry in matrix.ravel()):
            return found
        whole = arb_mat(matrix.tolist())
        rank = int(self.ranks.array.reshape(-1)[place])
        border = _border(np.array(whole.mid().tolist(), dtype=np.float64), rank)
        inverse = _inverse_above(whole, border, rank)
        if inverse is not None:
            found[...] = inverse.tolist()
        return found

    def floats(self, matrices: Floats, noise: Noise) -> Floats:
        """By NumPy's singular values, moved by noise before and after."""
        finite = np.isfinite(matrices).all(axis=(-2, -1), keepdims=True)
        moved = noise(np.where(finite, matrices, 0.0), norms(matrices))
        left, values, right = np.linalg.svd(moved, full_matrices=False)
        kept = np.arange(values.shape[-1]) < self.ranks.array[..., None]
        with np.errstate(all="ignore"):
            scales = np.where(kept, 1.0 / values, 0.0)
        found = np.matmul(right.swapaxes(-1, -2) * scales[..., None, :], left.swapaxes(-1, -2))
        return np.where(finite, noise(found, norms(found)), np.nan)

    def sizes(self, matrices: Floats) -> Floats:
        """The norm of the inverse, for each entry."""
        result = self.floats(matrices, exact)
        return np.broadcast_to(norms(result), result.shape)

    def adjoint(self, builder: Builder, argument: int, adjoint: int) -> int:
        """-X^T G X^T + (1 - A X) G^T X X^T + X^T X G^T (1 - X A) for the inverse X of A."""
        inverse = builder.matrix(self, argument)
        turned, by_turned = transposed(builder, inverse), transposed(builder, adjoint)
        inside = product(builder, turned, adjoint, turned)
        left = product(builder, by_turned, inverse, turned)
        right = product(builder, turned, inverse, by_turned)
        outside = builder.apply("subtract", left, product(builder, argument, inverse, left))
        beyond = builder.apply("subtract", right, product(builder, right, inverse, argument))
        return total(builder, builder.apply("negative", inside), outside, beyond)


def _border(matrix: Floats, rank: int) -> float:
    """A number between the squares of the singular values that are kept and those that are not."""
    squares = np.linalg.svd(matrix, compute_uv=False) ** 2
    above = float(squares[rank - 1]) if rank else 4.0 * float(squares[0]) + 1.0
    below = float(squares[rank]) if rank < len(squares) else 0.0
    return (above + below) / 2


def _inverse_above(matrix: Any, border: float, rank: int) -> Any:
    """(M P + border (1 - P))^-1 P A^T, where M is A^T A, and P the projector onto the vectors whose
    eigenvalues of M are above the border; None where it cannot be proved.
    """
    turned, unit = matrix.transpose(), _unit(matrix.ncols())
    squares = turned * matrix
    sign = _sign(squares - unit * arb(border))
    if sign is None:
        return None
    above = (sign + unit) * arb(0.5)
    if not _is_only(above.trace(), rank):
        return None
    try:
        return (squares * above + (unit - above) * arb(border)).inv() * above * turned
    except ZeroDivisionError:
        return None


def _unit(size: int) -> Any:
    return arb_mat(
        size, size, [int(row == column) for row in range(size) for column in range(size)]
    )


def _is_only(ball: Any, number: int) -> bool:
    return bool(ball.contains(number) and ball.rad() < 0.5)


def _sign(matrix: Any) -> Any:
    """The sign function of a symmetric matrix; None where it cannot be proved.

    Newton's iteration keeps eigenvectors and signs (Higham, Functions of Matrices, 2008, section
    5.3). An eigenvalue s of what it reached is off its sign by at most |s² - 1|.
    """
    unit, found, best = _unit(matrix.nrows()), matrix * (1 / _norm(matrix)), math.inf
    for _ in range(_STEPS):
        try:
            found = (found + found.inv()) * arb(0.5)
        except ZeroDivisionError:
            return None
        off = _norm(found * found - unit)
        if not off.is_finite():
            return None
        if off < 1e-8 and not float(off) < best / 2:
            return found + _around(matrix.nrows(), off)
        best = float(off)
    return None


def _norm(matrix: Any) -> Any:
    """An upper bound of the Frobenius norm."""
    return sum((entry * entry for entry in matrix.entries()), arb(0)).abs_upper().sqrt()


def _around(size: int, radius: Any) -> Any:
    """Balls around 0 of that radius."""
    return arb_mat(size, size, [arb(0, radius.abs_upper())] * (size * size))
