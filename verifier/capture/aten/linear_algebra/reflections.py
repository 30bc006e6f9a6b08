"""What Householder's reflections give: QR factors, pseudo-inverses, least squares.

The reflections are written out in rows of the table (Golub and Van Loan, Matrix Computations,
4th ed., section 5.2). The signs of R's diagonal are the library's own, and taken as they came out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from verifier.capture.aten.linear_algebra.elimination import triangular
from verifier.capture.aten.linear_algebra.submatrices import ALL, FIRST, REST, at, transposed
from verifier.capture.lowering import Cell, Lowering, Operand, actual_of, plain, rule
from verifier.capture.to_numpy import to_numpy
from verifier.program.matrices.nearby import Nearby
from verifier.program.matrices.truncated_inverse import TruncatedInverse
from verifier.program.program import FrozenArray


@dataclass(frozen=True)
class _Reflection:
    """I - scale v v^T on the rows from `start` on."""

    start: int
    vector: int
    scale: int

    def applied(self, low: Lowering, node: int) -> int:
        """To the columns of a node that has all rows."""
        if self.start == 0:
            return self.inside(low, node)
        kept = at(low, node, slice(0, self.start), ALL)
        return low.joined(-2, kept, self.inside(low, at(low, node, slice(self.start, None), ALL)))

    def inside(self, low: Lowering, node: int) -> int:
        """To the columns of a node that has only the rows from `start` on."""
        inner = low.build.contract(transposed(low, self.vector), node)
        outer = low.build.contract(self.vector, low.apply("multiply", self.scale, inner))
        return low.apply("subtract", node, outer)


@dataclass(frozen=True)
class _Triangle:
    """The upper triangle that reflections leave of a matrix, and these in order."""

    node: int
    reflections: tuple[_Reflection, ...]

    def turned(self, low: Lowering, node: int) -> int:
        """Q times a node: all reflections, the last one first."""
        for reflection in reversed(self.reflections):
            node = reflection.applied(low, node)
        return node


def _signs(matrix: np.ndarray) -> np.ndarray:
    """The signs of the triangle's diagonal: those that a column's first entry does not have, since
    nothing cancels then; a last row stays as it is.
    """
    found = []
    for _ in range(min(matrix.shape[-2:])):
        head = matrix[..., 0, 0]
        sign = np.where(np.signbit(head) == (matrix.shape[-2] == 1), -1.0, 1.0)
        found.append(sign)
        matrix = _left(matrix, sign)
    return np.stack(found, axis=-1)


def _left(matrix: np.ndarray, sign: np.ndarray) -> np.ndarray:
    """What the reflection of the first column leaves below and behind."""
    vector = matrix[..., :1].copy()
    vector[..., 0, 0] -= sign * np.linalg.norm(vector[..., 0], axis=-1)
    with np.errstate(all="ignore"):
        scale = 2.0 / np.sum(vector * vector, axis=-2, keepdims=True)
        moved = matrix - scale * vector @ (vector.swapaxes(-1, -2) @ matrix)
    return np.asarray(moved[..., 1:, 1:])


def _triangle(low: Lowering, node: int, signs: np.ndarray, start: int = 0) -> _Triangle:
    """Of the rows and columns from `start` on, whose diagonal has these signs."""
    rows, columns = low.build.shape(node)[-2:]
    if rows == 1 or columns == 0:
        return _Triangle(node, ())
    head, reflection = _first(low, at(low, node, ALL, FIRST), signs[..., 0], start)
    below = low.build.expand(low.build.constant(0.0), (*low.build.shape(head)[:-2], rows - 1, 1))
    if columns == 1:
        return _Triangle(low.joined(-2, head, below), (reflection,))
    others = reflection.inside(low, at(low, node, ALL, REST))
    inner = _triangle(low, at(low, others, REST, ALL), signs[..., 1:], start + 1)
    top = low.joined(-1, head, at(low, others, FIRST, ALL))
    whole = low.joined(-2, top, low.joined(-1, below, inner.node))
    return _Triangle(whole, (reflection, *inner.reflections))


def _first(low: Lowering, column: int, sign: np.ndarray, start: int) -> tuple[int, _Reflection]:
    """What is left of a column, and the reflection that leaves it."""
    squares = low.build.sum(low.apply("square", column), (-2,))
    norm = low.build.reshape(low.apply("sqrt", squares), (*sign.shape, 1, 1))
    head = low.apply("multiply", norm, low.build.constant(sign[..., None, None]))
    apart = low.apply("subtract", at(low, column, FIRST, FIRST), head)
    one = low.build.expand(low.build.constant(1.0), low.build.shape(apart))
    vector = low.joined(-2, one, low.apply("divide", at(low, column, REST, FIRST), apart))
    scale = low.apply("negative", low.apply("divide", apart, head))
    return head, _Reflection(start, vector, scale)


@dataclass(frozen=True)
class _Factors:
    """Q and R, which has as many rows as Q has columns."""

    q: int
    r: int


def _factors(low: Lowering, matrix: Cell, count: int, diagonal: Operand = None) -> _Factors:
    """With so many columns of Q, and the signs of the diagonal of an R as it came out."""
    low.kept = False
    signs = _signs(plain(matrix.actual))
    triangle = _triangle(low, low.build.matrix(Nearby(), matrix.node), signs)
    *batch, rows, _ = low.build.shape(matrix.node)
    unit = low.build.constant(np.broadcast_to(np.eye(rows, count), (*batch, rows, count)))
    q, r = triangle.turned(low, unit), at(low, triangle.node, slice(0, count), ALL)
    if diagonal is None:
        return _Factors(q, r)
    turn = np.ones((*batch, count))
    turn[..., : signs.shape[-1]] = signs * np.where(np.signbit(diagonal), -1.0, 1.0)
    return _Factors(
        low.apply("multiply", q, low.build.constant(turn[..., None, :])),
        low.apply("multiply", r, low.build.constant(turn[..., :, None])),
    )


@rule("linalg_qr")
def orthogonal_and_triangular(
    low: Lowering,
    A: Cell,  # noqa: N803
    actual: Any,
    mode: str = "reduced",
) -> tuple[int | None, int]:
    """Both factors, with the signs that the library chose. Refuses a matrix that has lost its
    rank.
    """
    _refuse_lost_rank(A.actual)
    rows, columns = A.shape[-2:]
    count = rows if mode == "complete" else min(rows, columns)
    diagonal = np.diagonal(plain(actual[1]), axis1=-2, axis2=-1)
    found = _factors(low, A, count, diagonal)
    return (None if mode == "r" else found.q), found.r


def _refuse_lost_rank(matrix: torch.Tensor) -> None:
    """Raise NotImplementedError for a matrix that has not as many independent rows or columns as it
    has rows or columns: what is derived from its factors is not unique then.
    """
    full = min(matrix.shape[-2:])
    if (torch.linalg.matrix_rank(matrix.double()) < full).any():
        raise NotImplementedError("a matrix without full rank, whose factors are not unique")


@rule("linalg_householder_product")
def product_of_reflections(low: Lowering, input: Operand, tau: Operand) -> int:
    """The first columns of the product of Householder's reflections."""
    shape = tuple(actual_of(input).shape)
    unit = low.build.constant(np.broadcast_to(np.eye(*shape[-2:]), shape))
    return _Triangle(0, _reflections(low, input, tau)).turned(low, unit)


def _reflections(low: Lowering, vectors: Operand, scales: Operand) -> tuple[_Reflection, ...]:
    """Below the diagonal of a matrix stand the vectors, without their first entry, which is 1."""
    node, scale = low.lift(vectors), low.lift(scales)
    shape, count = low.build.shape(node), low.build.shape(scale)[-1]
    found = []
    for place in range(count):
        one = low.build.expand(low.build.constant(1.0), (*shape[:-2], 1, 1))
        below = at(low, node, slice(place + 1, None), slice(place, place + 1))
        vector = low.joined(-2, one, below) if place + 1 < shape[-2] else one
        factor = low.build.reshape(at(low, scale, slice(place, place + 1)), (*shape[:-2], 1, 1))
        found.append(_Reflection(place, vector, factor))
    return tuple(found)


@rule("ormqr")
def times_reflections(
    low: Lowering,
    self: Operand,
    input2: Operand,
    input3: Operand,
    left: bool = True,
    transpose: bool = False,
) -> int:
    """Q C, Q^T C, C Q or C Q^T, where Q is square."""
    found = _reflections(low, self, input2)
    node = low.lift(input3) if left else transposed(low, low.lift(input3))
    # C Q is the transpose of Q^T C^T.
    ordered = found[::-1] if transpose == left else found
    product = _Triangle(0, ordered).turned(low, node)
    return product if left else transposed(low, product)


def _pseudo_inverse(low: Lowering, matrix: Cell) -> int:
    """R^-1 Q^T of a matrix with independent columns, and of the transpose where it has more columns
    than rows.
    """
    _refuse_lost_rank(matrix.actual)
    rows, columns = matrix.shape[-2:]
    if rows < columns:
        turned = Cell(transposed(low, matrix.node), matrix.actual.mT)
        return transposed(low, _pseudo_inverse(low, turned))
    found = _factors(low, matrix, columns)
    return triangular(low, found.r, transposed(low, found.q), upper=True)


@rule("linalg_pinv")
def pseudo_inverse(low: Lowering, self: Cell, hermitian: bool = False, actual: Any = None) -> int:
    """A kernel for symmetric matrices reads one triangle, and its backward takes the matrix for
    symmetric: so half of each is read. What the run's tolerance cut off stays so.
    """
    matrix = self
    if hermitian:
        both = low.apply("add", self.node, transposed(low, self.node))
        matrix = Cell(low.apply("multiply", both, 0.5), self.actual)
    if actual_of(actual).numel() and not _keeps_rank(self.actual, actual):
        low.kept = False
        return _truncated(low, matrix, _ranks(self.actual, actual))
    # The kernel multiplies the factors of a singular value decomposition.
    return low.build.matrix(Nearby(), _pseudo_inverse(low, matrix))


def _keeps_rank(matrix: torch.Tensor, inverse: torch.Tensor) -> bool:
    """Whether nothing was cut off: the product of a matrix and its inverse is the unit matrix."""
    small = inverse @ matrix if matrix.shape[-2] >= matrix.shape[-1] else matrix @ inverse
    return bool(torch.allclose(small, torch.eye(small.shape[-1], dtype=small.dtype), atol=0.1))


def _truncated(low: Lowering, matrix: Cell, ranks: np.ndarray) -> int:
    function = TruncatedInverse(FrozenArray(ranks))
    if ranks.any():
        return low.build.matrix(function, matrix.node)
    return low.build.expand(low.build.constant(0.0), function.shape(matrix.shape))


def _ranks(matrix: torch.Tensor, inverse: torch.Tensor) -> np.ndarray:
    """How many singular values of each matrix the code took: the trace of a projector."""
    product = inverse.double() @ matrix.double()
    traces = product.diagonal(dim1=-2, dim2=-1).sum(-1)
    return to_numpy(traces.round().long())


@rule("linalg_lstsq")
def least_squares(
    low: Lowering, self: Cell, b: Operand, actual: Any
) -> tuple[int, int | None, None, None]:
    """The solution of least squares, or the shortest solution, and the squares that are left."""
    right, is_vector = low.lift(b), actual_of(b).ndim == self.actual.ndim - 1
    if is_vector:
        right = low.build.reshape(right, (*low.build.shape(right), 1))
    solution = low.build.contract(_pseudo_inverse(low, self), right)
    shape = tuple(actual[0].shape)
    residual = None
    if actual[1].numel():
        apart = low.apply("subtract", low.build.contract(self.node, solution), right)
        residual = low.build.sum(low.apply("square", apart), (-2,))
        residual = low.build.reshape(residual, tuple(actual[1].shape))
    return low.build.reshape(solution, shape), residual, None, None
