"""What a row of the operations table is: an operation in every language that verifier speaks.

A row says what the operation is to SymPy, how it is written for torch, NumPy and plain Python
numbers, how Arb computes it, where it is defined, and how far torch and NumPy may be from the exact
result. The derivative is SymPy's, of the row's SymPy form, unless the row states one of its own. A
composition is a function that has no row because torch and NumPy have no call for it: other rows
write it.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from importlib import import_module
from typing import TypedDict

import numpy as np
import sympy
from flint import arb

from verifier.errors import InputError
from verifier.operations.arrays import Ball, Balls, Expr, ExprClass, Floats, Numeric


@dataclass(frozen=True)
class Infix:
    """Written between its arguments, or before its only one; binds as Python's operator does."""

    symbol: str
    precedence: int
    function: Callable[..., Numeric]


# How tightly Python's operators bind.
COMPARISON, EITHER, BOTH, SUM, PRODUCT, NEGATIVE, POWER, ATOM = range(1, 9)

_HOMES = {"np": "numpy", "special": "scipy.special"}


@dataclass(frozen=True)
class Call:
    """Written as a call of a dotted name, whose first part is the module: `np.exp(x)`."""

    name: str
    extra: tuple[float, ...] = ()
    """Numbers that stand behind the arguments."""
    keywords: tuple[tuple[str, float], ...] = ()
    own: Callable[..., Numeric] | None = None
    """The function itself where a person brought it along; its name then has no module."""

    @property
    def gives_array(self) -> bool:
        """Whether plain numbers come back as NumPy's."""
        return self.name.startswith(("np.", "special."))

    @cached_property
    def function(self) -> Callable[..., Numeric]:
        """What is called: on tensors, arrays or plain numbers, as the module is torch, NumPy or
        math. Raises AttributeError where the module has no such name.
        """
        if self.own is not None:
            return self.own
        module, _, attribute = self.name.rpartition(".")
        found: Callable[..., Numeric] = getattr(
            import_module(_HOMES.get(module, module)), attribute
        )
        if not self.extra and not self.keywords:
            return found
        return lambda *arguments: partial(found, **dict(self.keywords))(*arguments, *self.extra)

    def called_with(self, arguments: list[str]) -> str:
        """The source of the call, as text.

        `arguments` are the sources of the arguments, in order.

        >>> Call("np.logaddexp", extra=(0,)).called_with(["x"])
        'np.logaddexp(x, 0)'
        """
        keywords = [f"{name}={value!r}" for name, value in self.keywords]
        return f"{self.name}({', '.join([*arguments, *map(repr, self.extra), *keywords])})"


class Absent(Call):
    """Written as a call of a function that the library does not have: whoever calls it gets an
    InputError.
    """


def absent_from_torch(name: str) -> Absent:
    """What stands in the place of a call that torch does not have."""

    def refuse(*arguments: Numeric) -> Numeric:
        raise InputError(
            f"torch has no {name}, so that there is no code of torch to judge: give your own, "
            f"and the formula says what is right"
        )

    return Absent(f"missing_{name}", own=refuse)


@dataclass(frozen=True)
class Name:
    """Written as a dotted name, without arguments."""

    name: str

    def function(self) -> float:
        """The number, in float64."""
        return float({"math.pi": math.pi, "math.e": math.e}[self.name])


@dataclass(frozen=True)
class Suffix:
    """Written behind its argument: `x**2`."""

    symbol: str
    precedence: int
    function: Callable[..., Numeric]


Notation = Infix | Call | Name | Suffix


class Notations(TypedDict):
    """How an operation is written for torch, for NumPy and for plain Python numbers."""

    torch: Notation
    numpy: Notation
    python: Notation


@dataclass(frozen=True)
class Budget:
    """How far the libraries' results may be from the exact one, in ulps of `size`.

    0 is exact and 0.5 correctly rounded; else a number above the largest that `make budgets` finds
    (`reports/budgets.md`).
    """

    torch: float = 0.5
    numpy: float = 0.5
    size: Callable[..., Balls] | None = None
    """From the result and the arguments, as balls: the number whose ulps are counted; None is the
    result.
    """

    def of(self, library: str) -> float:
        """The ulps of a `library`, which is "torch" or "numpy"."""
        return float(getattr(self, library))


CORRECTLY_ROUNDED = Budget()
EXACT = Budget(0.0, 0.0)


def budget_of(ulps: float) -> Budget:
    """A budget of the same number of ulps for torch and NumPy.

    >>> budget_of(2.0).of("torch")
    2.0
    """
    return Budget(ulps, ulps)


@dataclass(frozen=True)
class Interval:
    """Real numbers from low to high."""

    low: float = -math.inf
    high: float = math.inf

    def sample(self, count: int, generator: np.random.Generator) -> Floats:
        """Random floats of it: half of them even, half log-uniform in size, then its two ends.

        `count` is how many are drawn with `generator`. The result is of shape `(count + 2,)`.
        Infinite ends are cut at 1e30, and the even half lies in -10 to 10 as far as the interval
        does, so that ordinary sizes are well covered.
        """
        low, high = max(self.low, -1e30), min(self.high, 1e30)
        even = generator.uniform(max(low, min(high, -10.0)), min(high, max(low, 10.0)), count)
        largest = np.log(max(abs(low), abs(high)))
        sizes = np.exp(generator.uniform(min(np.log(1e-6), largest), largest, count))
        spread = sizes * generator.choice([-1.0, 1.0], count)
        inside = (spread >= low) & (spread <= high) & (np.arange(count) % 2 == 0)
        return np.concatenate([np.where(inside, spread, even), [low, high]])


REALS = Interval()


@dataclass(frozen=True)
class Operation:
    """One row: an operation in every language that verifier speaks."""

    name: str
    sympy: Callable[..., Expr]
    """Builds the SymPy expression from the arguments' expressions."""
    torch: Notation
    numpy: Notation
    python: Notation
    """For arguments that are all plain numbers, such as the constant in `sqrt(2) * x`."""
    arb: Callable[..., Balls]
    """Takes NumPy object arrays of Arb balls and returns the array of enclosures."""
    budget: Budget = CORRECTLY_ROUNDED
    derivatives: Callable[..., tuple[Expr, ...]] | None = None
    """The derivative for each argument, as expressions in the order of operations that torch's own
    backward uses, as far as it is known."""
    domain: str = "every number"
    measured: tuple[Interval, ...] = (REALS,)
    """For each argument, where the budget was measured."""
    lost: tuple[int, ...] = ()
    """Places of the arguments by which torch has no derivative."""
    whole: tuple[int, ...] = ()
    """Places of the arguments that must be whole numbers, written out."""
    arity: int | None = None
    """How many arguments; by default as many as `derivatives` or `sympy` takes."""

    @cached_property
    def arguments(self) -> int:
        """How many arguments a call takes."""
        if self.arity is not None:
            return self.arity
        return len(inspect.signature(self.derivatives or self.sympy).parameters)


@dataclass(frozen=True)
class Composition:
    """A function that other rows write, in the order of operations of its definition."""

    name: str
    definition: Callable[..., Expr]
    """From expressions to an expression, of SymPy functions that have rows."""
    sympy: type | None = None
    """SymPy's own class of the same meaning."""
    domain: str = "every number"
    measured: tuple[Interval, ...] = (REALS,)
    lost: tuple[int, ...] = ()
    """Places of the arguments by which torch has no derivative."""


def flat(*arguments: Expr) -> tuple[Expr, ...]:
    """A zero for each of the `arguments`: the derivatives of an operation that is flat between its
    jumps.
    """
    return (sympy.S.Zero,) * len(arguments)


class Where(sympy.Function):  # type: ignore[misc]
    """Piecewise of two branches. Inside `sympy.evaluate(False)` it stays as it is, since SymPy's
    own Piecewise looks into its conditions even there and may not return.
    """

    nargs = 3
    is_commutative = is_real = True  # or SymPy asks the condition, without end

    @classmethod
    def eval(cls, condition: Expr, taken: Expr, otherwise: Expr) -> Expr:
        """SymPy's Piecewise, where SymPy is allowed to evaluate."""
        return sympy.Piecewise((taken, condition), (otherwise, True))


class Maximum(sympy.Function):  # type: ignore[misc]
    """Max that keeps the order of its two arguments inside `sympy.evaluate(False)`."""

    nargs = 2
    is_commutative = is_real = True

    @classmethod
    def eval(cls, a: Expr, b: Expr) -> Expr:
        """SymPy's Max, where SymPy is allowed to evaluate."""
        return sympy.Max(a, b)


class Minimum(sympy.Function):  # type: ignore[misc]
    """Min that keeps the order of its two arguments inside `sympy.evaluate(False)`."""

    nargs = 2
    is_commutative = is_real = True

    @classmethod
    def eval(cls, a: Expr, b: Expr) -> Expr:
        """SymPy's Min, where SymPy is allowed to evaluate."""
        return sympy.Min(a, b)


def define_function(
    name: str,
    definition: Callable[..., Expr],
    derivatives: Callable[..., tuple[Expr, ...]],
    arguments: int | None = None,
) -> ExprClass:
    """A class of SymPy functions of that `name`, for a function that SymPy lacks.

    `definition` takes expressions and gives the expression that the function stands for; numbers
    are computed from it. `derivatives` takes the same and gives the derivative for each of them.
    The class takes `arguments` arguments, or as many as the definition.

    >>> double = define_function("double", lambda x: 2 * x, lambda x: (sympy.Integer(2),))
    >>> x = sympy.Symbol("x")
    >>> double(x), double(x).diff(x), double(sympy.Integer(3)).evalf(2)
    (double(x), 2, 6.0)
    >>> by_definition(double(x) + 1)
    2*x + 1
    """

    def fdiff(self: Expr, argindex: int = 1) -> Expr:
        return derivatives(*self.args)[argindex - 1]

    def evaluated(self: Expr, precision: int) -> Expr:
        return definition(*self.args)._eval_evalf(precision)

    members = {
        "nargs": arguments or len(inspect.signature(definition).parameters),
        "definition": staticmethod(definition),
        "is_real": True,
        "fdiff": fdiff,
        "_eval_evalf": evaluated,
    }
    return type(name, (sympy.Function,), members)


def by_definition(expression: Expr) -> Expr:
    """The SymPy `expression` with the definition in place of every function that SymPy lacks."""
    return expression.replace(
        _has_definition, lambda part: by_definition(part.definition(*part.args))
    )


def _has_definition(part: Expr) -> bool:
    return hasattr(part, "definition")


def larger(a: Ball, b: Ball) -> Ball:
    """A ball around the larger of two numbers.

    Its midpoint is that of one of them, so that two balls of radius 0 that are equal stay a tie.

    >>> larger(arb(2), arb(3))
    3.00000000000000
    """
    if a >= b or b >= a:
        return a if a >= b else b
    return _around(a if a.mid() >= b.mid() else b, a.max(b))


def smaller(a: Ball, b: Ball) -> Ball:
    """A ball around the smaller of two numbers; its midpoint is that of one of them."""
    if a <= b or b <= a:
        return a if a <= b else b
    return _around(a if a.mid() <= b.mid() else b, a.min(b))


def _around(ball: Ball, hull: Ball) -> Ball:
    return ball.mid() + (hull - ball.mid()).abs_upper() * arb(0, 1)


def on_arrays(function: Callable[..., Ball], arguments: int = 1) -> Callable[..., Balls]:
    """The same function on object arrays of balls, entry by entry.

    `function` takes `arguments` balls and returns one. Arrays are broadcast as NumPy does.
    """
    result: Callable[..., Balls] = np.frompyfunc(function, arguments, 1)
    return result
