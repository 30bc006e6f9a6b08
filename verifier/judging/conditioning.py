"""Conditioning: how many digits a point itself allows, beside how many a statement has; and how
large errors are beside what is allowed.

The inputs of a result are floats, so they are known to a unit roundoff and no better. The exact
result is replayed at inputs that are moved by as much, up or down; how far it moves is the size of
the error that nobody can be blamed for (Higham, Accuracy and Stability of Numerical Algorithms, 2nd
ed., section 1.6). Digits are counted against the largest entry of the whole array.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from verifier.judging.verdict import Verdicts
from verifier.operations.arrays import Array, Balls, Floats, Truths
from verifier.operations.formats import Format
from verifier.program.evaluation.arithmetic import balls, largest_size, radius
from verifier.program.evaluation.balls import BallArithmetic, Decision, as_objects, replay
from verifier.program.program import Program, evaluate

MOVES = 6
"""In the first ones neighbours among the numbers go opposite ways, then pairs, then fours; then it
is random.
"""
_PATTERNS = 3
"""The first moves push neighbours apart, then pairs, then fours, so that sums and differences both
change; the others are random.
"""


class _BallsAsGiven(BallArithmetic):
    """Arguments are balls already."""

    def input(self, value: Balls) -> Balls:
        return value


@dataclass(frozen=True, eq=False)
class Point:
    """An exact program at inputs of some formats."""

    program: Program
    arguments: Mapping[str, Floats]
    """float64 arrays"""
    formats: Mapping[str, Format]
    decisions: Mapping[int, Decision]
    ties: Mapping[int, Truths] = field(default_factory=dict)
    """By the place of a comparison where its sides are the same number (arrays of bool)."""

    @property
    def elements(self) -> int:
        """How many numbers are computed for the results."""
        return self.program.elements

    def moving_shape(self, name: str) -> tuple[int, ...]:
        """The shape of what the argument `name` can be moved by."""
        return np.shape(self.arguments[name])

    def evaluated(self, arithmetic: BallArithmetic, arguments: Mapping[str, Array]) -> list[Balls]:
        """The results at some `arguments`, by name and of the shapes of the point's own, in
        `arithmetic` at the precision in force.
        """
        found = evaluate(self.program, arithmetic, arguments)
        return [as_objects(result) for result in found]

    def only(self, result: int) -> Point:
        """The same with one of the results alone: the one at the place `result`."""
        kept = sorted(self.program.needed(self.program.outputs[result]))
        place = {before: now for now, before in enumerate(kept)}
        nodes = [self.program.nodes[before] for before in kept]
        moved = tuple(
            replace(node, arguments=tuple(place[one] for one in node.arguments)) for node in nodes
        )
        decisions = {place[at]: what for at, what in self.decisions.items() if at in place}
        ties = {place[at]: where for at, where in self.ties.items() if at in place}
        program = Program(moved, (place[self.program.outputs[result]],))
        return replace(self, program=program, decisions=decisions, ties=ties)

    def moved(self, exact: Sequence[Balls]) -> list[Floats]:
        """How far each exact result moves at most when its inputs move by a unit roundoff.

        `exact` are the results as arrays of balls, computed at the inputs themselves. The distances
        have the results' shapes; infinite where one is unknown.
        """
        farthest = [np.zeros(np.shape(result)) for result in exact]
        for move in range(MOVES):
            found = replay(self.program, self._moved(move), _BallsAsGiven(self.decisions))
            apart = [
                largest_size(np.subtract(one, other))
                for one, other in zip(found, exact, strict=True)
            ]
            farthest = [np.maximum(*pair) for pair in zip(farthest, apart, strict=True)]
        return farthest

    def _moved(self, move: int) -> dict[str, Balls]:
        generator, start, found = np.random.default_rng(move), 0, {}
        for name, values in self.arguments.items():
            order = start + np.arange(values.size).reshape(values.shape)
            bits = order >> move & 1 if move < _PATTERNS else generator.integers(0, 2, values.shape)
            factor = 1 + balls((2.0 * bits - 1.0) * self.formats[name].unit_roundoff)
            found[name] = np.asarray(balls(values) * factor, dtype=object)
            start += values.size
        return found


@dataclass(frozen=True, eq=False)
class Accuracy:
    """The digits of one array of statements, in the order of the flattened array, against its
    largest entry.
    """

    name: str
    format: Format
    agreeing: Floats
    """Decimal digits that agree with the exact value; NaN for an exact 0 and where there is no
    exact value.
    """
    possible: Floats
    """Decimal digits that the point allows: its inputs are floats, and so is the result."""

    @property
    def is_needless(self) -> Truths:
        """Where more than half of the format's digits are gone although the point allows them."""
        with np.errstate(invalid="ignore"):
            return self.possible - self.agreeing > self.format.decimal_digits / 2


def accuracy(name: str, format: Format, centre: Floats, error: Floats, moved: Floats) -> Accuracy:
    """The accuracy of statements that are off by `error` from exact values that move by `moved`.

    `centre`, the exact values, `error` and `moved` are float64 arrays of one shape (entries,), in
    the unit of the statements; NaN in `centre` stands for no exact value, infinite in `moved` for
    an unknown distance. The sources of `moved` are the inputs' own roundings (`Point.moved`).
    `name` and `format` are those of the array of statements.
    """
    known = np.isfinite(centre) & (centre != 0)
    size = float(np.abs(centre).max(where=np.isfinite(centre), initial=0.0))
    rounding = np.maximum(format.unit_roundoff * np.abs(centre), format.smallest_subnormal)
    lost = np.where(np.isfinite(moved), np.maximum(moved, rounding), np.inf)
    return Accuracy(
        name,
        format,
        _agreeing_digits(error, size, known, format),
        _agreeing_digits(lost, size, known, format),
    )


def _agreeing_digits(error: Floats, size: float, known: Truths, format: Format) -> Floats:
    with np.errstate(all="ignore"):
        digits = -np.log10(np.where(known, error, np.nan) / size)
    return np.clip(digits, 0.0, format.decimal_digits)


def lacks_digits(format: Format, centre: Floats, error: Floats) -> Truths:
    """Where less than half of the format's digits agree.

    Only there it is worth asking how many the point allows, which costs replays.
    """
    everything = accuracy("", format, centre, error, np.zeros_like(centre))
    return everything.is_needless


def ratios(judged: Verdicts) -> Floats:
    """The errors of `judged` as fractions of what is allowed (a flat float64 array); infinite where
    they are no numbers.
    """
    with np.errstate(all="ignore"):
        found = np.where(judged.error == 0, 0.0, judged.error / judged.allowed)
    return np.where(np.isnan(found), np.inf, found)


def worst_place(judged: Verdicts) -> int:
    """The place in `judged`, counted from 0, of the worst outcome and within it of the largest
    error for its allowance. Raises IndexError where there is no number.
    """
    return int(np.lexsort((ratios(judged), judged.severity))[-1])


def detection_limits(judged: Verdicts) -> Floats:
    """The allowances of `judged` relative to the exact values, where those are known and not 0
    (a flat float64 array, shorter by the others).
    """
    with np.errstate(all="ignore"):
        found = judged.allowed / np.abs(judged.centre)
    known = np.isfinite(found)
    tiny = np.flatnonzero(known & (found > _TINY))
    # A sum whose terms cancel exactly may be a ball around 0 and not 0 itself.
    known[tiny] = radius(judged.enclosure[tiny]) < np.abs(judged.centre[tiny])
    limits: Floats = found[known]
    return limits


_TINY = 1e15
"""What is allowed to be off by so many times itself is compared with 0."""
