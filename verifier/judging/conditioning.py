"""Conditioning: how many digits a point itself allows, beside how many a statement has.

The inputs of a result are floats, so they are known to a unit roundoff and no better. The exact
result is replayed at inputs that are moved by as much, up or down; how far it moves is the size of
the error that nobody can be blamed for (Higham, Accuracy and Stability of Numerical Algorithms, 2nd
ed., section 1.6). Digits are counted against the largest entry of the whole array.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from verifier.operations.formats import Format
from verifier.program.evaluation.arithmetic import balls, largest_size
from verifier.program.evaluation.balls import BallArithmetic, Decision, replay
from verifier.program.program import Program

MOVES = 6
"""In the first ones neighbours among the numbers go opposite ways, then pairs, then fours; then it
is random.
"""
_PATTERNS = 3


class _Given(BallArithmetic):
    """Arguments are balls already."""

    def input(self, value: Any) -> Any:
        return value


@dataclass(frozen=True, eq=False)
class Point:
    """An exact program at inputs of some formats."""

    program: Program
    arguments: Mapping[str, Any]
    """float64 arrays"""
    formats: Mapping[str, Format]
    decisions: Mapping[int, Decision]
    ties: Mapping[int, Any] = field(default_factory=dict)
    """By the place of a comparison where its sides are the same number (arrays of bool)."""

    def only(self, result: int) -> Point:
        """The same with one of the results alone."""
        kept = sorted(self.program.needed(self.program.outputs[result]))
        place = {before: now for now, before in enumerate(kept)}
        nodes = [self.program.nodes[before] for before in kept]
        moved = tuple(
            replace(node, arguments=tuple(place[one] for one in node.arguments)) for node in nodes
        )
        decisions, ties = (
            {place[at]: what for at, what in known.items() if at in place} for known in self._known
        )
        program = Program(moved, (place[self.program.outputs[result]],))
        return replace(self, program=program, decisions=decisions, ties=ties)

    @property
    def _known(self) -> tuple[Mapping[int, Any], Mapping[int, Any]]:
        return self.decisions, self.ties

    def moved(self, exact: Sequence[Any]) -> list[Any]:
        """How far each exact result moves with its inputs at most, as float64 arrays; infinite
        where it is unknown.
        """
        farthest = [np.zeros(np.shape(result)) for result in exact]
        for move in range(MOVES):
            found = replay(self.program, self._moved(move), _Given(self.decisions))
            apart = [
                largest_size(np.subtract(one, other))
                for one, other in zip(found, exact, strict=True)
            ]
            farthest = [np.maximum(*pair) for pair in zip(farthest, apart, strict=True)]
        return farthest

    def _moved(self, move: int) -> dict[str, Any]:
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
    agreeing: Any
    """Decimal digits that agree with the exact value; NaN for an exact 0 and where there is no
    exact value.
    """
    possible: Any
    """Decimal digits that the point allows: its inputs are floats, and so is the result."""

    @property
    def is_needless(self) -> Any:
        """Where more than half of the format's digits are gone that the point allows (array of
        bool).
        """
        with np.errstate(invalid="ignore"):
            return self.possible - self.agreeing > self.format.decimal_digits / 2


def accuracy(name: str, format: Format, centre: Any, error: Any, moved: Any) -> Accuracy:
    """The accuracy of statements that are off by `error` from exact values that move so far."""
    known = np.isfinite(centre) & (centre != 0)
    size = float(np.abs(centre).max(where=np.isfinite(centre), initial=0.0))
    rounding = np.maximum(format.unit_roundoff * np.abs(centre), format.smallest_subnormal)
    lost = np.where(np.isfinite(moved), np.maximum(moved, rounding), np.inf)
    return Accuracy(
        name, format, _digits(error, size, known, format), _digits(lost, size, known, format)
    )


def _digits(error: Any, size: float, known: Any, format: Format) -> Any:
    with np.errstate(all="ignore"):
        digits = -np.log10(np.where(known, error, np.nan) / size)
    return np.clip(digits, 0.0, format.decimal_digits)


def few(format: Format, centre: Any, error: Any) -> Any:
    """Where less than half of the format's digits agree, so that it is worth asking what the point
    allows.
    """
    everything = accuracy("", format, centre, error, np.zeros_like(centre))
    return everything.is_needless
