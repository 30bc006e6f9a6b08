"""Other branches: what the code would state if it had taken another branch, where the one that it
took does not give the exact value.

A series stands for `x/(2*sin(x))` near 0, and 1/2 for the slope of a Bessel function, where the
formula would lose its digits. Such a branch is right where it is as near to the exact value as a
rounding. A series about 0 may be as far away as rounding can take the formula there: what it leaves
out shrinks faster than what it has, which what a wrong coefficient makes does not. Where rounding
may take the formula anywhere, nothing is decided.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

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
class _NotingArithmetic(BallArithmetic):
    """Notes how some decisions fell out."""

    noted: Collection[int] = ()
    outcomes: dict[int, Array] = field(default_factory=dict)

    def _decided(self, place: int, operation: Operation, arguments: tuple[Balls, ...]) -> Balls:
        decided = super()._decided(place, operation, arguments)
        if place in self.noted:
            is_truth = operation.name in COMPARISONS
            self.outcomes[place] = decided.astype(bool) if is_truth else middle(decided)
        return decided


@dataclass(frozen=True, eq=False)
class OtherBranches:
    """Where a formula does not replay, but that of another branch does: arrays of bool."""

    near: list[Truths]
    """What the code takes in its place is near enough."""
    unbounded: list[Truths]
    """Nothing bounds what rounding makes of the other branch."""


def other_branches(
    pair: ComparedPrograms, found: JointReplay, wrong: Sequence[Truths]
) -> OtherBranches:
    """What the branches beside those that the code took say of formulas that do not replay."""
    both = OtherBranches(_nowhere(wrong), _nowhere(wrong))
    left = list(wrong)
    for turned in _choices(pair, found):
        if not any(part.any() for part in left):
            break
        more = _in_branch(pair, found, turned, left)
        for place, (near, unbounded) in enumerate(zip(more.near, more.unbounded, strict=True)):
            both.near[place] |= near
            both.unbounded[place] |= unbounded
            left[place] = left[place] & ~(near | unbounded)
    return both


def _nowhere(like: Sequence[Array]) -> list[Truths]:
    return [np.zeros(np.shape(part), dtype=bool) for part in like]


def _choices(pair: ComparedPrograms, found: JointReplay) -> Iterator[tuple[int, ...]]:
    """Which comparisons are turned around: none, where rounding leaves some open, which fall out as
    the exact numbers say then; those that only the code makes, one after the other, and all.
    """
    nodes, count = found.program.nodes, len(pair.code)
    code, exact = (
        {place for output in outputs for place in found.program.needed(output)}
        for outputs in (found.program.outputs[:count], found.program.outputs[count:])
    )
    own = tuple(place for place in sorted(code - exact) if nodes[place].operation in COMPARISONS)
    if found.decisions:
        yield ()
    if len(own) <= MOST_BRANCHES:
        yield from ((place,) for place in own)
    if len(own) > 1:
        yield own


def _in_branch(
    pair: ComparedPrograms, found: JointReplay, turned: Sequence[int], candidates: Sequence[Truths]
) -> OtherBranches:
    """What the branch says in which these comparisons are turned around, or in which all fall out
    as the exact numbers say.
    """
    known = found.decisions if turned else {}
    decisions: dict[int, Decision] = {
        **known,
        **{place: _TurnedAround(known.get(place)) for place in turned},
    }
    arithmetic = _NotingArithmetic(decisions, noted=turned or found.decisions.keys())
    other = replay(found.program, pair.given, arithmetic)[: len(candidates)]
    right = [
        part & _may_be_same(one, exact)
        for part, one, exact in zip(candidates, other, found.exact, strict=True)
    ]
    if not any(part.any() for part in right):
        return OtherBranches(right, right)
    everywhere = {place: np.ones_like(arithmetic.outcomes[place]) for place in turned}
    program = pair.as_in_forward(found.program)
    noise = noise_as_decided(
        program,
        {**coded_outcomes(program, known), **arithmetic.outcomes},
        {**{place: coded.open for place, coded in found.decisions.items()}, **everywhere},
    )
    reaches = deviations(program, pair.given, noise)[: len(right)]
    series = _is_series(pair, found, {place: arithmetic.outcomes[place] for place in turned})
    near = [
        part & _within(pair.point.format(place).unit_roundoff, *columns)
        for place, (part, *columns) in enumerate(
            zip(right, reaches, series, found.code, found.exact, strict=True)
        )
    ]
    unbounded = [
        part & ~one & ~np.isfinite(reach)
        for part, one, reach in zip(right, near, reaches, strict=True)
    ]
    return OtherBranches(near, unbounded)


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
    if not turned:
        return _nowhere(found.code)
    there = {place: _AsFound(~outcome) for place, outcome in turned.items()}
    arithmetic = BallArithmetic({**found.decisions, **there})
    count = len(found.code)

    def at(share: float) -> list[Balls]:
        scaled = {
            # A product of an array without axes is a scalar of NumPy, which is no array of floats.
            name: np.asarray(share * value) if name in pair.point.by else value
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


def _may_be_same(one: Balls, exact: Balls) -> Truths:
    difference = np.asarray(np.subtract(one, exact))
    known = np.isfinite(radius(difference)) & np.isfinite(radius(exact))
    return np.asarray(known & ~np.asarray(np.not_equal(difference, 0), dtype=bool))


def _within(unit: float, deviation: Floats, is_series: Truths, code: Balls, exact: Balls) -> Truths:
    """Where the code's branch is as near as a rounding, or a series is as near as rounding may take
    the other branch.
    """
    far = _apart(code, exact)
    with np.errstate(invalid="ignore"):
        reach = np.where(is_series & np.isfinite(deviation), DEVIATIONS * deviation, 0.0)
    return np.asarray(far <= np.maximum(unit * np.abs(middle(exact)), reach))
