"""Beside a point: exact results so little away that nothing else changes but which pieces meet."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from flint import arb

from verifier.judging.conditioning import Point
from verifier.judging.kinks.hull import SAME
from verifier.operations.arrays import Array, Balls, Truths
from verifier.program.evaluation.arithmetic import middle, precision, radius
from verifier.program.evaluation.balls import (
    LAST_BITS,
    AsCoded,
    BallArithmetic,
    Decision,
    as_objects,
)

STEP = -2200
"""Beside the point is two to this power away: less than any difference of two floats."""
FARTHER = -1600
"""A limit is the same from this far."""
MOST_NUMBERS = 150_000
"""So many numbers at most are computed beside a point."""
RANDOM = 10
"""Directions at random, beside those along each input's elements."""
_TILT = 2**10
"""A direction along an element is tilted by less than a thousandth, so that others do not tie."""


def differs(one: Balls, other: Balls) -> Truths:
    """Where two balls are different by more than a step beside the point can make them."""
    apart = np.abs(middle(one - other))
    return np.asarray(apart > SAME * np.maximum(np.abs(middle(one)), np.abs(middle(other))))


def widened_limit(balls: Balls) -> Balls:
    """A limit is what was found beside the point, up to so much."""
    found: Balls = as_objects(balls + np.abs(balls) * arb(0, arb(2) ** (FARTHER // 2)))
    return found


@dataclass(frozen=True, eq=False)
class Beside:
    """The exact results a little beside a point."""

    point: Point
    by: Collection[str]
    """The inputs that are moved."""

    @property
    def _names(self) -> list[str]:
        return [name for name in self.by if name in self.point.arguments]

    @property
    def _count(self) -> int:
        return sum(math.prod(self.point.moving_shape(name)) for name in self._names)

    @property
    def is_affordable(self) -> bool:
        """Whether each element can be moved by itself, both ways."""
        return 3 * self._count * self.point.elements <= MOST_NUMBERS

    @cached_property
    def together(self) -> list[list[Balls]]:
        """The results where all elements are moved one way, and at random."""
        random = np.random.default_rng(0)
        ones = _TILT**2 + random.integers(1, _TILT, self._count)
        drawn = random.integers(-(_TILT**2), _TILT**2, (RANDOM, self._count))
        return [self._results(way, STEP) for way in (ones, -ones, *drawn)]

    @cached_property
    def one_by_one(self) -> list[list[Balls]]:
        """The results where one element after another is moved, both ways, and those where each
        one is moved further than the one before, begun at every element in turn.

        So every element has every rank once; and of equal numbers in a row code takes the first or
        the last one again and again.
        """
        random = np.random.default_rng(1)
        ways = (
            sign * alone * _TILT**2 + random.integers(1, _TILT, self._count)
            for alone in np.eye(self._count)
            for sign in (1, -1)
        )
        ranks = _TILT * np.arange(1, self._count + 1)
        turned = (np.roll(ranks, start) for start in range(self._count))
        return [self._results(way, STEP) for way in (*ways, *turned, -ranks)]

    def has_limits(self, exact: Sequence[Balls]) -> bool:
        """Whether results that the formula does not have at the point have limits beside it."""
        unknown = [~np.isfinite(radius(one)) for one in exact]
        if not any(part.any() for part in unknown) or not self.is_affordable:
            return False
        pairs = zip(self.settled, unknown, strict=True)
        return any(bool((settled & part).any()) for settled, part in pairs)

    @cached_property
    def settled(self) -> list[Truths]:
        """For each result where it is the same from farther away."""
        way = _TILT**2 + np.random.default_rng(0).integers(1, _TILT, self._count)
        near, far = self._results(way, STEP), self._results(way, FARTHER)
        return [
            np.isfinite(radius(one)) & ~differs(one, other)
            for one, other in zip(near, far, strict=True)
        ]

    def _results(self, direction: Array, step: int) -> list[Balls]:
        with precision(LAST_BITS):
            given = {**self.point.arguments, **self._moved(direction, step)}
            return self.point.evaluated(BallArithmetic(self._decisions), given)

    def _moved(self, direction: Array, step: int) -> dict[str, Balls]:
        unit, start, moved = arb(2) ** step, 0, {}
        for name in self._names:
            values, shape = np.asarray(self.point.arguments[name]), self.point.moving_shape(name)
            own = direction[start : start + math.prod(shape)].reshape(shape)
            start += own.size
            moved[name] = as_objects(_displaced(values, own, unit))
        return moved

    @property
    def _decisions(self) -> dict[int, Decision]:
        """How the code decided what rounding leaves open; not at ties, which the step decides."""
        return {
            place: replace(known, open=known.open & ~self.point.ties.get(place, np.False_))
            if isinstance(known, AsCoded)
            else known
            for place, known in self.point.decisions.items()
        }


_displaced = np.frompyfunc(lambda value, way, unit: arb(float(value)) + float(way) * unit, 3, 1)
