"""Check components: every number that a check judged, gathered by what it is a number of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from verifier.judging.conditioning import accuracy, detection_limits, ratios, worst_place
from verifier.judging.examination import Part
from verifier.judging.finding import Finding
from verifier.judging.outcome import worst_outcome
from verifier.judging.verdict import Comparison, Note, Outcome
from verifier.operations.arrays import Floats
from verifier.operations.formats import CODE_FORMATS

_INACCURATE = list(Note).index(Note.INACCURATE)


@dataclass(frozen=True, eq=False)
class Statement:
    """Numbers that were judged together, and where they come from."""

    finding: Finding
    part: Part

    @cached_property
    def ratios(self) -> Floats:
        """The errors as fractions of what is allowed; infinite where they are no numbers."""
        return ratios(self.part.verdicts)

    @cached_property
    def digits(self) -> Floats:
        """Agreeing digits, counted against the largest entry of the whole array; NaN where nothing
        is decided.
        """
        verdicts = self.part.verdicts
        nothing_lost = np.zeros_like(verdicts.error)
        found = accuracy(
            "", CODE_FORMATS[self.part.dtype], verdicts.centre, verdicts.error, nothing_lost
        ).agreeing
        # What is no number has no digits right.
        found = np.where(np.isnan(verdicts.error) & (np.abs(verdicts.centre) > 0), 0.0, found)
        return np.where(verdicts.severity == Outcome.UNDECIDED.severity, np.nan, found)

    @cached_property
    def worst(self) -> Place:
        """The worst outcome, and within it the largest error for its allowance."""
        return Place(self, worst_place(self.part.verdicts))

    @property
    def least_accurate(self) -> Place:
        """Where the fewest digits agree. Some must be known."""
        return Place(self, int(np.nanargmin(self.digits)))


@dataclass(frozen=True, eq=False)
class Place:
    """One number that was judged."""

    statement: Statement
    element: int
    """Its place in the flattened array."""

    @cached_property
    def comparison(self) -> Comparison:
        """The number with the exact one and its allowance, as a record."""
        return self.part.verdicts[self.element]

    @property
    def part(self) -> Part:
        """The array of statements that it stands in."""
        return self.statement.part

    @property
    def finding(self) -> Finding:
        """The check, the dtype and the point that it comes from."""
        return self.statement.finding

    @property
    def index(self) -> tuple[int, ...]:
        """Where it stands in its array; empty for a single number."""
        return tuple(int(place) for place in np.unravel_index(self.element, self.part.shape))

    @property
    def ratio(self) -> float:
        """Its error as a fraction of what is allowed; infinite where the error is no number."""
        return float(self.statement.ratios[self.element])

    @property
    def digits(self) -> float:
        """Agreeing digits, counted against the largest entry of the whole array."""
        return float(self.statement.digits[self.element]) + 0.0

    @property
    def is_wrong_formula(self) -> bool:
        """Whether its formula is wrong in exact arithmetic, whatever rounding allows."""
        return bool(np.ravel(self.part.wrong_formula)[self.element])

    @property
    def is_simplified(self) -> bool:
        """Whether it was found at a simplified point."""
        return self.finding.point is not None and self.finding.point.kind == "simplified"

    @property
    def rank(self) -> tuple[int, float]:
        """What orders places: a worse outcome first, then a larger error for its allowance."""
        return self.comparison.outcome.severity, self.ratio


@dataclass(frozen=True, eq=False)
class CheckComponent:
    """All comparisons of one quantity of the target in one dtype: a value, or a derivative by one
    input.
    """

    name: str
    quantity: str
    """value, reverse, forward or second."""
    dtype: str
    statements: tuple[Statement, ...]
    """In the order of the checks."""

    @property
    def compared(self) -> int:
        """How many numbers were judged, over all checks and points."""
        return sum(self.outcomes.values())

    @cached_property
    def outcomes(self) -> dict[Outcome, int]:
        """How many of them have each outcome; 0 where none has."""
        return {
            outcome: sum(one.part.count(outcome) for one in self.statements) for outcome in Outcome
        }

    @property
    def outcome(self) -> Outcome:
        """The worst; undecided where nothing was compared."""
        return worst_outcome(self.outcomes)

    @property
    def decided(self) -> int:
        """How many of them agree or disagree."""
        return self.compared - self.outcomes[Outcome.UNDECIDED]

    @property
    def inaccurate(self) -> int:
        """How many lack more than half of the dtype's digits needlessly."""
        return sum(int(np.sum(one.part.verdicts.note == _INACCURATE)) for one in self.statements)

    @property
    def tier(self) -> str:
        """`proved` where each allowance is; `estimated` where one is not."""
        return (
            "proved" if all(one.part.tier == "proved" for one in self.statements) else "estimated"
        )

    @property
    def part_names(self) -> frozenset[str]:
        """The names of the parts that it is made of; a Hessian has one for each row."""
        return frozenset(one.part.name for one in self.statements)

    @cached_property
    def least_accurate(self) -> Place | None:
        """Where the fewest digits agree; None where the exact value is always 0, or nothing is
        decided.
        """
        known = [one.least_accurate for one in self.statements if not np.isnan(one.digits).all()]
        return min(known, key=lambda place: place.digits, default=None)

    @property
    def least_digits(self) -> float:
        """How many digits agree there; NaN where none are known."""
        return self.least_accurate.digits if self.least_accurate else float("nan")

    @cached_property
    def limits(self) -> Floats:
        """The detection limits: allowances relative to exact values, where that is known and
        not 0.
        """
        return np.concatenate([detection_limits(one.part.verdicts) for one in self.statements])

    @property
    def limit_median(self) -> float:
        """The median of the detection limits, relative; NaN where none is known."""
        return float(np.median(self.limits)) if self.limits.size else float("nan")

    @property
    def limit_max(self) -> float:
        """The largest of the detection limits, relative; NaN where none is known."""
        return float(self.limits.max()) if self.limits.size else float("nan")

    @cached_property
    def worst(self) -> Place | None:
        """The worst outcome, and within it the largest error for its allowance; None where nothing
        was compared.
        """
        return max(self._worst, key=lambda place: place.rank, default=None)

    @property
    def worst_ratio(self) -> float:
        """The worst error as a fraction of its allowance; NaN where nothing was compared or all is
        allowed.
        """
        if self.worst is None or np.isinf(self.worst.comparison.allowed):
            return float("nan")
        return self.worst.ratio

    @property
    def worst_at(self) -> int | None:
        """The number of the point of the worst error; None where it has none."""
        point = self.worst.finding.point if self.worst else None
        return point.number if point else None

    @cached_property
    def shown(self) -> Place | None:
        """Where a failure is shown: at a simplified point if there is one, in the first check that
        finds it.
        """
        failing = [place for place in self._worst if place.comparison.outcome is Outcome.DISAGREES]
        if not failing:
            return self.worst
        simple = [place for place in failing if place.is_simplified]
        first = (simple or failing)[0].finding.check
        return max(
            (one for one in simple or failing if one.finding.check == first),
            key=lambda place: place.ratio,
        )

    @property
    def is_simplified(self) -> bool:
        """Whether it is shown at a simplified point."""
        return self.shown is not None and self.shown.is_simplified

    @property
    def _worst(self) -> list[Place]:
        return [one.worst for one in self.statements if one.part.verdicts.error.size]
