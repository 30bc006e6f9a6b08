"""Products of matrices and vectors."""

from __future__ import annotations

import numpy as np
import torch

from verifier.capture.aten.normalisation import narrow
from verifier.capture.aten.reductions import summed
from verifier.capture.lowering import Cell, Dims, Lowering, Operand, actual_of, in_16_bits, rule
from verifier.program.builder import places


@rule("mm", "bmm")
def multiplied(low: Lowering, self: Operand, mat2: Operand) -> int:
    """The product of matrices, in one contraction for a batch."""
    return low.build.contract(low.lift(self), low.lift(mat2))


def _shaped(low: Lowering, value: Operand, *shape: int) -> int:
    count = actual_of(value).numel()
    return low.build.reshape(low.lift(value), tuple(count if size < 0 else size for size in shape))


@rule("mv")
def times_vector(low: Lowering, self: Operand, vec: Operand) -> int:
    """The matrix times the vector as a column."""
    product = low.build.contract(low.lift(self), _shaped(low, vec, -1, 1))
    return low.build.reshape(product, low.build.shape(product)[:1])


@rule("dot", "vdot")
def inner(low: Lowering, self: Operand, other: Operand = None, tensor: Operand = None) -> int:
    """The sum of the products of entries; real vectors, so that `vdot` is the same."""
    other = tensor if other is None else other
    return low.build.reshape(
        low.build.contract(_shaped(low, self, 1, -1), _shaped(low, other, -1, 1)), ()
    )


def _scaled(low: Lowering, node: int, factor: Operand) -> int:
    return node if factor == 1 else low.apply("multiply", node, float(factor))


def _plus(low: Lowering, self: Operand, product: int, beta: float, alpha: float) -> int:
    """beta self + alpha product; with beta = 0 what is in `self` does not matter."""
    product = _scaled(low, product, alpha)
    return product if beta == 0 else low.apply("add", _scaled(low, low.lift(self), beta), product)


@rule("addmm")
def affine(
    low: Lowering, self: Operand, mat1: Operand, mat2: Operand, beta: float = 1, alpha: float = 1
) -> int:
    """beta self + alpha mat1 mat2."""
    return _plus(low, self, multiplied(low, mat1, mat2), beta, alpha)


@rule("baddbmm")
def affine_each(
    low: Lowering,
    self: Operand,
    batch1: Operand,
    batch2: Operand,
    beta: float = 1,
    alpha: float = 1,
) -> int:
    """beta self + alpha batch1 batch2, matrix by matrix."""
    return _plus(low, self, multiplied(low, batch1, batch2), beta, alpha)


@rule("addbmm")
def affine_sum(
    low: Lowering,
    self: Operand,
    batch1: Operand,
    batch2: Operand,
    actual: torch.Tensor,
    beta: float = 1,
    alpha: float = 1,
) -> int:
    """The kernel adds one product after another to the result, in the result's own format."""
    if not in_16_bits(actual):
        return _plus(low, self, summed(low, multiplied(low, batch1, batch2), 0, False), beta, alpha)
    products = multiplied(low, batch1, batch2)
    found, factor = low.build.expand(low.lift(self), tuple(actual.shape)), beta
    for place in range(low.build.shape(products)[0]):
        one = low.build.take(products, places(low.build.shape(products))[place])
        found = low.narrowed(_plus(low, Cell(found, actual), one, factor, alpha), actual)
        factor = 1.0
    return found


@rule("addmv")
def affine_vector(
    low: Lowering, self: Operand, mat: Operand, vec: Operand, beta: float = 1, alpha: float = 1
) -> int:
    """beta self + alpha mat vec."""
    return _plus(low, self, times_vector(low, mat, vec), beta, alpha)


@rule("addr")
def affine_outer(
    low: Lowering,
    self: Operand,
    vec1: Operand,
    vec2: Operand,
    actual: torch.Tensor,
    beta: float = 1,
    alpha: float = 1,
) -> int:
    """The kernel rounds each step to the result's own format."""
    with narrow(low, actual):
        outer = low.apply("multiply", _shaped(low, vec1, -1, 1), _shaped(low, vec2, 1, -1))
        return _plus(low, self, outer, beta, alpha)


@rule("_trilinear")
def trilinear(
    low: Lowering,
    i1: Operand,
    i2: Operand,
    i3: Operand,
    expand1: Operand,
    expand2: Operand,
    expand3: Operand,
    sumdim: Operand,
    actual: torch.Tensor,
) -> int:
    """Each product is a tensor of the result's own format."""

    def widened(value: Operand, axes: Dims) -> int:
        return _shaped(
            low, value, *np.expand_dims(np.empty(tuple(actual_of(value).shape)), tuple(axes)).shape
        )

    first = low.narrowed(low.apply("multiply", widened(i1, expand1), widened(i2, expand2)), actual)
    if not sumdim:
        return first
    return summed(
        low, low.narrowed(low.apply("multiply", first, widened(i3, expand3)), actual), sumdim, False
    )
