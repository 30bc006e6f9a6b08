"""Eigenvalues and singular values, with their vectors.

Exact values come from Arb's proved eigenvalues (Johansson, Computing eigenvalues and eigenvectors
in Arb, 2018; van der Hoeven and Mourrain, 2017). Gradients are those of Giles, An extended
collection of matrix derivative results (2008, sections 2.3.1 and 2.4), and of Walter and Lehmann,
Algorithmic differentiation of linear algebra functions (2010). The sign of a vector is not unique:
it is taken as it came out of the code.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from flint import acb_mat, arb, arb_mat

from verifier.program.builder import Builder
from verifier.program.matrices.function import Balls, Floats, MatrixFunction, Noise, norms
from verifier.program.matrices.nodes import (
    diagonal_matrix,
    differences,
    divided_columns,
    parts,
    product,
    scaled_columns,
    total,
    transposed,
    without_diagonal,
)
from verifier.program.program import FrozenArray, Shape

_NAN = arb("nan")
_SLIGHTLY_TURNED = 0.9
"""The cosine of an angle up to which a vector moves in proportion to the noise."""


@dataclass(frozen=True)
class Eigen(MatrixFunction):
    """The eigenvalues of symmetric matrices in rising order and, where they are wanted, behind them
    the vectors, which are the columns of a matrix.
    """

    like: FrozenArray | None
    """Vectors whose signs are meant; None where no vectors are wanted."""

    def shape(self, argument: Shape) -> Shape:
        """One axis behind the batch: the eigenvalues, then the vectors row by row where they are
        wanted.
        """
        *batch, size, _ = argument
        return (*batch, size if self.like is None else size + size * size)

    def balls(self, matrix: Balls, place: int) -> Balls:
        """Arb's proved eigenvalues of one symmetric matrix, and its vectors with the signs that the
        library chose.
        """
        values, vectors = eigen_balls(matrix)
        if self.like is None:
            return values
        signs = self.like.array.reshape(-1, *matrix.shape)[place]
        return np.concatenate([values, aligned_balls(vectors, signs).ravel()])

    def floats(self, matrices: Floats, noise: Noise) -> Floats:
        """NumPy's eigenvalues and vectors, moved by noise before and after; NaN for a vector that
        rounding turns far.
        """
        values, vectors = _eigen_floats(noise(matrices, norms(matrices)))
        values = noise(values, np.abs(values))
        if self.like is None:
            return values
        vectors = noise(_unless_turned(_aligned(vectors, self.like.array)), 1.0)
        return np.concatenate([values, vectors.reshape(*values.shape[:-1], -1)], axis=-1)

    def sizes(self, matrices: Floats) -> Floats:
        """The norm of the matrix for each eigenvalue, 1 for each entry of a unit vector."""
        *batch, size, _ = matrices.shape
        values = np.broadcast_to(norms(matrices)[..., 0], (*batch, size))
        if self.like is None:
            return values
        return np.concatenate([values, np.ones((*batch, size * size))], axis=-1)

    def adjoint(self, builder: Builder, argument: int, adjoint: int) -> int:
        """V (diag(dw) + (V^T dV) / (w_j - w_i)) V^T, as if the matrix moved in any way: of a matrix
        that stays symmetric it is the symmetric half.
        """
        *batch, size, _ = builder.shape(argument)
        whole = self if self.like is not None else self._with_vectors((*batch, size, size))
        values, vectors = parts(builder, builder.matrix(whole, argument), [(size,), (size, size)])
        if self.like is None:
            inner = diagonal_matrix(builder, adjoint)
        else:
            by_values, by_vectors = parts(builder, adjoint, [(size,), (size, size)])
            mixed = product(builder, transposed(builder, vectors), by_vectors)
            turned = builder.apply("divide", mixed, differences(builder, values))
            inner = total(
                builder, diagonal_matrix(builder, by_values), without_diagonal(builder, turned)
            )
        return product(builder, vectors, inner, transposed(builder, vectors))

    def _with_vectors(self, shape: Shape) -> Eigen:
        """Their signs drop out."""
        return replace(self, like=FrozenArray(np.ones(shape)))


@dataclass(frozen=True)
class Singular(MatrixFunction):
    """The singular values in falling order and, where they are wanted, in front of them the left
    vectors and behind them the right ones, which are columns: as many as there are values.
    """

    like: FrozenArray | None
    """Right vectors whose signs are meant; None where no vectors are wanted."""

    def shape(self, argument: Shape) -> Shape:
        """One axis behind the batch: left vectors, singular values, right vectors, or the values
        alone.
        """
        *batch, _, _ = argument
        return (*batch, sum(int(np.prod(shape)) for shape in self._shapes(argument)))

    def _shapes(self, argument: Shape) -> list[Shape]:
        rows, columns = argument[-2:]
        count = min(rows, columns)
        return [(count,)] if self.like is None else [(rows, count), (count,), (columns, count)]

    def balls(self, matrix: Balls, place: int) -> Balls:
        """The proved singular values of one matrix, and its vectors with the signs that the library
        chose.
        """
        left, values, right = singular_balls(matrix)
        if self.like is None:
            return values
        like = self.like.array.reshape(-1, *right.shape)[place]
        turn = _signs_of_balls(right, like)
        return np.concatenate([(left * turn).ravel(), values, (right * turn).ravel()])

    def floats(self, matrices: Floats, noise: Noise) -> Floats:
        """NumPy's singular values and vectors, moved by noise before and after; NaN for a vector
        that rounding turns far.
        """
        left, values, right = _singular_floats(noise(matrices, norms(matrices)))
        values = noise(values, np.abs(values))
        if self.like is None:
            return values
        turn = _signs(right, self.like.array)
        left = noise(_unless_turned(left * turn), 1.0)
        right = noise(_unless_turned(right * turn), 1.0)
        flat = (part.reshape(*values.shape[:-1], -1) for part in (left, values, right))
        return np.concatenate(list(flat), axis=-1)

    def sizes(self, matrices: Floats) -> Floats:
        """The norm of the matrix for each singular value, 1 for each entry of a unit vector."""
        shapes = self._shapes(matrices.shape)
        batch, size = matrices.shape[:-2], norms(matrices)[..., 0]
        filled = [
            np.broadcast_to(size if len(shape) == 1 else 1.0, (*batch, int(np.prod(shape))))
            for shape in shapes
        ]
        return np.concatenate(filled, axis=-1)

    def adjoint(self, builder: Builder, argument: int, adjoint: int) -> int:
        """The adjoint of the matrices. The adjoint of singular values alone needs vectors too,
        which another node gives.
        """
        shape = builder.shape(argument)
        whole = self if self.like is not None else self._with_vectors(shape)
        u, s, v = parts(builder, builder.matrix(whole, argument), whole._shapes(shape))
        if self.like is None:
            return product(builder, scaled_columns(builder, u, adjoint), transposed(builder, v))
        by_u, by_s, by_v = parts(builder, adjoint, self._shapes(shape))
        return _singular_adjoint(builder, (u, s, v), (by_u, by_s, by_v))

    def _with_vectors(self, argument: Shape) -> Singular:
        """Their signs drop out."""
        *batch, rows, columns = argument
        return replace(self, like=FrozenArray(np.ones((*batch, columns, min(rows, columns)))))


_Triple = tuple[int, int, int]


def _singular_adjoint(builder: Builder, factors: _Triple, by: _Triple) -> int:
    """U ((skew(U^T dU) / E) S + S (skew(V^T dV) / E) + diag(dS)) V^T, where E has s_j**2 - s_i**2,
    and what lies outside the spaces of U and V.
    """
    (u, s, v), (by_u, by_s, by_v) = factors, by
    count, turned = builder.shape(s)[-1], transposed(builder, v)
    apart = differences(builder, builder.apply("square", s))
    left = scaled_columns(builder, _skew_over(builder, u, by_u, apart), s)
    right = scaled_columns(builder, _skew_over(builder, v, by_v, apart), s)
    inner = total(
        builder,
        left,
        # S X of a skew X is the transpose of -X S, and X over E is symmetric.
        transposed(builder, right),
        diagonal_matrix(builder, by_s),
    )
    found = [product(builder, u, inner, turned)]
    if builder.shape(u)[-2] > count:
        outside = divided_columns(builder, _outside(builder, u, by_u), s)
        found.append(product(builder, outside, turned))
    if builder.shape(v)[-2] > count:
        outside = divided_columns(builder, _outside(builder, v, by_v), s)
        found.append(product(builder, u, transposed(builder, outside)))
    return total(builder, *found)


def _skew_over(builder: Builder, vectors: int, by: int, apart: int) -> int:
    """(V^T dV - dV^T V) / E, which is symmetric, with zeros on its diagonal."""
    mixed = product(builder, transposed(builder, vectors), by)
    skew = builder.apply("subtract", mixed, transposed(builder, mixed))
    return builder.apply("divide", skew, apart)


def _outside(builder: Builder, vectors: int, by: int) -> int:
    """What of a gradient lies outside the space of the vectors."""
    inside = product(builder, vectors, product(builder, transposed(builder, vectors), by))
    return builder.apply("subtract", by, inside)


def eigen_balls(matrix: Balls) -> tuple[Balls, Balls]:
    """The proved eigenvalues of a symmetric matrix, of which the lower triangle is read, in rising
    order, and unit vectors; NaN where they are not apart from others.
    """
    size = matrix.shape[0]
    symmetric = np.where(np.tri(size, dtype=bool), matrix, matrix.T)
    vectors = np.full((size, size), _NAN, dtype=object)
    if not all(entry.is_finite() for entry in symmetric.ravel()):
        return np.full(size, _NAN, dtype=object), vectors
    balls = acb_mat(arb_mat(symmetric.tolist()))
    try:
        found, right = balls.eig(right=True)
    except ValueError:
        return _by_circles(balls), vectors
    values = [value.real for value in found]
    order = sorted(range(size), key=lambda place: values[place].mid())
    for place, column in enumerate(order):
        vectors[:, place] = _unit([right[row, column] for row in range(size)])
    return _array([values[column] for column in order]), vectors


def _unit(vector: list[Any]) -> Balls:
    """A complex multiple of a real vector as the real one of length 1."""
    largest = max(vector, key=lambda entry: float(abs(entry).mid()))
    real = [(entry / largest).real for entry in vector]
    length = sum((entry * entry for entry in real), arb(0)).sqrt()
    return _array([entry / length for entry in real])


def _by_circles(matrix: acb_mat) -> Balls:
    """Eigenvalues that are not apart: each lies in a circle of Gershgorin's, or in the union of
    those that overlap, after a change to nearly diagonal form (Horn and Johnson, Matrix Analysis,
    section 6.1).
    """
    size = matrix.nrows()
    try:
        _, right = matrix.eig(right=True, algorithm="approx")
        turned = right.solve(matrix * right)
    except (ValueError, ZeroDivisionError):
        return np.full(size, _NAN, dtype=object)
    circles = []
    for row in range(size):
        others = sum((abs(turned[row, column]) for column in range(size) if column != row), arb(0))
        spread = (others + abs(turned[row, row].imag)).upper()
        circles.append(turned[row, row].real + arb(0, 1) * spread)
    return _hulls(sorted(circles, key=lambda circle: circle.mid()))


def _hulls(circles: list[Any]) -> Balls:
    """Each circle, or the union with its neighbours that it overlaps."""
    groups: list[list[Any]] = []
    for circle in circles:
        if groups and any(circle.overlaps(other) for other in groups[-1]):
            groups[-1].append(circle)
        else:
            groups.append([circle])
    found = []
    for group in groups:
        hull = group[0]
        for circle in group[1:]:
            hull = hull.union(circle)
        found.extend([hull] * len(group))
    return _array(found)


def singular_balls(matrix: Balls) -> tuple[Balls, Balls, Balls]:
    """Left vectors, proved singular values in falling order, right vectors, with any signs."""
    rows, columns = matrix.shape
    if rows < columns:
        right, values, left = singular_balls(matrix.T)
        return left, values, right
    whole = arb_mat(matrix.tolist()) if matrix.size else arb_mat(rows, columns)
    square = np.empty((columns, columns), dtype=object)
    square[...] = (whole.transpose() * whole).tolist()
    squares, right = eigen_balls(square)
    squares, right = squares[::-1], right[:, ::-1]
    values = _array([_root(number) for number in squares])
    image = np.empty((rows, columns), dtype=object)
    known = all(entry.is_finite() for entry in right.ravel())
    image[...] = (whole * arb_mat(right.tolist())).tolist() if known else _NAN
    return image / values, values, right


def _root(square: Any) -> Any:
    """Of a number that is not negative, whatever its ball says."""
    if square.is_finite() and not square > 0:
        upper = square.abs_upper().sqrt()
        return arb(0).union(upper)
    return square.sqrt()


def _array(entries: list[Any]) -> Balls:
    found = np.empty(len(entries), dtype=object)
    found[:] = entries
    return found


def _signs_of_balls(vectors: Balls, like: Floats) -> Floats:
    """For each column -1 where it points against what is meant."""
    middles = np.asarray(np.frompyfunc(lambda ball: float(ball.mid()), 1, 1)(vectors), dtype=float)
    found: Floats = _signs(middles, like)[0]
    return found


def aligned_balls(vectors: Balls, like: Floats) -> Balls:
    """The vectors (columns of balls), each with the sign of the one in `like` (floats of the same
    shape).
    """
    return np.asarray(vectors * _signs_of_balls(vectors, like))


def _signs(vectors: Floats, like: Floats) -> Floats:
    """For each column -1 where it points against what is meant, as a row."""
    with np.errstate(all="ignore"):
        dots = np.sum(vectors * like, axis=-2, keepdims=True)
    return np.where(dots < 0, -1.0, 1.0)


def _aligned(vectors: Floats, like: Floats) -> Floats:
    return vectors * _signs(vectors, like)


def _eigen_floats(matrices: Floats) -> tuple[Floats, Floats]:
    """NaN where a matrix is not finite."""
    size = matrices.shape[-1]
    lower = np.where(np.tri(size, dtype=bool), matrices, matrices.swapaxes(-1, -2))
    finite = _finite(lower)
    values, vectors = np.linalg.eigh(np.where(finite, lower, 0.0))
    return np.where(finite[..., 0], values, np.nan), np.where(finite, vectors, np.nan)


def _unless_turned(vectors: Floats) -> Floats:
    """NaN for a vector that rounding turns so far that a few replays do not show how far."""
    with np.errstate(all="ignore"):
        cosines = np.sum(vectors * vectors[:1], axis=-2, keepdims=True)
    turned = np.min(np.abs(cosines), axis=0, keepdims=True) < _SLIGHTLY_TURNED
    return np.where(turned, np.nan, vectors)


def _finite(matrices: Floats) -> Any:
    """Whether all entries of each matrix are, with two axes of length 1 for it."""
    return np.isfinite(matrices).all(axis=(-2, -1), keepdims=True)


def _singular_floats(matrices: Floats) -> tuple[Floats, Floats, Floats]:
    finite = _finite(matrices)
    left, values, right = np.linalg.svd(np.where(finite, matrices, 0.0), full_matrices=False)
    turned = right.swapaxes(-1, -2)
    found = (np.where(finite, left, np.nan), np.where(finite[..., 0], values, np.nan))
    return (*found, np.where(finite, turned, np.nan))
