"""Eigenvalues and vectors of matrices that need not be symmetric.

What torch states is where Newton's method begins. Each step doubles the digits that are right, of
the numbers and of their derivatives, so that a few steps are as exact as the arithmetic.
"""

from __future__ import annotations

import torch
from torch.utils._python_dispatch import _disable_current_modes

from verifier.capture.aten.complex_numbers.matrices import as_real_matrix
from verifier.capture.aten.complex_numbers.pairs import (
    ComplexPair,
    Number,
    pair_of,
    pair_of_tensor,
    pair_rule,
)

STEPS = 6
"""From half of float64's digits to more than balls ever have."""


@pair_rule("linalg_eig")
def eigenvalues_and_vectors(self: Number) -> tuple[ComplexPair, ComplexPair]:
    """The eigenvalues, and unit vectors as columns."""
    values, rows = _refined(self)
    return values, rows.each(lambda part: part.mT)


@pair_rule("_linalg_eigvals", "linalg_eigvals")
def eigenvalues(self: Number) -> ComplexPair:
    """The eigenvalues alone, in the order of the run."""
    return _refined(self)[0]


def _refined(self: Number) -> tuple[ComplexPair, ComplexPair]:
    """The eigenvalues, and the vectors as rows."""
    with _disable_current_modes():
        # Of a real matrix they come in another order.
        own = torch.complex(self.real, self.imag) if isinstance(self, ComplexPair) else self
        stated = torch.linalg.eig(own)
    return refined(pair_of(self), stated.eigenvalues, stated.eigenvectors)


def refined(
    matrix: ComplexPair, stated_values: torch.Tensor, stated_vectors: torch.Tensor
) -> tuple[ComplexPair, ComplexPair]:
    """The eigenvalues nearest to those that are stated, and the vectors, of length 1, as rows.

    Raises NotImplementedError for equal eigenvalues.
    """
    size = matrix.shape[-1]
    with _disable_current_modes():
        values = pair_of_tensor(stated_values + 0j)
        rows = pair_of_tensor(stated_vectors.mT.contiguous())
        # One component keeps its phase, the largest one.
        fixed = torch.zeros_like(rows.real).scatter_(-1, abs(rows).argmax(-1, keepdim=True), 1.0)
        phase = torch.cat([torch.zeros_like(fixed), fixed], -1)
        kept = (phase[..., size:] * rows.imag).sum(-1, keepdim=True)
        rounded = size * torch.linalg.vector_norm(abs(matrix), dim=(-2, -1), keepdim=True)
    # The kernel rounds as if all entries were of this size (G. H. Golub and C. F. Van Loan, Matrix
    # Computations, 7.5.6). Exactly it changes nothing.
    whole = (as_real_matrix(matrix) + rounded) - rounded
    vector = torch.cat([rows.real, rows.imag], -1)
    value = torch.stack([values.real, values.imag], -1)
    for _ in range(STEPS):
        system, off = _linearised(whole, vector, value, phase, kept)
        try:
            step = torch.linalg.solve(system, off[..., None])[..., 0]
        except RuntimeError:
            raise NotImplementedError("a matrix with equal eigenvalues") from None
        vector, value = vector - step[..., : 2 * size], value - step[..., 2 * size :]
    found = ComplexPair(value[..., 0], value[..., 1])
    return found, ComplexPair(vector[..., :size], vector[..., size:])


def _linearised(
    whole: torch.Tensor,
    vector: torch.Tensor,
    value: torch.Tensor,
    phase: torch.Tensor,
    kept: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """What should be 0 for each pair of a value and a vector, with its derivative: A v - value v,
    the square of the length less 1, and the change of the phase.
    """
    size = vector.shape[-1] // 2
    turned = torch.cat([vector[..., size:], -vector[..., :size]], -1)
    real, imag = value[..., :1], value[..., 1:]
    moved = (whole[..., None, :, :] @ vector[..., None])[..., 0]
    length = (vector * vector).sum(-1, keepdim=True)
    phase_off = (phase * vector).sum(-1, keepdim=True) - kept
    off = torch.cat([moved - real * vector + imag * turned, (length - 1.0) * 0.5, phase_off], -1)
    unit = torch.eye(size, dtype=vector.dtype)
    zero = torch.zeros_like(unit)
    quarter = torch.cat([torch.cat([zero, unit], -1), torch.cat([-unit, zero], -1)], -2)
    both = torch.eye(2 * size, dtype=vector.dtype)
    inner = whole[..., None, :, :] - real[..., None] * both + imag[..., None] * quarter
    above = torch.cat([inner, -vector[..., None], turned[..., None]], -1)
    below = torch.stack([vector, phase], -2)
    corner = torch.zeros_like(below[..., :2])
    return torch.cat([above, torch.cat([below, corner], -1)], -2), off
