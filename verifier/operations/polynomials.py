"""Rows of orthogonal polynomials, whose degree is a whole number that is written out.

The derivatives are sums of polynomials of smaller degrees, which need no division (DLMF 18.9).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import sympy

from verifier.operations.arrays import Array, Ball, Balls, Expr, ExprClass, Numeric
from verifier.operations.operation import Budget, Call, Interval, Operation, on_arrays

_UNIT = Interval(-1.0, 1.0)


def _legendre_slope(degree: int, a: Expr) -> Expr:
    """The sum of (2k + 1) P_k over k = n - 1, n - 3, ..."""
    return sympy.Add(*((2 * k + 1) * sympy.legendre(k, a) for k in range(degree - 1, -1, -2)))


def _chebyshevt_slope(degree: int, a: Expr) -> Expr:
    return degree * sympy.chebyshevu(degree - 1, a) if degree else sympy.S.Zero


def _chebyshevu_slope(degree: int, a: Expr) -> Expr:
    """The sum of 2 (k + 1) U_k over k = n - 1, n - 3, ..."""
    return sympy.Add(*(2 * (k + 1) * sympy.chebyshevu(k, a) for k in range(degree - 1, -1, -2)))


def _hermite_slope(degree: int, a: Expr) -> Expr:
    return 2 * degree * sympy.hermite(degree - 1, a) if degree else sympy.S.Zero


def _laguerre_slope(degree: int, a: Expr) -> Expr:
    """Minus the sum of L_k over all k < n."""
    return -sympy.Add(*(sympy.laguerre(k, a) for k in range(degree)))


def _of_torch(name: str, degree: int, a: Numeric) -> Numeric:
    """Torch takes the degree behind the argument."""
    from torch import special

    found: Numeric = getattr(special, name)(a, int(degree))
    return found


def _of_scipy(name: str, degree: int, a: Numeric) -> Array:
    """SciPy's, in the dtype of the argument."""
    from scipy import special

    whole = np.asarray(degree).astype(np.int64)
    found: Array = np.asarray(getattr(special, name)(whole, a))
    return found.astype(np.result_type(a))


def _of_number(name: str, degree: int, a: float) -> float:
    return float(_of_scipy(name, degree, a))


def _sum_of_sizes(result: Balls, degree: Balls, a: Balls) -> Balls:
    """Near its zeros a polynomial is right to an absolute error only."""
    return np.abs(result) + 1


def _polynomial(
    name: str,
    function: ExprClass,
    of_ball: str,
    slope: Callable[[int, Expr], Expr],
    torch: str,
    scipy: str,
    measured: Interval = _UNIT,
) -> Operation:
    def ball(degree: Ball, a: Ball) -> Ball:
        return getattr(a, of_ball)(int(degree.unique_fmpz()))

    return Operation(
        name,
        function,
        arb=on_arrays(ball, 2),
        budget=Budget(64.0, 64.0, _sum_of_sizes),
        derivatives=lambda degree, a: (sympy.S.Zero, slope(int(degree), a)),
        domain="a whole number n ≥ 0",
        measured=(Interval(3, 3), measured),
        lost=(0, 1),
        whole=(0,),
        torch=Call(name, own=partial(_of_torch, torch)),
        numpy=Call(name, own=partial(_of_scipy, scipy)),
        python=Call(f"{name}_of_number", own=partial(_of_number, scipy)),
    )


ROWS = (
    _polynomial(
        "legendre", sympy.legendre, "legendre_p", _legendre_slope,
        "legendre_polynomial_p", "eval_legendre",
    ),
    _polynomial(
        "chebyshevt", sympy.chebyshevt, "chebyshev_t", _chebyshevt_slope,
        "chebyshev_polynomial_t", "eval_chebyt",
    ),
    _polynomial(
        "chebyshevu", sympy.chebyshevu, "chebyshev_u", _chebyshevu_slope,
        "chebyshev_polynomial_u", "eval_chebyu",
    ),
    _polynomial(
        "hermite", sympy.hermite, "hermite_h", _hermite_slope,
        "hermite_polynomial_h", "eval_hermite",
    ),
    _polynomial(
        "laguerre", sympy.laguerre, "laguerre_l", _laguerre_slope,
        "laguerre_polynomial_l", "eval_laguerre", Interval(0.0, 10.0),
    ),
)  # fmt: skip
