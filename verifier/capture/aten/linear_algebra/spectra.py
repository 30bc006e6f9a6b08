"""Eigenvalues of symmetric matrices, singular values, the exponential of a matrix.

The signs of vectors are the library's own, and taken as they came out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from verifier.capture.aten.linear_algebra.submatrices import transposed
from verifier.capture.aten.normalisation import narrow
from verifier.capture.lowering import Cell, Lowering, plain, rule
from verifier.program.matrices.exponential import Exponential
from verifier.program.matrices.nodes import parts
from verifier.program.matrices.spectra import Eigen, Singular
from verifier.program.program import FrozenArray


@rule("linalg_matrix_exp")
def exponential(low: Lowering, self: Cell) -> int:
    """Each product is rounded to the format of the matrix, also to one of 16 bits."""
    with narrow(low, self):
        return low.build.matrix(Exponential(), self.node)


@rule("_linalg_eigh")
def eigenvalues(
    low: Lowering,
    A: Cell,  # noqa: N803
    actual: Any,
    compute_v: bool = True,
) -> tuple[int, int | None]:
    """The kernel reads one triangle, but its backward takes the matrix for symmetric: so half of
    each is read.
    """
    _refuse_unsymmetric(A.actual)
    low.kept = False
    both = low.apply("add", A.node, transposed(low, A.node))
    node = low.apply("multiply", both, 0.5)
    if not compute_v:
        return low.build.matrix(Eigen(None), node), None
    size = A.shape[-1]
    found = low.build.matrix(Eigen(FrozenArray(plain(actual[1]))), node)
    values, vectors = parts(low.build, found, [(size,), (size, size)])
    return values, vectors


def _refuse_unsymmetric(matrix: torch.Tensor) -> None:
    if not torch.allclose(matrix, matrix.mT, rtol=1e-3, atol=1e-3):
        raise NotImplementedError(
            "a matrix that is not symmetric, since its backward takes it for symmetric"
        )


@rule("_linalg_svd")
def singular_values(
    low: Lowering,
    A: Cell,  # noqa: N803
    actual: Any,
    full_matrices: bool = False,
    compute_uv: bool = True,
) -> tuple[int | None, int, int | None]:
    """The singular values, and the vectors where they are asked for, with the signs of the run."""
    low.kept = False
    if not compute_uv:
        return None, low.build.matrix(Singular(None), A.node), None
    *_, rows, columns = A.shape
    count = min(rows, columns)
    right = plain(actual[2]).swapaxes(-1, -2)[..., :count]
    found = low.build.matrix(Singular(FrozenArray(right)), A.node)
    shapes = [(rows, count), (count,), (columns, count)]
    u, s, v = parts(low.build, found, shapes)
    if full_matrices:
        u, v = (_with_unknown_columns(low, node) for node in (u, v))
    return u, s, transposed(low, v)


def _with_unknown_columns(low: Lowering, node: int) -> int:
    """A matrix with as many columns as rows: the further vectors of an SVD are not unique, and
    whatever depends on them is undecided.
    """
    *batch, rows, columns = low.build.shape(node)
    if rows == columns:
        return node
    # No derivative of theirs is known either.
    total = low.build.reshape(low.build.sum(node, (-2, -1)), (*batch, 1, 1))
    nowhere = low.build.constant(np.full((*batch, rows, rows - columns), np.nan))
    return low.joined(-1, node, low.apply("multiply", nowhere, total))
