"""Products of matrices and vectors, and what elimination gives: inverses, solutions, determinants,
factors.

An elimination is written out in rows of the table, with the exchanges of rows that the code made.
It grows with the size of the matrix: it is for small ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from verifier.capture.aten.reductions import folded_over, summed
from verifier.capture.lowering import Cell, Lowering, Rule, actual_of, rule
from verifier.capture.to_numpy import to_numpy
from verifier.program.builder import places
from verifier.program.program import NOTHING


@rule("mm", "bmm")
def multiplied(low: Lowering, self: Any, mat2: Any) -> int:
    return low.build.contract(low.lift(self), low.lift(mat2))


def _shaped(low: Lowering, value: Any, *shape: int) -> int:
    count = actual_of(value).numel()
    return low.build.reshape(low.lift(value), tuple(count if size < 0 else size for size in shape))


@rule("mv")
def times_vector(low: Lowering, self: Any, vec: Any) -> int:
    product = low.build.contract(low.lift(self), _shaped(low, vec, -1, 1))
    return low.build.reshape(product, low.build.shape(product)[:1])


@rule("dot", "vdot")
def inner(low: Lowering, self: Any, other: Any = None, tensor: Any = None) -> int:
    other = tensor if other is None else other
    return low.build.reshape(
        low.build.contract(_shaped(low, self, 1, -1), _shaped(low, other, -1, 1)), ()
    )


def _scaled(low: Lowering, node: int, factor: Any) -> int:
    return node if factor == 1 else low.apply("multiply", node, float(factor))


def _plus(low: Lowering, self: Any, product: int, beta: float, alpha: float) -> int:
    """beta self + alpha product; with beta = 0 what is in `self` does not matter."""
    product = _scaled(low, product, alpha)
    return product if beta == 0 else low.apply("add", _scaled(low, low.lift(self), beta), product)


@rule("addmm")
def affine(
    low: Lowering, self: Any, mat1: Any, mat2: Any, beta: float = 1, alpha: float = 1
) -> int:
    return _plus(low, self, multiplied(low, mat1, mat2), beta, alpha)


@rule("baddbmm")
def affine_each(
    low: Lowering, self: Any, batch1: Any, batch2: Any, beta: float = 1, alpha: float = 1
) -> int:
    return _plus(low, self, multiplied(low, batch1, batch2), beta, alpha)


@rule("addbmm")
def affine_sum(
    low: Lowering, self: Any, batch1: Any, batch2: Any, beta: float = 1, alpha: float = 1
) -> int:
    return _plus(low, self, summed(low, multiplied(low, batch1, batch2), 0, False), beta, alpha)


@rule("addmv")
def affine_vector(
    low: Lowering, self: Any, mat: Any, vec: Any, beta: float = 1, alpha: float = 1
) -> int:
    return _plus(low, self, times_vector(low, mat, vec), beta, alpha)


@rule("addr")
def affine_outer(
    low: Lowering, self: Any, vec1: Any, vec2: Any, beta: float = 1, alpha: float = 1
) -> int:
    outer = low.apply("multiply", _shaped(low, vec1, -1, 1), _shaped(low, vec2, 1, -1))
    return _plus(low, self, outer, beta, alpha)


@rule("_trilinear")
def trilinear(
    low: Lowering,
    i1: Any,
    i2: Any,
    i3: Any,
    expand1: Any,
    expand2: Any,
    expand3: Any,
    sumdim: Any,
    actual: torch.Tensor,
) -> int:
    """Each product is a tensor of the result's own format."""

    def widened(value: Any, axes: Any) -> int:
        return _shaped(
            low, value, *np.expand_dims(np.empty(tuple(actual_of(value).shape)), tuple(axes)).shape
        )

    first = low.narrowed(low.apply("multiply", widened(i1, expand1), widened(i2, expand2)), actual)
    if not sumdim:
        return first
    return summed(
        low, low.narrowed(low.apply("multiply", first, widened(i3, expand3)), actual), sumdim, False
    )


def _at(low: Lowering, node: int, *key: Any) -> int:
    return low.build.take(node, places(low.build.shape(node))[(..., *key)])


def _transposed(low: Lowering, node: int) -> int:
    return low.build.take(node, places(low.build.shape(node)).swapaxes(-1, -2))


def _turned(low: Lowering, node: int, *axes: int) -> int:
    return low.build.take(node, np.flip(places(low.build.shape(node)), axes))


_FIRST, _REST, _ALL = slice(0, 1), slice(1, None), slice(None)


def _identity(low: Lowering, like: int) -> int:
    shape = low.build.shape(like)
    return low.build.constant(np.broadcast_to(np.eye(shape[-1]), shape))


def eliminated(low: Lowering, node: int) -> int:
    """The factors L and U of a matrix in one, without exchanges of rows; L's ones are not
    written.
    """
    rows, columns = low.build.shape(node)[-2:]
    if rows == 1:
        return node
    pivots = _at(low, node, _FIRST, _ALL)
    factors = low.apply("divide", _at(low, node, _REST, _FIRST), _at(low, node, _FIRST, _FIRST))
    if columns == 1:
        return low.joined(-2, pivots, factors)
    product = low.apply("multiply", factors, _at(low, pivots, _ALL, _REST))
    rest = low.apply("subtract", _at(low, node, _REST, _REST), product)
    return low.joined(-2, pivots, low.joined(-1, factors, eliminated(low, rest)))


def substituted(low: Lowering, matrix: int, right: int, unit: bool) -> int:
    """The solution of a lower triangular system, of several right sides; above the diagonal nothing
    is read.
    """
    head = _at(low, right, _FIRST, _ALL)
    head = head if unit else low.apply("divide", head, _at(low, matrix, _FIRST, _FIRST))
    if low.build.shape(matrix)[-1] == 1:
        return head
    known = low.apply("multiply", _at(low, matrix, _REST, _FIRST), head)
    rest = low.apply("subtract", _at(low, right, _REST, _ALL), known)
    return low.joined(-2, head, substituted(low, _at(low, matrix, _REST, _REST), rest, unit))


def triangular(low: Lowering, matrix: int, right: int, upper: bool, unit: bool = False) -> int:
    if not upper:
        return substituted(low, matrix, right, unit)
    return _turned(
        low, substituted(low, _turned(low, matrix, -1, -2), _turned(low, right, -2), unit), -2
    )


def _order(factors: torch.Tensor, pivots: torch.Tensor) -> Any:
    """The row of the matrix that stands in each row of L U, by the exchanges that were made."""
    exchanges, _, _ = torch.lu_unpack(factors, pivots, unpack_data=False)
    return to_numpy(exchanges.argmax(-2))


def _reordered(low: Lowering, node: int, order: Any) -> int:
    shape = low.build.shape(node)
    order = np.broadcast_to(order, (*shape[:-2], order.shape[-1]))
    return low.build.take(node, np.take_along_axis(places(shape), order[..., None], -2))


def _factored(low: Lowering, matrix: int, factors: torch.Tensor, pivots: torch.Tensor) -> int:
    low.kept = False
    return eliminated(low, _reordered(low, matrix, _order(factors, pivots)))


def _solution(low: Lowering, factors: int, order: Any, right: int, adjoint: bool) -> int:
    """Of A X = B, or of its transpose, by A's factors."""
    if not adjoint:
        half = triangular(low, factors, _reordered(low, right, order), upper=False, unit=True)
        return triangular(low, factors, half, upper=True)
    other = _transposed(low, factors)
    half = triangular(low, other, right, upper=False)
    return _reordered(low, triangular(low, other, half, upper=True, unit=True), order.argsort(-1))


def _stood_on_its_head(A: torch.Tensor, factors: torch.Tensor, pivots: torch.Tensor) -> bool:  # noqa: N803
    """Whether the code factored the transpose, as torch does where that lies better in memory."""
    exchanges, lower, upper = torch.lu_unpack(factors.double(), pivots)
    product, matrix = exchanges @ lower @ upper, A.double()
    return bool((product - matrix).abs().max() > (product - matrix.mT).abs().max())


def _own_factors(
    low: Lowering,
    A: Any,  # noqa: N803
    factors: torch.Tensor,
    pivots: torch.Tensor,
) -> tuple[int, bool]:
    transposed = _stood_on_its_head(actual_of(A), factors, pivots)
    node = low.lift(A)
    return _factored(
        low, _transposed(low, node) if transposed else node, factors, pivots
    ), transposed


@rule("_linalg_solve_ex")
def solved(low: Lowering, A: Any, B: Any, actual: Any, left: bool = True) -> tuple[int, int]:  # noqa: N803
    result, factors, pivots, _ = actual
    node, transposed = _own_factors(low, A, factors, pivots)
    right = low.lift(B)
    if actual_of(B).ndim == 1 or actual_of(B).shape == actual_of(A).shape[:-1]:
        right = low.build.reshape(right, (*low.build.shape(right), 1))
    right = right if left else _transposed(low, right)
    solution = _solution(low, node, _order(factors, pivots), right, transposed == left)
    solution = solution if left else _transposed(low, solution)
    return low.build.reshape(solution, tuple(result.shape)), node


@rule("linalg_lu_solve")
def solved_by_factors(
    low: Lowering,
    LU: Any,  # noqa: N803
    pivots: torch.Tensor,
    B: Any,  # noqa: N803
    left: bool = True,
    adjoint: bool = False,
) -> int:
    right = low.lift(B) if left else _transposed(low, low.lift(B))
    solution = _solution(low, low.lift(LU), _order(actual_of(LU), pivots), right, adjoint == left)
    return solution if left else _transposed(low, solution)


@rule("linalg_inv_ex")
def inverse(low: Lowering, A: Cell) -> int:  # noqa: N803
    factors, pivots = torch.linalg.lu_factor(A.actual)
    node = _factored(low, A.node, factors, pivots)
    return _solution(low, node, _order(factors, pivots), _identity(low, A.node), adjoint=False)


@rule("linalg_lu_factor_ex")
def factored(low: Lowering, A: Cell, actual: Any) -> int:  # noqa: N803
    return _factored(low, A.node, *actual[:2])


def _apart(low: Lowering, node: int, lower: torch.Tensor, upper: torch.Tensor) -> tuple[int, int]:
    """L, with its ones, and U out of both in one."""
    below = _part(low, node, lower, np.tri(lower.shape[-2], lower.shape[-1], -1))
    ones = low.build.constant(np.broadcast_to(np.eye(*lower.shape[-2:]), lower.shape))
    return low.apply("add", below, ones), _part(
        low, node, upper, 1 - np.tri(upper.shape[-2], upper.shape[-1], -1)
    )


def _part(low: Lowering, node: int, like: torch.Tensor, kept: Any) -> int:
    """A matrix's corner of that shape, as far as it is kept."""
    corner = places(low.build.shape(node))[..., : like.shape[-2], : like.shape[-1]]
    return low.build.take(node, np.where(kept == 1, corner, NOTHING))


@rule("linalg_lu")
def factored_apart(low: Lowering, A: Cell, actual: Any) -> tuple[int, int, int]:  # noqa: N803
    low.kept = False
    exchanges, lower, upper = actual
    node = eliminated(low, _reordered(low, A.node, to_numpy(exchanges.argmax(-2))))
    return low.lift(exchanges), *_apart(low, node, lower, upper)


@rule("lu_unpack")
def unpacked(low: Lowering, LU_data: Any, actual: Any) -> tuple[int | None, ...]:  # noqa: N803
    exchanges, lower, upper = actual
    if not lower.numel():
        return low.lift(exchanges), None, None
    return low.lift(exchanges), *_apart(low, low.lift(LU_data), lower, upper)


def _sign(factors: torch.Tensor, pivots: torch.Tensor) -> Any:
    """Whether the exchanges of rows are an odd number."""
    exchanges, _, _ = torch.lu_unpack(factors.double(), pivots, unpack_data=False)
    return to_numpy(torch.linalg.det(exchanges).round())


def _diagonal(low: Lowering, node: int) -> int:
    return low.build.take(node, np.diagonal(places(low.build.shape(node)), axis1=-2, axis2=-1))


@rule("_linalg_det")
def determinant(low: Lowering, A: Any, actual: Any) -> tuple[int, int]:  # noqa: N803
    _, factors, pivots = actual
    node, _ = _own_factors(low, A, factors, pivots)
    product = folded_over(low, _diagonal(low, node), -1, False, "multiply")
    return low.apply("multiply", product, low.build.constant(_sign(factors, pivots))), node


@rule("_linalg_slogdet")
def logarithm_of_determinant(low: Lowering, A: Any, actual: Any) -> tuple[int, int, int]:  # noqa: N803
    *_, factors, pivots = actual
    node, _ = _own_factors(low, A, factors, pivots)
    diagonal = _diagonal(low, node)
    signs = folded_over(low, low.apply("sign", diagonal), -1, False, "multiply")
    sizes = summed(low, low.apply("log", low.apply("abs", diagonal)), -1, False)
    return low.apply("multiply", signs, low.build.constant(_sign(factors, pivots))), sizes, node


def _rooted(low: Lowering, node: int) -> int:
    """The lower factor of a symmetric positive matrix."""
    root = low.apply("sqrt", _at(low, node, _FIRST, _FIRST))
    size = low.build.shape(node)[-1]
    if size == 1:
        return root
    column = low.apply("divide", _at(low, node, _REST, _FIRST), root)
    product = low.apply("multiply", column, _transposed(low, column))
    rest = _rooted(low, low.apply("subtract", _at(low, node, _REST, _REST), product))
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
    both = low.apply("add", self.node, _transposed(low, self.node))
    root = _rooted(low, low.apply("multiply", both, 0.5))
    return _transposed(low, root) if upper else root


@rule("linalg_solve_triangular")
def solved_triangle(
    low: Lowering,
    self: Any,
    B: Any,  # noqa: N803
    upper: bool,
    left: bool = True,
    unitriangular: bool = False,
) -> int:
    matrix, right = low.lift(self), low.lift(B)
    if left:
        return triangular(low, matrix, right, upper, unitriangular)
    matrix, right = _transposed(low, matrix), _transposed(low, right)
    return _transposed(low, triangular(low, matrix, right, not upper, unitriangular))


@rule("triangular_solve")
def solved_triangle_too(
    low: Lowering,
    self: Any,
    A: Any,  # noqa: N803
    upper: bool = True,
    transpose: bool = False,
    unitriangular: bool = False,
) -> tuple[int, int]:
    matrix = low.lift(A)
    turned = _transposed(low, matrix) if transpose else matrix
    return triangular(low, turned, low.lift(self), upper != transpose, unitriangular), matrix


def _solved_by_root(low: Lowering, root: int, right: int, upper: bool) -> int:
    lower = _transposed(low, root) if upper else root
    half = triangular(low, lower, right, upper=False)
    return triangular(low, _transposed(low, lower), half, upper=True)


@rule("cholesky_solve")
def solved_by_root(low: Lowering, self: Any, input2: Any, upper: bool = False) -> int:
    return _solved_by_root(low, low.lift(input2), low.lift(self), upper)


@rule("cholesky_inverse")
def inverse_by_root(low: Lowering, self: Cell, upper: bool = False) -> int:
    return _solved_by_root(low, self.node, _identity(low, self.node), upper)


def _refused(reason: str) -> Rule:
    def refuse(low: Lowering) -> int:
        raise NotImplementedError(reason)

    return refuse


rule("_linalg_svd", "_linalg_eigh", "linalg_eig", "_linalg_eigvals", "linalg_eigvals")(
    _refused("eigenvalues and singular values, which no finite elimination gives")
)
rule("linalg_qr", "geqrf", "linalg_householder_product", "ormqr", "linalg_lstsq")(
    _refused("reflections, whose signs are the library's own")
)
rule("linalg_matrix_exp")(
    _refused("the exponential of a matrix, whose series is the library's own")
)
rule("linalg_pinv", "linalg_ldl_factor_ex", "linalg_ldl_solve")(
    _refused("a rank that is decided by a tolerance")
)
