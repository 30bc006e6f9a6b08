"""Kinks: where a comparison may fall out either way, and what lies between the derivatives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from verifier.program.evaluation.arithmetic import largest_size, middle, radius
from verifier.program.evaluation.balls import (
    EQUALITIES,
    AsCoded,
    BallArithmetic,
    BorderArithmetic,
    Decision,
    ToOneSide,
    replay,
)
from verifier.program.program import Program


def open_ties(
    program: Program, borders: BorderArithmetic, decisions: Mapping[int, AsCoded]
) -> dict[int, Any]:
    """Where a comparison may fall out either way: both sides are the same number, exactly or as the
    code had them, or rounding decides and nobody knows how it did.
    """
    found = dict(borders.ties)
    for place, near in borders.near.items():
        known = decisions.get(place)
        open_ = near if known is None else near & (known.values[0] == (*known.values, 0.0)[1])
        if np.any(open_) and program.nodes[place].operation not in EQUALITIES:
            found[place] = found.get(place, False) | open_
    return found


@dataclass(frozen=True, eq=False)
class Hull:
    """What lies between the one-sided derivatives, as its middle and how far it reaches from
    there.
    """

    middle: Any
    reach: Any
    """float64: the radius of a ball would have half as many digits."""

    @classmethod
    def of(cls, sides: Sequence[Any]) -> Hull:
        union = sides[0]
        for side in sides[1:]:
            union = _union(union, side)
        middles = np.asarray(_middles(union), dtype=object)
        # A side without a value, the half of a guard that is not taken, takes nothing away from the
        # others.
        reaches = [
            np.where(np.isfinite(radius(side)), reach_of(side, middles), 0.0) for side in sides
        ]
        return cls(middles, np.max(reaches, axis=0))

    @property
    def flat(self) -> Hull:
        return Hull(np.ravel(self.middle), np.ravel(self.reach))

    def is_wider_than(self, exact: Any) -> Any:
        return np.isfinite(radius(exact)) & (
            self.reach > 4.0 * radius(exact) + 1e-30 * np.abs(middle(exact))
        )


def hulls(
    program: Program,
    arguments: Mapping[str, Any],
    decisions: Mapping[int, Decision],
    ties: Mapping[int, Any],
    exact: Sequence[Any],
) -> list[Hull]:
    """For each exact array, which are the last results, what lies between the one-sided derivatives
    of its kinks.
    """
    sides = [[one] for one in exact]
    for greater in (True, False) if ties else ():
        chosen = {
            place: ToOneSide(mask, greater, decisions.get(place)) for place, mask in ties.items()
        }
        found = replay(program, arguments, BallArithmetic({**decisions, **chosen}))
        for known, side in zip(sides, found[-len(exact) :], strict=True):
            known.append(side)
    return [Hull.of(known) for known in sides]


def reach_of(balls: Any, other: Any) -> Any:
    """How far two balls can be apart; 0 where both are the same number."""
    return np.where(
        np.asarray(np.equal(balls, other), dtype=bool), 0.0, largest_size(balls - other)
    )


_union = np.frompyfunc(lambda one, other: one.union(other) if other.is_finite() else one, 2, 1)
_middles = np.frompyfunc(lambda ball: ball.mid(), 1, 1)
