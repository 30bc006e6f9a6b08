"""Eigenvalues, singular values, functions of matrices."""

from __future__ import annotations

from verifier.capture.lowering import Lowering, Rule, rule


def _refused(reason: str) -> Rule:
    def refuse(low: Lowering) -> int:
        raise NotImplementedError(reason)

    return refuse


rule("_linalg_svd", "_linalg_eigh", "linalg_eig", "_linalg_eigvals", "linalg_eigvals")(
    _refused("eigenvalues and singular values, which no finite elimination gives")
)
rule("linalg_matrix_exp")(
    _refused("the exponential of a matrix, whose series is the library's own")
)
