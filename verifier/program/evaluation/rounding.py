"""The allowance: how far rounding alone can move what a program states in a floating-point format.

The program is evaluated in balls of Arb, and after each operation the ball is widened by that
operation's own rounding: fl(a op b) = (a op b)(1 + d) + e with |d| at most the unit roundoff and
|e| at most half the smallest subnormal (Higham, Accuracy and Stability of Numerical Algorithms,
2nd ed., section 2.2; the row's budget in ulps where an operation is not correctly rounded). The
final ball contains whatever the format can honestly give, so its distance from the exact result
is a proof. Sums are bounded for every order of their terms (the same book, section 4.2).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from typing import Any

import numpy as np
from flint import arb

from verifier.operations.formats import Format
from verifier.operations.operation import Call, Operation
from verifier.operations.table import REDUCTIONS, TABLE
from verifier.program.evaluation.arithmetic import NumPyArithmetic, middle
from verifier.program.program import Program, evaluate

_INEQUALITIES = frozenset({"less", "less_equal", "greater", "greater_equal"})
_STEPS = frozenset({"floor", "ceiling"})
_REDUCTIONS = frozenset(row.name for row in REDUCTIONS)
_DOUBLE_ROUNDING = 1.0 + 2.0**-10
"""Constants are worked out in Python's float64 and rounded again, a little more than half an
ulp.
"""


@dataclass(frozen=True, eq=False)
class Rounded:
    """What a format may give for a node: an array of balls, and what is known of how it came
    about.
    """

    ball: Any
    border: Any = False
    """Where a condition or a kink on the way lies within rounding of its border (array of bool)."""
    unsure: Any = False
    """Where honest code may find itself on either side of that border, since its two sides are not
    exactly known to be the same number (array of bool)."""
    given: bool = False
    """Whether it is made of data and constants alone, so that no derivative is taken through it."""
    terms: Any = None
    """For a sum, the sum of its terms' sizes: a bound of every partial sum in every order."""

    @cached_property
    def size(self) -> Any:
        return np.abs(self.ball) if self.terms is None else self.terms


class Side(Enum):
    """How a comparison is decided that rounding leaves open."""

    CODED = "as the code would decide it at the middle"
    LEFT_GREATER = "as if its left side were the greater one"
    LEFT_SMALLER = "as if its left side were the smaller one"


class RoundedArithmetic:
    """Balls of Arb that also contain every rounding of a format; arguments are exact.

    All comparisons that rounding leaves open are decided to the same side, so that what belongs to
    one branch stays together: the branch, its derivative and its guards.
    """

    def __init__(self, format: Format, library: str, side: Side = Side.CODED) -> None:
        self._format = format
        self._library = library
        self._side = side
        self._spread = arb(0, format.unit_roundoff * _DOUBLE_ROUNDING)
        self._round = arb(1) + self._spread

    def symbol(self, value: Rounded) -> Rounded:
        return value

    def constant(self, value: int | float) -> Rounded:
        exact = arb(value)
        representable = exact == float(value) and self._format.holds(float(value))
        return Rounded(exact if representable else exact * self._round, given=True)

    def apply(self, operation: Operation, *arguments: Rounded) -> Rounded:
        given = all(argument.given for argument in arguments)
        return replace(self._applied(operation, arguments, given), given=given)

    def _applied(
        self, operation: Operation, arguments: tuple[Rounded, ...], given: bool
    ) -> Rounded:
        if operation.name in _REDUCTIONS:
            return self._over_rows(operation, arguments)
        balls = [argument.ball for argument in arguments]
        border = _any(argument.border for argument in arguments)
        unsure = _any(argument.unsure for argument in arguments)
        match operation.name:
            case name if name in _INEQUALITIES:
                return self._inequality(operation, balls, border, unsure, given)
            case "equal" | "not_equal":
                return self._equality(operation, balls, border, unsure)
            case "sign":
                return self._sign(balls[0], border, unsure, given)
            case "add" | "subtract":
                return self._sum(operation, arguments, border, unsure)
            case name if name in _STEPS:
                step = _array(operation.arb(*balls))
                between = ~_is_exact(step)
                return Rounded(step, _any((border, between)), _any((unsure, between)))
        result = _array(operation.arb(*balls))
        if operation.name == "atan2":
            result = _either_zero(result, *balls)
        if operation.budget.of(self._library) == 0.0:
            return Rounded(result, border, unsure)
        return Rounded(self.rounded(operation, result, balls), border, unsure)

    def rounded(self, operation: Operation, result: Any, balls: list[Any]) -> Any:
        """The exact results of an operation widened by its rounding, underflow and overflow
        included.
        """
        return self._ranged(self._widened(operation, result, balls), operation)

    def _over_rows(self, operation: Operation, arguments: tuple[Rounded, ...]) -> Rounded:
        rows, last = arguments[0], arguments[-1]
        match operation.name:
            case "size":
                return Rounded(operation.arb(rows.ball))
            case "spread":
                return Rounded(operation.arb(rows.ball, last.ball), last.border, last.unsure)
        return self._reduction(operation, rows.ball, _any_row(rows.border), _any_row(rows.unsure))

    def _inequality(
        self, operation: Operation, balls: list[Any], border: Any, unsure: Any, given: bool
    ) -> Rounded:
        """Between numbers that no derivative is taken of, a tie is no kink: it is decided as
        written.
        """
        left, right = np.broadcast_arrays(*map(_array, balls))
        close = ~np.asarray(np.not_equal(left, right), dtype=bool)
        decided = _array(operation.arb(left, right))
        open_ = close & np.asarray(_is_undecided(decided), dtype=bool)
        close = open_ if given else close
        if close.any():
            decided = decided.copy()
            greater = operation.name.startswith("greater")
            if self._side is Side.CODED:
                decided[open_] = operation.arb(_midpoints(left[open_]), _midpoints(right[open_]))
            else:
                decided[close] = greater == (self._side is Side.LEFT_GREATER)
        return Rounded(decided, _any((border, close)), _any((unsure, open_)))

    def _equality(
        self, operation: Operation, balls: list[Any], border: Any, unsure: Any
    ) -> Rounded:
        """Two numbers that are exactly known are the same or not; others that are close may be
        either.
        """
        decided = _array(operation.arb(*balls))
        open_ = np.asarray(_is_undecided(decided), dtype=bool)
        if open_.any():
            decided = decided.copy()
            decided[open_] = (operation.name == "equal") == (self._side is Side.CODED)
        return Rounded(decided, _any((border, open_)), _any((unsure, open_)))

    def _sign(self, ball: Any, border: Any, unsure: Any, given: bool) -> Rounded:
        """At 0 the code has 0; the one-sided derivatives of |x| are -1 and 1."""
        ball = _array(ball)
        kink = ~np.asarray(np.not_equal(ball, arb(0)), dtype=bool)
        open_ = kink & ~_is_exact(ball)
        kink = open_ if given else kink
        sign = TABLE["sign"].arb(ball)
        if kink.any():
            sides = {
                Side.CODED: TABLE["sign"].arb(_midpoints(ball[kink])),
                Side.LEFT_GREATER: arb(1),
            }
            sign[kink] = sides.get(self._side, arb(-1))
        return Rounded(sign, _any((border, kink)), _any((unsure, open_)))

    def _sum(
        self, operation: Operation, arguments: tuple[Rounded, ...], border: Any, unsure: Any
    ) -> Rounded:
        terms = np.add(arguments[0].size, arguments[1].size)
        result = _array(operation.arb(*(argument.ball for argument in arguments)))
        return Rounded(self.overflowed(result + self._spread * terms), border, unsure, terms=terms)

    def _reduction(self, operation: Operation, rows: Any, border: Any, unsure: Any) -> Rounded:
        """n - 1 additions, each wrong by at most the unit roundoff of the sum of the sizes; a mean
        divides once.
        """
        spread = self._spread * (rows.shape[-1] - 1)
        result = operation.arb(rows) + spread * operation.arb(np.abs(rows))
        if operation.name == "mean":
            result = self._widened(operation, result, [rows])
        return Rounded(self._ranged(result, operation), border, unsure)

    def _widened(self, operation: Operation, result: Any, balls: list[Any]) -> Any:
        # An ulp is at most twice the unit roundoff of the number.
        ulps, size = 2.0 * operation.budget.of(self._library), operation.budget.size
        if size is not None:
            return result + self._spread * ulps * size(result, *balls)
        return result * (self._round if ulps == 1.0 else arb(1) + self._spread * ulps)

    def _ranged(self, result: Any, operation: Operation) -> Any:
        """Add what underflow may lose; nothing is known where the format overflows."""
        sizes = np.abs(middle(result))
        small = sizes < self._format.smallest_normal
        if small.any():
            loss = arb(0, 1) * self._lost(operation)
            result = result.copy()
            result[small] = [_underflowed(ball, loss) for ball in result[small]]
        return self.overflowed(result)

    def _lost(self, operation: Operation) -> arb:
        """What an underflow may lose: a library's function may give 0 for a number below the
        smallest normal one.
        """
        if isinstance(operation.torch, Call) and operation.name not in _REDUCTIONS:
            return arb(self._format.smallest_normal)
        # As a float64, half of its smallest subnormal would be 0.
        return (
            arb(self._format.smallest_subnormal)
            * operation.budget.of(self._library)
            * _DOUBLE_ROUNDING
        )

    def overflowed(self, result: Any) -> Any:
        """Nothing is known where the format overflows."""
        large = ~(np.abs(middle(result)) < self._format.largest / 2)
        if large.any():
            result = result.copy()
            result[large] = arb("nan")
        return result


def _array(value: Any) -> Any:
    """A lone ball as an array of one, which broadcasts as it does."""
    return value if isinstance(value, np.ndarray) else np.array([value], dtype=object)


_is_undecided = np.frompyfunc(lambda condition: condition is None, 1, 1)
_midpoints = np.frompyfunc(lambda ball: ball.mid(), 1, 1)
_is_exact_ball = np.frompyfunc(lambda ball: ball.is_exact(), 1, 1)


def _is_exact(balls: Any) -> Any:
    return np.asarray(_is_exact_ball(balls), dtype=bool)


def _either_zero(angle: Any, a: Any, b: Any) -> Any:
    """Arb knows no negative zero: atan2(-0.0, -1.0) is -pi and atan2(0.0, -1.0) is pi."""
    zero = ~np.asarray(np.not_equal(a, arb(0)), dtype=bool) & ~np.asarray(
        np.greater(b, arb(0)), dtype=bool
    )
    return np.where(zero, arb(0, 3.2), angle)


def _underflowed(ball: Any, loss: Any) -> Any:
    if ball == 0:
        return ball
    # A ball around 0 of infinite radius is how Arb says overflow.
    return ball + loss if ball.is_finite() else arb("nan")


def _any(borders: Any) -> Any:
    result: Any = False
    for border in borders:
        if border is not False:
            result = border if result is False else result | border
    return result


def _any_row(border: Any) -> Any:
    return border if border is False else np.any(border, axis=-1, keepdims=True)


def rounded(
    program: Program,
    format: Format,
    library: str,
    arguments: Mapping[str, Any],
    data: Collection[str],
) -> list[Rounded]:
    """For each result, and each point, the ball of all that honest code of that library may state
    in that format.

    The first result is the value, the others its derivatives. At a border the balls hold the
    one-sided derivatives and what the code decides there; the value is open only where honest code
    may be on either side. Arguments are object arrays of Arb balls, exact floats of the format;
    `data` names those by which nothing is differentiated.
    """
    points = max((values.shape[0] for values in arguments.values()), default=1)
    given = {name: Rounded(values, given=name in data) for name, values in arguments.items()}
    coded = _evaluated(program, RoundedArithmetic(format, library), given, points)
    border = np.any([result.border for result in coded], axis=0)
    if not border.any():
        return coded
    there = {name: replace(values, ball=values.ball[border]) for name, values in given.items()}
    sides = [
        _evaluated(program, RoundedArithmetic(format, library, side), there, int(border.sum()))
        for side in (Side.LEFT_GREATER, Side.LEFT_SMALLER)
    ]
    for place, result in enumerate(coded):
        for side in sides:
            hull = _hull(result.ball[border], side[place].ball)
            open_ = result.border[border] if place else result.unsure[border]
            result.ball[border] = np.where(open_, hull, result.ball[border])
    return [replace(coded[0], border=coded[0].unsure), *coded[1:]]


_hull = np.frompyfunc(lambda one, other: one.union(other), 2, 1)


def _evaluated(
    program: Program, arithmetic: RoundedArithmetic, arguments: Mapping[str, Any], points: int
) -> list[Rounded]:
    """The results with an entry for each point, also where they are the same at all of them."""

    def spread(values: Any) -> Any:
        return np.broadcast_to(
            values if isinstance(values, bool) else np.ravel(values), (points,)
        ).copy()

    return [
        Rounded(spread(_array(result.ball)), spread(result.border), spread(result.unsure))
        for result in evaluate(program, arithmetic, arguments)
    ]


_FLOAT64 = NumPyArithmetic("float64")


class SizeArithmetic:
    """Pairs of a float64 value and the size of the terms that it is made of.

    A sum's size is the sum of its terms' sizes whatever their signs, a product's the product of
    its factors': what is left of a result after cancellation is small against its size.
    """

    def symbol(self, value: Any) -> tuple[Any, Any]:
        return value, np.abs(value)

    def constant(self, value: int | float) -> tuple[Any, Any]:
        return np.float64(value), np.float64(abs(value))

    def apply(self, operation: Operation, *arguments: tuple[Any, Any]) -> tuple[Any, Any]:
        values = [value for value, _ in arguments]
        sizes = [size for _, size in arguments]
        with np.errstate(all="ignore"):
            value = _FLOAT64.apply(operation, *values)
            match operation.name:
                case "sum" | "mean":
                    return value, _FLOAT64.apply(operation, sizes[0])
                case "spread":
                    return value, np.full_like(values[0], sizes[1])
            return value, size_of_terms(operation.name, value, values, sizes)


def size_of_terms(operation: str, value: Any, values: Sequence[Any], sizes: Sequence[Any]) -> Any:
    """The size of the terms of an element's result, from its arguments and the sizes of theirs."""
    match operation:
        case "add" | "subtract":
            return sizes[0] + sizes[1]
        case "multiply":
            return sizes[0] * sizes[1]
        case "square":
            return sizes[0] * sizes[0]
        case "divide":
            return sizes[0] / np.abs(values[1])
        case "negative":
            return sizes[0]
        case "where":
            return np.where(values[0], sizes[1], sizes[2])
    return np.abs(value)


def sizes(program: Program, arguments: Mapping[str, Any]) -> tuple[Any, ...]:
    """For each result, the size of the terms that it is made of, as float64 arrays.

    Arguments are float64 arrays.
    """
    return tuple(size for _, size in evaluate(program, SizeArithmetic(), arguments))
