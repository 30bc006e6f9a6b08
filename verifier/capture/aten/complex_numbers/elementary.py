"""Arithmetic and elementary functions of complex numbers.

The functions with a branch cut are written in `atan2`, whose own cut is theirs.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from verifier.capture.aten.complex_numbers.pairs import ComplexPair, Number, pair_of, pair_rule

MOST_FACTORS = 16
"""Whole powers up to this one are products."""


@pair_rule("add")
def added(self: Number, other: Number, alpha: Number = 1) -> ComplexPair:
    """self + alpha other."""
    found: ComplexPair = pair_of(self) + _scaled(other, alpha)
    return found


@pair_rule("sub")
def subtracted(self: Number, other: Number, alpha: Number = 1) -> ComplexPair:
    """self - alpha other."""
    found: ComplexPair = pair_of(self) - _scaled(other, alpha)
    return found


@pair_rule("rsub")
def subtracted_from(self: Number, other: Number, alpha: Number = 1) -> ComplexPair:
    """other - alpha self."""
    return subtracted(pair_like(other, self), self, alpha)


def _scaled(value: Number, factor: Number) -> Number:
    return value if factor == 1 else multiplied(pair_like(value, factor), factor)


def pair_like(value: Number, like: Number) -> ComplexPair:
    """A number or a tensor as a pair; a number as a tensor like the one beside it."""
    if isinstance(value, ComplexPair | torch.Tensor):
        return pair_of(value)
    own = pair_of(like).real if isinstance(like, ComplexPair | torch.Tensor) else torch.zeros(())
    number = complex(value)
    return ComplexPair(torch.full_like(own, number.real), torch.full_like(own, number.imag))


@pair_rule("mul")
def multiplied(self: Number, other: Number) -> ComplexPair:
    """(a + ib)(c + id) by four products of real numbers, by two where one factor is real."""
    if not isinstance(self, ComplexPair):
        self, other = other, self
    found: ComplexPair = pair_like(self, other) * other
    return found


@pair_rule("div", "true_divide")
def divided(self: Number, other: Number) -> ComplexPair:
    """The product with the conjugate, divided by the squared size."""
    found: ComplexPair = pair_like(self, other) / other
    return found


@pair_rule("reciprocal")
def reciprocal(self: ComplexPair) -> ComplexPair:
    """The conjugate divided by the squared size."""
    size = self.squared_size()
    return ComplexPair(self.real / size, -self.imag / size)


@pair_rule("addcmul")
def plus_product(self: Number, tensor1: Number, tensor2: Number, value: Number = 1) -> ComplexPair:
    """self + value tensor1 tensor2."""
    return added(self, multiplied(tensor1, tensor2), value)


@pair_rule("addcdiv")
def plus_quotient(self: Number, tensor1: Number, tensor2: Number, value: Number = 1) -> ComplexPair:
    """self + value tensor1 / tensor2."""
    return added(self, divided(tensor1, tensor2), value)


@pair_rule("lerp")
def between(self: Number, end: Number, weight: Number) -> ComplexPair:
    """self + weight (end - self)."""
    return added(self, multiplied(subtracted(end, self), weight))


@pair_rule("square")
def square(self: ComplexPair) -> ComplexPair:
    """The number times itself; no conjugate is taken."""
    return self * self


@pair_rule("abs")
def size(self: ComplexPair) -> torch.Tensor:
    """The real length of the number."""
    return abs(self)


@pair_rule("angle")
def angle(self: ComplexPair) -> torch.Tensor:
    """The real angle from -π to π, whose cut lies along negative numbers."""
    return self.angle()


@pair_rule("sgn")
def direction(self: ComplexPair) -> ComplexPair:
    """z/|z|, and 0 at 0."""
    length = abs(self)
    nowhere = length == 0
    return self.each(lambda part: torch.where(nowhere, 0.0, part / length))


@pair_rule("exp")
def exponential(self: ComplexPair) -> ComplexPair:
    """exp(x) (cos y + i sin y)."""
    return of_polar(torch.exp(self.real), self.imag)


def of_polar(length: torch.Tensor, angle: torch.Tensor) -> ComplexPair:
    """length (cos angle + i sin angle)."""
    return ComplexPair(length * torch.cos(angle), length * torch.sin(angle))


@pair_rule("exp2")
def power_of_two(self: ComplexPair) -> ComplexPair:
    """exp(z log 2)."""
    return exponential(self * _logarithm_of(2.0, self.real))


@pair_rule("expm1")
def exponential_minus_one(self: ComplexPair) -> ComplexPair:
    """exp(z) - 1 without cancelling where z is small."""
    half = torch.sin(self.imag * 0.5)
    real = torch.expm1(self.real) * torch.cos(self.imag) - 2.0 * half * half
    return ComplexPair(real, torch.exp(self.real) * torch.sin(self.imag))


@pair_rule("log")
def logarithm(self: ComplexPair) -> ComplexPair:
    """log|z| + i angle, whose cut is that of the angle."""
    return ComplexPair(torch.log(abs(self)), self.angle())


def _logarithm_of(base: float, like: torch.Tensor) -> torch.Tensor:
    return torch.log(torch.full_like(like, base))


@pair_rule("log2")
def logarithm_of_base_two(self: ComplexPair) -> ComplexPair:
    """log2|z| + i angle / log 2."""
    return ComplexPair(torch.log2(abs(self)), self.angle() / _logarithm_of(2.0, self.real))


@pair_rule("log10")
def logarithm_of_base_ten(self: ComplexPair) -> ComplexPair:
    """log10|z| + i angle / log 10."""
    return ComplexPair(torch.log10(abs(self)), self.angle() / _logarithm_of(10.0, self.real))


@pair_rule("log1p")
def logarithm_of_one_more(self: ComplexPair) -> ComplexPair:
    """log(1 + z), which keeps its digits where z is small."""
    x, y = self.real, self.imag
    return ComplexPair(torch.log1p(x * (x + 2.0) + y * y) * 0.5, torch.atan2(y, x + 1.0))


@pair_rule("sqrt")
def root(self: ComplexPair) -> ComplexPair:
    """sqrt|z| at half the angle, so that its real part is never negative."""
    return of_polar(torch.sqrt(abs(self)), self.angle() * 0.5)


@pair_rule("rsqrt")
def reciprocal_root(self: ComplexPair) -> ComplexPair:
    """1 / sqrt|z| at minus half the angle."""
    return of_polar(torch.rsqrt(abs(self)), self.angle() * -0.5)


@pair_rule("pow")
def power(self: Number, exponent: Number) -> ComplexPair:
    """exp(exponent log z); a power that is a plain number has ways of its own."""
    if isinstance(exponent, int | float):
        return _power_of_number(pair_of(self), float(exponent))
    if isinstance(self, int | float):
        return exponential(multiplied(exponent, _logarithm_of(float(self), pair_of(exponent).real)))
    return exponential(multiplied(logarithm(pair_like(self, exponent)), exponent))


def _power_of_number(base: ComplexPair, exponent: float) -> ComplexPair:
    if exponent in (0.5, -0.5):
        return root(base) if exponent > 0 else reciprocal_root(base)
    if exponent == 0:
        return ComplexPair(torch.ones_like(base.real), torch.zeros_like(base.real))
    if not exponent.is_integer() or abs(exponent) > MOST_FACTORS:
        return exponential(logarithm(base) * exponent)
    found = base
    for _ in range(int(abs(exponent)) - 1):
        found = found * base
    return found if exponent > 0 else reciprocal(found)


@pair_rule("sigmoid")
def sigmoid(self: ComplexPair) -> ComplexPair:
    """1 / (1 + exp(-z))."""
    return reciprocal(exponential(-self) + 1.0)


@pair_rule("tanh_backward")
def tanh_backward(grad_output: Number, output: Number) -> ComplexPair:
    """grad_output times the conjugate of 1 - y², from the result y of the forward."""
    return multiplied(grad_output, (-square(pair_of(output)) + 1.0).conj())


@pair_rule("sigmoid_backward")
def sigmoid_backward(grad_output: Number, output: Number) -> ComplexPair:
    """grad_output times the conjugate of (1 - y) y, from the result y of the forward."""
    result = pair_of(output)
    return multiplied(grad_output, ((-result + 1.0) * result).conj())


@pair_rule("sinh")
def sinh(self: ComplexPair) -> ComplexPair:
    """sinh x cos y + i cosh x sin y."""
    return ComplexPair(
        torch.sinh(self.real) * torch.cos(self.imag), torch.cosh(self.real) * torch.sin(self.imag)
    )


@pair_rule("cosh")
def cosh(self: ComplexPair) -> ComplexPair:
    """cosh x cos y + i sinh x sin y."""
    return ComplexPair(
        torch.cosh(self.real) * torch.cos(self.imag), torch.sinh(self.real) * torch.sin(self.imag)
    )


@pair_rule("tanh")
def tanh(self: ComplexPair) -> ComplexPair:
    """(sinh 2x + i sin 2y) / (cosh 2x + cos 2y)."""
    twice = self * 2.0
    divisor = torch.cosh(twice.real) + torch.cos(twice.imag)
    return ComplexPair(torch.sinh(twice.real) / divisor, torch.sin(twice.imag) / divisor)


@pair_rule("asinh")
def asinh(self: ComplexPair) -> ComplexPair:
    """asin of the number turned by a quarter, turned back."""
    return _turned_back(asin(_turned(self)))


@pair_rule("atanh")
def atanh(self: ComplexPair) -> ComplexPair:
    """log(|1 + z|² / |1 - z|²) / 4, and half the angle of (1 + z) (1 - z)* as its imaginary
    part.
    """
    x, y = self.real, self.imag
    squared = y * y
    ratio = ((1.0 + x) * (1.0 + x) + squared) / ((1.0 - x) * (1.0 - x) + squared)
    return ComplexPair(
        torch.log(ratio) * 0.25, torch.atan2(2.0 * y, (1.0 - x) * (1.0 + x) - squared) * 0.5
    )


@pair_rule("asin")
def asin(self: ComplexPair) -> ComplexPair:
    """By W. Kahan, Branch cuts for complex elementary functions (1987)."""
    before, behind = root(-self + 1.0), root(self + 1.0)
    return ComplexPair(
        torch.atan2(self.real, (before * behind).real), torch.asinh((before.conj() * behind).imag)
    )


@pair_rule("acos")
def acos(self: ComplexPair) -> ComplexPair:
    """By Kahan's formula, from sqrt(1 - z) and sqrt(1 + z) (Branch Cuts for Complex Elementary
    Functions, 1987).
    """
    before, behind = root(-self + 1.0), root(self + 1.0)
    return ComplexPair(
        2.0 * torch.atan2(before.real, behind.real), torch.asinh((behind.conj() * before).imag)
    )


@pair_rule("acosh")
def acosh(self: ComplexPair) -> ComplexPair:
    """By Kahan's formula, from sqrt(z - 1) and sqrt(z + 1) (Branch Cuts for Complex Elementary
    Functions, 1987).
    """
    before, behind = root(self - 1.0), root(self + 1.0)
    return ComplexPair(
        torch.asinh((before.conj() * behind).real), 2.0 * torch.atan2(before.imag, behind.real)
    )


def _turned(self: ComplexPair) -> ComplexPair:
    """i z."""
    return ComplexPair(-self.imag, self.real)


def _turned_back(self: ComplexPair) -> ComplexPair:
    """-i z."""
    return ComplexPair(self.imag, -self.real)


def _by_turning(
    function: Callable[[ComplexPair], ComplexPair],
) -> Callable[[ComplexPair], ComplexPair]:
    """f(z) = -i g(i z), as sin by sinh, tan by tanh and atan by atanh."""
    return lambda self: _turned_back(function(_turned(self)))


pair_rule("sin")(_by_turning(sinh))
pair_rule("tan")(_by_turning(tanh))
pair_rule("atan")(_by_turning(atanh))
pair_rule("cos")(lambda self: cosh(_turned(self)))
