"""What elimination gives: inverses, solutions, determinants, triangular factors.

An elimination is written out in rows of the table, with the exchanges of rows that the code made.
It grows with the size of the matrix: it is for small ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from verifier.capture.aten.linear_algebra.submatrices import (
    ALL,
    FIRST,
    REST,
    at,
    diagonal,
    identity,
    transposed,
    turned,
)
from verifier.capture.aten.reductions import folded_over, summed
from verifier.capture.lowering import Cell, Dims, Lowering, Operand, actual_of, rule
from verifier.capture.to_numpy import to_numpy
from verifier.program.builder import places
from verifier.program.program import NOTHING


def eliminated(low: Lowering, node: int) -> int:
    """The factors L and U of a matrix in one, without exchanges of rows; L's ones are not
    written.
    """
    rows, columns = low.build.shape(node)[-2:]
    if rows == 1:
        return node
    pivots = at(low, node, FIRST, ALL)
    factors = low.apply("divide", at(low, node, REST, FIRST), at(low, node, FIRST, FIRST))
    if columns == 1:
        return low.joined(-2, pivots, factors)
    product = low.apply("multiply", factors, at(low, pivots, ALL, REST))
    rest = low.apply("subtract", at(low, node, REST, REST), product)
    return low.joined(-2, pivots, low.joined(-1, factors, eliminated(low, rest)))


def substituted(low: Lowering, matrix: int, right: int, unit: bool) -> int:
    """The solution of a lower triangular system, of several right sides; above the diagonal nothing
    is read.
    """
    head = at(low, right, FIRST, ALL)
    head = head if unit else low.apply("divide", head, at(low, matrix, FIRST, FIRST))
    if low.build.shape(matrix)[-1] == 1:
        return head
    known = low.apply("multiply", at(low, matrix, REST, FIRST), head)
    rest = low.apply("subtract", at(low, right, REST, ALL), known)
    return low.joined(-2, head, substituted(low, at(low, matrix, REST, REST), rest, unit))


def triangular(low: Lowering, matrix: int, right: int, upper: bool, unit: bool = False) -> int:
    """The solutions of triangular systems; upper ones are turned over, so that one substitution
    serves both.
    """
    if not upper:
        return substituted(low, matrix, right, unit)
    return turned(
        low, substituted(low, turned(low, matrix, -1, -2), turned(low, right, -2), unit), -2
    )


def _order(factors: torch.Tensor, pivots: torch.Tensor) -> Any:
    """The row of the matrix that stands in each row of L U, by the exchanges that were made."""
    exchanges, _, _ = torch.lu_unpack(factors, pivots, unpack_data=False)
    return to_numpy(exchanges.argmax(-2))


def _reordered(low: Lowering, node: int, order: Dims) -> int:
    shape = low.build.shape(node)
    order = np.broadcast_to(order, (*shape[:-2], order.shape[-1]))
    return low.build.take(node, np.take_along_axis(places(shape), order[..., None], -2))


def _factored(low: Lowering, matrix: int, factors: torch.Tensor, pivots: torch.Tensor) -> int:
    low.kept = False
    return eliminated(low, _reordered(low, matrix, _order(factors, pivots)))


def _solution(low: Lowering, factors: int, order: Dims, right: int, adjoint: bool) -> int:
    """Of A X = B, or of its transpose, by A's factors."""
    if not adjoint:
        half = triangular(low, factors, _reordered(low, right, order), upper=False, unit=True)
        return triangular(low, factors, half, upper=True)
    other = transposed(low, factors)
    half = triangular(low, other, right, upper=False)
    return _reordered(low, triangular(low, other, half, upper=True, unit=True), order.argsort(-1))


def _stood_on_its_head(A: torch.Tensor, factors: torch.Tensor, pivots: torch.Tensor) -> bool:  # noqa: N803
    """Whether the code factored the transpose, as torch does where that lies better in memory."""
    exchanges, lower, upper = torch.lu_unpack(factors.double(), pivots)
    product, matrix = exchanges @ lower @ upper, A.double()
    return bool((product - matrix).abs().max() > (product - matrix.mT).abs().max())


def _own_factors(
    low: Lowering,
    A: Operand,  # noqa: N803
    factors: torch.Tensor,
    pivots: torch.Tensor,
) -> tuple[int, bool]:
    is_turned = _stood_on_its_head(actual_of(A), factors, pivots)
    node = low.lift(A)
    return _factored(low, transposed(low, node) if is_turned else node, factors, pivots), is_turned


@rule("_linalg_solve_ex")
def solved(
    low: Lowering,
    A: Operand,  # noqa: N803
    B: Operand,  # noqa: N803
    actual: Operand,
    left: bool = True,
) -> tuple[int, int]:
    """The solutions of A X = B, or of X A = B, by the triangular factors with the pivots of the
    run.
    """
    result, factors, pivots, _ = actual
    node, is_turned = _own_factors(low, A, factors, pivots)
    right = low.lift(B)
    if actual_of(B).ndim == 1 or actual_of(B).shape == actual_of(A).shape[:-1]:
        right = low.build.reshape(right, (*low.build.shape(right), 1))
    right = right if left else transposed(low, right)
    solution = _solution(low, node, _order(factors, pivots), right, is_turned == left)
    solution = solution if left else transposed(low, solution)
    return low.build.reshape(solution, tuple(result.shape)), node


@rule("linalg_lu_solve")
def solved_by_factors(
    low: Lowering,
    LU: Operand,  # noqa: N803
    pivots: torch.Tensor,
    B: Operand,  # noqa: N803
    left: bool = True,
    adjoint: bool = False,
) -> int:
    """The solutions of A X = B, or of X A = B where `left` is false, from the factors of A."""
    right = low.lift(B) if left else transposed(low, low.lift(B))
    solution = _solution(low, low.lift(LU), _order(actual_of(LU), pivots), right, adjoint == left)
    return solution if left else transposed(low, solution)


@rule("linalg_inv_ex")
def inverse(low: Lowering, A: Cell) -> int:  # noqa: N803
    """The solution of A X = 1 by the factors with torch's own pivots."""
    factors, pivots = torch.linalg.lu_factor(A.actual)
    node = _factored(low, A.node, factors, pivots)
    return _solution(low, node, _order(factors, pivots), identity(low, A.node), adjoint=False)


@rule("linalg_lu_factor_ex")
def factored(low: Lowering, A: Cell, actual: Any) -> int:  # noqa: N803
    """Both triangular factors in one matrix, with the pivots of the run."""
    return _factored(low, A.node, *actual[:2])


def _apart(low: Lowering, node: int, lower: torch.Tensor, upper: torch.Tensor) -> tuple[int, int]:
    """L, with its ones, and U out of both in one."""
    below = _part(low, node, lower, np.tri(lower.shape[-2], lower.shape[-1], -1))
    ones = low.build.constant(np.broadcast_to(np.eye(*lower.shape[-2:]), lower.shape))
    return low.apply("add", below, ones), _part(
        low, node, upper, 1 - np.tri(upper.shape[-2], upper.shape[-1], -1)
    )


def _part(low: Lowering, node: int, like: torch.Tensor, kept: Operand) -> int:
    """A matrix's corner of that shape, as far as it is kept."""
    corner = places(low.build.shape(node))[..., : like.shape[-2], : like.shape[-1]]
    return low.build.take(node, np.where(kept == 1, corner, NOTHING))


@rule("linalg_lu")
def factored_apart(low: Lowering, A: Cell, actual: Any) -> tuple[int, int, int]:  # noqa: N803
    """The exchanges of the run as constants, and both triangular factors."""
    low.kept = False
    exchanges, lower, upper = actual
    node = eliminated(low, _reordered(low, A.node, to_numpy(exchanges.argmax(-2))))
    return low.lift(exchanges), *_apart(low, node, lower, upper)


@rule("lu_unpack")
def unpacked(low: Lowering, LU_data: Operand, actual: Any) -> tuple[int | None, ...]:  # noqa: N803
    """The exchanges of the run as constants, and both triangular factors where they are asked
    for.
    """
    exchanges, lower, upper = actual
    if not lower.numel():
        return low.lift(exchanges), None, None
    return low.lift(exchanges), *_apart(low, low.lift(LU_data), lower, upper)


def _sign(factors: torch.Tensor, pivots: torch.Tensor) -> Any:
    """Whether the exchanges of rows are an odd number."""
    exchanges, _, _ = torch.lu_unpack(factors.double(), pivots, unpack_data=False)
    return to_numpy(torch.linalg.det(exchanges).round())


@rule("_linalg_det")
def determinant(low: Lowering, A: Operand, actual: Any) -> tuple[int, int]:  # noqa: N803
    """The product of the pivots, with the sign of the exchanges; and the factors, for the
    backward.
    """
    _, factors, pivots = actual
    node, _ = _own_factors(low, A, factors, pivots)
    product = folded_over(low, diagonal(low, node), -1, False, "multiply")
    return low.apply("multiply", product, low.build.constant(_sign(factors, pivots))), node


@rule("_linalg_slogdet")
def logarithm_of_determinant(low: Lowering, A: Operand, actual: Any) -> tuple[int, int, int]:  # noqa: N803
    """The sign, the sum of the logarithms of the pivots' sizes, and the factors for the
    backward.
    """
    *_, factors, pivots = actual
    node, _ = _own_factors(low, A, factors, pivots)
    pivoted = diagonal(low, node)
    signs = folded_over(low, low.apply("sign", pivoted), -1, False, "multiply")
    sizes = summed(low, low.apply("log", low.apply("abs", pivoted)), -1, False)
    return low.apply("multiply", signs, low.build.constant(_sign(factors, pivots))), sizes, node


def _rooted(low: Lowering, node: int) -> int:
    """The lower factor of a symmetric positive matrix."""
    root = low.apply("sqrt", at(low, node, FIRST, FIRST))
    size = low.build.shape(node)[-1]
    if size == 1:
        return root
    column = low.apply("divide", at(low, node, REST, FIRST), root)
    product = low.apply("multiply", column, transposed(low, column))
    rest = _rooted(low, low.apply("subtract", at(low, node, REST, REST), product))
    nothing = low.build.expand(low.build.constant(0.0), (*low.build.shape(rest)[:-2], 1, size - 1))
    return low.joined(-1, low.joined(-2, root, column), low.joined(-2, nothing, rest))


@rule("linalg_cholesky_ex", "cholesky")
def root_of_matrix(low: Lowering, self: Cell, upper: bool = False) -> int:
    """The kernel reads one triangle, but its backward takes the matrix for symmetric: so half of
    each is read.
    """
    if not torch.allclose(self.actual, self.actual.mT, rtol=1e-3, atol=1e-3):
        raise NotImplementedError(
            "a matrix that is not symmetric, since its backward takes it for symmetric"
        )
    both = low.apply("add", self.node, transposed(low, self.node))
    root = _rooted(low, low.apply("multiply", both, 0.5))
    return transposed(low, root) if upper else root


@rule("linalg_solve_triangular")
def solved_triangle(
    low: Lowering,
    self: Operand,
    B: Operand,  # noqa: N803
    upper: bool,
    left: bool = True,
    unitriangular: bool = False,
) -> int:
    """The solutions of a triangular system, with the matrix on the left or on the right."""
    matrix, right = low.lift(self), low.lift(B)
    if left:
        return triangular(low, matrix, right, upper, unitriangular)
    matrix, right = transposed(low, matrix), transposed(low, right)
    return transposed(low, triangular(low, matrix, right, not upper, unitriangular))


@rule("triangular_solve")
def solved_triangle_too(
    low: Lowering,
    self: Operand,
    A: Operand,  # noqa: N803
    upper: bool = True,
    transpose: bool = False,
    unitriangular: bool = False,
) -> tuple[int, int]:
    """The same under its older name, which gives the matrix back as well."""
    matrix = low.lift(A)
    matrix_ = transposed(low, matrix) if transpose else matrix
    return triangular(low, matrix_, low.lift(self), upper != transpose, unitriangular), matrix


def _solved_by_root(low: Lowering, root: int, right: int, upper: bool) -> int:
    lower = transposed(low, root) if upper else root
    half = triangular(low, lower, right, upper=False)
    return triangular(low, transposed(low, lower), half, upper=True)


@rule("cholesky_solve")
def solved_by_root(low: Lowering, self: Operand, input2: Operand, upper: bool = False) -> int:
    """The solutions by a Cholesky factor: two triangular systems."""
    return _solved_by_root(low, low.lift(input2), low.lift(self), upper)


@rule("cholesky_inverse")
def inverse_by_root(low: Lowering, self: Cell, upper: bool = False) -> int:
    """The inverse from a Cholesky factor: the solution for the unit matrix."""
    return _solved_by_root(low, self.node, identity(low, self.node), upper)
