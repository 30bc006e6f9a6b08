"""Formula ties: what agrees at the points of a formula where comparisons tie.

Many points are looked at together: each input that is differentiated by is moved in the same way at
all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from verifier.judging.conditioning import Point
from verifier.judging.kinks import Kinks, kinks_at
from verifier.operations.arrays import Array, Balls, Floats, Truths
from verifier.operations.formats import Format
from verifier.program.evaluation.balls import BallArithmetic, BorderArithmetic, as_objects
from verifier.program.program import Program, evaluate


@dataclass(frozen=True, eq=False)
class FormulaPoints(Point):
    """A formula at several points: arguments are points by rows, a result has a number a point."""

    @property
    def count(self) -> int:
        """How many points there are."""
        return max(len(values) for values in self.arguments.values())

    @property
    def elements(self) -> int:
        """How many numbers a replay at all points computes, about."""
        return sum(values.size for values in self.arguments.values()) * len(self.program.nodes)

    def moving_shape(self, name: str) -> tuple[int, ...]:
        """The shape of an argument at one point."""
        return self.arguments[name].shape[1:]

    def evaluated(self, arithmetic: BallArithmetic, arguments: Mapping[str, Array]) -> list[Balls]:
        """The results at all points: an array of balls with one entry a point for each."""
        found = evaluate(self.program, arithmetic, arguments)
        return [np.broadcast_to(np.ravel(as_objects(one)), (self.count,)) for one in found]


@dataclass(frozen=True, eq=False)
class Ties:
    """What is right of one derivative at points, where comparisons tie exactly at some of them."""

    where: Truths
    """The points with a tie."""
    kink: Truths
    """Where the one-sided derivatives differ."""
    right: Balls
    """What is right; at a kink the middle of what is."""
    reach: Floats
    """How far from there right statements may be."""
    off: Truths
    """Where the statements, taken together, are no mean of the one-sided derivatives."""
    cancelled: Truths
    """Where kinks cancel."""


def ties_of(
    program: Program,
    arguments: Mapping[str, Floats],
    formats: Mapping[str, Format],
    by: Sequence[str],
    stated: Sequence[Floats],
    rounding: Sequence[Floats],
) -> list[Ties] | None:
    """For each derivative what is right at the points; None where nothing ties.

    The program has the value as its first result, and then its derivatives by `by`, of which
    `stated` has a number a point, and `rounding` how far rounding may move it. Arguments are finite
    float64 arrays, points by rows.
    """
    nodes = range(len(program.nodes))
    borders = BorderArithmetic(
        open=dict.fromkeys(nodes, np.array(True)), reach=dict.fromkeys(nodes, np.zeros(()))
    )
    points = FormulaPoints(program, arguments, formats, {})
    exact = points.evaluated(borders, arguments)
    if not borders.ties:
        return None
    tied = replace(points, ties=borders.ties)
    where = _points_with_ties(borders.ties, points.count)
    kinks = kinks_at(tied, exact, stated, by, ())
    return [
        _ties(kinks, place, where, off)
        for place, off in enumerate(_no_means(kinks, stated, rounding, where), start=1)
    ]


def _points_with_ties(ties: Mapping[int, Truths], count: int) -> Truths:
    """A tie of numbers that are the same at all points is one at each of them."""
    found = np.zeros(count, dtype=bool)
    for tie in ties.values():
        rows = np.reshape(tie, (np.shape(tie)[0] if np.ndim(tie) else 1, -1))
        found |= rows.any(axis=-1)
    return found


def _no_means(
    kinks: Kinks, stated: Sequence[Floats], rounding: Sequence[Floats], where: Truths
) -> list[Floats]:
    """Where the statements at a point are no mean of its limits, the nearest right numbers; NaN
    elsewhere.
    """
    nearest = [np.full(where.shape, np.nan) for _ in stated]
    chosen = range(1, len(stated) + 1)
    for point in np.flatnonzero(where).tolist():
        there = ([numbers[[point]] for numbers in parts] for parts in (stated, rounding))
        found = kinks.at(point).nearest(chosen, *there)
        for part, (number,) in zip(nearest, found, strict=True):
            part[point] = number
    return nearest


def _ties(kinks: Kinks, place: int, where: Truths, nearest: Floats) -> Ties:
    hull, kink, off = kinks.hulls[place], kinks.masks[place], np.isfinite(nearest)
    right = np.where(kink, hull.middle, kinks.exact[place])
    right[off] = BallArithmetic().input(nearest[off])
    reach = np.where(kink & ~off, hull.reach, 0.0)
    return Ties(where, kink, right, reach, off, kinks.cancelled[place])
