"""Joint replay: the code's statements and the exact ones, replayed in balls and under rounding.

Where rounding leaves open how a comparison falls out, the replay takes the branch that the code
took; where both sides are the same number, both branches are looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from verifier.judging.compared_programs import ComparedPrograms
from verifier.judging.conditioning import Point
from verifier.judging.kinks import Kinks, kinks_at, open_ties
from verifier.judging.symbolic_limits import ResultWithLimits, add_limits
from verifier.operations.arrays import Array, Balls, Floats, Truths
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
    ties: Mapping[int, Truths]
    """Where comparisons may fall out either way, by place."""
    code: list[Balls]
    """Those of what the code's own graph gives in exact arithmetic."""
    kinks: Kinks
    """What is right: the exact results, with limits where the formula has no value, and what agrees
    where comparisons tie.
    """
    notes: list[Array]
    """Where the exact value is a limit, or why there is none."""
    deviation: list[Floats]
    """The standard deviation of the code's statements under rounding."""
    point: Point
    """The exact program at the point."""

    @property
    def exact(self) -> list[Balls]:
        """The balls of what is right."""
        return self.kinks.exact


def joint_replay(pair: ComparedPrograms) -> JointReplay:
    """The replays of a pair at its point."""
    program, rounded, count = pair.program, pair.as_in_forward(pair.program), len(pair.code)
    noise = arithmetic_for(rounded)
    deviation = deviations(rounded, pair.given, noise)
    borders = BorderArithmetic(open=noise.open, reach=noise.reach)
    balls = replay(program, pair.given, borders)
    decisions = _decisions(pair, borders.near)
    rounded_ties = open_ties(program, borders, decisions)
    ties = {
        place: np.asarray(borders.ties.get(place, False) | rounded_ties.get(place, np.False_))
        for place in borders.ties.keys() | rounded_ties.keys()
    }
    if noise.open:
        deviation = deviations(rounded, pair.given, _decided(rounded, decisions, borders.near))
    if decisions:
        balls = replay(program, pair.given, BallArithmetic(decisions))
    limits = _limits(pair, balls[count:])
    exact = [
        found.balls.reshape(np.shape(part))
        for found, part in zip(limits, balls[count:], strict=True)
    ]
    point = pair.exact_point(decisions, ties)
    values = len(pair.point.results)
    stated = [pair.point.numbers(place) for place in range(values, count)]
    kinks = kinks_at(point, exact, stated, pair.point.by, rounded_ties)
    notes = [found.note for found in limits]
    return JointReplay(
        program, decisions, ties, balls[:count], kinks, notes, deviation[:count], point
    )


def _limits(pair: ComparedPrograms, exact: list[Balls]) -> list[ResultWithLimits]:
    return add_limits(pair.exact_program, exact, pair.given, pair.point.by)


def _decisions(pair: ComparedPrograms, open_: Mapping[int, Truths]) -> dict[int, AsCoded]:
    """How the code decided where rounding leaves it open, for the nodes whose values it showed."""
    found: dict[int, AsCoded] = {}
    for index, place in pair.places.items():
        arguments = pair.builder[index].arguments
        if place in open_ and any(argument in pair.builder.actual for argument in arguments):
            values = [pair.actual(argument) for argument in arguments]
            known = tuple(value for value in values if value is not None)
            if len(known) == len(values):
                found[place] = AsCoded(open_[place], known)
    return found


def _decided(
    program: Program, decisions: Mapping[int, AsCoded], near: Mapping[int, Truths]
) -> NoiseArithmetic:
    """Noise that takes the branches that the code took."""
    return noise_as_decided(program, coded_outcomes(program, decisions), near)


def coded_outcomes(program: Program, decisions: Mapping[int, AsCoded]) -> dict[int, Truths]:
    """What came out where the code decided, by place."""
    return {
        place: np.asarray(TABLE[program.nodes[place].operation].numpy.function(*decision.values))
        for place, decision in decisions.items()
    }


def noise_as_decided(
    program: Program, outcomes: Mapping[int, Truths], open_: Mapping[int, Truths]
) -> NoiseArithmetic:
    """Noise with comparisons, by place, as they are said to come out where they are open."""
    noise = arithmetic_for(program)
    for one in (noise, noise.beside):
        if one is not None:
            one.coded, one.borders = outcomes, open_
    return noise
