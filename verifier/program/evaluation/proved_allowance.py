"""The proved allowance: how far rounding alone can move what a program states.

The program is evaluated in balls of Arb, and after each operation the ball is widened by that
operation's own rounding. The final ball contains whatever the formats can honestly give, so its
distance from the exact result is a proof. Worst cases add up: for long programs the noisy replays
of `stochastic` say more.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Literal, TypeAlias

import numpy as np
from flint import arb

from verifier.operations.arrays import Array, Balls, Floats, Truths
from verifier.operations.formats import Format
from verifier.operations.operation import Operation
from verifier.operations.table import REDUCTIONS, TABLE
from verifier.program.evaluation.arithmetic import precision, radius
from verifier.program.evaluation.balls import BallArithmetic, as_objects
from verifier.program.evaluation.rounding_model import RoundingModel, rounding_model
from verifier.program.program import INPUT, NOTHING, Node, Program, evaluate

Border: TypeAlias = Truths | Literal[False]
"""Where a comparison is near its border; False where none is."""
BITS = 128
"""A product of two float64 numbers has 106 bits, so that the balls' own rounding is nothing beside
that of the formats.
"""
_INEQUALITIES = frozenset({"less", "less_equal", "greater", "greater_equal"})
_STEPS = frozenset({"floor", "ceiling"})
_REDUCTIONS = frozenset(row.name for row in REDUCTIONS)


@dataclass(frozen=True, eq=False)
class Rounded:
    """What the formats may give for a node: an array of balls, and how they came about."""

    ball: Balls
    border: Border = False
    """Where a condition or a kink on the way lies within rounding of its border (array of bool)."""
    unsure: Border = False
    """Where honest code may find itself on either side of that border, since its two sides are not
    exactly known to be the same number (array of bool)."""
    given: bool = False
    """Whether it is made of data and constants alone, so that no derivative is taken through it."""
    terms: Balls | None = None
    """For a sum of a formula, the sum of its terms' sizes: a bound of every partial sum in every
    order.
    """

    @property
    def size(self) -> Balls:
        """The sizes of the terms that it is the sum of; its own size where it is no sum."""
        return np.abs(self.ball) if self.terms is None else self.terms


class Side(Enum):
    """How a comparison is decided that rounding leaves open."""

    CODED = "as the code would decide it at the middle"
    LEFT_GREATER = "as if its left side were the greater one"
    LEFT_SMALLER = "as if its left side were the smaller one"


@dataclass(frozen=True, eq=False)
class RoundedArithmetic:
    """Balls of Arb that also contain every rounding of the nodes' formats; inputs are exact.

    All comparisons that rounding leaves open are decided to the same side, so that what belongs to
    one branch stays together: the branch, its derivative and its guards.
    """

    library: str = "torch"
    """Whose budgets of rounding hold: torch or numpy."""
    side: Side = Side.CODED
    exact: BallArithmetic = field(default_factory=BallArithmetic)
    """Does what involves no rounding."""

    def input(self, value: Rounded) -> Rounded:
        """The value itself: inputs are floats, which nothing has rounded yet."""
        return value

    def constant(self, place: int, node: Node) -> Rounded:
        """The exact constant; a number that has a format is rounded to it."""
        exact = self.exact.constant(place, node)
        if node.format is None or node.shape or node.array.dtype == bool:
            return Rounded(exact, given=True)
        number = node.payload if isinstance(node.payload, int | float) else float(node.array)
        return Rounded(as_objects(self._model(node.format).constant(number)), given=True)

    def row(self, place: int, node: Node, *arguments: Rounded) -> Rounded:
        """The row's balls, each widened by what rounding in the node's format can do."""
        given = all(argument.given for argument in arguments)
        return replace(self._row(TABLE[node.operation], node, arguments, given), given=given)

    def take(self, place: int, node: Node, argument: Rounded) -> Rounded:
        """The balls at the places of the index, with their borders: moving rounds nothing."""
        moved = self.exact.take(place, node, argument.ball)
        return self._moved(moved, [argument], lambda mask: np.append(mask, False)[node.array])

    def reshape(self, place: int, node: Node, argument: Rounded) -> Rounded:
        """The same balls in the node's shape: moving rounds nothing."""
        moved = self.exact.reshape(place, node, argument.ball)
        return self._moved(moved, [argument], lambda mask: mask.reshape(node.shape))

    def join(self, place: int, node: Node, *arguments: Rounded) -> Rounded:
        """All balls behind each other: moving rounds nothing."""
        moved = self.exact.join(place, node, *(argument.ball for argument in arguments))
        return self._moved(
            moved, arguments, lambda *masks: np.concatenate([np.ravel(mask) for mask in masks])
        )

    def matrix(self, place: int, node: Node, argument: Rounded) -> Rounded:
        """What a library's iteration may state is not bounded by any model of one rounding."""
        balls = self.exact.matrix(place, node, argument.ball)
        return Rounded(balls, argument.border, np.ones(node.shape, dtype=bool), argument.given)

    def round(self, place: int, node: Node, argument: Rounded) -> Rounded:
        """The balls widened by one rounding to the node's format."""
        if node.format is None:
            return argument
        ball = self._model(node.format).result(TABLE["multiply"], argument.ball, [])
        return replace(argument, ball=ball, terms=None)

    def pile(self, place: int, node: Node, argument: Rounded) -> Rounded:
        """The sums of what lands on the same place, widened by the roundings of the longest of them
        in any order.
        """
        index = node.array[node.array != NOTHING]
        most = int(np.bincount(index, minlength=1).max(initial=0))
        added = [self.exact.pile(place, node, part) for part in _with_sizes(argument)]

        def reached(mask: Truths) -> Truths:
            count = np.zeros(int(np.prod(node.shape)), dtype=bool)
            count[np.ravel(node.array)[np.ravel(mask) & (np.ravel(node.array) != NOTHING)]] = True
            return count.reshape(node.shape)

        return self._moved(self._total(node, added, most), [argument], reached)

    def total(self, place: int, node: Node, argument: Rounded) -> Rounded:
        """The sums along the node's axes, widened by the roundings of a sum in any order."""
        terms = int(np.prod([np.shape(argument.ball)[axis] for axis in node.payload]))
        added = [self.exact.total(place, node, part) for part in _with_sizes(argument)]
        return self._moved(
            self._total(node, added, terms), [argument], lambda mask: mask.any(axis=node.payload)
        )

    def contract(self, place: int, node: Node, left: Rounded, right: Rounded) -> Rounded:
        """The products of matrices, widened by the roundings of a product and of a sum of as many
        terms in any order.
        """
        pairs = zip(_with_sizes(left), _with_sizes(right), strict=True)
        added = [self.exact.contract(place, node, *pair) for pair in pairs]

        def reached(rows: Truths, columns: Truths) -> Truths:
            by_row, by_column = np.asarray(rows.any(axis=-1)), np.asarray(columns.any(axis=-2))
            return np.asarray(by_row[..., :, None] | by_column[..., None, :])

        balls = self._total(node, added, left.ball.shape[-1] + 1)
        return self._moved(balls, [left, right], reached)

    def _model(self, format: Format) -> RoundingModel:
        return rounding_model(format, self.library)

    def _total(self, node: Node, added: Sequence[Balls], terms: int) -> Balls:
        """The sum of so many terms, given it and the sum of their sizes."""
        if node.format is None:
            return added[0]
        return self._model(node.format).total(added[0], added[1], terms)

    @staticmethod
    def _moved(ball: Balls, arguments: Iterable[Rounded], move: Callable[..., Truths]) -> Rounded:
        """The balls with the borders of what they are made of."""
        known = list(arguments)

        def masks(of: Callable[[Rounded], Border]) -> Border:
            if all(of(argument) is False for argument in known):
                return False
            return move(*(np.broadcast_to(of(part), np.shape(part.ball)) for part in known))

        given = all(argument.given for argument in known)
        return Rounded(ball, masks(lambda one: one.border), masks(lambda one: one.unsure), given)

    def _row(
        self, operation: Operation, node: Node, arguments: tuple[Rounded, ...], given: bool
    ) -> Rounded:
        if operation.name in _REDUCTIONS:
            return self._over_rows(operation, node, arguments)
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
            case name if name in _STEPS:
                step = as_objects(operation.arb(*balls))
                between = ~_is_exact(step)
                return Rounded(step, _any((border, between)), _any((unsure, between)))
        result = as_objects(operation.arb(*balls))
        if operation.name == "atan2":
            result = _either_zero(result, *balls)
        if node.format is None:
            return Rounded(result, border, unsure)
        if operation.name in ("add", "subtract"):
            return replace(self._sum(node.format, result, arguments), border=border, unsure=unsure)
        return Rounded(self._model(node.format).result(operation, result, balls), border, unsure)

    def _sum(self, format: Format, result: Balls, arguments: tuple[Rounded, ...]) -> Rounded:
        sizes = np.add(*(np.abs(argument.ball) for argument in arguments))
        return Rounded(self._model(format).total(result, sizes, 2))

    def _over_rows(
        self, operation: Operation, node: Node, arguments: tuple[Rounded, ...]
    ) -> Rounded:
        rows, last = arguments[0], arguments[-1]
        match operation.name:
            case "size":
                return Rounded(as_objects(operation.arb(rows.ball)))
            case "spread":
                return Rounded(operation.arb(rows.ball, last.ball), last.border, last.unsure)
        balls = (
            operation.arb(rows.ball)
            if node.format is None
            else self._model(node.format).reduction(operation, rows.ball)
        )
        return Rounded(balls, _any_row(rows.border), _any_row(rows.unsure))

    def _inequality(
        self, operation: Operation, balls: list[Balls], border: Border, unsure: Border, given: bool
    ) -> Rounded:
        """Between numbers that no derivative is taken of, a tie is no kink: it is decided as
        written.
        """
        left, right = np.broadcast_arrays(*balls)
        close = ~np.asarray(np.not_equal(left, right), dtype=bool)
        decided = as_objects(operation.arb(left, right))
        open_ = close & np.asarray(_is_undecided(decided), dtype=bool)
        close = open_ if given else close
        if close.any():
            decided = decided.copy()
            greater = operation.name.startswith("greater")
            if self.side is Side.CODED:
                decided[open_] = operation.arb(_midpoints(left[open_]), _midpoints(right[open_]))
            else:
                decided[close] = greater == (self.side is Side.LEFT_GREATER)
        return Rounded(decided, _any((border, close)), _any((unsure, open_)))

    def _equality(
        self, operation: Operation, balls: list[Balls], border: Border, unsure: Border
    ) -> Rounded:
        """Two numbers that are exactly known are the same or not; others that are close may be
        either.
        """
        decided = as_objects(operation.arb(*balls))
        open_ = np.asarray(_is_undecided(decided), dtype=bool)
        if open_.any():
            decided = decided.copy()
            decided[open_] = (operation.name == "equal") == (self.side is Side.CODED)
        return Rounded(decided, _any((border, open_)), _any((unsure, open_)))

    def _sign(self, ball: Balls, border: Border, unsure: Border, given: bool) -> Rounded:
        """At 0 the code has 0; the one-sided derivatives of |x| are -1 and 1."""
        kink = ~np.asarray(np.not_equal(ball, arb(0)), dtype=bool)
        open_ = kink & ~_is_exact(ball)
        kink = open_ if given else kink
        sign = as_objects(TABLE["sign"].arb(ball))
        if kink.any():
            sides = {
                Side.CODED: TABLE["sign"].arb(_midpoints(ball[kink])),
                Side.LEFT_GREATER: arb(1),
            }
            sign = sign.copy()
            sign[kink] = sides.get(self.side, arb(-1))
        return Rounded(sign, _any((border, kink)), _any((unsure, open_)))


@dataclass(frozen=True, eq=False)
class FormulaArithmetic(RoundedArithmetic):
    """Bounds every order of a sum's terms: nobody sees in which one a kernel adds up a formula."""

    def _sum(self, format: Format, result: Balls, arguments: tuple[Rounded, ...]) -> Rounded:
        terms = np.add(arguments[0].size, arguments[1].size)
        return Rounded(self._model(format).order_free_sum(result, terms), terms=terms)


_is_undecided = np.frompyfunc(lambda condition: condition is None, 1, 1)
_midpoints = np.frompyfunc(arb.mid, 1, 1)
_is_exact_ball = np.frompyfunc(arb.is_exact, 1, 1)
_hull = np.frompyfunc(lambda one, other: one.union(other), 2, 1)


def _with_sizes(argument: Rounded) -> tuple[Balls, Balls]:
    return argument.ball, as_objects(np.abs(argument.ball))


def _is_exact(balls: Balls) -> Truths:
    return np.asarray(_is_exact_ball(balls), dtype=bool)


def _either_zero(angle: Balls, a: Balls, b: Balls) -> Balls:
    """Arb knows no negative zero: atan2(-0.0, -1.0) is -pi and atan2(0.0, -1.0) is pi."""
    zero = ~np.asarray(np.not_equal(a, arb(0)), dtype=bool) & ~np.asarray(
        np.greater(b, arb(0)), dtype=bool
    )
    return np.where(zero, arb(0, 3.2), angle)


def _any(borders: Iterable[Border]) -> Border:
    result: Border = False
    for border in borders:
        if border is not False:
            result = border if result is False else result | border
    return result


def _any_row(border: Border) -> Border:
    return border if border is False else np.any(border, axis=-1, keepdims=True)


def in_format(program: Program, format: Format) -> Program:
    """A formula's program with every operation and every number rounded to that format."""
    nodes = (
        node if node.operation == INPUT else replace(node, format=format) for node in program.nodes
    )
    return Program(tuple(nodes), program.outputs)


def rounded(
    program: Program,
    format: Format,
    library: str,
    arguments: Mapping[str, Balls],
    data: Collection[str],
) -> list[Rounded]:
    """For each result of `program`, a formula, and each point, the ball of all that honest code may
    state.

    The first result is the value, the others its derivatives. At a border the balls hold the
    one-sided derivatives and what the code decides there; the value is open only where honest code
    may be on either side. Every operation is rounded to `format`, with the budgets of `library`,
    which is torch or numpy. `arguments` are, by symbol, object arrays of Arb balls, points by rows,
    exact floats of the format; `data` names those by which nothing is differentiated.
    """
    points = max((values.shape[0] for values in arguments.values()), default=1)
    given = {name: Rounded(values, given=name in data) for name, values in arguments.items()}
    there = in_format(program, format)
    coded = _evaluated(there, FormulaArithmetic(library), given, points)
    border = np.asarray(np.any(np.array([result.border for result in coded]), axis=0))
    if not border.any():
        return coded
    near = {name: replace(values, ball=values.ball[border]) for name, values in given.items()}
    sides = [
        _evaluated(there, FormulaArithmetic(library, side), near, int(border.sum()))
        for side in (Side.LEFT_GREATER, Side.LEFT_SMALLER)
    ]
    value, *slopes = [
        _with_sides(
            result,
            border,
            np.asarray(result.border if place else result.unsure)[border],
            [side[place].ball for side in sides],
        )
        for place, result in enumerate(coded)
    ]
    return [replace(value, border=coded[0].unsure), *slopes]


def rounding_reach(
    program: Program,
    format: Format,
    library: str,
    arguments: Mapping[str, Balls],
    data: Collection[str],
) -> list[Floats]:
    """How far rounding can move each result of a formula within one branch, for each point
    (float64).

    `program`, `format`, `library`, `arguments` and `data` are those of `rounded`. At a tie it is
    the largest reach among what the code decides and both sides.
    """
    points = max((values.shape[0] for values in arguments.values()), default=1)
    given = {name: Rounded(values, given=name in data) for name, values in arguments.items()}
    there = in_format(program, format)
    branches = [
        [radius(result.ball) for result in _evaluated(there, arithmetic, given, points)]
        for arithmetic in (FormulaArithmetic(library, side) for side in Side)
    ]
    return [np.max(reaches, axis=0) for reaches in zip(*branches, strict=True)]


def _with_sides(result: Rounded, border: Truths, open_: Truths, sides: list[Balls]) -> Rounded:
    """The result whose balls at the border also hold those of both sides, where that is open."""
    balls, near = result.ball.copy(), result.ball[border]
    for side in sides:
        near = np.where(open_, _hull(near, side), near)
    balls[border] = near
    return replace(result, ball=balls)


def _evaluated(
    program: Program, arithmetic: RoundedArithmetic, arguments: Mapping[str, Rounded], points: int
) -> list[Rounded]:
    """The results with an entry for each point, also where they are the same at all of them."""

    def spread(values: Array | bool) -> Array:
        return np.broadcast_to(np.ravel(values), (points,)).copy()

    return [
        Rounded(spread(result.ball), spread(result.border), spread(result.unsure))
        for result in evaluate(program, arithmetic, arguments)
    ]


def proved(program: Program, arguments: Mapping[str, Floats]) -> list[Balls]:
    """For each result of `program` the balls of what honest code may state; NaN where a comparison
    is open.

    `arguments` are float64 arrays by name, exact as they are.
    """
    arithmetic = RoundedArithmetic()
    with precision(BITS):
        given = {name: Rounded(arithmetic.exact.input(part)) for name, part in arguments.items()}
        results = evaluate(program, arithmetic, given)
    return [
        as_objects(np.where(result.unsure, arb("nan"), as_objects(result.ball)))
        for result in results
    ]
