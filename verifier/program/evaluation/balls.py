"""The exact results of an array program: its operations replayed in ball arithmetic.

Every result is a ball that is proved to hold the exact value (Johansson, Arb: efficient
arbitrary-precision midpoint-radius interval arithmetic, IEEE Trans. Computers 66, 2017). Rounding
plays no part: two programs of the same function agree to dozens of digits, two of different ones do
not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

import numpy as np
from flint import arb, arb_mat

from verifier.operations.arrays import Array, Ball, Balls, Floats, Indices, Truths
from verifier.operations.formats import FLOAT32, Format
from verifier.operations.operation import Operation
from verifier.operations.table import TABLE
from verifier.program.evaluation.arithmetic import balls, middle, precision, radius
from verifier.program.matrices.function import each
from verifier.program.program import NOTHING, FrozenArray, Node, Program, evaluate

FIRST_BITS = 256
"""77 decimal digits, so that a right formula is seen to agree in dozens of them."""
LAST_BITS = 4096
"""More than the 2,098 bits between float64's smallest and largest number, so that a sum of both
loses nothing.
"""
FULL_BITS = 1024
"""Up to so many bits the smallest float64 beside 1 may not be seen at all, so that more of them may
help.
"""
ENOUGH_DIGITS = 40
"""The precision is doubled until the balls are known to so many digits of their array's largest
entry.
"""

_ZERO = arb(0)
_GREATER = frozenset({"greater", "greater_equal", "not_equal"})
EQUALITIES = frozenset({"equal", "not_equal"})
STEPS = frozenset({"floor", "ceiling"})
JUMPS = EQUALITIES | STEPS
"""They are no borders between two branches that meet."""
COMPARISONS = frozenset({"less", "less_equal", "greater", "greater_equal", "equal", "not_equal"})
_DECIDED = COMPARISONS | STEPS | {"sign"}
"""What a decision may be made of."""


class Decision(Protocol):
    """What is decided about a comparison's node, given what exact arithmetic says (True, False or
    None).
    """

    def __call__(self, operation: Operation, decided: Array) -> Array: ...


@dataclass(frozen=True, eq=False)
class AsCoded:
    """Where rounding leaves it open, as the code found it."""

    open: Truths
    """Array of bool."""
    values: tuple[Floats, ...]
    """The float64 arrays that it compared."""

    def __call__(self, operation: Operation, decided: Array) -> Balls:
        coded = as_objects(operation.arb(*(balls(value) for value in self.values)))
        return np.where(np.broadcast_to(self.open, decided.shape), coded, decided)


@dataclass(frozen=True, eq=False)
class ToOneSide:
    """Where both sides are the same number, as if the left one were the greater one, or the smaller
    one.
    """

    ties: Truths
    """Array of bool."""
    left_is_greater: bool
    elsewhere: Decision | None = None
    """What is decided about the others."""

    def __call__(self, operation: Operation, decided: Array) -> Balls:
        decided = decided if self.elsewhere is None else self.elsewhere(operation, decided)
        if operation.name == "sign":
            side: Ball | bool = arb(1 if self.left_is_greater else -1)
        else:
            side = (operation.name in _GREATER) == self.left_is_greater
        return np.where(np.broadcast_to(self.ties, decided.shape), side, decided)


@dataclass(frozen=True, eq=False)
class BallArithmetic:
    """Arb balls at the precision in force."""

    decisions: Mapping[int, Decision] = field(default_factory=dict)
    """By the place of a comparison's node."""
    blurred: frozenset[int] = frozenset()
    """The places of constants that are rounded decimals: they get half a unit of their last
    digit.
    """
    narrowed: bool = False
    """Whether a constant that is a float32 number gets half an ulp of float32, whatever it is used
    in: kernels have constants that were floats once.
    """
    halves: float = 1.0
    """How many such halves they get."""
    rounded: Mapping[int, Format] = field(default_factory=dict)
    """The places of constants that get half an ulp of a format and no more."""

    def input(self, value: Array | Ball) -> Balls:
        """Balls as they are, or those of radius 0 around floats."""
        given = as_objects(value)
        return given if given.dtype == object else as_objects(balls(given))

    def constant(self, place: int, node: Node) -> Balls:
        """The exact number; a ball of half a unit around it where it may be a rounded decimal."""
        if not isinstance(node.payload, FrozenArray):
            return as_objects(arb(node.payload))
        array = node.array
        if array.dtype == bool:
            return np.asarray(array.astype(object))
        exact = as_objects(balls(array))
        if place in self.rounded:
            return as_objects(exact + _half_ulps(array, self.rounded[place]))
        if place not in self.blurred:
            return exact
        half = half_a_unit(float(array), node.format, FLOAT32 if self.narrowed else None)
        return as_objects(exact + arb(0, self.halves * half))

    def row(self, place: int, node: Node, *arguments: Balls) -> Balls:
        """What Arb's function for the row gives; comparisons are decided where balls allow it."""
        operation = TABLE[node.operation]
        if operation.name in _DECIDED:
            return self._decided(place, operation, arguments)
        return as_objects(operation.arb(*arguments))

    def take(self, place: int, node: Node, argument: Balls) -> Balls:
        """The balls at the places of the index; an exact 0 where it says nothing."""
        index = node.array
        flat = np.ravel(argument)
        if not (index == NOTHING).any():
            return np.asarray(flat[index])
        nothing = False if flat.size and isinstance(flat[0], bool) else _ZERO
        return np.asarray(np.append(flat, nothing)[index])  # NOTHING is the last place

    def pile(self, place: int, node: Node, argument: Balls) -> Balls:
        """The sums of the balls that land on the same place."""
        return piled(argument, node.array, node.shape)

    def join(self, place: int, node: Node, *arguments: Balls) -> Balls:
        """All balls behind each other, along one axis."""
        return np.concatenate([np.ravel(argument) for argument in arguments])

    def reshape(self, place: int, node: Node, argument: Balls) -> Balls:
        """The same balls in the node's shape."""
        return np.reshape(argument, node.shape)

    def total(self, place: int, node: Node, argument: Balls) -> Balls:
        """The sums along the node's axes; an exact 0 for no balls."""
        return as_objects(np.add.reduce(argument, axis=node.payload, initial=_ZERO))

    def contract(self, place: int, node: Node, left: Balls, right: Balls) -> Balls:
        """The products of the matrices in the last two axes, batch by batch."""
        (rows, inner), columns = left.shape[-2:], right.shape[-1]
        batch = int(np.prod(node.shape[:-2]))
        result = np.empty((batch, rows, columns), dtype=object)
        pairs = zip(
            left.reshape(batch, rows, inner), right.reshape(batch, inner, columns), strict=True
        )
        for place_, (one, other) in enumerate(pairs):
            result[place_] = _product(one, other)
        return result.reshape(node.shape)

    def matrix(self, place: int, node: Node, argument: Balls) -> Balls:
        """What the node's function of matrices gives of each matrix."""
        return each(node.payload, node.shape, argument)

    def round(self, place: int, node: Node, argument: Balls) -> Balls:
        """The argument itself: exact arithmetic rounds nothing."""
        return argument

    def _decided(self, place: int, operation: Operation, arguments: tuple[Balls, ...]) -> Balls:
        decided = as_objects(operation.arb(*arguments))
        if place in self.decisions:
            decided = self.decisions[place](operation, decided)
        if operation.name not in COMPARISONS:
            return decided
        undecided = np.asarray(_is_open(decided), dtype=bool)
        if undecided.any():
            sides = [
                _midpoints(np.broadcast_to(argument, decided.shape)[undecided])
                for argument in arguments
            ]
            decided[undecided] = operation.arb(*sides)
        return decided


class EnclosingArithmetic(BallArithmetic):
    """A comparison that the balls leave open stays open: what depends on it holds both branches."""

    def _decided(self, place: int, operation: Operation, arguments: tuple[Balls, ...]) -> Balls:
        return as_objects(operation.arb(*arguments))


@dataclass(frozen=True, eq=False)
class BorderArithmetic(BallArithmetic):
    """Notes what is exactly true of comparisons that rounding may leave open."""

    open: Mapping[int, Truths] = field(default_factory=dict)
    """By place, arrays of bool."""
    reach: Mapping[int, Floats] = field(default_factory=dict)
    """By place, how far the sides may be apart for rounding to decide."""
    near: dict[int, Truths] = field(default_factory=dict)
    """Where they are that near, by place."""
    ties: dict[int, Truths] = field(default_factory=dict)
    """Where they are the same number, by place."""

    def _decided(self, place: int, operation: Operation, arguments: tuple[Balls, ...]) -> Balls:
        if place in self.open:
            left, right = _sides(operation, arguments)
            same = np.asarray(np.equal(left, right), dtype=bool) & self.open[place]
            with np.errstate(invalid="ignore"):
                self.near[place] = self.open[place] & ~(
                    np.abs(middle(left - right)) > self.reach[place]
                )
            if same.any() and operation.name not in JUMPS:
                self.ties[place] = same
        return super()._decided(place, operation, arguments)


def _sides(operation: Operation, arguments: tuple[Balls, ...]) -> tuple[Balls, Balls]:
    """What an operation compares: two numbers, a number and 0, or a number and the nearest whole
    one.
    """
    if len(arguments) == 2:
        return arguments[0], arguments[1]
    (number,) = arguments
    return number, as_objects(balls(np.rint(middle(number))) if operation.name in STEPS else _ZERO)


def half_a_unit(number: float, *formats: Format | None) -> float:
    """Half a unit of the last digit of a number's shortest decimal, or half an ulp if that is more.

    The ulp is float64's, or that of narrower formats which the number is a float of. What has no
    short decimal beside it may have been worked out, as math.sqrt(2 * math.pi), and be off by two
    ulps of float64.

    >>> half_a_unit(0.7978845608)
    5e-11
    """
    digits = Decimal(repr(number)).as_tuple()
    holding = [one for one in formats if one is not None and one.holds(number)]
    narrow = max((abs(number) * one.unit_roundoff for one in holding), default=0.0)
    decimal = 0.5 * 10.0 ** int(digits.exponent) if len(digits.digits) > SHORT_DIGITS else 0.0
    worked_out = 2.0 * math.ulp(number) if _is_worked_out(number) else 0.0
    return max(decimal, narrow, worked_out, math.ulp(number) / 2)


def _half_ulps(array: Floats, format: Format) -> Balls:
    """Balls around 0 as wide as the rounding of numbers to a format."""
    return as_objects(_around_zero(format.unit_roundoff * np.abs(array)))


_around_zero = np.frompyfunc(lambda reach: arb(0, float(reach)), 1, 1)


def _is_worked_out(number: float) -> bool:
    beside = [number + steps * math.ulp(number) for steps in range(-2, 3)]
    return all(len(Decimal(repr(one)).as_tuple().digits) > SHORT_DIGITS for one in beside)


SHORT_DIGITS = 7
"""A decimal of at most so many digits is meant as it stands; a longer one may be a rounded
number.
"""


def _product(left: Balls, right: Balls) -> Balls:
    """By Arb's own product of matrices where both have numbers only."""
    if not left.size or not right.size:
        return np.full((left.shape[0], right.shape[1]), _ZERO, dtype=object)
    product = _matrix(left) * _matrix(right)
    result = np.empty(left.shape[0] * right.shape[1], dtype=object)
    result[:] = product.entries()
    return result.reshape(left.shape[0], right.shape[1])


def _matrix(balls: Balls) -> arb_mat:
    return arb_mat(*balls.shape, balls.ravel().tolist())


def piled(argument: Balls, index: Indices, shape: tuple[int, ...]) -> Balls:
    """Zeros of that shape, with each element added at its place."""
    result = np.full(int(np.prod(shape)), _ZERO, dtype=object)
    for place, element in zip(index.ravel().tolist(), np.ravel(argument).tolist(), strict=True):
        if place != NOTHING:
            result[place] = result[place] + element
    return result.reshape(shape)


def as_objects(value: Array | Ball) -> Balls:
    """A lone ball as an array without axes; a scalar of NumPy is an array of floats."""
    if isinstance(value, np.ndarray | np.generic):
        return np.asarray(value)
    result = np.empty((), dtype=object)
    result[()] = value
    return result


_is_open = np.frompyfunc(lambda condition: condition is None, 1, 1)
_midpoints = np.frompyfunc(arb.mid, 1, 1)


def replay(
    program: Program, arguments: Mapping[str, Array], arithmetic: BallArithmetic
) -> list[Balls]:
    """The balls of each result of `program`, as object arrays of its shape.

    `arguments` are float64 arrays by the names of the inputs, exact as they are; `arithmetic` says
    how comparisons that stay open are decided, and which constants may be rounded.

    The precision is doubled, up to 4,096 bits, until each ball's radius is small against the
    largest entry of its array. A ball of infinite radius or NaN says that no value exists, or none
    that Arb can prove.
    """
    bits = FIRST_BITS
    results: list[Balls] = []
    while bits <= LAST_BITS:
        with precision(bits):
            found = [as_objects(result) for result in evaluate(program, arithmetic, arguments)]
        if bits > FULL_BITS and _no_better(results, found):
            return results
        results = found
        if _are_known(results):
            break
        bits *= 2
    return results


def _are_known(results: list[Balls]) -> bool:
    """Whether each ball is narrow against its array, or much more so against all results: an exact
    0 has no size.
    """
    widths = [radius(result) for result in results]
    sizes = [_largest(*pair) for pair in zip(results, widths, strict=True)]
    least = 10.0 ** (-1.5 * ENOUGH_DIGITS) * max(sizes, default=0.0)
    return all(
        bool((width <= max(10.0**-ENOUGH_DIGITS * size, least)).all())
        for width, size in zip(widths, sizes, strict=True)
    )


def _largest(result: Balls, widths: Floats) -> float:
    """The size of the largest ball that is known."""
    return float(np.abs(middle(result))[np.isfinite(widths)].max(initial=0.0))


def _no_better(before: list[Balls], now: list[Balls]) -> bool:
    """Whether a higher precision did not make any ball finite or narrower."""
    return all(
        bool(np.all(_bad(one) == _bad(two))) and not _shrunk(one, two)
        for one, two in zip(before, now, strict=True)
    )


def _bad(result: Balls) -> Truths:
    return ~np.isfinite(radius(result))


def _shrunk(before: Balls, now: Balls) -> bool:
    old, new = radius(before), radius(now)
    finite = np.isfinite(old) & np.isfinite(new) & (old > 0)
    return bool((new[finite] < old[finite]).any())
