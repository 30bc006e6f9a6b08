"""Factors of complex matrices: eigenvalues of Hermitian ones, singular values, QR, Cholesky.

The phases of vectors are the library's own, and taken as they came out. torch states no gradient
that depends on them.
"""

from __future__ import annotations

from functools import reduce
from typing import Any

import torch
from torch.utils._python_dispatch import _disable_current_modes

from verifier.capture.aten.complex_numbers.eigenvalues import refined
from verifier.capture.aten.complex_numbers.matrices import substituted
from verifier.capture.aten.complex_numbers.pairs import ComplexPair, Number, pair_of, pair_rule


@pair_rule("_linalg_eigh")
def hermitian_eigenvalues(A: ComplexPair) -> tuple[torch.Tensor, ComplexPair]:  # noqa: N803
    """The kernel reads one triangle, but its backward takes the matrix for Hermitian: so half of
    each is read.
    """
    matrix = (A + _adjoint(A)) * 0.5
    with _disable_current_modes():
        stated = torch.linalg.eigh(_tensor(matrix))
    values, rows = refined(matrix, stated.eigenvalues, stated.eigenvectors)
    return values.real, rows.each(lambda part: part.mT)


@pair_rule("_linalg_svd")
def singular_values(
    A: ComplexPair,  # noqa: N803
    full_matrices: bool = False,
    compute_uv: bool = True,
) -> tuple[Any, torch.Tensor, Any]:
    """Left vectors, values, and the adjoint of the right vectors: from the eigenvalues of A^H A, or
    of A A^H where that is smaller.
    """
    rows, columns = A.shape[-2:]
    if compute_uv and full_matrices and rows != columns:
        raise NotImplementedError("all vectors of a complex matrix that is not square")
    if rows < columns:
        left, values, right = _factors(_adjoint(A))
        return right, values, _adjoint(left)
    left, values, right = _factors(A)
    return left, values, _adjoint(right)


def _factors(matrix: ComplexPair) -> tuple[ComplexPair, torch.Tensor, ComplexPair]:
    """U, S and V of a matrix with as many rows as columns at least."""
    with _disable_current_modes():
        _, stated, adjoint = torch.linalg.svd(_tensor(matrix), full_matrices=False)
    squares, found = refined(_product(_adjoint(matrix), matrix), stated**2, adjoint.mH)
    values, vectors = squares.real.sqrt(), found.each(lambda part: part.mT)
    image = _product(matrix, vectors)
    return image.each(lambda part: part / values[..., None, :]), values, vectors


@pair_rule("linalg_qr")
def orthogonal_and_triangular(A: ComplexPair, mode: str = "reduced") -> tuple[Any, Any]:  # noqa: N803
    """By Gram and Schmidt, with a real diagonal of R that has the signs of the run."""
    rows, columns = A.shape[-2:]
    if mode != "reduced" or rows < columns:
        raise NotImplementedError(f"mode {mode!r} of a complex {rows}x{columns} matrix")
    with _disable_current_modes():
        triangle = torch.linalg.qr(_tensor(A)).R
        signs = torch.where(triangle.diagonal(dim1=-2, dim2=-1).real < 0, -1.0, 1.0)
    done: list[ComplexPair] = []
    factors: list[ComplexPair] = []
    for place in range(columns):
        rest, column = A[..., place : place + 1], []
        for one in done:
            part = _product(_adjoint(one), rest)
            column.append(part)
            rest = rest - _product(one, part)
        size = rest.squared_size().sum(-2, keepdim=True).sqrt() * signs[..., place, None, None]
        column.append(ComplexPair(size, torch.zeros_like(size)))
        done.append(rest.each(lambda part, size=size: part / size))  # type: ignore[misc]
        missing = torch.zeros((*A.shape[:-2], columns - place - 1, 1), dtype=A.real.dtype)
        factors.append(_stacked([*column, ComplexPair(missing, missing)], -2))
    return _nearby(_stacked(done, -1)), _nearby(_stacked(factors, -1))


@pair_rule("linalg_cholesky_ex")
def triangular_root(self: ComplexPair, upper: bool = False) -> tuple[ComplexPair, None]:
    """L of A = L L^H, column by column; the kernel reads one triangle, and half of each is read."""
    rest, size = (self + _adjoint(self)) * 0.5, self.shape[-1]
    columns = []
    for place in range(size):
        root = rest.real[..., :1, :1].sqrt()
        column = rest[..., :1].each(lambda part, root=root: part / root)  # type: ignore[misc]
        above = torch.zeros((*self.shape[:-2], place, 1), dtype=root.dtype)
        columns.append(_stacked([ComplexPair(above, above), column], -2))
        below = column[..., 1:, :]
        rest = rest[..., 1:, 1:] - _product(below, _adjoint(below))
    found = _stacked(columns, -1)
    return _adjoint(found) if upper else found, None


@pair_rule("linalg_pinv")
def pseudo_inverse(self: ComplexPair, hermitian: bool = False) -> ComplexPair:
    """R^-1 Q^H of a matrix with independent columns, and of the adjoint where it has more columns
    than rows.
    """
    if hermitian:
        raise NotImplementedError("a complex matrix that is taken for Hermitian")
    rows, columns = self.shape[-2:]
    with _disable_current_modes():
        if (torch.linalg.matrix_rank(_tensor(self)) < min(rows, columns)).any():
            raise NotImplementedError("a complex matrix without full rank")
    if rows < columns:
        return _adjoint(pseudo_inverse(_adjoint(self)))
    orthogonal, triangle = orthogonal_and_triangular(self)
    return _nearby(substituted(triangle, _adjoint(orthogonal), upper=True, unit=False))


@pair_rule("linalg_solve_triangular")
def triangular_solution(
    self: Number,
    B: Number,  # noqa: N803
    upper: bool,
    left: bool = True,
    unitriangular: bool = False,
) -> ComplexPair:
    """Row by row."""
    triangle, right = pair_of(self), pair_of(B)
    if left:
        return substituted(triangle, right, upper=upper, unit=unitriangular)
    turned, sides = _adjoint(triangle), _adjoint(right)
    return _adjoint(substituted(turned, sides, upper=not upper, unit=unitriangular))


@pair_rule("cholesky_solve", "_cholesky_solve_helper")
def solution_by_root(
    self: Number,
    A: Number = None,  # noqa: N803
    input2: Number = None,
    upper: bool = False,
) -> ComplexPair:
    """The solution of L L^H X = B, or of U^H U X = B."""
    root = pair_of(input2 if A is None else A)
    lower = _adjoint(root) if upper else root
    first = substituted(lower, pair_of(self), upper=False, unit=False)
    return substituted(_adjoint(lower), first, upper=True, unit=False)


def _nearby(matrix: ComplexPair) -> ComplexPair:
    """The same, rounded as if each entry were as large as the whole matrix, once for each row or
    column: a library gets there by other steps, as many of which round so.
    """
    with _disable_current_modes():
        size = torch.linalg.vector_norm(abs(matrix), dim=(-2, -1), keepdim=True)
        size = size * max(matrix.shape[-2:])
    return matrix.each(lambda part: (part + size) - size)


def _tensor(matrix: ComplexPair) -> torch.Tensor:
    return torch.complex(matrix.real, matrix.imag)


def _adjoint(matrix: ComplexPair) -> ComplexPair:
    return matrix.conj().each(lambda part: part.mT)


def _product(one: ComplexPair, other: ComplexPair) -> ComplexPair:
    return ComplexPair(
        one.real @ other.real - one.imag @ other.imag, one.real @ other.imag + one.imag @ other.real
    )


def _stacked(parts: list[ComplexPair], axis: int) -> ComplexPair:
    """One behind another along an axis."""
    return reduce(
        lambda one, other: ComplexPair(
            torch.cat([one.real, other.real], axis), torch.cat([one.imag, other.imag], axis)
        ),
        parts,
    )
