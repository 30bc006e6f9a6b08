"""Programs replayed in exact arithmetic at other arguments, or with other decisions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from verifier.judging.conditioning import Point
from verifier.operations.arrays import Balls, Floats
from verifier.program.evaluation.arithmetic import precision
from verifier.program.evaluation.balls import LAST_BITS, BallArithmetic, Decision, replay


def replay_results(
    point: Point,
    place: int | None,
    literals: frozenset[int] = frozenset(),
    decisions: Mapping[int, Decision] | None = None,
) -> list[Balls]:
    """A program's results as balls: one of them, or all.

    `place` is the result's, None for all. `literals` are nodes whose constants are rounded
    decimals; `decisions` say how comparisons are decided, by the node.
    """
    chosen = point.program.outputs if place is None else (point.program.outputs[place],)
    program = type(point.program)(point.program.nodes, chosen)
    arithmetic = BallArithmetic({**point.decisions, **(decisions or {})}, literals)
    with precision(LAST_BITS):
        return replay(program, point.arguments, arithmetic)


def replay_with_arguments(
    point: Point, arguments: Mapping[str, Floats], decisions: Mapping[int, Decision] | None = None
) -> Balls:
    """A program's only result as flat balls, where some arguments and decisions are others."""
    with precision(LAST_BITS):
        decided = BallArithmetic({**point.decisions, **(decisions or {})})
        (found,) = replay(point.program, {**point.arguments, **arguments}, decided)
    return np.ravel(found)


def balls_overlap(some: Balls, others: Balls) -> bool:
    """Whether two arrays of balls may be the same numbers everywhere; NaN is none."""
    return bool(np.all(_overlaps(np.ravel(some), np.ravel(others))))


_overlaps = np.frompyfunc(lambda one, other: bool(one.overlaps(other)) and one.is_finite(), 2, 1)
