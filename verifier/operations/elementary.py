"""Rows of school mathematics: arithmetic, comparisons, branches, powers, exponentials, circles,
hyperbolas.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Unpack

import flint
import numpy as np
import sympy
from flint import arb

from verifier.operations.arrays import Ball, Balls, Expr, ExprClass, Numeric
from verifier.operations.operation import (
    BOTH,
    COMPARISON,
    EITHER,
    EXACT,
    NEGATIVE,
    POWER,
    PRODUCT,
    SUM,
    Budget,
    Call,
    Composition,
    Infix,
    Interval,
    Maximum,
    Minimum,
    Name,
    Notations,
    Operation,
    Suffix,
    Where,
    budget_of,
    define_function,
    flat,
    larger,
    on_arrays,
    smaller,
)

_HALF = sympy.Rational(1, 2)
_POSITIVE = Interval(0.0)
_UNIT = Interval(-1.0, 1.0)


def _infix_notations(symbol: str, precedence: int, function: Callable[..., Numeric]) -> Notations:
    notation = Infix(symbol, precedence, function)
    return {"torch": notation, "numpy": notation, "python": notation}


def _by_names(torch: str, numpy: str, python: str) -> Notations:
    return {"torch": Call(torch), "numpy": Call(numpy), "python": Call(python)}


def _by_name(name: str) -> Notations:
    return _by_names(f"torch.{name}", f"np.{name}", f"math.{name}")


def _by_divisor(a: Expr, b: Expr) -> Expr:
    """As autograd does: by the reciprocal for a number over a tensor, else the quotient once more.

    (1/b² overflows where the derivative does not.)
    """
    return -((1 / b) * (1 / b) * a) if a.is_number else -((a / b) / b)


def _square(number: Numeric) -> Numeric:
    return number * number


def _one_at_larger(ahead: Expr, behind: Expr) -> Expr:
    """1 ahead, 0 behind and a half at a tie: torch's convention for maximum and minimum."""
    return Where(ahead, sympy.S.One, Where(behind, sympy.S.Zero, _HALF))


def _arb_power(base: Balls, exponent: Ball | Balls) -> Balls:
    """Whole constant exponents by repeated multiplication: Arb's own power of a ball around 0 is
    NaN.
    """
    if isinstance(exponent, arb) and abs(exponent) <= 1024 and exponent.is_integer():
        return _whole_power(base, int(exponent.unique_fmpz()))
    return np.power(base, exponent)


def _whole_power(base: Balls, exponent: int) -> Balls:
    result: Balls = arb(1)
    for bit in f"{abs(exponent):b}":
        result = np.multiply(result, result)
        if bit == "1":
            result = np.multiply(result, base)
    return result if exponent >= 0 else np.divide(arb(1), result)


def _remainder(a: Ball, b: Ball) -> Ball:
    """a - b floor(a/b), with as many more bits as the quotient has before its point."""
    before = flint.ctx.prec
    quotient = float(abs(a / b).mid()) if b != 0 else math.inf
    try:
        flint.ctx.prec = before + (math.frexp(quotient)[1] if 1 < quotient < math.inf else 0)
        return a - b * (a / b).floor()
    finally:
        flint.ctx.prec = before


def _decide_on_arrays(
    certain: Callable[[Ball, Ball], bool], impossible: Callable[[Ball, Ball], bool]
) -> Callable[..., Balls]:
    """True, False, or None where the balls overlap and either may be the case."""

    def decide(left: Ball, right: Ball) -> bool | None:
        return True if certain(left, right) else False if impossible(left, right) else None

    return on_arrays(decide, 2)


def _same_number(left: Ball, right: Ball) -> bool:
    """Balls of radius 0 with the same middle; any others may hold different numbers."""
    return bool(left == right)


def _other_number(left: Ball, right: Ball) -> bool:
    return bool(left != right)


def _and(left: bool | None, right: bool | None) -> bool | None:
    if left is False or right is False:
        return False
    return None if left is None or right is None else True


def _not(condition: bool | None) -> bool | None:
    return None if condition is None else not condition


def _or(left: bool | None, right: bool | None) -> bool | None:
    return _not(_and(_not(left), _not(right)))


def _arb_where(condition: bool | None, taken: Ball, otherwise: Ball) -> Ball:
    """The hull of both where the condition is undecided."""
    if condition is None:
        return taken.union(otherwise)
    return taken if condition else otherwise


def _comparison_row(
    name: str,
    symbol: str,
    python: Callable[..., Numeric],
    build: Callable[..., Expr],
    arb_row: Callable[..., Balls],
) -> Operation:
    return Operation(
        name,
        build,
        arb=arb_row,
        budget=EXACT,
        derivatives=flat,
        arity=2,
        measured=(Interval(), Interval()),
        **_infix_notations(symbol, COMPARISON, python),
    )


def _connective_row(
    name: str,
    build: Callable[..., Expr],
    arb_row: Callable[..., Balls],
    arity: int,
    **notations: Unpack[Notations],
) -> Operation:
    return Operation(
        name,
        build,
        arb=arb_row,
        budget=EXACT,
        derivatives=flat,
        arity=arity,
        domain="conditions",
        **notations,
    )


def _constant_row(name: str, value: Expr, arb_row: Callable[..., Ball]) -> Operation:
    notation = Name(f"math.{name}")
    return Operation(
        name,
        lambda: value,
        arb=arb_row,
        measured=(),
        torch=notation,
        numpy=notation,
        python=notation,
    )


exp2: ExprClass = define_function("exp2", lambda a: 2**a, lambda a: (exp2(a) * sympy.log(2),))
expm1: ExprClass = define_function("expm1", lambda a: sympy.exp(a) - 1, lambda a: (expm1(a) + 1,))
log1p: ExprClass = define_function("log1p", lambda a: sympy.log(1 + a), lambda a: (1 / (a + 1),))
log2: ExprClass = define_function(
    "log2", lambda a: sympy.log(a) / sympy.log(2), lambda a: (1 / (a * sympy.log(2)),)
)
log10: ExprClass = define_function(
    "log10", lambda a: sympy.log(a) / sympy.log(10), lambda a: (1 / (a * sympy.log(10)),)
)
hypot: ExprClass = define_function(
    "hypot", lambda a, b: sympy.sqrt(a**2 + b**2), lambda a, b: (a / hypot(a, b), b / hypot(a, b))
)

_ARITHMETIC = (
    Operation("add", sympy.Add, arb=np.add, arity=2, **_infix_notations("+", SUM, operator.add)),
    Operation(
        "subtract", lambda a, b: a - b, arb=np.subtract, **_infix_notations("-", SUM, operator.sub)
    ),
    Operation(
        "multiply",
        sympy.Mul,
        arb=np.multiply,
        arity=2,
        **_infix_notations("*", PRODUCT, operator.mul),
    ),
    Operation(
        # torch computes a number over a tensor as reciprocal times number: two roundings.
        "divide",
        lambda a, b: a / b,
        arb=np.divide,
        budget=Budget(torch=1.0),
        derivatives=lambda a, b: (1 / b, _by_divisor(a, b)),
        domain="every a, b ≠ 0",
        measured=(Interval(-1e6, 1e6), Interval(0.01, 1e6)),
        **_infix_notations("/", PRODUCT, operator.truediv),
    ),
    Operation(
        "negative",
        operator.neg,
        arb=np.negative,
        budget=EXACT,
        arity=1,
        **_infix_notations("-", NEGATIVE, operator.neg),
    ),
    Operation(
        # torch's x**2 is x*x; NumPy's is so for arrays only, for its scalars it is pow().
        "square",
        lambda a: a**2,
        arb=lambda a: np.multiply(a, a),
        torch=Suffix("**2", POWER, _square),
        numpy=Call("np.square"),
        python=Suffix("**2", POWER, _square),
    ),
    Operation(
        "power",
        sympy.Pow,
        arb=_arb_power,
        budget=budget_of(2.0),
        # SymPy's own, x**y*y/x, is 0/0 at 0.
        derivatives=lambda a, b: (b * a ** (b - 1), a**b * sympy.log(a)),
        domain="a > 0, or b a whole number",
        measured=(Interval(0.01, 100.0), Interval(-8.0, 8.0)),
        **_infix_notations("**", POWER, operator.pow),
    ),
    Operation(
        "sqrt",
        sympy.sqrt,
        arb=on_arrays(arb.sqrt),
        derivatives=lambda a: (1 / (2 * sympy.sqrt(a)),),
        budget=Budget(torch=1.0),
        domain="a ≥ 0",
        measured=(_POSITIVE,),
        **_by_name("sqrt"),
    ),
)

_EXPONENTIALS = (
    Operation(
        "exp",
        sympy.exp,
        arb=on_arrays(arb.exp),
        budget=Budget(1.0, 3.0),
        arity=1,
        measured=(Interval(-80, 80),),
        **_by_name("exp"),
    ),
    Operation(
        "exp2",
        exp2,
        arb=on_arrays(lambda a: arb(2) ** a),
        budget=Budget(1.0, 3.0),
        measured=(Interval(-120, 120),),
        derivatives=lambda a: (exp2(a) * sympy.log(2),),
        **_by_name("exp2"),
    ),
    Operation(
        "expm1",
        expm1,
        arb=on_arrays(arb.expm1),
        budget=Budget(1.0, 3.0),
        measured=(Interval(-80, 80),),
        derivatives=lambda a: (expm1(a) + 1,),
        **_by_name("expm1"),
    ),
    Operation(
        "log",
        sympy.log,
        arb=on_arrays(arb.log),
        budget=Budget(1.0, 3.0),
        arity=1,
        domain="a > 0",
        measured=(_POSITIVE,),
        **_by_name("log"),
    ),
    Operation(
        "log1p",
        log1p,
        arb=on_arrays(arb.log1p),
        budget=Budget(1.0, 3.0),
        domain="a > -1",
        measured=(Interval(-1.0),),
        derivatives=lambda a: (1 / (a + 1),),
        **_by_name("log1p"),
    ),
    Operation(
        "log2",
        log2,
        arb=on_arrays(lambda a: a.log() / arb.const_log2()),
        budget=Budget(1.0, 3.0),
        domain="a > 0",
        measured=(_POSITIVE,),
        derivatives=lambda a: (1 / (a * sympy.log(2)),),
        **_by_name("log2"),
    ),
    Operation(
        "log10",
        log10,
        arb=on_arrays(lambda a: a.log() / arb.const_log10()),
        budget=Budget(1.0, 3.0),
        domain="a > 0",
        measured=(_POSITIVE,),
        derivatives=lambda a: (1 / (a * sympy.log(10)),),
        **_by_name("log10"),
    ),
)

_CIRCLES = (
    Operation(
        "sin",
        sympy.sin,
        arb=on_arrays(arb.sin),
        budget=Budget(1.0, 3.0),
        arity=1,
        **_by_name("sin"),
    ),
    Operation(
        "cos",
        sympy.cos,
        arb=on_arrays(arb.cos),
        budget=Budget(1.0, 3.0),
        arity=1,
        **_by_name("cos"),
    ),
    Operation(
        "tan",
        sympy.tan,
        arb=on_arrays(arb.tan),
        budget=Budget(1.0, 4.0),
        domain="a not an odd multiple of pi/2",
        derivatives=lambda a: (1 + sympy.tan(a) ** 2,),
        **_by_name("tan"),
    ),
    Operation(
        "asin",
        sympy.asin,
        arb=on_arrays(arb.asin),
        budget=Budget(1.0, 4.0),
        domain="-1 ≤ a ≤ 1",
        measured=(_UNIT,),
        derivatives=lambda a: (1 / sympy.sqrt(1 - a * a),),
        **_by_names("torch.asin", "np.arcsin", "math.asin"),
    ),
    Operation(
        "acos",
        sympy.acos,
        arb=on_arrays(arb.acos),
        budget=Budget(1.0, 4.0),
        domain="-1 ≤ a ≤ 1",
        measured=(_UNIT,),
        derivatives=lambda a: (-(1 / sympy.sqrt(1 - a * a)),),
        **_by_names("torch.acos", "np.arccos", "math.acos"),
    ),
    Operation(
        "atan",
        sympy.atan,
        arb=on_arrays(arb.atan),
        budget=Budget(1.0, 4.0),
        derivatives=lambda a: (1 / (a * a + 1),),
        **_by_names("torch.atan", "np.arctan", "math.atan"),
    ),
    Operation(
        "atan2",
        sympy.atan2,
        arb=on_arrays(arb.atan2, 2),
        budget=Budget(1.0, 4.0),
        domain="not both 0",
        derivatives=lambda a, b: (b / (a * a + b * b), -a / (a * a + b * b)),
        measured=(Interval(-1e6, 1e6), Interval(-1e6, 1e6)),
        **_by_names("torch.atan2", "np.arctan2", "math.atan2"),
    ),
)

_HYPERBOLAS = (
    Operation(
        "sinh",
        sympy.sinh,
        arb=on_arrays(arb.sinh),
        budget=Budget(1.0, 2.0),
        derivatives=lambda a: (sympy.cosh(a),),
        measured=(Interval(-80, 80),),
        **_by_name("sinh"),
    ),
    Operation(
        "cosh",
        sympy.cosh,
        arb=on_arrays(arb.cosh),
        budget=Budget(1.0, 2.0),
        derivatives=lambda a: (sympy.sinh(a),),
        measured=(Interval(-80, 80),),
        **_by_name("cosh"),
    ),
    Operation(
        "tanh",
        sympy.tanh,
        arb=on_arrays(arb.tanh),
        budget=Budget(1.0, 4.0),
        arity=1,
        **_by_name("tanh"),
    ),
    Operation(
        "asinh",
        sympy.asinh,
        arb=on_arrays(arb.asinh),
        budget=Budget(2.0, 2.0),
        measured=(Interval(-1e15, 1e15),),
        derivatives=lambda a: (1 / sympy.sqrt(a * a + 1),),
        **_by_names("torch.asinh", "np.arcsinh", "math.asinh"),
    ),
    Operation(
        "acosh",
        sympy.acosh,
        arb=on_arrays(arb.acosh),
        budget=Budget(2.0, 2.0),
        domain="a ≥ 1",
        measured=(Interval(1.0, 1e15),),
        derivatives=lambda a: (1 / sympy.sqrt(a * a - 1),),
        **_by_names("torch.acosh", "np.arccosh", "math.acosh"),
    ),
    Operation(
        "atanh",
        sympy.atanh,
        arb=on_arrays(arb.atanh),
        budget=Budget(2.0, 2.0),
        domain="-1 < a < 1",
        measured=(_UNIT,),
        derivatives=lambda a: (1 / (1 - a * a),),
        **_by_names("torch.atanh", "np.arctanh", "math.atanh"),
    ),
    Operation(
        "hypot",
        hypot,
        arb=on_arrays(lambda a, b: (a * a + b * b).sqrt(), 2),
        budget=Budget(1.0, 1.0),
        derivatives=lambda a, b: (a / hypot(a, b), b / hypot(a, b)),
        measured=(Interval(-1e15, 1e15), Interval(-1e15, 1e15)),
        **_by_names("torch.hypot", "np.hypot", "math.hypot"),
    ),
)

_STEPS = (
    Operation(
        "abs", sympy.Abs, arb=np.abs, budget=EXACT, derivatives=lambda a: (sympy.sign(a),),
        **_by_names("torch.abs", "np.abs", "math.fabs"),
    ),
    Operation(
        "sign", sympy.sign, arb=on_arrays(arb.sgn), budget=EXACT, derivatives=flat, arity=1,
        **_by_names("torch.sgn", "np.sign", "np.sign"),
    ),
    Operation(
        "floor", sympy.floor, arb=on_arrays(arb.floor), budget=EXACT, derivatives=flat, arity=1,
        **_by_names("torch.floor", "np.floor", "math.floor"),
    ),
    Operation(
        "ceiling", sympy.ceiling, arb=on_arrays(arb.ceil), budget=EXACT, derivatives=flat, arity=1,
        **_by_names("torch.ceil", "np.ceil", "math.ceil"),
    ),
    Operation(
        "remainder", sympy.Mod, arb=on_arrays(_remainder, 2), budget=Budget(1.0, 1.0),
        derivatives=lambda a, b: (sympy.S.One, -sympy.floor(a / b)), domain="every a, b ≠ 0",
        measured=(Interval(-1e6, 1e6), Interval(0.01, 100.0)),
        torch=Call("torch.remainder"), numpy=Call("np.remainder"),
        # NumPy's takes no whole numbers of more than 64 bits.
        python=Infix("%", PRODUCT, operator.mod),
    ),
    Operation(
        "maximum", Maximum, arb=on_arrays(larger, 2), budget=EXACT,
        derivatives=lambda a, b: (_one_at_larger(a > b, a < b), _one_at_larger(a < b, a > b)),
        measured=(Interval(), Interval()),
        **_by_names("torch.maximum", "np.maximum", "builtins.max"),
    ),
    Operation(
        "minimum", Minimum, arb=on_arrays(smaller, 2), budget=EXACT,
        derivatives=lambda a, b: (_one_at_larger(a < b, a > b), _one_at_larger(a > b, a < b)),
        measured=(Interval(), Interval()),
        **_by_names("torch.minimum", "np.minimum", "builtins.min"),
    ),
)  # fmt: skip

_CONDITIONS = (
    _comparison_row(
        "less", "<", operator.lt, sympy.Lt, _decide_on_arrays(operator.lt, operator.ge)
    ),
    _comparison_row(
        "less_equal", "<=", operator.le, sympy.Le, _decide_on_arrays(operator.le, operator.gt)
    ),
    _comparison_row(
        "greater", ">", operator.gt, sympy.Gt, _decide_on_arrays(operator.gt, operator.le)
    ),
    _comparison_row(
        "greater_equal", ">=", operator.ge, sympy.Ge, _decide_on_arrays(operator.ge, operator.lt)
    ),
    _comparison_row(
        "equal", "==", operator.eq, sympy.Eq, _decide_on_arrays(_same_number, _other_number)
    ),
    _comparison_row(
        "not_equal", "!=", operator.ne, sympy.Ne, _decide_on_arrays(_other_number, _same_number)
    ),
    _connective_row(
        "and", sympy.And, on_arrays(_and, 2), 2, **_infix_notations("&", BOTH, operator.and_)
    ),
    _connective_row(
        "or", sympy.Or, on_arrays(_or, 2), 2, **_infix_notations("|", EITHER, operator.or_)
    ),
    _connective_row(
        "not",
        sympy.Not,
        on_arrays(_not),
        1,
        **_by_names("torch.logical_not", "np.logical_not", "np.logical_not"),
    ),
    Operation(
        "where",
        Where,
        arb=on_arrays(_arb_where, 3),
        budget=EXACT,
        domain="a condition and two numbers",
        arity=3,
        **_by_names("torch.where", "np.where", "np.where"),
    ),
    _constant_row("pi", sympy.pi, arb.pi),
    _constant_row("e", sympy.E, arb.const_e),
)

ROWS = (*_ARITHMETIC, *_EXPONENTIALS, *_CIRCLES, *_HYPERBOLAS, *_STEPS, *_CONDITIONS)

_MODERATE = Interval(-1e3, 1e3)

COMPOSITIONS = (
    Composition("sec", lambda a: 1 / sympy.cos(a), sympy.sec, "a not an odd multiple of pi/2"),
    Composition("csc", lambda a: 1 / sympy.sin(a), sympy.csc, "a not a multiple of pi"),
    Composition("cot", lambda a: 1 / sympy.tan(a), sympy.cot, "a not a multiple of pi"),
    Composition("sech", lambda a: 1 / sympy.cosh(a), sympy.sech, measured=(Interval(-80, 80),)),
    Composition("csch", lambda a: 1 / sympy.sinh(a), sympy.csch, "a ≠ 0", (Interval(-80, 80),)),
    Composition("coth", lambda a: 1 / sympy.tanh(a), sympy.coth, "a ≠ 0"),
    Composition("asec", lambda a: sympy.acos(1 / a), sympy.asec, "|a| ≥ 1", (Interval(1.0, 1e6),)),
    Composition("acsc", lambda a: sympy.asin(1 / a), sympy.acsc, "|a| ≥ 1", (Interval(1.0, 1e6),)),
    Composition("acot", lambda a: sympy.atan(1 / a), sympy.acot, "a ≠ 0"),
    Composition(
        "asech", lambda a: sympy.acosh(1 / a), sympy.asech, "0 < a ≤ 1", (Interval(1e-6, 1.0),)
    ),
    Composition(
        "acsch", lambda a: sympy.asinh(1 / a), sympy.acsch, "a ≠ 0", (Interval(1e-6, 1e6),)
    ),
    Composition(
        "acoth", lambda a: sympy.atanh(1 / a), sympy.acoth, "|a| > 1", (Interval(1.0, 1e6),)
    ),
    Composition("cbrt", lambda a: sympy.sign(a) * sympy.Abs(a) ** sympy.Rational(1, 3)),
    Composition(
        "heaviside",
        lambda a, at_zero=_HALF: Where(a > 0, sympy.S.One, Where(a < 0, sympy.S.Zero, at_zero)),
        sympy.Heaviside,
    ),
    Composition(
        "copysign",
        lambda a, b: Where(b < 0, -sympy.Abs(a), sympy.Abs(a)),
        domain="every number; the sign of b = 0 is that of +0",
        lost=(1,),
    ),
    Composition(
        "fmod",
        lambda a, b: Where(a < 0, -sympy.Mod(-a, sympy.Abs(b)), sympy.Mod(a, sympy.Abs(b))),
        domain="every a, b ≠ 0",
        measured=(Interval(-1e6, 1e6), Interval(0.01, 100.0)),
    ),
    Composition("frac", lambda a: a - sympy.floor(a), sympy.frac, measured=(_MODERATE,)),
    Composition("sinc", lambda a: Where(sympy.Eq(a, 0), sympy.S.One, sympy.sin(a) / a), sympy.sinc),
)
