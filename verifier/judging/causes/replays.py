"""Programs replayed in exact arithmetic at other arguments, or with other decisions."""

from __future__ import annotations

from typing import Any

import numpy as np

from verifier.judging.conditioning import Point
from verifier.program.evaluation.arithmetic import precision
from verifier.program.evaluation.balls import LAST_BITS, BallArithmetic, replay


def replay_of(
    point: Point,
    place: int | None,
    literals: frozenset[int] = frozenset(),
    decisions: dict[int, Any] | None = None,
) -> list[Any]:
    """A program's results as balls: one of them, or all."""
    chosen = point.program.outputs if place is None else (point.program.outputs[place],)
    program = type(point.program)(point.program.nodes, chosen)
    arithmetic = BallArithmetic({**point.decisions, **(decisions or {})}, literals)
    with precision(LAST_BITS):
        return replay(program, point.arguments, arithmetic)


def exact_at(
    point: Point, arguments: dict[str, Any], decisions: dict[int, Any] | None = None
) -> Any:
    """A program's only result as flat balls where some arguments are others."""
    with precision(LAST_BITS):
        decided = BallArithmetic({**point.decisions, **(decisions or {})})
        (found,) = replay(point.program, {**point.arguments, **arguments}, decided)
    return np.ravel(found)


def overlap(some: Any, others: Any) -> bool:
    """Whether balls may be the same numbers everywhere; what has no value is none."""
    return bool(np.all(_overlaps(np.ravel(some), np.ravel(others))))


_overlaps = np.frompyfunc(lambda one, other: bool(one.overlaps(other)) and one.is_finite(), 2, 1)
