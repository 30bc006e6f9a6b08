"""Rows of functions that are defined by integrals and series: elliptic integrals, the incomplete
gamma function, exponential integrals, polylogarithms, Lambert's function.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import sympy
from flint import acb, arb

from verifier.operations.arrays import Array, Ball, Expr, ExprClass, Numeric
from verifier.operations.by_arb import by_arb, of_numbers
from verifier.operations.operation import (
    Budget,
    Call,
    Composition,
    Interval,
    Notations,
    Operation,
    absent_from_torch,
    budget_of,
    define_function,
    on_arrays,
)


def _without_torch(name: str, numpy: Call) -> Notations:
    return {"torch": absent_from_torch(name), "numpy": numpy, "python": of_numbers(numpy)}


def _elliptic_k(a: Ball) -> Ball:
    return acb(a).elliptic_k().real if a < 1 else arb.nan()


def _elliptic_e(a: Ball) -> Ball:
    return acb(a).elliptic_e().real if a <= 1 else arb.nan()


def _elliptic_k_slope(a: Expr) -> Expr:
    return (sympy.elliptic_e(a) - (1 - a) * sympy.elliptic_k(a)) / (2 * a * (1 - a))


def _elliptic_e_slope(a: Expr) -> Expr:
    return (sympy.elliptic_e(a) - sympy.elliptic_k(a)) / (2 * a)


def _numpy_lambertw(a: Numeric) -> Array:
    """SciPy's principal branch, which gives complex numbers."""
    from scipy.special import lambertw

    found = np.asarray(lambertw(a))
    return np.where(found.imag == 0, found.real, np.nan).astype(np.result_type(a))


def _lambertw_slope(a: Expr) -> Expr:
    """1/(a + exp(W)), which has a value at 0 as well."""
    return 1 / (a + sympy.exp(sympy.LambertW(a)))


def _polylog(order: Ball, a: Ball) -> Ball:
    return a.polylog(order)


def _polylog_slope(order: Expr, a: Expr) -> tuple[Expr, Expr]:
    return sympy.nan, sympy.polylog(order - 1, a) / a


def _expint(order: Ball, a: Ball) -> Ball:
    return a.expint(order) if a > 0 else arb.nan()


def _gammainc(order: Ball, a: Ball) -> Ball:
    return a.gamma_lower(order, regularized=1)


def _gammaincc(order: Ball, a: Ball) -> Ball:
    return a.gamma_upper(order, regularized=1)


def _gamma_density(order: Expr, a: Expr) -> Expr:
    """As torch's own backward has it."""
    return sympy.exp((order - 1) * sympy.log(a) - a - sympy.loggamma(order))


_gammainc_class: ExprClass = define_function(
    "gammainc",
    lambda order, a: sympy.lowergamma(order, a) / sympy.gamma(order),
    lambda order, a: (sympy.nan, _gamma_density(order, a)),
)
_gammaincc_class: ExprClass = define_function(
    "gammaincc",
    lambda order, a: sympy.uppergamma(order, a) / sympy.gamma(order),
    lambda order, a: (sympy.nan, -_gamma_density(order, a)),
)


def _incomplete_gamma(
    name: str, function: ExprClass, of_ball: Callable[[Ball, Ball], Ball], sign: int
) -> Operation:
    return Operation(
        name,
        function,
        arb=on_arrays(of_ball, 2),
        budget=budget_of(512.0),
        derivatives=lambda order, a: (sympy.nan, sign * _gamma_density(order, a)),
        domain="a > 0 and b ≥ 0",
        measured=(Interval(0.5, 10.0), Interval(0.1, 20.0)),
        lost=(0,),
        torch=Call(f"torch.special.{name}"),
        numpy=Call(name, own=_by_scipy(name)),
        python=Call(f"special.{name}"),
    )


def _by_scipy(name: str) -> Callable[[Numeric, Numeric], Array]:
    """SciPy's, which gives float64 where a number stands beside float32."""

    def of_arrays(order: Numeric, a: Numeric) -> Array:
        from scipy import special

        found = np.asarray(getattr(special, name)(order, a))
        return found.astype(np.result_type(order, a))

    return of_arrays


ROWS = (
    Operation(
        "elliptic_k",
        sympy.elliptic_k,
        arb=on_arrays(_elliptic_k),
        budget=Budget(64.0, 8.0),
        derivatives=lambda a: (_elliptic_k_slope(a),),
        domain="a < 1",
        measured=(Interval(-10.0, 0.99),),
        arity=1,
        **_without_torch("elliptic_k", Call("special.ellipk")),
    ),
    Operation(
        "elliptic_e",
        sympy.elliptic_e,
        arb=on_arrays(_elliptic_e),
        budget=Budget(64.0, 8.0),
        derivatives=lambda a: (_elliptic_e_slope(a),),
        domain="a ≤ 1",
        measured=(Interval(-10.0, 0.99),),
        arity=1,
        **_without_torch("elliptic_e", Call("special.ellipe")),
    ),
    Operation(
        "lambertw",
        sympy.LambertW,
        arb=on_arrays(lambda a: a.lambertw()),
        budget=Budget(64.0, 8.0),
        derivatives=lambda a: (_lambertw_slope(a),),
        domain="a ≥ -1/e",
        measured=(Interval(-0.36, 1e6),),
        arity=1,
        **_without_torch("lambertw", Call("lambertw", own=_numpy_lambertw)),
    ),
    Operation(
        "polylog",
        sympy.polylog,
        arb=on_arrays(_polylog, 2),
        budget=Budget(64.0, 1.0),
        derivatives=_polylog_slope,
        domain="b < 1",
        measured=(Interval(-2.0, 4.0), Interval(-5.0, 0.95)),
        lost=(0,),
        **_without_torch("polylog", Call("polylog", own=by_arb(_polylog))),
    ),
    Operation(
        "expint",
        sympy.expint,
        arb=on_arrays(_expint, 2),
        budget=Budget(64.0, 1.0),
        derivatives=lambda order, a: (sympy.nan, -sympy.expint(order - 1, a)),
        domain="b > 0",
        measured=(Interval(-1.0, 4.0), Interval(0.01, 50.0)),
        lost=(0,),
        **_without_torch("expint", Call("expint", own=by_arb(_expint))),
    ),
    _incomplete_gamma("gammainc", _gammainc_class, _gammainc, 1),
    _incomplete_gamma("gammaincc", _gammaincc_class, _gammaincc, -1),
)
_ARGUMENTS = (Interval(0.5, 10.0), Interval(0.1, 20.0))
COMPOSITIONS = (
    Composition(
        "lowergamma",
        lambda order, a: sympy.exp(sympy.loggamma(order)) * _gammainc_class(order, a),
        sympy.lowergamma,
        "a > 0 and b ≥ 0",
        _ARGUMENTS,
        lost=(0,),
    ),
    Composition(
        "uppergamma",
        lambda order, a: sympy.exp(sympy.loggamma(order)) * _gammaincc_class(order, a),
        sympy.uppergamma,
        "a > 0 and b ≥ 0",
        _ARGUMENTS,
        lost=(0,),
    ),
)
