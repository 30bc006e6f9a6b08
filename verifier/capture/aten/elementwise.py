"""Operations on each element: arithmetic, functions, comparisons, choices."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np
import sympy
import torch

from verifier.capture.lowering import (
    Cell,
    Lowering,
    Operand,
    Rule,
    actual_of,
    in_16_bits,
    plain,
    rule,
)
from verifier.capture.to_numpy import to_numpy
from verifier.operations.elementary import exp2, log1p
from verifier.operations.formats import CODE_FORMATS
from verifier.operations.operation import Maximum, Where

_ROWS = {
    "exp": "exp", "exp2": "exp2", "expm1": "expm1", "log": "log", "log1p": "log1p", "log2": "log2",
    "log10": "log10", "sqrt": "sqrt", "sin": "sin", "cos": "cos", "tan": "tan", "asin": "asin",
    "acos": "acos", "atan": "atan", "sinh": "sinh", "cosh": "cosh", "tanh": "tanh",
    "asinh": "asinh", "acosh": "acosh", "atanh": "atanh", "abs": "abs", "neg": "negative",
    "_neg_view": "negative", "sign": "sign", "sgn": "sign", "floor": "floor", "ceil": "ceiling",
    "erf": "erf", "erfc": "erfc", "erfinv": "erfinv", "lgamma": "loggamma", "digamma": "digamma",
    "sigmoid": "sigmoid", "relu": "relu", "special_log_ndtr": "log_ndtr", "special_erfcx": "erfcx",
    "special_i1": "i1", "special_i1e": "i1e", "i0": "i0",
    "special_airy_ai": "airyai", "special_bessel_j0": "j0", "special_bessel_j1": "j1",
    "logical_not": "not", "bitwise_not": "not",
}  # fmt: skip
_PAIRS = {
    "maximum": "maximum", "minimum": "minimum", "fmax": "maximum", "fmin": "minimum",
    "atan2": "atan2", "hypot": "hypot", "igamma": "gammainc", "igammac": "gammaincc",
    "logaddexp": "logaddexp", "xlogy": "xlogy",
    "logical_and": "and", "logical_or": "or", "bitwise_and": "and", "bitwise_or": "or",
}  # fmt: skip


def number_node(low: Lowering, value: Operand) -> int:
    """The node of numbers; a condition counts as 1 or 0, as it does in torch's arithmetic."""
    return low.build.numbers(low.lift(value))


def _of_one(row: str) -> Rule:
    return lambda low, self: low.apply(row, low.lift(self))


def _of_two(row: str) -> Rule:
    return lambda low, self, other: low.apply(row, low.lift(self), low.lift(other))


for _name, _row in _ROWS.items():
    rule(_name)(_of_one(_row))
for _name, _row in _PAIRS.items():
    rule(_name)(_of_two(_row))


def _equality(row: str) -> Rule:
    """A number is compared with itself to find NaN, which the code's own test has decided."""

    def compared(low: Lowering, self: Operand, other: Operand, actual: Any) -> int:
        left, right = low.lift(self), low.lift(other)
        return low.build.constant(plain(actual)) if left == right else low.apply(row, left, right)

    return compared


def _order(row: str, of_truths: str, swapped: bool) -> Rule:
    """Truth values are compared by logic, False before True: they are never near each other."""

    def compared(low: Lowering, self: Operand, other: Operand) -> int:
        left, right = low.lift(self), low.lift(other)
        if not (low.build.is_truth(left) and low.build.is_truth(right)):
            return low.apply(row, left, right)
        before, behind = (right, left) if swapped else (left, right)
        return low.apply(of_truths, low.apply("not", before), behind)

    return compared


rule("lt")(_order("less", "and", swapped=False))
rule("le")(_order("less_equal", "or", swapped=False))
rule("gt")(_order("greater", "and", swapped=True))
rule("ge")(_order("greater_equal", "or", swapped=True))
rule("eq")(_equality("equal"))
rule("ne")(_equality("not_equal"))


@rule("add")
def added(low: Lowering, self: Operand, other: Operand, alpha: float = 1) -> int:
    """self + alpha other."""
    return low.apply("add", number_node(low, self), _times(low, number_node(low, other), alpha))


@rule("sub")
def subtracted(low: Lowering, self: Operand, other: Operand, alpha: float = 1) -> int:
    """self - alpha other."""
    return low.difference(number_node(low, self), _times(low, number_node(low, other), alpha))


@rule("rsub")
def subtracted_from(low: Lowering, self: Operand, other: Operand, alpha: float = 1) -> int:
    """other - alpha self."""
    return low.apply(
        "subtract", number_node(low, other), _times(low, number_node(low, self), alpha)
    )


def _times(low: Lowering, node: int, factor: float) -> int:
    return node if factor == 1 else low.apply("multiply", node, float(factor))


@rule("mul")
def multiplied(low: Lowering, self: Operand, other: Operand, actual: Any) -> int:
    """The product; of truth values the conjunction."""
    if actual.dtype == torch.bool:
        return low.apply("and", low.lift(self), low.lift(other))
    return low.apply("multiply", number_node(low, self), number_node(low, other))


@rule("div")
def divided(
    low: Lowering,
    self: Operand,
    other: Operand,
    actual: torch.Tensor,
    rounding_mode: str | None = None,
) -> int:
    """What is cut to a whole number is rounded to 16 bits before, if the result has as many."""
    if rounding_mode == "floor":
        return _floor_of_quotient(low, self, other)
    quotient = low.apply("divide", number_node(low, self), number_node(low, other))
    if rounding_mode is None:
        return quotient
    return _whole_part(low, low.narrowed(quotient, actual))


@rule("floor_divide")
def floor_divided(low: Lowering, self: Operand, other: Operand) -> int:
    """The largest whole number up to the quotient, as in Python."""
    return _floor_of_quotient(low, self, other)


def _floor_of_quotient(low: Lowering, self: Operand, other: Operand) -> int:
    """torch takes the remainder away before it divides, and puts right what is off by rounding."""
    with low.build.rounding(None):
        quotient = low.apply("divide", number_node(low, self), number_node(low, other))
    return low.apply("floor", quotient)


@rule("trunc")
def truncated(low: Lowering, self: Cell) -> int:
    """x without what stands behind its point: towards 0."""
    return _whole_part(low, self.node)


def _whole_part(low: Lowering, node: int) -> int:
    return low.apply(
        "where", low.apply("less", node, 0.0), low.apply("ceiling", node), low.apply("floor", node)
    )


@rule("frac")
def fraction(low: Lowering, self: Cell) -> int:
    """What stands behind the point, with the sign of x."""
    return low.apply("subtract", self.node, truncated(low, self))


@rule("round")
def rounded_to_decimals(low: Lowering, self: Cell, decimals: int = 0) -> int:
    """Halves go to the even neighbour.

    What the code found is known of the steps on the way: rounding decides beside halves.
    """
    up, down = ("multiply", "divide") if decimals >= 0 else ("divide", "multiply")
    scale = 10.0 ** abs(decimals)
    scaled = low.apply(up, self.node, scale) if decimals else self.node
    with low.build.rounding(None):
        above = low.apply("add", scaled, 0.5)
        nearest = low.apply("floor", above)
        below = low.apply("subtract", nearest, scaled)
    if not decimals:
        coded = plain(self.actual)
        is_half = coded - np.floor(coded) == 0.5
        low.actual[above] = np.where(is_half, np.floor(coded) + 1.0, np.rint(coded))
        low.actual[below] = low.actual[above] - coded
    with low.build.rounding(None):
        odd = low.apply("equal", low.apply("remainder", nearest, 2.0), 1.0)
    half = low.apply("equal", below, 0.5)
    even = low.apply(
        "where", low.apply("and", half, odd), low.apply("subtract", nearest, 1.0), nearest
    )
    return low.apply(down, even, scale) if decimals else even


@rule("remainder")
def remainder(low: Lowering, self: Operand, other: Operand) -> int:
    """What is left of a division, with the sign of the divisor, as in Python."""
    return low.apply("remainder", low.lift(self), low.lift(other))


@rule("fmod")
def remainder_of_its_sign(low: Lowering, self: Operand, other: Operand) -> int:
    """The remainder has the sign of what is divided."""
    dividend, divisor = low.lift(self), low.apply("abs", low.lift(other))
    below = low.apply("negative", low.apply("remainder", low.apply("negative", dividend), divisor))
    return low.apply(
        "where", low.apply("less", dividend, 0.0), below, low.apply("remainder", dividend, divisor)
    )


@rule("reciprocal")
def reciprocal(low: Lowering, self: Cell) -> int:
    """1 / x, rounded once."""
    return low.apply("divide", low.lift(1.0), self.node)


@rule("rsqrt")
def reciprocal_root(low: Lowering, self: Cell) -> int:
    """1 / sqrt(x), rounded twice as in the kernel."""
    return low.apply("divide", low.lift(1.0), low.apply("sqrt", self.node))


_POWERS: dict[float, Callable[[Lowering, int], int]] = {
    0.5: lambda low, x: low.apply("sqrt", x),
    1.0: lambda low, x: x,
    2.0: lambda low, x: low.apply("square", x),
    3.0: lambda low, x: low.apply("multiply", low.apply("square", x), x),
    -0.5: lambda low, x: low.apply("divide", 1.0, low.apply("sqrt", x)),
    -1.0: lambda low, x: low.apply("divide", 1.0, x),
    -2.0: lambda low, x: low.apply("divide", 1.0, low.apply("square", x)),
}
"""The exponents for which the kernel has code of its own (PowKernel.cpp)."""


@rule("pow")
def power(low: Lowering, self: Operand, exponent: Operand) -> int:
    """x to a power; powers for which the kernel has a case of its own are written as it computes
    them.
    """
    if isinstance(exponent, int | float):
        if exponent == 0:
            return low.build.expand(low.lift(1.0), self.shape)
        if exponent in _POWERS:
            return _POWERS[float(exponent)](low, low.lift(self))
    return low.apply("power", low.lift(self), low.lift(exponent))


@rule("ldexp")
def times_power_of_two(low: Lowering, self: Operand, other: Operand) -> int:
    """self 2^other."""
    return low.apply("multiply", low.lift(self), low.apply("power", 2.0, low.lift(other)))


@rule("frexp")
def mantissa(low: Lowering, self: Cell, actual: Any) -> tuple[int, None]:
    """The mantissa, with the exponent of the run as a constant; the exponent has no gradient."""
    scale = low.build.constant(np.exp2(plain(actual[1])))
    return low.apply("divide", self.node, scale), None


@rule("logaddexp2")
def log_of_powers_of_two(low: Lowering, self: Operand, other: Operand) -> int:
    """log2(2^a + 2^b), from the larger of the two, so that it does not overflow."""
    return low.formula(
        lambda a, b: Maximum(a, b) + log1p(exp2(-sympy.Abs(a - b))) / sympy.log(sympy.Integer(2)),
        self,
        other,
    )


@rule("sinc")
def sine_over_angle(low: Lowering, self: Cell) -> int:
    """sin(πx) / (πx), and 1 at 0."""
    return low.formula(
        lambda x: Where(sympy.Eq(x, 0), sympy.S.One, sympy.sin(math.pi * x) / (math.pi * x)), self
    )


@rule("special_xlog1py")
def times_log1p(low: Lowering, self: Operand, other: Operand) -> int:
    """0 where the first is 0, also where there is no logarithm."""
    return low.formula(
        lambda a, b: Where(sympy.And(sympy.Eq(a, 0), b <= -1), sympy.S.Zero, a * log1p(b)),
        self,
        other,
    )


@rule("special_entr")
def entropy(low: Lowering, self: Cell) -> int:
    """-x log(x), and 0 at 0. Below it is the logarithm of 0, which has no derivative."""
    inside = low.formula(lambda x: Where(x > 0, -x * sympy.log(x), sympy.S.Zero), self)
    nowhere = low.apply("log", low.apply("multiply", self.node, 0.0))
    return low.apply("where", low.apply("less", self.node, 0.0), nowhere, inside)


@rule("special_ndtri")
def normal_quantile(low: Lowering, self: Cell) -> int:
    """The inverse of the normal distribution's cumulative function, as sqrt(2) erfinv(2x - 1)."""
    return low.formula(lambda x: sympy.sqrt(sympy.Integer(2)) * sympy.erfinv(2 * x - 1), self)


@rule("special_i0e")
def scaled_bessel(low: Lowering, self: Cell, actual: torch.Tensor) -> int:
    """In 16 bits torch rounds each step of its series to them, except in whole vectors.

    Of all numbers of bfloat16 and float16 the worst result is off by 6.4 units of roundoff. The
    row's budget is 8 ulps: as many units of a format that has a bit more.
    """
    if not in_16_bits(actual):
        return low.apply("i0e", self.node)
    own = CODE_FORMATS[str(actual.dtype).removeprefix("torch.")]
    with low.build.rounding(replace(own, precision=own.precision + 1)):
        return low.apply("i0e", self.node)


@rule("polygamma")
def polygamma(low: Lowering, n: int, self: Cell, actual: torch.Tensor) -> int:
    """The derivative of that order of the digamma function; in 16 bits n! times a sum that is
    rounded to them.
    """
    if not n:
        return low.apply("digamma", self.node)
    node = low.apply("polygamma", float(n), self.node)
    if not in_16_bits(actual):
        return node
    with low.build.rounding(None):
        factorial = float(math.factorial(n))
        total = low.narrowed(low.apply("divide", node, factorial), actual)
        return low.apply("multiply", total, factorial)


@rule("special_zeta")
def hurwitz_zeta(low: Lowering, self: Operand, other: Operand) -> int:
    """The sum of (other + k)^-self over all k from 0 on."""
    return low.apply("zeta", low.lift(self), low.lift(other))


@rule("mvlgamma")
def log_gamma_of_many(low: Lowering, self: Cell, p: int) -> int:
    """The multivariate one of so many dimensions (DLMF 35.3.1)."""
    gammas = [low.apply("loggamma", low.apply("subtract", self.node, j / 2)) for j in range(p)]
    total = reduce(lambda a, b: low.apply("add", a, b), gammas)
    return low.apply("add", total, p * (p - 1) * math.log(math.pi) / 4)


@rule("deg2rad")
def radians(low: Lowering, self: Cell) -> int:
    """x times π / 180, where that constant is a float64 number."""
    return low.apply("multiply", self.node, math.pi / 180)


@rule("rad2deg")
def degrees(low: Lowering, self: Cell) -> int:
    """x times 180 / π, where that constant is a float64 number."""
    return low.apply("multiply", self.node, 180 / math.pi)


@rule("_standard_gamma_grad", "_dirichlet_grad")
def slope_of_what_was_drawn(low: Lowering, actual: torch.Tensor) -> int:
    """As torch states it: its kernels know it to some three digits."""
    low.kept = False
    return low.build.constant(plain(actual))


@rule("angle")
def angle(low: Lowering, self: Cell) -> int:
    """π for negative numbers, else 0."""
    return low.apply("where", low.apply("less", self.node, 0.0), low.build.apply("pi"), 0.0)


@rule("heaviside")
def step(low: Lowering, self: Operand, values: Operand) -> int:
    """0 below 0, 1 above, and what `values` say at 0."""
    node = low.lift(self)
    passed = low.apply("where", low.apply("greater", node, 0.0), 1.0, 0.0)
    return low.apply("where", low.apply("equal", node, 0.0), low.lift(values), passed)


@rule("signbit")
def is_negative(low: Lowering, self: Operand) -> int:
    """Whether it has a minus sign, which a zero may have as well."""
    actual = actual_of(self)
    if not isinstance(actual, torch.Tensor) or (actual == 0).any():
        low.kept = False
        return low.build.constant(to_numpy(torch.signbit(torch.as_tensor(actual))))
    return low.apply("less", low.lift(self), 0.0)


@rule("copysign")
def with_the_sign_of(low: Lowering, self: Operand, other: Operand) -> int:
    """The size of `self` with the sign of `other`; that of -0.0 counts."""
    size = low.apply("abs", low.lift(self))
    return low.apply("where", is_negative(low, other), low.apply("negative", size), size)


@rule("nextafter")
def next_float(low: Lowering, self: Operand, other: Operand, actual: torch.Tensor) -> int:
    """The number and the step to its neighbour, which is a constant; a number that is there stays,
    and moves neither.
    """
    node, number = low.lift(self), actual_of(self)
    step = low.build.constant(plain(actual) - plain(torch.as_tensor(number).expand(actual.shape)))
    low.kept = False
    moved = low.apply("add", node, step)
    there = low.build.constant(plain(torch.as_tensor(number == actual_of(other))))
    return low.apply("where", there, low.build.hold(node), moved)


@rule("isnan", "isinf", "isposinf", "isneginf")
def as_it_is(low: Lowering, actual: Any) -> int:
    """Every replay is of finite numbers; the code's own test decides, as for whole numbers."""
    return low.build.constant(plain(actual))


@rule("nan_to_num")
def without_nan(low: Lowering, self: Cell, actual: Any) -> int:
    """x, and what torch put there for NaN and infinities, as constants."""
    finite = torch.isfinite(self.actual)
    if finite.all():
        return self.node
    return low.apply(
        "where", low.build.constant(plain(finite)), self.node, low.build.constant(plain(actual))
    )


@rule("where")
def chosen(low: Lowering, condition: Operand, self: Operand, other: Operand) -> int:
    """`self` where the condition holds, else `other`."""
    return low.apply("where", low.lift(condition), number_node(low, self), number_node(low, other))


@rule("masked_fill")
def filled(low: Lowering, self: Operand, mask: Operand, value: Operand) -> int:
    """The value where the mask holds, else `self`."""
    return low.apply("where", low.lift(mask), low.lift(value), low.lift(self))


@rule("clamp")
def clamped(low: Lowering, self: Cell, min: Operand = None, max: Operand = None) -> int:
    """x, but at least `min` and at most `max`; where `min` is larger, `max`."""
    result = self.node
    if min is not None:
        result = low.apply("maximum", result, low.lift(min))
    if max is not None:
        result = low.apply("minimum", result, low.lift(max))
    return result


@rule("clamp_min")
def clamped_below(low: Lowering, self: Cell, min: Operand) -> int:
    """x, but at least `min`."""
    return low.apply("maximum", self.node, low.lift(min))


@rule("clamp_max")
def clamped_above(low: Lowering, self: Cell, max: Operand) -> int:
    """x, but at most `max`."""
    return low.apply("minimum", self.node, low.lift(max))


@rule("lerp")
def between(low: Lowering, self: Cell, end: Operand, weight: Operand) -> int:
    """self + weight (end - self)."""
    apart = low.apply("subtract", low.lift(end), self.node)
    return low.apply("add", self.node, low.apply("multiply", low.lift(weight), apart))


@rule("addcmul")
def plus_product(
    low: Lowering, self: Cell, tensor1: Operand, tensor2: Operand, value: float = 1
) -> int:
    """self + value tensor1 tensor2."""
    product = low.apply("multiply", low.lift(tensor1), low.lift(tensor2))
    return low.apply("add", self.node, _times(low, product, value))


@rule("addcdiv")
def plus_quotient(
    low: Lowering, self: Cell, tensor1: Operand, tensor2: Operand, value: float = 1
) -> int:
    """self + value tensor1 / tensor2."""
    quotient = low.apply("divide", low.lift(tensor1), low.lift(tensor2))
    return low.apply("add", self.node, _times(low, quotient, value))
