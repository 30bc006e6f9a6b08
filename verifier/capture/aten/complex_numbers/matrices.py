"""Functions of complex matrices: by elimination, in the order of torch's own pivots, or by the real
matrices that stand for them.
"""

from __future__ import annotations

from functools import reduce

import numpy as np
import torch
from torch.utils._python_dispatch import _disable_current_modes

from verifier.capture.aten.complex_numbers.elementary import direction, multiplied
from verifier.capture.aten.complex_numbers.pairs import ComplexPair, Number, pair_of, pair_rule


def as_real_matrix(self: ComplexPair) -> torch.Tensor:
    """The real matrix of twice the size that multiplies as this one: (A, -B; B, A)."""
    above, below = torch.cat([self.real, -self.imag], -1), torch.cat([self.imag, self.real], -1)
    return torch.cat([above, below], -2)


def of_real_matrix(whole: torch.Tensor) -> ComplexPair:
    """The complex matrix that such a real one stands for."""
    rows, columns = whole.shape[-2] // 2, whole.shape[-1] // 2
    left = whole[..., :columns]
    return ComplexPair(left[..., :rows, :], left[..., rows:, :])


@pair_rule("linalg_matrix_exp")
def exponential(self: ComplexPair) -> ComplexPair:
    """That of the real matrix of twice the size."""
    return of_real_matrix(torch.linalg.matrix_exp(as_real_matrix(self)))


@pair_rule("linalg_inv_ex")
def inverse(A: ComplexPair) -> tuple[ComplexPair, None]:  # noqa: N803
    """That of the real matrix of twice the size."""
    return of_real_matrix(torch.linalg.inv(as_real_matrix(A))), None


@pair_rule("linalg_lu_factor_ex")
def factors(A: ComplexPair) -> tuple[ComplexPair, None, None]:  # noqa: N803
    """L without its ones and U, in one matrix."""
    return _factors(A), None, None


@pair_rule("_linalg_solve_ex")
def solution(
    A: ComplexPair,  # noqa: N803
    B: Number,  # noqa: N803
    left: bool = True,
) -> tuple[ComplexPair, ComplexPair, None, None]:
    """The solutions of A X = B by elimination, with the pivots of the run, and the factors for the
    backward.
    """
    matrix, right = pair_of(A), pair_of(B)
    is_vector = right.real.ndim == 1 or right.shape == matrix.shape[:-1]
    right = right[..., None] if is_vector else right
    both = _factors(matrix)
    found = _solved(both, _places(_pivots(matrix)), right, left=left, adjoint=False)
    return found[..., 0] if is_vector else found, both, None, None


@pair_rule("linalg_lu_solve")
def solution_by_factors(
    LU: Number,  # noqa: N803
    pivots: torch.Tensor,
    B: Number,  # noqa: N803
    left: bool = True,
    adjoint: bool = False,
) -> ComplexPair:
    """The solutions from the triangular factors of A."""
    return _solved(pair_of(LU), _places(pivots), pair_of(B), left=left, adjoint=adjoint)


@pair_rule("_linalg_det")
def determinant(A: ComplexPair) -> tuple[ComplexPair, ComplexPair, None]:  # noqa: N803
    """The product of the pivots with the sign of their exchanges, and the factors for the
    backward.
    """
    both = _factors(A)
    return _signed_product(both, _pivots(A)), both, None


@pair_rule("_linalg_slogdet")
def logarithm_of_determinant(A: ComplexPair) -> tuple[ComplexPair, torch.Tensor, ComplexPair, None]:  # noqa: N803
    """The determinant's direction, the logarithm of its size, and the factors for the backward."""
    both = _factors(A)
    whole = _signed_product(both, _pivots(A))
    diagonal = both.each(lambda part: part.diagonal(dim1=-2, dim2=-1))
    return direction(whole), torch.log(abs(diagonal)).sum(-1), both, None


def _pivots(matrix: ComplexPair) -> torch.Tensor:
    """The rows that torch exchanges: what is done to find them is not recorded."""
    with _disable_current_modes():
        found: torch.Tensor = torch.linalg.lu_factor_ex(
            torch.complex(matrix.real, matrix.imag)
        ).pivots
    return found


def _places(pivots: torch.Tensor) -> torch.Tensor:
    """Where each row comes from, when those have been exchanged one after another."""
    with _disable_current_modes():
        rows = torch.arange(pivots.shape[-1]).expand(pivots.shape).clone()
        for step in range(pivots.shape[-1]):
            other = pivots[..., step, None].long() - 1
            own = rows[..., step, None].clone()
            rows[..., step, None] = rows.gather(-1, other)
            rows.scatter_(-1, other, own)
    return rows


def _rows_at(matrix: ComplexPair, places: torch.Tensor) -> ComplexPair:
    index = places[..., None].expand(matrix.shape)
    return matrix.each(lambda part: part.gather(-2, index))


def _factors(matrix: ComplexPair) -> ComplexPair:
    return _eliminated(_rows_at(matrix, _places(_pivots(matrix))))


def _eliminated(matrix: ComplexPair) -> ComplexPair:
    if matrix.shape[-1] == 1:
        return matrix
    top, column = matrix[..., :1, :], matrix[..., 1:, :1] / matrix[..., :1, :1]
    rest = _eliminated(matrix[..., 1:, 1:] - column * top[..., 1:])
    return _joined(top, _joined(column, rest, -1), -2)


def _joined(first: ComplexPair, second: ComplexPair, axis: int) -> ComplexPair:
    return ComplexPair(
        torch.cat([first.real, second.real], axis), torch.cat([first.imag, second.imag], axis)
    )


def _signed_product(both: ComplexPair, pivots: torch.Tensor) -> ComplexPair:
    diagonal = both.each(lambda part: part.diagonal(dim1=-2, dim2=-1))
    product: ComplexPair = reduce(multiplied, (diagonal[..., k] for k in range(diagonal.shape[-1])))
    with _disable_current_modes():
        exchanged = pivots != torch.arange(1, pivots.shape[-1] + 1)
        sign = 1.0 - 2.0 * (exchanged.sum(-1) % 2).to(both.real.dtype)
    return product * sign


def _solved(
    both: ComplexPair, places: torch.Tensor, right: ComplexPair, *, left: bool, adjoint: bool
) -> ComplexPair:
    """X of A X = B, or of A^H X = B; of X A = B, or X A^H = B, where A does not stand left."""
    if not left:
        turned = _adjoint(right)
        return _adjoint(_solved(both, places, turned, left=True, adjoint=not adjoint))
    batch = np.broadcast_shapes(tuple(both.shape[:-2]), tuple(right.shape[:-2]))
    right = right.each(lambda part: part.expand(*batch, *part.shape[-2:]))
    places = places.expand(*batch, places.shape[-1])
    if not adjoint:
        below = substituted(both, _rows_at(right, places), upper=False, unit=True)
        return substituted(both, below, upper=True, unit=False)
    turned = _adjoint(both)
    above = substituted(turned, right, upper=False, unit=False)
    return _rows_at(substituted(turned, above, upper=True, unit=True), places.argsort(-1))


def _adjoint(matrix: ComplexPair) -> ComplexPair:
    return ComplexPair(matrix.real.mT, -matrix.imag.mT)


def substituted(matrix: ComplexPair, right: ComplexPair, *, upper: bool, unit: bool) -> ComplexPair:
    """The solution for one triangle of a matrix, row by row; `unit` takes its diagonal for ones."""
    size = matrix.shape[-1]
    order = range(size - 1, -1, -1) if upper else range(size)
    rows: dict[int, ComplexPair] = {}
    for row in order:
        found = right[..., row : row + 1, :]
        for other, known in rows.items():
            found = found - known * matrix[..., row : row + 1, other : other + 1]
        rows[row] = found if unit else found / matrix[..., row : row + 1, row : row + 1]
    return reduce(lambda one, other: _joined(one, other, -2), (rows[row] for row in range(size)))
