"""Verdicts: a stated number, the exact one, and whether rounding explains the difference.

A statement agrees only if `error <= allowed` is true; NaN never does. Everything is measured from
the midpoint of the exact enclosure, so that a number inside the allowance's ball is never refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property

import numpy as np
from flint import arb

from verifier.judging.outcome import Note as Note
from verifier.judging.outcome import Outcome as Outcome
from verifier.operations.arrays import Ball, Balls, Floats, Indices, Numeric, Truths
from verifier.operations.formats import Format
from verifier.program.evaluation.arithmetic import balls, largest_size, middle, precision, radius
from verifier.witnesses import FIRST_PRECISION


@dataclass(frozen=True, slots=True)
class Comparison:
    """One statement judged."""

    stated: float
    """What the witness under test stated (autograd)."""
    symbolic: float
    """The symbolic gradient at the same point, by NumPy."""
    enclosure: Ball = field(compare=False)
    """The exact value at these floats: a ball of Arb; with a radius it does not equal itself."""
    error: float
    """|stated - exact|."""
    allowed: float
    """How far rounding alone can move a right statement."""
    ulp: float
    """One unit in the last place of the exact value."""
    digits: float
    """Decimal digits that agree; NaN at an exact 0."""
    outcome: Outcome
    note: Note = Note.NONE

    @property
    def ulps(self) -> float:
        """The error in ulps of the exact value; at an exact 0 in smallest subnormals."""
        return self.error / self.ulp

    @property
    def allowed_ulps(self) -> float:
        """What rounding allows, in units in the last place of the exact value."""
        return self.allowed / self.ulp

    @property
    def exact(self) -> str:
        """The exact value in decimal: as many digits as are proved, at most 30."""
        with precision(FIRST_PRECISION):
            return str(self.enclosure.str(30, radius=False))

    @property
    def exact_is_zero(self) -> bool:
        """Whether the exact value is proved to be 0, so that digits say nothing."""
        return bool(self.enclosure == 0)


@dataclass(frozen=True, eq=False)
class Verdicts:
    """One component judged at many points: each field is an array with an entry a point."""

    stated: Floats
    symbolic: Floats
    enclosure: Balls
    centre: Floats
    """The exact value, rounded to float64; NaN where there is none."""
    error: Floats
    allowed: Floats
    ulp: Floats
    digits: Floats
    severity: Indices
    """The outcome as its severity: 0 agrees, 1 undecided, 2 disagrees."""
    note: Indices
    """The place of the note among all notes."""

    def __getitem__(self, point: int) -> Comparison:
        return self._comparison(*(column[point] for column in self._lists))

    @cached_property
    def _lists(self) -> list[list[Numeric]]:
        """The fields as lists of Python's own numbers, for many comparisons at the cost of one
        conversion.
        """
        return [np.asarray(getattr(self, column.name)).tolist() for column in fields(Verdicts)]

    @staticmethod
    def _comparison(*entry: Numeric) -> Comparison:
        stated, symbolic, enclosure, _, error, allowed, ulp, digits, severity, note = entry
        return Comparison(
            stated,
            symbolic,
            enclosure,
            error,
            allowed,
            ulp,
            digits,
            _OUTCOMES[severity],
            _NOTES[note],
        )

    @property
    def failing(self) -> Truths:
        """Where the statement disagrees."""
        return np.equal(self.severity, Outcome.DISAGREES.severity)

    def with_outcome(self, where: Truths, outcome: Outcome) -> Verdicts:
        """The same with that `outcome` at the points of `where`, which has an entry a point."""
        return replace(self, severity=np.where(where, outcome.severity, self.severity))

    def with_note(self, where: Truths, note: Note) -> Verdicts:
        """The same with that `note` at the points of `where`, which has an entry a point."""
        return replace(self, note=np.where(where, _NOTES.index(note), self.note))

    def only(self, place: int) -> Verdicts:
        """The verdict at that place alone."""
        return Verdicts(*(getattr(self, column.name)[[place]] for column in fields(Verdicts)))

    def until(self, place: int) -> Verdicts:
        """The verdicts up to that `place`, counted from 0, it included."""
        return Verdicts(*(getattr(self, column.name)[: place + 1] for column in fields(Verdicts)))


def joined(parts: Sequence[Verdicts], places: Indices) -> Verdicts:
    """The verdicts on one component in several groups of points as one.

    `parts` has the verdicts of each group; `places` (whole numbers, as many as all of them) says
    where each of them goes.
    """
    if len(parts) == 1:
        return parts[0]
    order = np.argsort(places)
    return Verdicts(
        *(
            np.concatenate([getattr(part, field.name) for part in parts])[order]
            for field in fields(Verdicts)
        )
    )


_OUTCOMES = tuple(Outcome)
_NOTES = tuple(Note)
_UNKNOWN = arb("nan")


@dataclass(frozen=True, eq=False)
class Case:
    """Statements with everything that they are compared with: arrays of one length."""

    format: Format
    stated: Floats
    symbolic: Floats
    reference: Balls
    """Balls around the exact values; at a kink, around the middle of the one-sided derivatives."""
    known: Truths
    """Where there is such a value."""
    allowed: Floats
    """How far rounding can move an honest statement from the reference; infinite or NaN where that
    is not known.
    """
    terms: Floats
    """The size of the terms that the value is made of."""
    kink: Truths
    usable: Truths
    """Where all arguments are finite."""
    untraced: Truths | bool = False
    """Where torch computed a number in another way than its graph does."""
    steps: Balls | None = None
    """Balls of what the last operation may state of the numbers before it, if those follow from
    each other in turn; NaN where they do not, None where nobody asked.
    """

    def verdicts(self) -> Verdicts:
        """The verdict on each: it agrees only where `error <= allowed` is true."""
        allowed = np.where(np.isnan(self.allowed), np.inf, self.allowed)
        with np.errstate(all="ignore"):
            error = np.abs(middle(balls(self.stated) - self.reference))
        centre = middle(self.reference)
        follows = self._follows
        allowed = np.where(follows, self._reach_of_steps, allowed)
        rounded = self._is_rounded_below_the_floor
        blind = np.isfinite(allowed) & (allowed >= self.terms) & (allowed > 0) & ~self.kink
        blind &= ~rounded & ~follows
        explained = (error <= allowed) | rounded
        return Verdicts(
            stated=self.stated,
            symbolic=self.symbolic,
            enclosure=np.where(self.known, self.reference, _UNKNOWN),
            centre=np.where(self.known, centre, np.nan),
            error=error,
            allowed=np.where(self.known, allowed, np.inf),
            ulp=self._ulp(centre),
            digits=np.where(self.known, self._digits(error, centre), np.nan),
            severity=self._severity(centre, explained, np.isfinite(allowed) | rounded, blind),
            note=self._note(np.isfinite(allowed) | rounded, blind, explained),
        )

    @property
    def _is_rounded_below_the_floor(self) -> Truths:
        """Where the exact value is no 0, lies below the smallest subnormal number, and one of the
        two numbers beside it is stated: no format says more.

        At a kink the reference is no exact value, and nothing is said there.
        """
        found = np.zeros(self.stated.shape, dtype=bool)
        floor = self.format.smallest_subnormal
        candidates = self.known & ~self.kink & (np.abs(self.stated) <= floor)
        for place in np.flatnonzero(candidates):
            exact, stated = self.reference[place], self.stated[place]
            found[place] = abs(exact) < floor and exact != 0 and stated * np.sign(exact.mid()) >= 0
        return found

    @property
    def _follows(self) -> Truths:
        """Where each operation on the way states what its own arguments give."""
        if self.steps is None:
            return np.zeros(self.stated.shape, dtype=bool)
        known = np.asarray(_is_finite(self.steps), dtype=bool) & self.known & ~self.kink
        return np.asarray(known & np.asarray(_contains(self.steps, self.stated), dtype=bool))

    @property
    def _reach_of_steps(self) -> Floats | float:
        """How far the farthest number that they may state is from the reference."""
        return 0.0 if self.steps is None else largest_size(self.steps - self.reference)

    def _severity(
        self, centre: Floats, explained: Truths, bounded: Truths, blind: Truths
    ) -> Indices:
        with np.errstate(invalid="ignore"):
            ordinary = self.known & (np.abs(centre) <= self.format.largest)
        finite = np.isfinite(self.stated)
        severity = np.full(self.stated.shape, Outcome.UNDECIDED.severity)
        severity[ordinary & finite & explained & bounded & ~blind] = Outcome.AGREES.severity
        severity[ordinary & ~(finite & explained)] = Outcome.DISAGREES.severity
        return severity

    def _note(self, bounded: Truths, blind: Truths, explained: Truths) -> Indices:
        reasons = {
            Note.NOT_FINITE: ~self.usable & ~(self.known & explained),
            Note.BEYOND: ~self.known & self._is_beyond,
            Note.NO_EXACT_VALUE: ~self.known,
            Note.OVERFLOW: ~bounded & ~(self.kink & ~np.isfinite(self.stated)),
            Note.BLIND: blind & explained,
            Note.KINK: self.kink,
        }
        return np.select(
            list(reasons.values()),
            [_NOTES.index(note) for note in reasons],
            _NOTES.index(Note.NONE),
        )

    @property
    def _is_beyond(self) -> Truths:
        """Where there is a ball, but so wide that float64 has no number for its radius."""
        finite = np.asarray(_is_finite(self.reference), dtype=bool)
        return finite & ~np.isfinite(radius(self.reference))

    def _ulp(self, centre: Floats) -> Floats:
        """The distance between floats around the exact value; the smallest subnormal at 0."""
        exponent = np.frexp(np.where(np.isfinite(centre), centre, 1.0))[1] - 1
        exponent = np.maximum(exponent, self.format.smallest_exponent)
        return np.where(
            centre == 0,
            self.format.smallest_subnormal,
            np.ldexp(1.0, exponent - self.format.precision + 1),
        )

    def _digits(self, error: Floats, centre: Floats) -> Floats:
        """Agreeing decimal digits, at most what the format holds; NaN at an exact 0."""
        with np.errstate(all="ignore"):
            digits = -np.log10(error / np.abs(centre))
        return np.where(centre == 0, np.nan, np.clip(digits, 0.0, self.format.decimal_digits) + 0.0)


_is_finite = np.frompyfunc(arb.is_finite, 1, 1)
_contains = np.frompyfunc(lambda ball, number: ball.contains(arb(number)), 2, 1)
