"""Joint replay: the code's statements and the exact ones, replayed in balls and under rounding.

Where rounding leaves open how a comparison falls out, the replay takes the branch that the code
took; where both sides are the same number, both branches are looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from verifier.judging.kinks import Hull, hulls, open_ties
from verifier.judging.limits import Limits, limited
from verifier.judging.pair import Pair
from verifier.operations.table import TABLE
from verifier.program.evaluation.balls import (
    AsCoded,
    BallArithmetic,
    BorderArithmetic,
    replay,
)
from verifier.program.evaluation.stochastic import NoiseArithmetic, arithmetic_for, deviations
from verifier.program.program import Program


@dataclass(frozen=True, eq=False)
class JointReplay:
    """What the replays found; each list has an array for each statement, in order."""

    program: Program
    decisions: Mapping[int, AsCoded]
    """How the code decided comparisons that rounding leaves open, by place."""
    ties: Mapping[int, Any]
    """Where comparisons may fall out either way (arrays of bool), by place."""
    code: list[Any]
    """The balls of what the code's own graph gives in exact arithmetic."""
    exact: list[Any]
    """The balls of what is right, with limits where the formula has no value."""
    notes: list[Any]
    """Where the exact value is a limit, or why there is none."""
    hulls: list[Hull]
    kinks: list[Any]
    """Where the one-sided derivatives differ (arrays of bool)."""
    deviation: list[Any]
    """The standard deviation of the code's statements under rounding (float64)."""


def joint_replay(pair: Pair) -> JointReplay:
    """The replays of a pair at its point."""
    program, rounded, count = pair.program, pair.as_in_forward(pair.program), len(pair.code)
    noise = arithmetic_for(rounded)
    deviation = deviations(rounded, pair.given, noise)
    borders = BorderArithmetic(open=noise.open, reach=noise.reach)
    balls = replay(program, pair.given, borders)
    decisions = _decisions(pair, borders.near)
    ties = open_ties(program, borders, decisions)
    if noise.open:
        deviation = deviations(rounded, pair.given, _decided(rounded, decisions, borders.near))
    if decisions:
        balls = replay(program, pair.given, BallArithmetic(decisions))
    limits = _limits(pair, balls[count:])
    exact = [
        found.balls.reshape(np.shape(part))
        for found, part in zip(limits, balls[count:], strict=True)
    ]
    between = hulls(program, pair.given, decisions, ties, exact)
    kinks = [hull.is_wider_than(one) & bool(ties) for hull, one in zip(between, exact, strict=True)]
    notes = [found.note for found in limits]
    return JointReplay(
        program, decisions, ties, balls[:count], exact, notes, between, kinks, deviation[:count]
    )


def _limits(pair: Pair, exact: list[Any]) -> list[Limits]:
    program = pair.builder.program(*pair.exact)
    return limited(program, exact, pair.given, pair.point.by)


def _decisions(pair: Pair, open_: Mapping[int, Any]) -> dict[int, AsCoded]:
    """How the code decided where rounding leaves it open, for the nodes whose values it showed."""
    found: dict[int, AsCoded] = {}
    for index, place in pair.places.items():
        arguments = pair.builder[index].arguments
        if place in open_ and any(argument in pair.read.actual for argument in arguments):
            values = [pair.actual(argument) for argument in arguments]
            if not any(value is None for value in values):
                found[place] = AsCoded(open_[place], tuple(values))
    return found


def _decided(
    program: Program, decisions: Mapping[int, AsCoded], near: Mapping[int, Any]
) -> NoiseArithmetic:
    """Noise that takes the branches that the code took."""
    noise = arithmetic_for(program)
    noise.borders = near
    noise.coded = {
        place: TABLE[program.nodes[place].operation].numpy.function(*decision.values)
        for place, decision in decisions.items()
    }
    if noise.beside is not None:
        noise.beside.coded, noise.beside.borders = noise.coded, noise.borders
    return noise
