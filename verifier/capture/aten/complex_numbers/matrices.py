"""Functions of complex matrices, by those of the real matrices that stand for them."""

from __future__ import annotations

import torch

from verifier.capture.aten.complex_numbers.pairs import Pair, pair_rule


def as_real_matrix(self: Pair) -> torch.Tensor:
    """The real matrix of twice the size that multiplies as this one: (A, -B; B, A)."""
    above, below = torch.cat([self.real, -self.imag], -1), torch.cat([self.imag, self.real], -1)
    return torch.cat([above, below], -2)


def of_real_matrix(whole: torch.Tensor) -> Pair:
    """The complex matrix that such a real one stands for."""
    rows, columns = whole.shape[-2] // 2, whole.shape[-1] // 2
    left = whole[..., :columns]
    return Pair(left[..., :rows, :], left[..., rows:, :])


@pair_rule("linalg_matrix_exp")
def exponential(self: Pair) -> Pair:
    return of_real_matrix(torch.linalg.matrix_exp(as_real_matrix(self)))


@pair_rule("linalg_inv_ex")
def inverse(A: Pair) -> tuple[Pair, None]:  # noqa: N803
    return of_real_matrix(torch.linalg.inv(as_real_matrix(A))), None
