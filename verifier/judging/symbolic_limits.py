"""Symbolic limits: what an exact value is where its formula has none, as SymPy finds it for small
formulas.

An entry of a result is written out as an expression on straight lines into the point, from every
side that lies in its domain, and SymPy takes the limit on each. Where all of them are the same
finite number, that is the value there: sqrt(x⁴) has the derivative 0 at 0, acos(x)² has -2 at 1.

Balls of Arb at the point and right beside it say first whether there is something to ask: no limit
is looked for where the exact value is too long for them. They also say which sides lie outside the
domain, and which branches are taken beside the point.

SymPy may not return, so it is stopped when its time is up. (A child process would have to import
SymPy first, which costs more than most limits take, and forking is not safe beside torch's
threads.) It is written in Python and so can be stopped nearly everywhere, but not in an operation
on whole numbers of millions of digits: numbers that would become so long do not reach it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import sympy
from flint import arb

from verifier.judging.verdict import Note
from verifier.operations.arrays import Ball, Balls, Expr, Floats
from verifier.operations.operation import by_definition
from verifier.operations.table import TABLE
from verifier.process.timeout import OutOfTimeError, run_with_timeout
from verifier.program.evaluation.arithmetic import precision
from verifier.program.evaluation.balls import FIRST_BITS, LAST_BITS
from verifier.program.evaluation.elements import (
    ADDED,
    MOVED,
    BeyondError,
    Elements,
    Key,
    Known,
    Line,
    TooLargeError,
    dot,
    is_finite,
)
from verifier.program.program import CONSTANT, CONTRACT, INPUT, Program

SECONDS = 3.0
"""For all limits at one point."""
IN_ALL = 20.0
"""Seconds for all limits of a check."""
MOST_BITS = 100_000
"""Of the numbers that SymPy meets: of their exponents, and of fractions that it writes out."""
DIGITS = 60
"""Of a limit that SymPy has as a formula and not as a fraction; the last two are not relied on."""
_NEAR = (10**9, 10**14)
"""Beside the point is where such a part of 1 has been added."""


@dataclass(frozen=True, eq=False)
class ResultWithLimits:
    """What was found for the entries of one result, which was flattened."""

    balls: Balls
    """The results with the limits in their places."""
    note: npt.NDArray[np.object_]
    """By entry: Note.LIMIT where there is one, the reason where there was none to find, else
    Note.NONE.
    """


def add_limits(
    program: Program,
    results: Sequence[Balls],
    arguments: Mapping[str, Floats],
    names: Collection[str],
) -> list[ResultWithLimits]:
    """The results of a program, with limits where they have no exact value.

    `results` are its exact balls, `arguments` float64 arrays by name; `names` says by which inputs
    the point is approached. Where an input is not finite nothing is looked for.
    """
    clock = _Clock()
    usable = all(np.isfinite(values).all() for values in arguments.values())
    found = []
    for output, balls in zip(program.outputs, results, strict=True):
        entries = np.array(np.ravel(balls), dtype=object)
        note = np.full(entries.shape, Note.NONE, dtype=object)
        for place in [place for place, ball in enumerate(entries) if not ball.is_finite()]:
            elements = Elements(program, arguments, names, (output, place))
            answer = _limit_at(elements, clock) if usable else Note.NO_EXACT_VALUE
            if isinstance(answer, Note):
                note[place] = answer
            else:
                entries[place], note[place] = answer, Note.LIMIT
        found.append(ResultWithLimits(entries, note))
    return found


@contextmanager
def limit_search_time(seconds: float = IN_ALL) -> Iterator[None]:
    """A block in which all limits together take no more than so many `seconds`."""
    token = _time_budget.set(_TimeBudget(seconds))
    try:
        yield
    finally:
        _time_budget.reset(token)


def _limit_at(elements: Elements, clock: _Clock) -> arb | Note:
    """The limit of an entry as a ball, or why there is none."""
    if clock.seconds <= 0:
        return Note.TOO_LONG
    with clock.counted():
        try:
            elements.reach()
            elements.refuse_beyond()
            lines = [_expression_along(elements, line) for line in _directions(elements.involved)]
        except BeyondError:
            return Note.BEYOND
        except (*_NO_LIMIT, TooLargeError):
            return Note.NO_EXACT_VALUE
    inside = tuple(line for line in lines if line is not None)
    if not inside:
        return Note.NO_EXACT_VALUE
    answer = clock.run(lambda: _limit_of_lines(inside, clock.known), Note.TOO_LONG)
    return answer if isinstance(answer, Note) else _as_ball(answer)


_NO_LIMIT = (
    ArithmeticError,
    ValueError,
    TypeError,
    NotImplementedError,
    AttributeError,
    RecursionError,
)
"""What SymPy raises where it knows no limit."""


def _directions(involved: Sequence[tuple[str, int]]) -> list[Line]:
    """Directions into the point, each from both sides.

    All inputs go together, then with every other sign turned.
    """
    count = len(involved)
    together = [1 + place for place in range(count)]
    turned = [(-1) ** place * (count + place) for place in range(count)]
    steps = [together] if count == 1 else [together, turned] if count else []
    signed = [[sign * step for step in line] for line in steps for sign in (1, -1)]
    return [dict(zip(involved, line, strict=True)) for line in signed]


def _expression_along(elements: Elements, line: Line) -> Callable[[], Expr] | None:
    """What makes the entry an expression of t on that line; None where that is outside the domain.

    Raises ValueError where a branch changes on the way, BeyondError for numbers too long for SymPy.
    """
    # What cancels needs more bits, or it looks like an end of the domain.
    for bits in (FIRST_BITS, LAST_BITS):
        with precision(bits):
            near = [elements.balls(line, part) for part in _NEAR]
            if all(is_finite(balls[elements.result]) for balls in near):
                beside = _EntryOnLine(elements, line, near)
                beside.refuse_long()
                return beside.expression
    return None


def _limit_of_lines(
    lines: tuple[Callable[[], Expr], ...], known: dict[tuple[Expr, ...], Expr | Note]
) -> Expr | Note:
    """A number of SymPy's, or why there is none."""
    try:
        expressions = tuple(line() for line in lines)
    except _NO_LIMIT:
        return Note.NO_EXACT_VALUE
    if expressions not in known:
        known[expressions] = _common_limit(expressions)
    return known[expressions]


def _common_limit(lines: Sequence[Expr]) -> Expr | Note:
    """The limit on every line, if it is one number."""
    try:
        known = [_one_sided_limit(line) for line in lines]
    except _NO_LIMIT:
        return Note.NO_EXACT_VALUE
    if any(sympy.simplify(side - known[0]) != 0 for side in known[1:] if known[0].is_finite):
        return Note.NO_EXACT_VALUE
    if not all(side.is_finite for side in known):
        return Note.INFINITE if all(side == known[0] for side in known) else Note.NO_EXACT_VALUE
    number = known[0] if known[0].is_Rational else known[0].evalf(DIGITS)
    # What SymPy takes for a number may have none.
    return number if number.is_Rational or number.is_Float else Note.NO_EXACT_VALUE


def _one_sided_limit(expression: Expr) -> Expr:
    """The limit for t from above to 0."""
    limit = sympy.limit(by_definition(sympy.sympify(expression)), _T, 0, "+")
    if not (limit.is_number and limit.is_extended_real) or limit.has(
        sympy.Limit, sympy.AccumBounds
    ):
        raise NotImplementedError
    return limit


def _as_ball(number: Expr) -> arb:
    # Not in the other thread: the precision is one for all threads.
    with precision(FIRST_BITS):
        if number.is_Rational:
            return arb(int(number.p)) / arb(int(number.q))
        ball = arb(str(number))
        return ball + arb(0, 1) * abs(ball) * arb(10) ** (2 - DIGITS)


_T = sympy.Symbol("t", positive=True)


class _EntryOnLine:
    """An entry on a line into the point, without branches: balls beside the point decide them."""

    def __init__(self, elements: Elements, line: Line, near: Sequence[Known]) -> None:
        self._elements, self._line, self._near = elements, line, near

    def expression(self) -> Expr:
        """The entry as an expression of t."""
        return self._elements.worked_out(self._parts, self._value)[self._elements.result]

    def refuse_long(self) -> None:
        """Raises BeyondError for numbers of too many bits: SymPy works fractions out."""
        sizes = self._elements.worked_out(self._parts, self._bits)
        exponents = [_exponent_size(balls[key]) for key in sizes for balls in self._near]
        if max(*sizes.values(), *exponents) > MOST_BITS:
            raise BeyondError

    def _parts(self, key: Key, known: Known) -> list[Key]:
        """The parts that the expression is made of."""
        parts = self._elements.parts(key)
        match self._elements.node(key).operation:
            case "where":
                return [parts[1 if self._same_on_both(lambda balls: balls[parts[0]]) else 2]]
            case "maximum":
                return [parts[0 if self._at_least(*parts) else 1]]
            case "minimum":
                return [parts[1 if self._at_least(*parts) else 0]]
            case "relu":
                return parts if self._at_least(parts[0], None) else []
            case "sign":
                return []
        return parts

    def _same_on_both(self, of: Callable[[Known], bool | None]) -> bool:
        """What is so at both places beside the point. Raises ValueError where that is open."""
        one, other = map(of, self._near)
        if one is None or one is not other:
            raise ValueError("the branch changes on the way")
        return one

    def _at_least(self, left: Key | None, right: Key | None) -> bool:
        """Whether an element is at least another one; None is 0."""

        def decide(balls: Known) -> bool | None:
            one, other = (arb(0) if key is None else balls[key] for key in (left, right))
            return _certainly_at_least(one, other)

        return self._same_on_both(decide)

    def _value(self, key: Key, known: Known) -> Expr:
        node, parts = self._elements.node(key), self._parts(key, known)
        values = [known[part] for part in parts]
        match node.operation:
            case op if op == INPUT:
                start = _rational_of(self._elements.given(key))
                return start + self._line.get((str(node.payload), key[1]), 0) * _T
            case op if op == CONSTANT:
                return _rational_of(np.ravel(node.array)[key[1]])
            case "sign":
                return self._sign(self._elements.parts(key)[0])
            case "abs":
                return values[0] * self._sign(parts[0])
            case op if op == CONTRACT:
                return dot(values, sympy.S.Zero)
            case op if op in _ALONE | ADDED:
                return sum(values, sympy.S.Zero)
        return TABLE[node.operation].sympy(*values)

    def _sign(self, key: Key) -> Expr:
        return sympy.Integer(self._at_least(key, None)) - sympy.Integer(self._at_least(None, key))

    def _bits(self, key: Key, known: Known) -> int:
        """At most so many bits have the numbers in the expression of an element."""
        parts = self._parts(key, known)
        sizes: list[int] = [known[part] for part in parts]
        match self._elements.node(key).operation:
            case op if op == INPUT:
                return _bit_length(self._elements.given(key))
            case op if op == CONSTANT:
                return _bit_length(float(np.ravel(self._elements.node(key).array)[key[1]]))
            case "square":
                return 2 * sizes[0]
            case "power":
                return sizes[0] * self._factors(parts[1]) + sizes[1]
        return 1 + sum(sizes)

    def _factors(self, exponent: Key) -> int:
        """How many factors a power has."""
        size = max(abs(float(balls[exponent].mid())) for balls in self._near)
        return 1 + math.ceil(min(size, MOST_BITS))


_ALONE = MOVED | {"where", "maximum", "minimum", "relu"}
"""Operations whose elements are one element beside the point, or nothing, which is 0."""


def _certainly_at_least(left: arb, right: arb) -> bool | None:
    return True if left >= right else False if left < right else None


def _exponent_size(ball: Ball | bool | None) -> float:
    """The size of a number's exponent; 0 for what is none."""
    if isinstance(ball, bool) or ball is None or ball.mid() == 0:
        return 0.0
    return abs(float(abs(ball.mid()).log()))


def _bit_length(number: float) -> int:
    """How many bits a float has as a fraction."""
    fraction = Fraction(number)
    return fraction.numerator.bit_length() + fraction.denominator.bit_length()


def _rational_of(number: float) -> Expr:
    if not np.isfinite(number):
        raise ValueError("the point is not finite")
    fraction = Fraction(float(number))
    return sympy.Rational(fraction.numerator, fraction.denominator)


@dataclass(eq=False)
class _TimeBudget:
    """The time for all limits of a check."""

    left: float


_time_budget: ContextVar[_TimeBudget] = ContextVar("patience")


class _Clock:
    """What is left of the time for all limits at one point."""

    def __init__(self) -> None:
        self.left = SECONDS
        self._in_all = _time_budget.get(_TimeBudget(math.inf))
        self.known: dict[tuple[Expr, ...], Expr | Note] = {}
        """The answers for entries that were the same expressions."""

    def run(self, work: Callable[[], Expr | Note], late: Note) -> Expr | Note:
        """What the work returns, or `late` where there is not enough time. Raises what the work
        raises.
        """
        if self.seconds <= 0:
            return late
        with self.counted():
            try:
                return run_with_timeout(self.seconds, work)
            except OutOfTimeError:
                return late

    @property
    def seconds(self) -> float:
        """What is left, at this point and of the time for all."""
        return min(self.left, self._in_all.left)

    @contextmanager
    def counted(self) -> Iterator[None]:
        """What is done inside the block takes its time from what is left."""
        start = time.monotonic()
        try:
            yield
        finally:
            taken = time.monotonic() - start
            self.left -= taken
            self._in_all.left -= taken
