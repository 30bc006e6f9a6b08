"""Rows of school mathematics: arithmetic, comparisons, branches, powers, exponentials, circles,
hyperbolas.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import flint
import numpy as np
import sympy
from flint import arb

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
    Operation,
    Suffix,
    Tree,
    Where,
    each,
    flat,
    larger,
    named,
    smaller,
    within,
)

_HALF = sympy.Rational(1, 2)
_POSITIVE = Interval(0.0)
_UNIT = Interval(-1.0, 1.0)


def _same(symbol: str, precedence: int, function: Callable[..., Any]) -> dict[str, Any]:
    notation = Infix(symbol, precedence, function)
    return {"torch": notation, "numpy": notation, "python": notation}


def _call(torch: str, numpy: str, python: str) -> dict[str, Any]:
    return {"torch": Call(torch), "numpy": Call(numpy), "python": Call(python)}


def _function(name: str) -> dict[str, Any]:
    return _call(f"torch.{name}", f"np.{name}", f"math.{name}")


def _by_divisor(a: Tree, b: Tree) -> Tree:
    """As autograd does: by the reciprocal for a number over a tensor, else the quotient once more.

    (1/b² overflows where the derivative does not.)
    """
    return -((1 / b) * (1 / b) * a) if a.is_number else -((a / b) / b)


def _square(number: Any) -> Any:
    return number * number


def _tie(ahead: Tree, behind: Tree) -> Tree:
    """1 ahead, 0 behind and a half at a tie: torch's convention for maximum and minimum."""
    return Where(ahead, sympy.S.One, Where(behind, sympy.S.Zero, _HALF))


def _arb_power(base: Any, exponent: Any) -> Any:
    """Whole constant exponents by repeated multiplication: Arb's own power of a ball around 0 is
    NaN.
    """
    if isinstance(exponent, arb) and abs(exponent) <= 1024 and exponent.is_integer():
        return _whole_power(base, int(exponent.unique_fmpz()))
    return np.power(base, exponent)


def _whole_power(base: Any, exponent: int) -> Any:
    if exponent < 0:
        return np.divide(arb(1), _whole_power(base, -exponent))
    result = arb(1)
    for bit in f"{exponent:b}":
        result = np.multiply(result, result)
        if bit == "1":
            result = np.multiply(result, base)
    return result


def _remainder(a: Any, b: Any) -> Any:
    """a - b floor(a/b), with as many more bits as the quotient has before its point."""
    before = flint.ctx.prec
    quotient = float(abs(a / b).mid()) if b != 0 else math.inf
    try:
        flint.ctx.prec = before + (math.frexp(quotient)[1] if 1 < quotient < math.inf else 0)
        return a - b * (a / b).floor()
    finally:
        flint.ctx.prec = before


def _compare(certain: Callable[[Any, Any], bool], impossible: Callable[[Any, Any], bool]) -> Any:
    """True, False, or None where the balls overlap and either may be the case."""

    def decide(left: Any, right: Any) -> bool | None:
        return True if certain(left, right) else False if impossible(left, right) else None

    return each(decide, 2)


def _same_number(left: Any, right: Any) -> bool:
    """Balls of radius 0 with the same middle; any others may hold different numbers."""
    return bool(left == right)


def _other_number(left: Any, right: Any) -> bool:
    return bool(left != right)


def _and(left: bool | None, right: bool | None) -> bool | None:
    if left is False or right is False:
        return False
    return None if left is None or right is None else True


def _not(condition: bool | None) -> bool | None:
    return None if condition is None else not condition


def _or(left: bool | None, right: bool | None) -> bool | None:
    return _not(_and(_not(left), _not(right)))


def _arb_where(condition: bool | None, taken: Any, otherwise: Any) -> Any:
    """The hull of both where the condition is undecided."""
    if condition is None:
        return taken.union(otherwise)
    return taken if condition else otherwise


def _comparison(
    name: str, symbol: str, python: Callable[..., Any], build: Any, arb_row: Any
) -> Operation:
    return Operation(
        name,
        build,
        arb=arb_row,
        budget=EXACT,
        derivatives=flat,
        arity=2,
        measured=(Interval(), Interval()),
        **_same(symbol, COMPARISON, python),
    )


def _connective(name: str, build: Any, arb_row: Any, arity: int, **notations: Any) -> Operation:
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


def _constant(name: str, value: Tree, arb_row: Any) -> Operation:
    notation: dict[str, Any] = dict.fromkeys(("torch", "numpy", "python"), Name(f"math.{name}"))
    return Operation(name, lambda: value, arb=arb_row, measured=(), **notation)


exp2: Any = named("exp2", lambda a: 2**a, lambda a: (exp2(a) * sympy.log(2),))
expm1: Any = named("expm1", lambda a: sympy.exp(a) - 1, lambda a: (expm1(a) + 1,))
log1p: Any = named("log1p", lambda a: sympy.log(1 + a), lambda a: (1 / (a + 1),))
log2: Any = named(
    "log2", lambda a: sympy.log(a) / sympy.log(2), lambda a: (1 / (a * sympy.log(2)),)
)
log10: Any = named(
    "log10", lambda a: sympy.log(a) / sympy.log(10), lambda a: (1 / (a * sympy.log(10)),)
)
hypot: Any = named(
    "hypot", lambda a, b: sympy.sqrt(a**2 + b**2), lambda a, b: (a / hypot(a, b), b / hypot(a, b))
)

_ARITHMETIC = (
    Operation("add", sympy.Add, arb=np.add, arity=2, **_same("+", SUM, operator.add)),
    Operation("subtract", lambda a, b: a - b, arb=np.subtract, **_same("-", SUM, operator.sub)),
    Operation("multiply", sympy.Mul, arb=np.multiply, arity=2, **_same("*", PRODUCT, operator.mul)),
    Operation(
        # torch computes a number over a tensor as reciprocal times number: two roundings.
        "divide",
        lambda a, b: a / b,
        arb=np.divide,
        budget=Budget(torch=1.0),
        derivatives=lambda a, b: (1 / b, _by_divisor(a, b)),
        domain="every a, b ≠ 0",
        measured=(Interval(-1e6, 1e6), Interval(0.01, 1e6)),
        **_same("/", PRODUCT, operator.truediv),
    ),
    Operation(
        "negative",
        operator.neg,
        arb=np.negative,
        budget=EXACT,
        arity=1,
        **_same("-", NEGATIVE, operator.neg),
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
        budget=within(2.0),
        # SymPy's own, x**y*y/x, is 0/0 at 0.
        derivatives=lambda a, b: (b * a ** (b - 1), a**b * sympy.log(a)),
        domain="a > 0, or b a whole number",
        measured=(Interval(0.01, 100.0), Interval(-8.0, 8.0)),
        **_same("**", POWER, operator.pow),
    ),
    Operation(
        "sqrt",
        sympy.sqrt,
        arb=each(arb.sqrt),
        derivatives=lambda a: (1 / (2 * sympy.sqrt(a)),),
        budget=Budget(torch=1.0),
        domain="a ≥ 0",
        measured=(_POSITIVE,),
        **_function("sqrt"),
    ),
)

_EXPONENTIALS = (
    Operation(
        "exp",
        sympy.exp,
        arb=each(arb.exp),
        budget=Budget(1.0, 3.0),
        arity=1,
        measured=(Interval(-80, 80),),
        **_function("exp"),
    ),
    Operation(
        "exp2",
        exp2,
        arb=each(lambda a: arb(2) ** a),
        budget=Budget(1.0, 3.0),
        measured=(Interval(-120, 120),),
        derivatives=lambda a: (exp2(a) * sympy.log(2),),
        **_function("exp2"),
    ),
    Operation(
        "expm1",
        expm1,
        arb=each(arb.expm1),
        budget=Budget(1.0, 3.0),
        measured=(Interval(-80, 80),),
        derivatives=lambda a: (expm1(a) + 1,),
        **_function("expm1"),
    ),
    Operation(
        "log",
        sympy.log,
        arb=each(arb.log),
        budget=Budget(1.0, 3.0),
        arity=1,
        domain="a > 0",
        measured=(_POSITIVE,),
        **_function("log"),
    ),
    Operation(
        "log1p",
        log1p,
        arb=each(arb.log1p),
        budget=Budget(1.0, 3.0),
        domain="a > -1",
        measured=(Interval(-1.0),),
        derivatives=lambda a: (1 / (a + 1),),
        **_function("log1p"),
    ),
    Operation(
        "log2",
        log2,
        arb=each(lambda a: a.log() / arb.const_log2()),
        budget=Budget(1.0, 3.0),
        domain="a > 0",
        measured=(_POSITIVE,),
        derivatives=lambda a: (1 / (a * sympy.log(2)),),
        **_function("log2"),
    ),
    Operation(
        "log10",
        log10,
        arb=each(lambda a: a.log() / arb.const_log10()),
        budget=Budget(1.0, 3.0),
        domain="a > 0",
        measured=(_POSITIVE,),
        derivatives=lambda a: (1 / (a * sympy.log(10)),),
        **_function("log10"),
    ),
)

_CIRCLES = (
    Operation(
        "sin", sympy.sin, arb=each(arb.sin), budget=Budget(1.0, 3.0), arity=1, **_function("sin")
    ),
    Operation(
        "cos", sympy.cos, arb=each(arb.cos), budget=Budget(1.0, 3.0), arity=1, **_function("cos")
    ),
    Operation(
        "tan",
        sympy.tan,
        arb=each(arb.tan),
        budget=Budget(1.0, 4.0),
        domain="a not an odd multiple of pi/2",
        derivatives=lambda a: (1 + sympy.tan(a) ** 2,),
        **_function("tan"),
    ),
    Operation(
        "asin",
        sympy.asin,
        arb=each(arb.asin),
        budget=Budget(1.0, 4.0),
        domain="-1 ≤ a ≤ 1",
        measured=(_UNIT,),
        derivatives=lambda a: (1 / sympy.sqrt(1 - a * a),),
        **_call("torch.asin", "np.arcsin", "math.asin"),
    ),
    Operation(
        "acos",
        sympy.acos,
        arb=each(arb.acos),
        budget=Budget(1.0, 4.0),
        domain="-1 ≤ a ≤ 1",
        measured=(_UNIT,),
        derivatives=lambda a: (-(1 / sympy.sqrt(1 - a * a)),),
        **_call("torch.acos", "np.arccos", "math.acos"),
    ),
    Operation(
        "atan",
        sympy.atan,
        arb=each(arb.atan),
        budget=Budget(1.0, 4.0),
        derivatives=lambda a: (1 / (a * a + 1),),
        **_call("torch.atan", "np.arctan", "math.atan"),
    ),
    Operation(
        "atan2",
        sympy.atan2,
        arb=each(arb.atan2, 2),
        budget=Budget(1.0, 4.0),
        domain="not both 0",
        derivatives=lambda a, b: (b / (a * a + b * b), -a / (a * a + b * b)),
        measured=(Interval(-1e6, 1e6), Interval(-1e6, 1e6)),
        **_call("torch.atan2", "np.arctan2", "math.atan2"),
    ),
)

_HYPERBOLAS = (
    Operation(
        "sinh",
        sympy.sinh,
        arb=each(arb.sinh),
        budget=Budget(1.0, 2.0),
        derivatives=lambda a: (sympy.cosh(a),),
        measured=(Interval(-80, 80),),
        **_function("sinh"),
    ),
    Operation(
        "cosh",
        sympy.cosh,
        arb=each(arb.cosh),
        budget=Budget(1.0, 2.0),
        derivatives=lambda a: (sympy.sinh(a),),
        measured=(Interval(-80, 80),),
        **_function("cosh"),
    ),
    Operation(
        "tanh",
        sympy.tanh,
        arb=each(arb.tanh),
        budget=Budget(1.0, 4.0),
        arity=1,
        **_function("tanh"),
    ),
    Operation(
        "asinh",
        sympy.asinh,
        arb=each(arb.asinh),
        budget=Budget(2.0, 2.0),
        measured=(Interval(-1e15, 1e15),),
        derivatives=lambda a: (1 / sympy.sqrt(a * a + 1),),
        **_call("torch.asinh", "np.arcsinh", "math.asinh"),
    ),
    Operation(
        "acosh",
        sympy.acosh,
        arb=each(arb.acosh),
        budget=Budget(2.0, 2.0),
        domain="a ≥ 1",
        measured=(Interval(1.0, 1e15),),
        derivatives=lambda a: (1 / sympy.sqrt(a * a - 1),),
        **_call("torch.acosh", "np.arccosh", "math.acosh"),
    ),
    Operation(
        "atanh",
        sympy.atanh,
        arb=each(arb.atanh),
        budget=Budget(2.0, 2.0),
        domain="-1 < a < 1",
        measured=(_UNIT,),
        derivatives=lambda a: (1 / (1 - a * a),),
        **_call("torch.atanh", "np.arctanh", "math.atanh"),
    ),
    Operation(
        "hypot",
        hypot,
        arb=each(lambda a, b: (a * a + b * b).sqrt(), 2),
        budget=Budget(1.0, 1.0),
        derivatives=lambda a, b: (a / hypot(a, b), b / hypot(a, b)),
        measured=(Interval(-1e15, 1e15), Interval(-1e15, 1e15)),
        **_call("torch.hypot", "np.hypot", "math.hypot"),
    ),
)

_STEPS = (
    Operation(
        "abs", sympy.Abs, arb=np.abs, budget=EXACT, derivatives=lambda a: (sympy.sign(a),),
        **_call("torch.abs", "np.abs", "math.fabs"),
    ),
    Operation(
        "sign", sympy.sign, arb=each(arb.sgn), budget=EXACT, derivatives=flat, arity=1,
        **_call("torch.sgn", "np.sign", "np.sign"),
    ),
    Operation(
        "floor", sympy.floor, arb=each(arb.floor), budget=EXACT, derivatives=flat, arity=1,
        **_call("torch.floor", "np.floor", "math.floor"),
    ),
    Operation(
        "ceiling", sympy.ceiling, arb=each(arb.ceil), budget=EXACT, derivatives=flat, arity=1,
        **_call("torch.ceil", "np.ceil", "math.ceil"),
    ),
    Operation(
        "remainder", sympy.Mod, arb=each(_remainder, 2), budget=Budget(1.0, 1.0),
        derivatives=lambda a, b: (sympy.S.One, -sympy.floor(a / b)), domain="every a, b ≠ 0",
        measured=(Interval(-1e6, 1e6), Interval(0.01, 100.0)),
        torch=Call("torch.remainder"), numpy=Call("np.remainder"),
        # NumPy's takes no whole numbers of more than 64 bits.
        python=Infix("%", PRODUCT, operator.mod),
    ),
    Operation(
        "maximum", Maximum, arb=each(larger, 2), budget=EXACT,
        derivatives=lambda a, b: (_tie(a > b, a < b), _tie(a < b, a > b)),
        measured=(Interval(), Interval()), **_call("torch.maximum", "np.maximum", "builtins.max"),
    ),
    Operation(
        "minimum", Minimum, arb=each(smaller, 2), budget=EXACT,
        derivatives=lambda a, b: (_tie(a < b, a > b), _tie(a > b, a < b)),
        measured=(Interval(), Interval()), **_call("torch.minimum", "np.minimum", "builtins.min"),
    ),
)  # fmt: skip

_CONDITIONS = (
    _comparison("less", "<", operator.lt, sympy.Lt, _compare(operator.lt, operator.ge)),
    _comparison("less_equal", "<=", operator.le, sympy.Le, _compare(operator.le, operator.gt)),
    _comparison("greater", ">", operator.gt, sympy.Gt, _compare(operator.gt, operator.le)),
    _comparison("greater_equal", ">=", operator.ge, sympy.Ge, _compare(operator.ge, operator.lt)),
    _comparison("equal", "==", operator.eq, sympy.Eq, _compare(_same_number, _other_number)),
    _comparison("not_equal", "!=", operator.ne, sympy.Ne, _compare(_other_number, _same_number)),
    _connective("and", sympy.And, each(_and, 2), 2, **_same("&", BOTH, operator.and_)),
    _connective("or", sympy.Or, each(_or, 2), 2, **_same("|", EITHER, operator.or_)),
    _connective(
        "not",
        sympy.Not,
        each(_not),
        1,
        **_call("torch.logical_not", "np.logical_not", "np.logical_not"),
    ),
    Operation(
        "where",
        Where,
        arb=each(_arb_where, 3),
        budget=EXACT,
        domain="a condition and two numbers",
        arity=3,
        **_call("torch.where", "np.where", "np.where"),
    ),
    _constant("pi", sympy.pi, arb.pi),
    _constant("e", sympy.E, arb.const_e),
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
    Composition("frac", lambda a: a - sympy.floor(a), sympy.frac, measured=(_MODERATE,)),
    Composition("sinc", lambda a: Where(sympy.Eq(a, 0), sympy.S.One, sympy.sin(a) / a), sympy.sinc),
)
