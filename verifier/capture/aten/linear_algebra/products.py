"""Products of matrices and vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from verifier.capture.aten.normalisation import narrow
from verifier.capture.aten.reductions import summed
from verifier.capture.lowering import Cell, Lowering, actual_of, in_16_bits, rule
from verifier.program.builder import places


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
    low: Lowering,
    self: Any,
    batch1: Any,
    batch2: Any,
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
    low: Lowering, self: Any, mat: Any, vec: Any, beta: float = 1, alpha: float = 1
) -> int:
    return _plus(low, self, times_vector(low, mat, vec), beta, alpha)


@rule("addr")
def affine_outer(
    low: Lowering,
    self: Any,
    vec1: Any,
    vec2: Any,
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
