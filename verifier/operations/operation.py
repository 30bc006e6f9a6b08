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
from typing import Any

import numpy as np
import sympy
from flint import arb

Tree = Any
"""A SymPy expression or condition; unevaluated inside `sympy.evaluate(False)`."""


@dataclass(frozen=True)
class Infix:
    """Written between its arguments, or before its only one; binds as Python's operator does."""

    symbol: str
    precedence: int
    function: Callable[..., Any]


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
    own: Callable[..., Any] | None = None
    """The function itself where a person brought it along; its name then has no module."""

    @property
    def gives_array(self) -> bool:
        """Whether plain numbers come back as NumPy's."""
        return self.name.startswith(("np.", "special."))

    @cached_property
    def function(self) -> Callable[..., Any]:
        if self.own is not None:
            return self.own
        module, _, attribute = self.name.rpartition(".")
        found: Callable[..., Any] = getattr(import_module(_HOMES.get(module, module)), attribute)
        if not self.extra and not self.keywords:
            return found
        return lambda *arguments: partial(found, **dict(self.keywords))(*arguments, *self.extra)

    def written(self, arguments: list[str]) -> str:
        keywords = [f"{name}={value!r}" for name, value in self.keywords]
        return f"{self.name}({', '.join([*arguments, *map(repr, self.extra), *keywords])})"


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
class Budget:
    """How far the libraries' results may be from the exact one, in ulps of `size`.

    0 is exact and 0.5 correctly rounded; else a number above the largest that `make budgets` finds
    (`reports/budgets.md`).
    """

    torch: float = 0.5
    numpy: float = 0.5
    size: Callable[..., Any] | None = None
    """From the result and the arguments, as balls: the number whose ulps are counted; None is the
    result.
    """

    def of(self, library: str) -> float:
        return float(getattr(self, library))


CORRECTLY_ROUNDED = Budget()
EXACT = Budget(0.0, 0.0)


def within(ulps: float) -> Budget:
    """The same number of ulps for torch and NumPy."""
    return Budget(ulps, ulps)


@dataclass(frozen=True)
class Interval:
    """Real numbers from low to high."""

    low: float = -math.inf
    high: float = math.inf

    def sample(self, count: int, generator: np.random.Generator) -> Any:
        """So many floats of it: half of them even, half log-uniform in size, and its ends."""
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
    sympy: Callable[..., Any]
    """Builds the SymPy expression from the arguments' expressions."""
    torch: Notation
    numpy: Notation
    python: Notation
    """For arguments that are all plain numbers, such as the constant in `sqrt(2) * x`."""
    arb: Callable[..., Any]
    """Takes NumPy object arrays of Arb balls and returns the array of enclosures."""
    budget: Budget = CORRECTLY_ROUNDED
    derivatives: Callable[..., tuple[Tree, ...]] | None = None
    """The derivative for each argument, as SymPy trees in the order of operations that torch's own
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
        if self.arity is not None:
            return self.arity
        return len(inspect.signature(self.derivatives or self.sympy).parameters)


@dataclass(frozen=True)
class Composition:
    """A function that other rows write, in the order of operations of its definition."""

    name: str
    definition: Callable[..., Tree]
    """From trees to a tree, of SymPy functions that have rows."""
    sympy: type | None = None
    """SymPy's own class of the same meaning."""
    domain: str = "every number"
    measured: tuple[Interval, ...] = (REALS,)


def flat(*arguments: Tree) -> tuple[Tree, ...]:
    """The derivatives of an operation that are zero wherever they exist."""
    return (sympy.S.Zero,) * len(arguments)


class Where(sympy.Function):  # type: ignore[misc]
    """Piecewise of two branches. Inside `sympy.evaluate(False)` it stays as it is, since SymPy's
    own Piecewise looks into its conditions even there and may not return.
    """

    nargs = 3
    is_commutative = is_real = True  # or SymPy asks the condition, without end

    @classmethod
    def eval(cls, condition: Tree, taken: Tree, otherwise: Tree) -> Tree:
        return sympy.Piecewise((taken, condition), (otherwise, True))


class Maximum(sympy.Function):  # type: ignore[misc]
    """Max that keeps the order of its two arguments inside `sympy.evaluate(False)`."""

    nargs = 2
    is_commutative = is_real = True

    @classmethod
    def eval(cls, a: Tree, b: Tree) -> Tree:
        return sympy.Max(a, b)


class Minimum(sympy.Function):  # type: ignore[misc]
    """Min that keeps the order of its two arguments inside `sympy.evaluate(False)`."""

    nargs = 2
    is_commutative = is_real = True

    @classmethod
    def eval(cls, a: Tree, b: Tree) -> Tree:
        return sympy.Min(a, b)


def named(
    name: str,
    definition: Callable[..., Tree],
    derivatives: Callable[..., tuple[Tree, ...]],
    arguments: int | None = None,
) -> type:
    """A SymPy function of that name, for one that SymPy lacks; its numbers come from the
    definition.

    It takes so many arguments, or as many as the definition.

    >>> double = named("double", lambda x: 2 * x, lambda x: (sympy.Integer(2),))
    >>> x = sympy.Symbol("x")
    >>> double(x), double(x).diff(x), double(sympy.Integer(3)).evalf(2)
    (double(x), 2, 6.0)
    >>> by_definition(double(x) + 1)
    2*x + 1
    """

    def fdiff(self: Any, argindex: int = 1) -> Tree:
        return derivatives(*self.args)[argindex - 1]

    def evaluated(self: Any, precision: int) -> Tree:
        return definition(*self.args)._eval_evalf(precision)

    members = {
        "nargs": arguments or len(inspect.signature(definition).parameters),
        "definition": staticmethod(definition),
        "is_real": True,
        "fdiff": fdiff,
        "_eval_evalf": evaluated,
    }
    return type(name, (sympy.Function,), members)


def by_definition(tree: Tree) -> Tree:
    """The tree with the definition in place of every function that SymPy lacks."""
    return tree.replace(_has_definition, lambda part: by_definition(part.definition(*part.args)))


def _has_definition(part: Tree) -> bool:
    return hasattr(part, "definition")


def larger(a: Any, b: Any) -> Any:
    """A ball around the larger of two numbers, with the middle of one of theirs: a tie stays
    a tie.
    """
    if a >= b or b >= a:
        return a if a >= b else b
    return _around(a if a.mid() >= b.mid() else b, a.max(b))


def smaller(a: Any, b: Any) -> Any:
    """A ball around the smaller of two numbers, with the middle of one of theirs."""
    if a <= b or b <= a:
        return a if a <= b else b
    return _around(a if a.mid() <= b.mid() else b, a.min(b))


def _around(ball: Any, hull: Any) -> Any:
    return ball.mid() + (hull - ball.mid()).abs_upper() * arb(0, 1)


def each(function: Callable[..., Any], arguments: int = 1) -> Any:
    """A function of balls as one of object arrays of them."""
    return np.frompyfunc(function, arguments, 1)
