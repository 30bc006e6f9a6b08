"""Products of matrices and vectors."""

from __future__ import annotations

from typing import Any

from verifier.lowering import Cell, Lowering, rule


@rule("mm", "bmm")
def multiplied(low: Lowering, self: Cell, mat2: Cell) -> int:
    return low.build.contract(low.lift(self), low.lift(mat2))


def _scaled(low: Lowering, node: int, factor: Any) -> int:
    return node if factor == 1 else low.apply("multiply", node, float(factor))


@rule("addmm")
def affine(low: Lowering, self: Cell, mat1: Cell, mat2: Cell, beta: float = 1, alpha: float = 1) -> int:
    product = _scaled(low, low.build.contract(low.lift(mat1), low.lift(mat2)), alpha)
    return low.apply("add", _scaled(low, low.lift(self), beta), product)
