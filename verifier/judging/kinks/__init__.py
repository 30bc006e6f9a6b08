"""Kinks: what agrees where a comparison ties, so that several pieces of a function meet at a point.

The right answers are the convex hull of the limits of the gradient from the pieces that meet there
(Clarke, Optimization and Nonsmooth Analysis, 1983, theorem 2.5.1). The limits are found by taking
the exact gradient a little beside the point, in many directions: so little that nothing else
changes, since Arb computes with more digits than that. Kinks that cancel are none: where all limits
are the same number, only that number agrees.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from verifier.judging.conditioning import Point
from verifier.judging.kinks.beside import Beside, differs, widened_limit
from verifier.judging.kinks.hull import Hull, is_mean, on_affine_hull, with_equal_sum
from verifier.operations.arrays import Array, Balls, Floats, Truths
from verifier.program.evaluation.arithmetic import middle, radius
from verifier.program.evaluation.balls import (
    JUMPS,
    AsCoded,
    BallArithmetic,
    BorderArithmetic,
    Decision,
    ToOneSide,
    as_objects,
    replay,
)
from verifier.program.program import Program

MARGIN = 1e-3
"""Where infinitely many pieces meet, the directions that were tried miss the ends by less."""


@dataclass(frozen=True, eq=False)
class Kinks:
    """What is right at a point where comparisons tie; each list has an array for each result."""

    exact: list[Balls]
    """The exact results, with the common limit where all pieces have the same one."""
    hulls: list[Hull]
    masks: list[Truths]
    """Where the limits differ."""
    cancelled: list[Truths]
    """Where they are all the same, and not what the formula's own branches state."""
    limits: list[list[Balls]]
    """For each direction the results beside the point."""
    are_all: bool = True
    """Whether each piece that meets there has its limit among them."""

    def at(self, entry: int) -> Kinks:
        """The same of one entry of each result alone; all results have the same length."""

        def alone(results: Sequence[Array]) -> list[Array]:
            return [result[[entry]] for result in results]

        return Kinks(
            alone(self.exact),
            [Hull(hull.middle[[entry]], hull.reach[[entry]]) for hull in self.hulls],
            alone(self.masks),
            alone(self.cancelled),
            [alone(limit) for limit in self.limits],
            self.are_all,
        )

    def nearest(
        self, chosen: Sequence[int], stated: Sequence[Floats], rounding: Sequence[Floats]
    ) -> list[Floats]:
        """The right numbers nearest to what is stated of the chosen results, where the statements,
        taken together, are no mean of the limits; NaN elsewhere. `rounding` is how far rounding may
        move each statement.

        All limits satisfy the same linear equations (the weights of a maximum sum to one); so does
        each of their means. Nothing is said where the directions are too few to be sure of them.
        """
        sizes = [np.size(part) for part in stated]
        tied = np.concatenate([np.zeros(0, bool), *(np.ravel(self.masks[one]) for one in chosen)])
        found = np.full(tied.size, np.nan)
        if tied.any() and self.limits:
            rows = [
                np.concatenate([np.ravel(middle(limit[place])) for place in chosen])[tied]
                for limit in self.limits
            ]
            numbers, roundings = (
                np.concatenate([np.ravel(one) for one in parts])[tied]
                for parts in (stated, rounding)
            )
            limits = np.array(rows)
            found[tied] = (
                on_affine_hull(limits, numbers, roundings)
                if self.are_all
                else with_equal_sum(limits, numbers)
            )
        return np.split(found, np.cumsum(sizes)[:-1])


def open_ties(
    program: Program, borders: BorderArithmetic, decisions: Mapping[int, AsCoded]
) -> dict[int, Truths]:
    """Where rounding decides and nobody knows how it did, or the code had the same numbers on both
    sides that are not exactly the same.
    """
    found: dict[int, Truths] = {}
    for place, near in borders.near.items():
        known = decisions.get(place)
        open_ = near if known is None else near & (known.values[0] == (*known.values, 0.0)[1])
        open_ = np.asarray(open_ & ~borders.ties.get(place, np.False_))
        if np.any(open_) and program.nodes[place].operation not in JUMPS:
            found[place] = open_
    return found


def kinks_at(
    point: Point,
    exact: Sequence[Balls],
    stated: Sequence[Floats],
    by: Collection[str],
    rounded: Collection[int],
) -> Kinks:
    """What is right at a point; `exact` are the results as the formula states them, `stated` what
    the code states of the last ones of them, the derivatives.

    `by` names the inputs that derivatives are taken by. What the formula states of its values is
    right too. Rounding decides the ties at the places `rounded`, so that each side may be found.
    """
    beside = Beside(point, by)
    if not point.ties and not beside.has_limits(exact):
        return _no_kinks(exact)
    values = len(exact) - len(stated)
    limits, are_all = beside.together, not rounded
    if not _are_mean(limits, stated):
        limits, are_all = (
            (limits + beside.one_by_one, not rounded) if beside.is_affordable else (limits, False)
        )
    sides = [[limit[place] for limit in limits] for place in range(len(exact))]
    either = [] if are_all else [*_both_sides(point), *_ends(limits, values)]
    for place, known in enumerate(sides):
        known.extend(found[place] for found in either)
        if place < values or either:
            known.append(as_objects(exact[place]))
    meetings = [_Meeting(*columns) for columns in zip(exact, sides, beside.settled, strict=True)]
    return Kinks(
        [one.right for one in meetings],
        [one.between for one in meetings],
        [one.kink for one in meetings],
        [one.cancelled for one in meetings],
        [] if rounded else limits,
        are_all,
    )


def _no_kinks(exact: Sequence[Balls]) -> Kinks:
    nowhere = [np.zeros(np.shape(one), dtype=bool) for one in exact]
    return Kinks(list(exact), [Hull.of([as_objects(one)]) for one in exact], nowhere, nowhere, [])


def _are_mean(limits: Sequence[Sequence[Balls]], stated: Sequence[Floats]) -> bool:
    """Whether what is stated is a mean of the limits, where these differ."""
    if not stated:
        return True
    rows = np.array(
        [np.concatenate([np.ravel(middle(part)) for part in one[-len(stated) :]]) for one in limits]
    )
    varying = np.isfinite(rows).all(axis=0) & (rows.max(axis=0) > rows.min(axis=0))
    numbers = np.concatenate([np.ravel(part) for part in stated])
    return is_mean(rows[:, varying], numbers[varying])


def _ends(limits: Sequence[Sequence[Balls]], values: int) -> list[list[Balls]]:
    """The smallest and the largest limit, everywhere: ties of more numbers than can be tried one by
    one. Of a value they are its own, of a derivative those among all derivatives: a row of a
    Hessian says too little of itself.
    """
    places = range(len(limits[0]))
    groups = [[place] for place in places[:values]] + [list(places[values:])] * len(places[values:])
    ends = []
    for choose in (np.argmin, np.argmax):
        chosen = []
        for like, group in zip(limits[0], groups, strict=True):
            entries = np.concatenate(
                [np.ravel(limit[place]) for limit in limits for place in group]
            )
            chosen.append(np.full(np.shape(like), entries[choose(middle(entries))]))
        ends.append(chosen)
    return ends


@dataclass(frozen=True, eq=False)
class _Meeting:
    """The pieces that meet at one result."""

    exact: Balls
    """The result as the formula states it."""
    sides: list[Balls]
    settled: Truths
    """Where the limits are the same from farther away."""

    @cached_property
    def hull(self) -> Hull:
        return Hull.of(self.sides)

    @cached_property
    def defined(self) -> Truths:
        return np.asarray(np.isfinite(radius(self.exact)))

    @cached_property
    def known(self) -> Truths:
        """Where every piece has a limit."""
        return np.asarray(np.all([np.isfinite(radius(side)) for side in self.sides], axis=0))

    @cached_property
    def cancelled(self) -> Truths:
        same = self.known & ~self.hull.is_wide & self.defined
        return np.asarray(same & differs(self.hull.middle, self.exact))

    @cached_property
    def without_value(self) -> Truths:
        """Where the formula has no value and the pieces have different limits: a norm at 0."""
        return np.asarray(~self.defined & self.known & self.settled & self.hull.is_wide)

    @property
    def kink(self) -> Truths:
        return np.asarray(self.hull.is_wide & (self.defined | self.without_value))

    @property
    def right(self) -> Balls:
        limit = np.where(self.cancelled, widened_limit(self.hull.middle), self.exact)
        found: Balls = as_objects(np.where(self.without_value, self.hull.middle, limit))
        return found

    @property
    def between(self) -> Hull:
        """What agrees at the kinks; elsewhere the exact result alone."""
        margin = np.where(self.without_value, 1.0 + MARGIN, 1.0)
        wider = replace(self.hull, reach=self.hull.reach * margin)
        return wider.where(self.kink, Hull.of([as_objects(self.exact)]))


def _both_sides(point: Point) -> list[list[Balls]]:
    """The results with all open comparisons decided to one side, and to the other."""
    found = []
    for greater in (True, False) if point.ties else ():
        chosen: dict[int, Decision] = {
            place: ToOneSide(mask, greater, point.decisions.get(place))
            for place, mask in point.ties.items()
        }
        results = replay(
            point.program, point.arguments, BallArithmetic({**point.decisions, **chosen})
        )
        found.append([as_objects(result) for result in results])
    return found
