"""Limits: what an exact value is where its formula has none, as SymPy finds it for small formulas.

An entry of a result is written out as an expression on straight lines into the point, from every side that
lies in its domain, and SymPy takes the limit on each. Where all of them are the same finite number, that
is the value there: sqrt(x⁴) has the derivative 0 at 0, acos(x)² has -2 at 1.

SymPy may not return, so it is stopped when its time is up. (A child process would have to import SymPy
first, which costs more than most limits take, and forking is not safe beside torch's threads.) It is written
in Python and so can be stopped nearly everywhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import sympy
from flint import arb

from verifier.arithmetic import precision
from verifier.arrays import (
    CONSTANT,
    CONTRACT,
    INPUT,
    JOIN,
    NOTHING,
    PILE,
    RESHAPE,
    ROUND,
    TAKE,
    TOTAL,
    ArrayNode,
    ArrayProgram,
)  # fmt: skip
from verifier.judge import Note
from verifier.operations import by_definition
from verifier.replay import FIRST_BITS
from verifier.running import OutOfTimeError, within
from verifier.table import TABLE

SECONDS = 3.0
"""For all limits at one point."""
MOST_NODES = 300
"""Of elements that an entry is made of."""
MOST_INPUTS = 4
"""Of elements of inputs that an entry depends on."""
DIGITS = 60
_NEAR = (sympy.Rational(1, 10**9), sympy.Rational(1, 10**14))
"""How far from the point a condition is decided and the domain is looked at."""


@dataclass(frozen=True, eq=False)
class Limits:
    """What was found for the entries of one result, which was flattened."""

    balls: Any
    """The results with the limits in their places."""
    note: Any
    """By entry: Note.LIMIT where there is one, the reason where there was none to find, else Note.NONE."""


def limited(
    program: ArrayProgram, results: Sequence[Any], arguments: Mapping[str, Any], names: Collection[str]
) -> list[Limits]:
    """The results of a program with limits where they have no exact value.

    `results` are its exact balls; `names` says by which inputs the point is approached. Where an input is not
    finite nothing is looked for.
    """
    clock = _Clock()
    usable = all(np.isfinite(values).all() for values in arguments.values())
    found = []
    for output, balls in zip(program.outputs, results, strict=True):
        entries = np.array(np.ravel(balls), dtype=object)
        note = np.full(entries.shape, Note.NONE, dtype=object)
        for place in [place for place, ball in enumerate(entries) if not ball.is_finite()]:
            answer = _at(program, output, place, arguments, names, clock) if usable else Note.NO_EXACT_VALUE
            if isinstance(answer, Note):
                note[place] = answer
            else:
                entries[place], note[place] = answer, Note.LIMIT
        found.append(Limits(entries, note))
    return found


def _at(
    program: ArrayProgram, output: int, place: int, arguments: Mapping[str, Any], names: Collection[str], clock: _Clock
) -> arb | Note:
    elements = _Elements(program, arguments, names)

    def worked_out() -> Any:
        try:
            elements.reach(output, place)
        except _TooLargeError:
            return Note.NO_EXACT_VALUE
        return _limit(elements, output, place, clock.known)

    answer = clock.timed(worked_out, Note.TOO_LONG)
    return answer if isinstance(answer, Note) else _as_ball(answer)


def _limit(elements: _Elements, output: int, place: int, known: dict[tuple[Any, ...], Any]) -> Any:
    """A number of SymPy's, or why there is none."""
    try:
        lines = tuple(elements.along(line, output, place) for line in elements.lines)
    except _NO_LIMIT:
        return Note.NO_EXACT_VALUE
    if lines not in known:
        known[lines] = _common(lines)
    return known[lines]


_NO_LIMIT = (ArithmeticError, ValueError, TypeError, NotImplementedError, AttributeError, RecursionError)
"""What SymPy raises where it knows no limit."""


def _common(lines: tuple[Any, ...]) -> Any:
    """The limit on every line, if it is one number."""
    try:
        sides = [_side(line) for line in lines]
    except _NO_LIMIT:
        return Note.NO_EXACT_VALUE
    known = [side for side in sides if side is not None]
    if not known or any(sympy.simplify(side - known[0]) != 0 for side in known[1:] if known[0].is_finite):
        return Note.NO_EXACT_VALUE
    if not all(side.is_finite for side in known):
        return Note.INFINITE if all(side == known[0] for side in known) else Note.NO_EXACT_VALUE
    number = known[0] if known[0].is_Rational else known[0].evalf(DIGITS)
    # What SymPy takes for a number may have none.
    return number if number.is_Rational or number.is_Float else Note.NO_EXACT_VALUE


def _side(expression: Any) -> Any:
    """The limit for t from above to 0, None where the line lies outside the domain."""
    expression = by_definition(sympy.sympify(expression))
    values = [expression.subs(_T, near).evalf(30, maxn=200) for near in _NEAR]
    if any(not value.is_real or value.has(sympy.nan, sympy.zoo) for value in values):
        return None
    limit = sympy.limit(expression, _T, 0, "+")
    if not (limit.is_number and limit.is_extended_real) or limit.has(sympy.Limit, sympy.AccumBounds):
        raise NotImplementedError
    return limit


def _as_ball(number: Any) -> arb:
    # Not in the other thread: the precision is one for all threads.
    with precision(FIRST_BITS):
        if number.is_Rational:
            return arb(int(number.p)) / arb(int(number.q))
        ball = arb(str(number))
        return ball + arb(0, 1) * abs(ball) * arb(10) ** (2 - DIGITS)


_T = sympy.Symbol("t", positive=True)


class _TooLargeError(Exception):
    """The entry is made of too many others."""


@dataclass(eq=False)
class _Elements:
    """Single elements of an array program, each worked out from those that it needs and from no others."""

    program: ArrayProgram
    arguments: Mapping[str, Any]
    names: Collection[str]
    involved: list[tuple[str, int]] = field(default_factory=list)
    """The elements of inputs that the point is approached by."""

    def reach(self, output: int, place: int) -> None:
        """Collects what an element depends on. Raises _TooLargeError."""
        seen = {(output, place)}
        waiting = [(output, place)]
        while waiting:
            node = self.program.nodes[waiting[-1][0]]
            at = waiting.pop()[1]
            if node.operation == INPUT and node.payload in self.names:
                self.involved.append((str(node.payload), at))
            fresh = [part for part in self._parts(node, at) if part not in seen]
            seen.update(fresh)
            waiting.extend(fresh)
            if len(seen) > MOST_NODES or len(self.involved) > MOST_INPUTS:
                raise _TooLargeError
        self.involved.sort()

    @property
    def lines(self) -> list[dict[tuple[str, int], int]]:
        """Directions into the point, each from both sides: all inputs together, then with every other sign turned."""
        count = len(self.involved)
        together = [1 + place for place in range(count)]
        turned = [(-1) ** place * (count + place) for place in range(count)]
        steps = [together] if count == 1 else [together, turned] if count else []
        return [
            dict(zip(self.involved, [sign * step for step in line], strict=True)) for line in steps for sign in (1, -1)
        ]

    def along(self, line: Mapping[tuple[str, int], int], output: int, place: int) -> Any:
        """The element as an expression of t on that line."""
        known: dict[tuple[int, int], Any] = {}
        waiting = [(output, place)]
        while waiting:
            index, at = waiting[-1]
            node = self.program.nodes[index]
            parts = self._parts(node, at)
            missing = [part for part in parts if part not in known]
            waiting.extend(missing)
            if not missing:
                known[index, at] = self._value(node, at, [known[part] for part in parts], line)
                waiting.pop()
        return known[output, place]

    def _value(self, node: ArrayNode, at: int, parts: list[Any], line: Mapping[tuple[str, int], int]) -> Any:
        if node.operation == INPUT:
            start = _exact(np.ravel(self.arguments[str(node.payload)])[at])
            return start + line.get((str(node.payload), at), 0) * _T
        if node.operation == CONSTANT:
            value = np.ravel(node.payload.array)[at]
            return bool(value) if node.payload.array.dtype == bool else _exact(value)
        if node.operation in _GATHERED:
            return _GATHERED[node.operation](parts)
        if node.operation in _COMPARED:
            return _decided(TABLE[node.operation].sympy, parts[0] - parts[1])
        return _CHOSEN.get(node.operation, TABLE[node.operation].sympy)(*parts)

    def _parts(self, node: ArrayNode, at: int) -> list[tuple[int, int]]:
        """The elements that an element is made of."""
        shapes = [self.program.nodes[argument].shape for argument in node.arguments]
        match node.operation:
            case op if op in (INPUT, CONSTANT):
                return []
            case op if op == TAKE:
                source = int(np.ravel(node.payload.array)[at])
                return [] if source == NOTHING else [(node.arguments[0], source)]
            case op if op == PILE:
                found = np.flatnonzero(np.ravel(node.payload.array) == at)
                return [(node.arguments[0], int(source)) for source in found[: MOST_NODES + 1]]
            case op if op == JOIN:
                sizes = [int(np.prod(shape)) for shape in shapes]
                which = int(np.searchsorted(np.cumsum(sizes), at, side="right"))
                return [(node.arguments[which], at - sum(sizes[:which]))]
            case op if op in (RESHAPE, ROUND):
                return [(node.arguments[0], at)]
            case op if op == TOTAL:
                return [(node.arguments[0], source) for source in _summed(shapes[0], node, at)]
            case op if op == CONTRACT:
                return _factors(shapes, node, at)
        where = np.unravel_index(at, node.shape) if node.shape else ()
        return [(argument, _broadcast(shape, where)) for argument, shape in zip(node.arguments, shapes, strict=True)]


def _sum(parts: Sequence[Any]) -> Any:
    return sum(parts, sympy.S.Zero)


def _dot(parts: Sequence[Any]) -> Any:
    half = len(parts) // 2
    return _sum([a * b for a, b in zip(parts[:half], parts[half:], strict=True)])


def _sign(a: Any) -> Any:
    return sympy.Integer(_decided(sympy.Gt, a)) - sympy.Integer(_decided(sympy.Lt, a))


def _larger(a: Any, b: Any) -> Any:
    return a if _decided(sympy.Ge, a - b) else b


_GATHERED: dict[str, Callable[[list[Any]], Any]] = {
    TOTAL: _sum, PILE: _sum, TAKE: _sum, RESHAPE: _sum, ROUND: _sum, JOIN: _sum, CONTRACT: _dot, "and": all, "or": any,
}  # fmt: skip
"""What an element is, made of its parts; of one part it is that, of none (NOTHING) it is 0."""
_CHOSEN: dict[str, Callable[..., Any]] = {
    "not": lambda condition: not condition,
    "where": lambda condition, taken, otherwise: taken if condition else otherwise,
    "sign": _sign,
    "abs": lambda a: a * _sign(a),
    "maximum": _larger,
    "minimum": lambda a, b: a + b - _larger(a, b),
    "relu": lambda a: _larger(a, sympy.S.Zero),
}
"""Rows that are decided beside the point, so that SymPy meets neither Piecewise nor Abs."""
_COMPARED = frozenset({"less", "less_equal", "greater", "greater_equal", "equal", "not_equal"})


def _summed(shape: tuple[int, ...], node: ArrayNode, at: int) -> list[int]:
    where = list(np.unravel_index(at, node.shape)) if node.shape else []
    index: list[Any] = [slice(None) if axis in node.payload else where.pop(0) for axis in range(len(shape))]
    places = np.arange(int(np.prod(shape))).reshape(shape)
    return [int(source) for source in np.ravel(places[tuple(index)])[: MOST_NODES + 1]]


def _factors(shapes: Sequence[tuple[int, ...]], node: ArrayNode, at: int) -> list[tuple[int, int]]:
    *batch, row, column = np.unravel_index(at, node.shape)
    sides = []
    index: Any
    for shape, argument, index in zip(
        shapes, node.arguments, ((*batch, row, slice(None)), (*batch, slice(None), column)), strict=True
    ):
        places: Any = np.arange(int(np.prod(shape))).reshape(shape)
        sides.append([(argument, int(source)) for source in np.ravel(places[index])[: MOST_NODES + 1]])
    return [*sides[0], *sides[1]]


def _broadcast(shape: tuple[int, ...], where: Sequence[Any]) -> int:
    own = [0 if size == 1 else int(place) for size, place in zip(shape, where[len(where) - len(shape) :], strict=True)]
    return int(np.ravel_multi_index(own, shape)) if shape else 0


def _exact(number: float) -> Any:
    if not np.isfinite(number):
        raise ValueError("the point is not finite")
    fraction = Fraction(float(number))
    return sympy.Rational(fraction.numerator, fraction.denominator)


def _decided(relation: Callable[..., Any], difference: Any) -> bool:
    """A comparison with 0 beside the point. Raises ValueError where it is not the same all the way."""
    near = [relation(sympy.sympify(difference).subs(_T, place).evalf(30, maxn=200), 0) for place in _NEAR]
    if near[0] != near[1] or near[0] not in (sympy.true, sympy.false):
        raise ValueError("the branch changes on the way")
    return bool(near[0])


class _Clock:
    """What is left of the time for all limits."""

    def __init__(self) -> None:
        self.left = SECONDS
        self.known: dict[tuple[Any, ...], Any] = {}
        """The answers for entries that were the same expressions."""

    def timed(self, work: Callable[[], Any], late: Any) -> Any:
        """What the work returns, or `late` where there is not enough time. Raises what the work raises."""
        if self.left <= 0:
            return late
        start = time.monotonic()
        try:
            return within(self.left, work)
        except OutOfTimeError:
            return late
        finally:
            self.left -= time.monotonic() - start
