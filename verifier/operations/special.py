"""Rows of special functions: error function, gamma function and relatives, Bessel functions."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import sympy
from flint import arb

from verifier.operations.arrays import Array, Ball, Balls, Expr, ExprClass, Numeric
from verifier.operations.operation import (
    Budget,
    Call,
    Composition,
    Interval,
    Notations,
    Operation,
    Where,
    define_function,
    on_arrays,
)

_POSITIVE = Interval(1e-6, 1e6)
_MODERATE = Interval(-100.0, 100.0)
_FARTHEST = -10_000.0
"""Where NumPy's polygamma and zeta end."""


def _special_notations(name: str) -> Notations:
    return _two_call_notations(f"torch.special.{name}", f"special.{name}")


def _two_call_notations(torch: str, numpy: str) -> Notations:
    return {"torch": Call(torch), "numpy": Call(numpy), "python": Call(numpy)}


def _at_least_one(result: Balls, *arguments: Balls) -> Balls:
    """Near its zeros a function is right to an absolute error only."""
    return np.abs(result) + 1


def _one_ulp_of_one(result: Balls, *arguments: Balls) -> Balls:
    """torch computes (1 + erf)/2, right to an absolute error only."""
    return np.abs(result) * 0 + 1


def _erfcx(a: Ball) -> Ball:
    return a.erfc() * (a * a).exp()


def _log_gamma(a: Ball) -> Ball:
    """log|gamma(a)|, as torch and SciPy have it."""
    return a.lgamma() if a > 0 else a.gamma().__abs__().log()


def _polygamma(order: Ball, a: Ball) -> Ball:
    """(-1)^(n+1) n! zeta(n + 1, a) (Abramowitz and Stegun 6.4.10)."""
    if order == 0:
        return a.digamma()
    sign = -1 if int(order.unique_fmpz()) % 2 == 0 else 1
    return sign * (order + 1).gamma() * _hurwitz(order + 1, a)


def _hurwitz(s: Ball, a: Ball) -> Ball:
    """zeta(s, a); where a is negative by zeta(s, a) = a**-s + zeta(s, a + 1) (DLMF 25.11.3) for a
    whole s. Far to the left of 0 these are too many terms.
    """
    steps = math.floor(1 - float(a.mid())) if a.is_finite() and not a > 0 else 0
    if steps == 0 or steps > -_FARTHEST or not s.is_integer():
        return s.zeta(a)
    return sum(((a + step) ** -s for step in range(steps)), (s.zeta(a + steps)))


def _polygamma_terms(result: Numeric, order: Numeric, a: Numeric) -> Numeric:
    """Left of 0 the size of its terms, which cancel: that of the nearest pole is the largest."""
    sizes = np.frompyfunc(_polygamma_size, 3, 1)(result, order, a)
    return sizes if np.asarray(result).dtype == object else np.asarray(sizes, dtype=np.float64)


def _polygamma_size(result: Numeric, order: Numeric, a: Numeric) -> Numeric:
    if a > 0 or not abs(float(a)) < -_FARTHEST:
        return abs(result)
    apart = abs(float(a) - round(float(a)))
    if apart == 0.0:
        return abs(result)
    return abs(result) + math.factorial(int(float(order))) * apart ** -(float(order) + 1)


def _numpy_polygamma(order: Numeric, a: Numeric) -> Array:
    """SciPy's, in the dtype of its argument; NaN far to the left of 0.

    There SciPy adds up as many terms as the number is large.
    """
    from scipy.special import polygamma

    result: Array = polygamma(order, _within_reach(a)).astype(np.result_type(a))
    return result


def _within_reach(a: Numeric) -> Array:
    return np.where(np.asarray(a) < _FARTHEST, np.nan, a)


def _numpy_zeta(s: Numeric, a: Numeric) -> Array:
    """SciPy's, in the dtype of its arguments; NaN far to the left of 0, as polygamma."""
    from scipy.special import zeta

    result: Array = zeta(s, _within_reach(a)).astype(np.result_type(s, a))
    return result


def _polygamma_of_numbers(order: int, a: float) -> float:
    return float(_numpy_polygamma(order, a))


def _scaled_bessel(order: int) -> Callable[..., Balls]:
    return on_arrays(lambda a: a.bessel_i(order) * (-a.__abs__()).exp())


def _log_ndtr(a: Ball) -> Ball:
    if a > 0:  # close to 0, where a logarithm of something close to 1 knows few digits
        return (-(a / arb(2).sqrt()).erfc() / 2).log1p()
    if a < -100:  # where Arb's erfc is a ball around 0: by U(1/2, 1/2, z) (DLMF 7.11)
        half, z = arb(0.5), a * a / 2
        return z.hypgeom_u(half, half).log() - z - (2 * arb.pi().sqrt()).log()
    return ((-a / arb(2).sqrt()).erfc() / 2).log()


_erfcx_class: ExprClass = define_function(
    "erfcx",
    lambda a: sympy.erfc(a) * sympy.exp(a**2),
    lambda a: (2 * a * _erfcx_class(a) - 2 / sympy.sqrt(sympy.pi),),
)
_ndtr_class: ExprClass = define_function(
    "ndtr", lambda a: sympy.erfc(-a / sympy.sqrt(2)) / 2, lambda a: (_ndtr_slope(a),)
)
_log_ndtr_class: ExprClass = define_function(
    "log_ndtr",
    lambda a: sympy.log(sympy.erfc(-a / sympy.sqrt(2)) / 2),
    lambda a: (_log_ndtr_slope(a),),
)
_digamma_class: ExprClass = define_function(
    "digamma", lambda a: sympy.polygamma(0, a), lambda a: (sympy.polygamma(1, a),)
)
_i0: ExprClass = define_function("i0", lambda a: sympy.besseli(0, a), lambda a: (_i1(a),))
_i1: ExprClass = define_function("i1", lambda a: sympy.besseli(1, a), lambda a: (_i1_slope(a),))
_i0e: ExprClass = define_function(
    "i0e",
    lambda a: sympy.besseli(0, a) * sympy.exp(-sympy.Abs(a)),
    lambda a: (_i1e(a) - sympy.sign(a) * _i0e(a),),
)
_i1e: ExprClass = define_function(
    "i1e", lambda a: sympy.besseli(1, a) * sympy.exp(-sympy.Abs(a)), lambda a: (_i1e_slope(a),)
)
_j0: ExprClass = define_function("j0", lambda a: sympy.besselj(0, a), lambda a: (-_j1(a),))
_j1: ExprClass = define_function(
    "j1", lambda a: sympy.besselj(1, a), lambda a: (_j0(a) - _j1(a) / a,)
)


def _normal_density(a: Expr) -> Expr:
    return sympy.exp(-(a * a) / 2) / sympy.sqrt(2 * sympy.pi)


def _ndtr_slope(a: Expr) -> Expr:
    """The normal density as torch has it, by way of the error function of a/sqrt(2)."""
    half = 1 / sympy.sqrt(2)
    return sympy.exp(-((a * half) ** 2)) * (2 / sympy.sqrt(sympy.pi)) * half / 2


def _log_ndtr_slope(a: Expr) -> Expr:
    return sympy.exp(-(_log_ndtr_class(a) + a**2 / 2)) / sympy.sqrt(2 * sympy.pi)


def _i1_slope(a: Expr) -> Expr:
    return Where(sympy.Eq(a, 0), sympy.Rational(1, 2), _i0(a) - _i1(a) / a)


def _i1e_slope(a: Expr) -> Expr:
    return Where(sympy.Eq(a, 0), sympy.Rational(1, 2), _i0e(a) - _i1e(a) * (sympy.sign(a) + 1 / a))


ROWS = (
    Operation(
        "erf",
        sympy.erf,
        arb=on_arrays(arb.erf),
        budget=Budget(1.0, 2.0),
        derivatives=lambda a: (2 / sympy.sqrt(sympy.pi) * sympy.exp(-(a**2)),),
        **_two_call_notations("torch.erf", "special.erf"),
    ),
    Operation(
        "erfc",
        sympy.erfc,
        arb=on_arrays(arb.erfc),
        budget=Budget(2.0, 512.0),
        measured=(Interval(-26.0, 26.0),),
        derivatives=lambda a: (-2 / sympy.sqrt(sympy.pi) * sympy.exp(-(a**2)),),
        **_two_call_notations("torch.erfc", "special.erfc"),
    ),
    Operation(
        "erfinv",
        sympy.erfinv,
        arb=on_arrays(arb.erfinv),
        budget=Budget(2.0, 4.0),
        domain="-1 < a < 1",
        measured=(Interval(-1.0, 1.0),),
        derivatives=lambda a: (sympy.sqrt(sympy.pi) / 2 * sympy.exp(sympy.erfinv(a) ** 2),),
        **_two_call_notations("torch.erfinv", "special.erfinv"),
    ),
    Operation(
        "erfcx",
        _erfcx_class,
        arb=on_arrays(_erfcx),
        budget=Budget(512.0, 512.0),
        measured=(Interval(-26.0, 1e6),),
        derivatives=lambda a: (2 * a * _erfcx_class(a) - 2 / sympy.sqrt(sympy.pi),),
        **_special_notations("erfcx"),
    ),
    Operation(
        "ndtr",
        _ndtr_class,
        arb=on_arrays(lambda a: (-a / arb(2).sqrt()).erfc() / 2),
        budget=Budget(2.0, 2.0, _one_ulp_of_one),
        measured=(Interval(-12.0, 100.0),),
        derivatives=lambda a: (_ndtr_slope(a),),
        **_special_notations("ndtr"),
    ),
    Operation(
        "log_ndtr",
        _log_ndtr_class,
        arb=on_arrays(_log_ndtr),
        budget=Budget(128.0, 128.0),
        measured=(Interval(-1e3, 10.0),),
        derivatives=lambda a: (_log_ndtr_slope(a),),
        **_special_notations("log_ndtr"),
    ),
    Operation(
        "loggamma",
        sympy.loggamma,
        arb=on_arrays(_log_gamma),
        budget=Budget(2.0, 4.0, _at_least_one),
        domain="a > 0",
        measured=(_POSITIVE,),
        derivatives=lambda a: (_digamma_class(a),),
        **_two_call_notations("torch.lgamma", "special.gammaln"),
    ),
    Operation(
        "digamma",
        _digamma_class,
        arb=on_arrays(arb.digamma),
        budget=Budget(8.0, 4.0, _at_least_one),
        domain="a > 0",
        measured=(_POSITIVE,),
        derivatives=lambda a: (sympy.polygamma(1, a),),
        **_two_call_notations("torch.digamma", "special.digamma"),
    ),
    Operation(
        "polygamma",
        sympy.polygamma,
        arb=on_arrays(_polygamma, 2),
        budget=Budget(8.0, 8.0, _polygamma_terms),
        whole=(0,),
        domain="a whole number n ≥ 0; a not 0, -1, -2, ...",
        measured=(Interval(1, 1), Interval(1e-3, 1e3)),
        derivatives=lambda n, a: (sympy.S.Zero, sympy.polygamma(int(n) + 1, a)),
        lost=(0,),
        torch=Call("torch.polygamma"),
        numpy=Call("polygamma", own=_numpy_polygamma),
        python=Call("polygamma_of_numbers", own=_polygamma_of_numbers),
    ),
    Operation(
        "zeta",
        sympy.zeta,
        arb=on_arrays(_hurwitz, 2),
        budget=Budget(8.0, 8.0),
        domain="s > 1 and a > 0; a whole s and a not 0, -1, -2, ...",
        measured=(Interval(1.1, 20.0), Interval(0.1, 100.0)),
        lost=(0,),
        derivatives=lambda s, a: (sympy.nan, -s * sympy.zeta(s + 1, a)),
        torch=Call("torch.special.zeta"),
        numpy=Call("special.zeta", own=_numpy_zeta),
        python=Call("special.zeta"),
    ),
    Operation(
        "i0",
        _i0,
        arb=on_arrays(lambda a: a.bessel_i(0)),
        budget=Budget(8.0, 8.0),
        measured=(Interval(-80.0, 80.0),),
        derivatives=lambda a: (_i1(a),),
        **_special_notations("i0"),
    ),
    Operation(
        "i1",
        _i1,
        arb=on_arrays(lambda a: a.bessel_i(1)),
        budget=Budget(16.0, 16.0),
        measured=(Interval(-80.0, 80.0),),
        derivatives=lambda a: (_i1_slope(a),),
        **_special_notations("i1"),
    ),
    Operation(
        "i0e",
        _i0e,
        arb=_scaled_bessel(0),
        budget=Budget(8.0, 8.0),
        measured=(_MODERATE,),
        derivatives=lambda a: (_i1e(a) - sympy.sign(a) * _i0e(a),),
        **_special_notations("i0e"),
    ),
    Operation(
        "i1e",
        _i1e,
        arb=_scaled_bessel(1),
        budget=Budget(16.0, 16.0),
        measured=(_MODERATE,),
        derivatives=lambda a: (_i1e_slope(a),),
        **_special_notations("i1e"),
    ),
    Operation(
        "j0",
        _j0,
        arb=on_arrays(lambda a: a.bessel_j(0)),
        budget=Budget(8.0, 8.0, _at_least_one),
        measured=(_MODERATE,),
        derivatives=lambda a: (-_j1(a),),
        lost=(0,),
        **_two_call_notations("torch.special.bessel_j0", "special.j0"),
    ),
    Operation(
        "j1",
        _j1,
        arb=on_arrays(lambda a: a.bessel_j(1)),
        budget=Budget(8.0, 8.0, _at_least_one),
        measured=(_MODERATE,),
        derivatives=lambda a: (_j0(a) - _j1(a) / a,),
        lost=(0,),
        **_two_call_notations("torch.special.bessel_j1", "special.j1"),
    ),
)


def _gamma(a: Expr) -> Expr:
    """exp(loggamma) to the right of 0, Euler's reflection to the left of it (DLMF 5.5.3)."""
    reflected = sympy.pi / (sympy.sin(sympy.pi * a) * sympy.exp(sympy.loggamma(1 - a)))
    return Where(a > 0, sympy.exp(sympy.loggamma(a)), reflected)


COMPOSITIONS = (
    Composition("gamma", _gamma, sympy.gamma, "a not 0, -1, -2, ...", (Interval(-10.0, 30.0),)),
    Composition(
        "beta",
        lambda a, b: sympy.exp(sympy.loggamma(a) + sympy.loggamma(b) - sympy.loggamma(a + b)),
        sympy.beta,
        "a > 0 and b > 0",
        (Interval(0.1, 30.0), Interval(0.1, 30.0)),
    ),
    Composition("normal_density", _normal_density, measured=(Interval(-12.0, 12.0),)),
)
