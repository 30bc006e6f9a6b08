"""Products of complex matrices, products along an axis, and norms."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import torch

from verifier.capture.aten.complex_numbers.elementary import multiplied
from verifier.capture.aten.complex_numbers.pairs import ComplexPair, Number, pair_of, pair_rule
from verifier.capture.lowering import AtenOperation, Dims

Product = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def bilinear(product: Product, left: Number, right: ComplexPair) -> ComplexPair:
    """A product of real arrays, of a real or complex array and a complex one."""
    if not isinstance(left, ComplexPair):
        return right.each(lambda part: product(left, part))
    return ComplexPair(
        product(left.real, right.real) - product(left.imag, right.imag),
        product(left.real, right.imag) + product(left.imag, right.real),
    )


@pair_rule("mm", "bmm", "mv", "dot", "linalg_cross", "ger")
def product(operation: AtenOperation, bound: dict[str, Any]) -> Number:
    """What is linear in both arguments, from the products of their real and imaginary parts."""
    first, second, *_ = (argument.name for argument in operation._schema.arguments)
    others = {name: value for name, value in bound.items() if name not in (first, second)}
    return bilinear(
        lambda left, right: operation(left, right, **others), bound[first], bound[second]
    )


@pair_rule("vdot")
def conjugated_product(self: Number, other: Number) -> Number:
    """The sum of the products of entries, the first of each conjugated."""
    left = self.conj() if isinstance(self, ComplexPair) else self
    return bilinear(torch.dot, left, other)


def _plus(product: Product) -> Callable[..., ComplexPair]:
    def with_sum(operation: AtenOperation, bound: dict[str, Any]) -> ComplexPair:
        own, first, second = (argument.name for argument in operation._schema.arguments[:3])
        alpha, beta = bound.get("alpha", 1), bound.get("beta", 1)
        found = bilinear(product, bound[first], bound[second])
        found = found if alpha == 1 else multiplied(found, alpha)
        start = pair_of(bound[own])
        return pair_of(found) + (start if beta == 1 else start * beta)

    return with_sum


pair_rule("addmm", "addmv", "baddbmm")(_plus(torch.matmul))
pair_rule("addr")(_plus(torch.outer))
pair_rule("addbmm")(_plus(lambda left, right: torch.bmm(left, right).sum(0)))


@pair_rule("prod")
def product_along(self: ComplexPair, dim: Dims = None, keepdim: bool = False) -> ComplexPair:
    """The product along an axis or of all entries, from the first to the last."""
    if dim is None:
        return reduce(multiplied, _slices(self.each(lambda part: part.reshape(-1)), 0))
    found: ComplexPair = reduce(multiplied, _slices(self, dim))
    return found.each(lambda part: part.unsqueeze(dim)) if keepdim else found


@pair_rule("cumprod")
def products_along(self: ComplexPair, dim: int) -> ComplexPair:
    """At each place along an axis the product up to there."""
    found: list[ComplexPair] = []
    for part in _slices(self, dim):
        found.append(found[-1] * part if found else part)
    return ComplexPair(
        torch.stack([part.real for part in found], dim),
        torch.stack([part.imag for part in found], dim),
    )


def _slices(whole: ComplexPair, dim: int) -> list[ComplexPair]:
    pairs = zip(whole.real.unbind(dim), whole.imag.unbind(dim), strict=True)
    return [ComplexPair(real, imag) for real, imag in pairs]


@pair_rule("linalg_vector_norm")
def norm(
    self: ComplexPair, ord: Number = 2, dim: Dims = None, keepdim: bool = False
) -> torch.Tensor:
    """The norm of the entries' lengths."""
    found: torch.Tensor = torch.linalg.vector_norm(abs(self), ord, dim, keepdim)
    return found


@pair_rule("norm")
def norm_of_all(
    self: ComplexPair, p: Number = 2, dim: Dims = None, keepdim: bool = False
) -> torch.Tensor:
    """The same under its older name; without an order it is 2."""
    return norm(self, 2 if p is None else p, dim, keepdim)


@pair_rule("var")
def variance(operation: AtenOperation, bound: dict[str, Any]) -> torch.Tensor:
    """The variance of the real parts and that of the imaginary ones, added."""
    others = {name: value for name, value in bound.items() if name != "self"}
    z = bound["self"]
    found: torch.Tensor = operation(z.real, **others) + operation(z.imag, **others)
    return found


@pair_rule("std")
def deviation(operation: AtenOperation, bound: dict[str, Any]) -> torch.Tensor:
    """The square root of that variance."""
    variances = getattr(torch.ops.aten.var, operation._overloadname)
    return torch.sqrt(variance(variances, bound))
