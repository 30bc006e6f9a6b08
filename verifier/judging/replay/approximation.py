"""Approximations: branches of the code in which something else takes the place of its formula.

A series stands for `x/(2*sin(x))` near 0, and 1/2 for the slope of a Bessel function, where the
formula would lose its digits. Such a branch is no wrong formula where it is as near to the exact
value as a rounding, or where rounding may make anything of the formula. It may be as far away as
rounding can take the formula there if it is a series about 0: what it leaves out shrinks faster
than what it has. What a wrong coefficient makes does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from verifier.judging.compared_programs import ComparedPrograms
from verifier.judging.replay.joint import JointReplay, coded_outcomes, noise_as_decided
from verifier.operations.arrays import Array, Balls, Floats, Truths
from verifier.operations.operation import Operation
from verifier.program.evaluation.arithmetic import middle, radius
from verifier.program.evaluation.balls import COMPARISONS, BallArithmetic, Decision, replay
from verifier.program.evaluation.stochastic import DEVIATIONS, deviations

MOST_BRANCHES = 8
"""So many comparisons of the code are turned around by themselves; of more only all together."""


@dataclass(frozen=True, eq=False)
class _TurnedAround:
    """A comparison as if it had come out the other way."""

    known: Decision | None

    def __call__(self, operation: Operation, decided: Array) -> Balls:
        found = decided if self.known is None else self.known(operation, decided)
        return np.asarray(_turned(found), dtype=object)


_turned = np.frompyfunc(lambda one: one if one is None else not one, 1, 1)


@dataclass(frozen=True, eq=False)
class _TurningArithmetic(BallArithmetic):
    """Notes how the comparisons that are turned around came out."""

    outcomes: dict[int, Truths] = field(default_factory=dict)

    def _decided(self, place: int, operation: Operation, arguments: tuple[Balls, ...]) -> Balls:
        decided = super()._decided(place, operation, arguments)
        if isinstance(self.decisions.get(place), _TurnedAround):
            self.outcomes[place] = decided.astype(bool)
        return decided


def approximated(
    pair: ComparedPrograms, found: JointReplay, wrong: Sequence[Truths]
) -> list[Truths]:
    """Where a formula does not replay, but that of another branch does, and what the code takes in
    its place is near enough (arrays of bool).
    """
    near = [np.zeros(np.shape(part), dtype=bool) for part in wrong]
    if not any(part.any() for part in wrong):
        return near
    for chosen in _choices(pair, found):
        candidates = [part & ~one for part, one in zip(wrong, near, strict=True)]
        for one, more in zip(near, _near_enough(pair, found, chosen, candidates), strict=True):
            one |= more
        if all(one[part].all() for one, part in zip(near, wrong, strict=True)):
            break
    return near


def _choices(pair: ComparedPrograms, found: JointReplay) -> Iterator[tuple[int, ...]]:
    """The comparisons that only the code makes, one after the other, then all of them."""
    nodes, count = found.program.nodes, len(pair.code)
    code, exact = (
        {place for output in outputs for place in found.program.needed(output)}
        for outputs in (found.program.outputs[:count], found.program.outputs[count:])
    )
    own = tuple(place for place in sorted(code - exact) if nodes[place].operation in COMPARISONS)
    if len(own) <= MOST_BRANCHES:
        yield from ((place,) for place in own)
    if len(own) > 1:
        yield own


def _near_enough(
    pair: ComparedPrograms, found: JointReplay, chosen: Sequence[int], candidates: Sequence[Truths]
) -> list[Truths]:
    """Which candidates replay with the chosen comparisons turned around, and are near enough."""
    turned = {place: _TurnedAround(found.decisions.get(place)) for place in chosen}
    arithmetic = _TurningArithmetic({**found.decisions, **turned})
    other = replay(found.program, pair.given, arithmetic)[: len(candidates)]
    right = [
        part & _may_be_same(one, exact)
        for part, one, exact in zip(candidates, other, found.exact, strict=True)
    ]
    if not any(part.any() for part in right):
        return right
    program = pair.as_in_forward(found.program)
    outcomes = {**coded_outcomes(program, found.decisions), **arithmetic.outcomes}
    noise = noise_as_decided(program, outcomes, _open(found, arithmetic.outcomes))
    reaches = deviations(program, pair.given, noise)
    series = _is_series(pair, found, arithmetic.outcomes)
    return [
        part & _within(pair.point.format(place).unit_roundoff, reaches[place], *known)
        for place, (part, *known) in enumerate(
            zip(right, series, found.code, found.exact, strict=True)
        )
    ]


@dataclass(frozen=True, eq=False)
class _AsFound:
    """A comparison as it came out at the point, wherever it is asked now."""

    outcome: Truths

    def __call__(self, operation: Operation, decided: Array) -> Balls:
        return np.asarray(np.broadcast_to(self.outcome, decided.shape), dtype=object)


def _is_series(
    pair: ComparedPrograms, found: JointReplay, turned: Mapping[int, Truths]
) -> list[Truths]:
    """Where the code's branch, followed to half of the inputs, nears the exact value faster than it
    nears its own value at 0 (arrays of bool).
    """
    there = {place: _AsFound(~outcome) for place, outcome in turned.items()}
    arithmetic = BallArithmetic({**found.decisions, **there})
    count = len(found.code)

    def at(share: float) -> list[Balls]:
        scaled = {
            name: share * value if name in pair.point.by else value
            for name, value in pair.given.items()
        }
        return replay(found.program, scaled, arithmetic)

    half, zero = at(0.5), at(0.0)
    rows = zip(found.code, found.exact, half[:count], half[count:], zero[:count], strict=True)
    return [_shrinks_faster(*row) for row in rows]


def _shrinks_faster(
    code: Balls, exact: Balls, code_at_half: Balls, exact_at_half: Balls, code_at_zero: Balls
) -> Truths:
    left_out, left_out_at_half = _apart(code, exact), _apart(code_at_half, exact_at_half)
    has, has_at_half = _apart(code, code_at_zero), _apart(code_at_half, code_at_zero)
    with np.errstate(all="ignore"):
        share = np.where(has > 0, has_at_half / has, 1.0)
        return np.asarray(left_out_at_half <= _FASTER * share * left_out)


_FASTER = 0.75
"""The next power of a series leaves half, at half of the distance."""


def _apart(one: Balls, other: Balls) -> Floats:
    return np.asarray(np.abs(middle(np.asarray(np.subtract(one, other)))))


def _open(found: JointReplay, outcomes: Mapping[int, Truths]) -> dict[int, Any]:
    """Where comparisons are decided as they were found, by place."""
    everywhere = {place: np.ones_like(outcome) for place, outcome in outcomes.items()}
    return {**everywhere, **{place: known.open for place, known in found.decisions.items()}}


def _may_be_same(one: Balls, exact: Balls) -> Truths:
    difference = np.asarray(np.subtract(one, exact))
    known = np.isfinite(radius(difference)) & np.isfinite(radius(exact))
    return np.asarray(known & ~np.asarray(np.not_equal(difference, 0), dtype=bool))


def _within(unit: float, deviation: Floats, is_series: Truths, code: Balls, exact: Balls) -> Truths:
    """Where the code's branch is as near as a rounding, or nothing bounds the other branch, or a
    series is as near as that one under rounding.
    """
    far = _apart(code, exact)
    return np.asarray(
        (far <= unit * np.abs(middle(exact)))
        | ~np.isfinite(deviation)
        | (is_series & (far <= DEVIATIONS * deviation))
    )
