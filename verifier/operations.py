"""The operations table: everything that a formula can do, one row an operation.

A row says what the operation is to SymPy, how it is written for torch, NumPy and plain Python
numbers, how Arb computes it, and how far torch and NumPy may be from the exact result. The
derivative is SymPy's, of the row's SymPy form, unless the row states one of its own.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any

import numpy as np
import sympy
from flint import arb

CORRECTLY_ROUNDED = 0.5


@dataclass(frozen=True)
class Infix:
    """Written between its arguments, or before its only one; binds as Python's operator does."""

    symbol: str
    precedence: int
    function: Callable[..., Any]


@dataclass(frozen=True)
class Call:
    """Written as a call of a dotted name, whose first part is the module: `np.exp`."""

    name: str

    @cached_property
    def function(self) -> Callable[..., Any]:
        module, _, attribute = self.name.rpartition(".")
        home = import_module({"np": "numpy", "": "builtins"}.get(module, module))
        found: Callable[..., Any] = getattr(home, attribute)
        return found


@dataclass(frozen=True)
class Name:
    """Written as a dotted name, without arguments."""

    name: str

    def function(self) -> float:
        return float({"math.pi": math.pi, "math.e": math.e}[self.name])


@dataclass(frozen=True)
class Suffix:
    """Written behind its argument: `x**2`."""

    symbol: str
    precedence: int
    function: Callable[..., Any]


Notation = Infix | Call | Name | Suffix


@dataclass(frozen=True)
class Operation:
    """One row: an operation in every language that verifier speaks."""

    name: str
    sympy: Callable[..., Any]
    """Builds the SymPy expression from the arguments' expressions."""
    torch: Notation
    numpy: Notation
    python: Notation
    """For arguments that are all plain numbers, such as the constant in `sqrt(2) * x`."""
    arb: Callable[..., Any]
    """Takes NumPy object arrays of Arb balls and returns the array of enclosures."""
    ulps: float = CORRECTLY_ROUNDED
    """How far torch's and NumPy's results may be from the exact one, in ulps of it: a whole number above
    the largest that `benchmarks/budgets.py` found for either of them."""
    derivatives: Callable[..., tuple[Any, ...]] | None = None
    """The derivative for each argument, as SymPy trees in the order of operations to be used."""


def _each(function: Callable[..., Any], arguments: int) -> Any:
    return np.frompyfunc(function, arguments, 1)


def _arb_power(base: Any, exponent: Any) -> Any:
    """Whole constant exponents by repeated multiplication: Arb's own power of a ball around 0 is NaN."""
    if isinstance(exponent, arb) and exponent.is_integer():
        whole = int(exponent.unique_fmpz())
        if abs(whole) <= 1024:
            return _whole_power(base, whole)
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


def _compare(certain: Callable[[Any, Any], bool], impossible: Callable[[Any, Any], bool]) -> Any:
    """True, False, or None where the balls overlap and either may be the case."""

    def decide(left: Any, right: Any) -> bool | None:
        return True if certain(left, right) else False if impossible(left, right) else None

    return _each(decide, 2)


def _arb_where(condition: bool | None, taken: Any, otherwise: Any) -> Any:
    """The hull of both where the condition is undecided."""
    if condition is None:
        return taken.union(otherwise)
    return taken if condition else otherwise


def _sympy_where(condition: Any, taken: Any, otherwise: Any) -> Any:
    return sympy.Piecewise((taken, condition), (otherwise, True))


def _same(symbol: str, precedence: int, function: Callable[..., Any]) -> dict[str, Any]:
    notation = Infix(symbol, precedence, function)
    return {"torch": notation, "numpy": notation, "python": notation}


def _function(name: str) -> dict[str, Any]:
    return {"torch": Call(f"torch.{name}"), "numpy": Call(f"np.{name}"), "python": Call(f"math.{name}")}


def _comparison(
    name: str, symbol: str, python: Callable[..., Any], build: Any, arb_row: Callable[..., Any]
) -> Operation:
    return Operation(name, build, arb=arb_row, **_same(symbol, 1, python))


def _by_divisor(a: Any, b: Any) -> Any:
    """As autograd does: by the reciprocal for a number over a tensor, else the quotient once more.

    (1/b² overflows where the derivative does not.)
    """
    return -((1 / b) * (1 / b) * a) if a.is_number else -((a / b) / b)


def _square(number: Any) -> Any:
    return number * number


_HALF = sympy.Rational(1, 2)

ROWS = (
    Operation("add", sympy.Add, arb=np.add, **_same("+", 3, operator.add)),
    Operation("subtract", lambda a, b: a - b, arb=np.subtract, **_same("-", 3, operator.sub)),
    Operation("multiply", sympy.Mul, arb=np.multiply, **_same("*", 4, operator.mul)),
    Operation(
        # torch computes a number over a tensor as reciprocal times number: two roundings.
        "divide",
        lambda a, b: a / b,
        arb=np.divide,
        ulps=1.0,
        derivatives=lambda a, b: (1 / b, _by_divisor(a, b)),
        **_same("/", 4, operator.truediv),
    ),
    Operation("negative", operator.neg, arb=np.negative, **_same("-", 5, operator.neg)),
    Operation(
        # torch's x**2 is x*x; NumPy's is so for arrays only, for its scalars it is pow().
        "square",
        lambda a: a**2,
        arb=lambda a: np.multiply(a, a),
        torch=Suffix("**2", 6, _square),
        numpy=Call("np.square"),
        python=Suffix("**2", 6, _square),
    ),
    Operation(
        "power",
        sympy.Pow,
        arb=_arb_power,
        ulps=2.0,
        # SymPy's own, x**y*y/x, is 0/0 at 0.
        derivatives=lambda a, b: (b * a ** (b - 1), a**b * sympy.log(a)),
        **_same("**", 6, operator.pow),
    ),
    Operation(
        "sqrt",
        sympy.sqrt,
        arb=_each(arb.sqrt, 1),
        derivatives=lambda a: (1 / (2 * sympy.sqrt(a)),),
        ulps=1.0,
        **_function("sqrt"),
    ),
    Operation("exp", sympy.exp, arb=_each(arb.exp, 1), ulps=3.0, **_function("exp")),
    Operation("log", sympy.log, arb=_each(arb.log, 1), ulps=3.0, **_function("log")),
    Operation("sin", sympy.sin, arb=_each(arb.sin, 1), ulps=3.0, **_function("sin")),
    Operation("cos", sympy.cos, arb=_each(arb.cos, 1), ulps=3.0, **_function("cos")),
    Operation("tanh", sympy.tanh, arb=_each(arb.tanh, 1), ulps=4.0, **_function("tanh")),
    Operation(
        "abs",
        sympy.Abs,
        arb=np.abs,
        derivatives=lambda a: (sympy.sign(a),),
        torch=Call("torch.abs"),
        numpy=Call("np.abs"),
        python=Call("abs"),
    ),
    Operation(
        "sign",
        sympy.sign,
        arb=_each(arb.sgn, 1),
        torch=Call("torch.sgn"),
        numpy=Call("np.sign"),
        python=Call("np.sign"),
    ),
    Operation(
        "maximum",
        sympy.Max,
        arb=_each(arb.max, 2),
        derivatives=lambda a, b: (_tie(a > b, a < b), _tie(b > a, b < a)),
        torch=Call("torch.maximum"),
        numpy=Call("np.maximum"),
        python=Call("max"),
    ),
    Operation(
        "minimum",
        sympy.Min,
        arb=_each(arb.min, 2),
        derivatives=lambda a, b: (_tie(a < b, a > b), _tie(b < a, b > a)),
        torch=Call("torch.minimum"),
        numpy=Call("np.minimum"),
        python=Call("min"),
    ),
    _comparison("less", "<", operator.lt, sympy.Lt, _compare(operator.lt, operator.ge)),
    _comparison("less_equal", "<=", operator.le, sympy.Le, _compare(operator.le, operator.gt)),
    _comparison("greater", ">", operator.gt, sympy.Gt, _compare(operator.gt, operator.le)),
    _comparison("greater_equal", ">=", operator.ge, sympy.Ge, _compare(operator.ge, operator.lt)),
    Operation(
        "where",
        _sympy_where,
        arb=_each(_arb_where, 3),
        torch=Call("torch.where"),
        numpy=Call("np.where"),
        python=Call("np.where"),
    ),
    Operation(
        "pi",
        lambda: sympy.pi,
        arb=arb.pi,
        torch=Name("math.pi"),
        numpy=Name("math.pi"),
        python=Name("math.pi"),
    ),
    Operation(
        "e",
        lambda: sympy.E,
        arb=arb.const_e,
        torch=Name("math.e"),
        numpy=Name("math.e"),
        python=Name("math.e"),
    ),
)


def _tie(ahead: Any, behind: Any) -> Any:
    """1 ahead, 0 behind and a half at a tie: torch's convention for maximum and minimum."""
    return sympy.Piecewise((1, ahead), (sympy.Piecewise((0, behind), (_HALF, True)), True))


def _reduction(name: str, arb_row: Callable[..., Any]) -> Operation:
    notation: dict[str, Any] = {
        "torch": Call(f"torch.{name}"),
        "numpy": Call(f"np.{name}"),
        "python": Call(f"np.{name}"),
    }
    return Operation(name, sympy.Function(name), arb=arb_row, **notation)


def _arb_sum(rows: Any) -> Any:
    return np.add.reduce(rows, axis=-1, keepdims=True)


# Reductions take the rows of a batch, the last axis, to a scalar; `size` is the number of rows, and
# `spread` gives each row of its first argument the second one.
REDUCTIONS = (
    _reduction("sum", _arb_sum),
    _reduction("mean", lambda rows: np.divide(_arb_sum(rows), arb(rows.shape[-1]))),
    Operation(
        "size",
        sympy.Function("size"),
        arb=lambda rows: arb(rows.shape[-1]),
        torch=Call("torch.numel"),
        numpy=Call("np.size"),
        python=Call("np.size"),
    ),
    Operation(
        "spread",
        sympy.Function("spread"),
        arb=lambda like, value: np.full_like(like, value, dtype=object),
        torch=Call("torch.full_like"),
        numpy=Call("np.full_like"),
        python=Call("np.full_like"),
    ),
)

TABLE = {row.name: row for row in (*ROWS, *REDUCTIONS)}
