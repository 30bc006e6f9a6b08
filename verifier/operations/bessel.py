"""Rows of Bessel functions of any order, and of Airy functions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import sympy
from flint import arb, ctx

from verifier.operations.arrays import Array, Ball, Balls, Expr, ExprClass, Numeric
from verifier.operations.by_arb import by_arb, of_numbers
from verifier.operations.operation import (
    Budget,
    Call,
    Interval,
    Operation,
    absent_from_torch,
    on_arrays,
)

_ORDERS, _POSITIVE = Interval(0.0, 10.0), Interval(0.01, 60.0)


def _at_least_one(result: Balls, *arguments: Balls) -> Balls:
    """Near its zeros a function is right to an absolute error only."""
    return np.abs(result) + 1


def _bessel(
    name: str,
    function: ExprClass,
    of_ball: Callable[[Ball, Ball], Ball],
    numpy: Call,
    budget: Budget,
) -> Operation:
    return Operation(
        name,
        function,
        arb=on_arrays(_of_order(of_ball), 2),
        budget=budget,
        derivatives=lambda order, a: (sympy.nan, function(order, a).fdiff(2)),
        domain="a > 0; also a < 0 where J and I have a whole order",
        measured=(_ORDERS, _POSITIVE),
        lost=(0,),
        torch=absent_from_torch(name),
        numpy=numpy,
        python=of_numbers(numpy),
    )


def _with_more_bits(function: Callable[[Ball, Ball], Ball]) -> Callable[[Ball, Ball], Ball]:
    """The function in as many bits as its series cancels, up to some: near a whole order, or where
    the result is tiny beside its terms.
    """

    def of_balls(a: Ball, order: Ball) -> Ball:
        before = ctx.prec
        found = function(a, order)
        try:
            for ctx.prec in (2 * before, 4 * before, 8 * before):
                if not (a.is_exact() and order.is_exact()) or _is_known(found, before):
                    break
                found = function(a, order)
            return found
        finally:
            ctx.prec = before

    return of_balls


def _is_known(ball: Ball, bits: int) -> bool:
    return bool(not ball.is_finite() or ball.rel_accuracy_bits() > bits - 20)


def _airy(place: int) -> Callable[[Numeric], Array]:
    """SciPy's function gives Ai, Ai', Bi and Bi'."""

    def of_numbers(a: Numeric) -> Array:
        from scipy.special import airy

        found: Array = airy(a)[place]
        return found

    return of_numbers


def _airy_row(
    name: str, function: ExprClass, place: int, slope: Callable[[Expr], Expr], low: float
) -> Operation:
    numpy = Call(name, own=_airy(place))
    return Operation(
        name,
        function,
        arb=on_arrays(lambda a: a.airy()[place]),
        budget=Budget(512.0, 512.0, _at_least_one),
        derivatives=lambda a: (slope(a),),
        measured=(Interval(low, 10.0),),
        torch=absent_from_torch(name),
        numpy=numpy,
        python=of_numbers(numpy),
    )


def _of_order(function: Callable[[Ball, Ball], Ball]) -> Callable[[Ball, Ball], Ball]:
    return lambda order, a: function(a, order)


_bessel_k = _with_more_bits(arb.bessel_k)

ROWS = (
    _bessel(
        "besselj", sympy.besselj, arb.bessel_j, Call("special.jv"),
        Budget(128.0, 128.0, _at_least_one),
    ),
    _bessel(
        "bessely", sympy.bessely, _with_more_bits(arb.bessel_y), Call("special.yv"),
        Budget(128.0, 128.0, _at_least_one),
    ),
    _bessel("besseli", sympy.besseli, arb.bessel_i, Call("special.iv"), Budget(64.0, 64.0)),
    # SciPy's is off by 1,700 ulps near a = 2.
    _bessel(
        "besselk", sympy.besselk, _bessel_k, Call("besselk", own=by_arb(_of_order(_bessel_k))),
        Budget(512.0, 1.0),
    ),
    _airy_row("airyai", sympy.airyai, 0, sympy.airyaiprime, -30.0),
    _airy_row("airyaiprime", sympy.airyaiprime, 1, lambda a: a * sympy.airyai(a), -30.0),
    _airy_row("airybi", sympy.airybi, 2, sympy.airybiprime, -30.0),
    _airy_row("airybiprime", sympy.airybiprime, 3, lambda a: a * sympy.airybi(a), -30.0),
)  # fmt: skip
