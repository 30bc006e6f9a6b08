"""Operations on each element: arithmetic, functions, comparisons, choices."""

from __future__ import annotations

from typing import Any

import torch

from verifier.lowering import Cell, Lowering, Rule, rule

_ROWS = {
    "exp": "exp", "exp2": "exp2", "expm1": "expm1", "log": "log", "log1p": "log1p", "log2": "log2", "log10": "log10",
    "sqrt": "sqrt", "sin": "sin", "cos": "cos", "tan": "tan", "asin": "asin", "acos": "acos", "atan": "atan",
    "sinh": "sinh", "cosh": "cosh", "tanh": "tanh", "asinh": "asinh", "acosh": "acosh", "atanh": "atanh",
    "abs": "abs", "neg": "negative", "sign": "sign", "sgn": "sign", "floor": "floor", "ceil": "ceiling",
    "erf": "erf", "erfc": "erfc", "erfinv": "erfinv", "lgamma": "loggamma", "digamma": "digamma",
    "sigmoid": "sigmoid", "relu": "relu", "special_log_ndtr": "log_ndtr", "special_ndtr": "ndtr",
    "special_erfcx": "erfcx", "special_i0e": "i0e", "special_i1": "i1", "special_i1e": "i1e", "i0": "i0",
    "special_bessel_j0": "j0", "special_bessel_j1": "j1", "logical_not": "not", "bitwise_not": "not",
}  # fmt: skip
_PAIRS = {
    "maximum": "maximum", "minimum": "minimum", "fmax": "maximum", "fmin": "minimum", "atan2": "atan2",
    "hypot": "hypot", "logaddexp": "logaddexp", "xlogy": "xlogy", "lt": "less", "le": "less_equal",
    "gt": "greater", "ge": "greater_equal", "eq": "equal", "ne": "not_equal", "logical_and": "and", "logical_or": "or",
    "bitwise_and": "and", "bitwise_or": "or",
}  # fmt: skip


def _of_one(row: str) -> Rule:
    return lambda low, self: low.apply(row, low.lift(self))


def _of_two(row: str) -> Rule:
    return lambda low, self, other: low.apply(row, low.lift(self), low.lift(other))


for _name, _row in _ROWS.items():
    rule(_name)(_of_one(_row))
for _name, _row in _PAIRS.items():
    rule(_name)(_of_two(_row))


@rule("add")
def added(low: Lowering, self: Any, other: Any, alpha: float = 1) -> int:
    return low.apply("add", low.lift(self), _times(low, other, alpha))


@rule("sub")
def subtracted(low: Lowering, self: Any, other: Any, alpha: float = 1) -> int:
    return low.apply("subtract", low.lift(self), _times(low, other, alpha))


@rule("rsub")
def subtracted_from(low: Lowering, self: Any, other: Any, alpha: float = 1) -> int:
    return low.apply("subtract", low.lift(other), _times(low, self, alpha))


def _times(low: Lowering, value: Any, alpha: float) -> int:
    return low.lift(value) if alpha == 1 else low.apply("multiply", low.lift(value), float(alpha))


@rule("mul")
def multiplied(low: Lowering, self: Any, other: Any) -> int:
    return low.apply("multiply", low.lift(self), low.lift(other))


@rule("div", "true_divide", "divide")
def divided(low: Lowering, self: Any, other: Any, rounding_mode: str | None = None) -> int:
    quotient = low.apply("divide", low.lift(self), low.lift(other))
    if rounding_mode == "floor":
        return low.apply("floor", quotient)
    if rounding_mode == "trunc":
        return low.apply("multiply", low.apply("sign", quotient), low.apply("floor", low.apply("abs", quotient)))
    return quotient


@rule("reciprocal")
def reciprocal(low: Lowering, self: Cell) -> int:
    return low.apply("divide", low.lift(1.0), self.node)


@rule("rsqrt")
def reciprocal_root(low: Lowering, self: Cell) -> int:
    return low.apply("divide", low.lift(1.0), low.apply("sqrt", self.node))


@rule("square")
def squared(low: Lowering, self: Cell) -> int:
    return low.apply("square", self.node)


@rule("pow")
def power(low: Lowering, self: Any, exponent: Any) -> int:
    if isinstance(exponent, int | float):
        special = {2.0: "square", 0.5: "sqrt"}.get(float(exponent))
        if special:
            return low.apply(special, low.lift(self))
        if exponent == 1:
            return low.lift(self)
    return low.apply("power", low.lift(self), low.lift(exponent))


@rule("where")
def chosen(low: Lowering, condition: Any, self: Any, other: Any) -> int:
    return low.apply("where", low.lift(condition), low.lift(self), low.lift(other))


@rule("masked_fill")
def filled(low: Lowering, self: Any, mask: Any, value: Any) -> int:
    return low.apply("where", low.lift(mask), low.lift(value), low.lift(self))


@rule("clamp", "clip")
def clamped(low: Lowering, self: Cell, min: Any = None, max: Any = None) -> int:
    result = self.node
    if min is not None:
        result = low.apply("maximum", result, low.lift(min))
    if max is not None:
        result = low.apply("minimum", result, low.lift(max))
    return result


@rule("clamp_min")
def clamped_below(low: Lowering, self: Cell, min: Any) -> int:
    return low.apply("maximum", self.node, low.lift(min))


@rule("clamp_max")
def clamped_above(low: Lowering, self: Cell, max: Any) -> int:
    return low.apply("minimum", self.node, low.lift(max))


@rule("trunc", "fix")
def truncated(low: Lowering, self: Cell) -> int:
    return low.apply("multiply", low.apply("sign", self.node), low.apply("floor", low.apply("abs", self.node)))


@rule("frac")
def fraction(low: Lowering, self: Cell) -> int:
    return low.apply("subtract", self.node, truncated(low, self))


@rule("remainder")
def remainder(low: Lowering, self: Any, other: Any) -> int:
    return low.apply("remainder", low.lift(self), low.lift(other))


@rule("lerp")
def between(low: Lowering, self: Cell, end: Any, weight: Any) -> int:
    apart = low.apply("subtract", low.lift(end), self.node)
    return low.apply("add", self.node, low.apply("multiply", low.lift(weight), apart))


@rule("addcmul")
def plus_product(low: Lowering, self: Cell, tensor1: Any, tensor2: Any, value: float = 1) -> int:
    return low.apply(
        "add", self.node, _times(low, _cell_of(low.apply("multiply", low.lift(tensor1), low.lift(tensor2))), value)
    )


@rule("addcdiv")
def plus_quotient(low: Lowering, self: Cell, tensor1: Any, tensor2: Any, value: float = 1) -> int:
    return low.apply(
        "add", self.node, _times(low, _cell_of(low.apply("divide", low.lift(tensor1), low.lift(tensor2))), value)
    )


def _cell_of(node: int) -> Cell:
    return Cell(node, torch.empty(0))
