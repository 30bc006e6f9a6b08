"""Tally: what a check found, counted by component and by check, with the verdict that follows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from verifier.capture.code_at_point import FORWARD, REVERSE, SECOND
from verifier.checking.check_result import CheckResult
from verifier.checking.labels import component_name
from verifier.checking.tally.components import CheckComponent, Statement
from verifier.judging.examination import Part, Replayed
from verifier.judging.finding import CheckPoint, Finding
from verifier.judging.outcome import worst
from verifier.judging.verdict import Outcome


@dataclass(frozen=True, eq=False)
class CheckTally:
    """What one check found in one dtype, at all points."""

    check: str
    dtype: str
    findings: tuple[Finding, ...]

    @property
    def made(self) -> tuple[Finding, ...]:
        """The findings at points where the check could be made."""
        return tuple(finding for finding in self.findings if not finding.absent)

    @property
    def absent(self) -> tuple[str, ...]:
        """Why it was not made, each reason once."""
        return tuple(dict.fromkeys(finding.absent for finding in self.findings if finding.absent))

    @property
    def parts(self) -> tuple[Part, ...]:
        """The arrays of statements that it judged, in the order of its points."""
        return tuple(part for finding in self.made for part in finding.parts)

    @property
    def compared(self) -> int:
        """How many numbers it judged."""
        return sum(self.outcomes.values())

    @property
    def outcomes(self) -> dict[Outcome, int]:
        """Of the numbers that were judged."""
        return {outcome: sum(part.count(outcome) for part in self.parts) for outcome in Outcome}

    @property
    def failing(self) -> tuple[Finding, ...]:
        """Where something apart from numbers is wrong."""
        return tuple(finding for finding in self.made if finding.failures)

    @property
    def outcome(self) -> Outcome | None:
        """The worst; None where the check was not made."""
        found = [finding.outcome for finding in self.made if finding.outcome is not None]
        return max(found, key=lambda outcome: outcome.severity, default=None)


def _urgency(component: CheckComponent) -> tuple[int, float]:
    return _QUANTITIES.index(component.quantity), -component.shown.ratio if component.shown else 0.0


_QUANTITIES = ("value", REVERSE, FORWARD, SECOND)


@dataclass(frozen=True, eq=False)
class Tally:
    """The counts of a whole check, and its verdict."""

    checked: CheckResult

    @cached_property
    def components(self) -> tuple[CheckComponent, ...]:
        """By name, quantity and dtype, over all checks and points."""
        found: dict[tuple[str, str, str], list[Statement]] = {}
        for finding in self.checked.judged:
            for part in finding.parts:
                key = (component_name(part), part.quantity, finding.dtype)
                found.setdefault(key, []).append(Statement(finding, part))
        return tuple(CheckComponent(*key, tuple(statements)) for key, statements in found.items())

    @cached_property
    def checks(self) -> tuple[CheckTally, ...]:
        """By check and dtype."""
        found: dict[tuple[str, str], list[Finding]] = {}
        for finding in self.checked.findings:
            found.setdefault((finding.check, finding.dtype), []).append(finding)
        return tuple(CheckTally(*key, tuple(findings)) for key, findings in found.items())

    @cached_property
    def dtypes(self) -> tuple[str, ...]:
        """Those that were asked for, else those that were tried."""
        tried = (finding.dtype for finding in self.checked.findings)
        return tuple(dict.fromkeys((*self.checked.settings.dtypes, *tried)))

    @property
    def empty_dtypes(self) -> tuple[str, ...]:
        """Those in which nothing was compared."""
        compared = {component.dtype for component in self.components if component.compared}
        return tuple(dtype for dtype in self.dtypes if dtype not in compared)

    @cached_property
    def points(self) -> tuple[CheckPoint, ...]:
        """Each once, by number."""
        found = {
            finding.point.number: finding.point
            for finding in self.checked.findings
            if finding.point and finding.point.kind != "resized"
        }
        return tuple(found[number] for number in sorted(found))

    @cached_property
    def failing(self) -> tuple[tuple[CheckComponent, ...], ...]:
        """The components that disagree, those of one name together: values, then gradients, then
        what is derived from them, each the largest error for its allowance first.
        """
        found: dict[tuple[str, str], list[CheckComponent]] = {}
        for component in sorted(self.components, key=_urgency):
            if component.outcome is Outcome.DISAGREES:
                found.setdefault((component.name, component.quantity), []).append(component)
        return tuple(
            tuple(sorted(same, key=lambda one: not one.is_simplified)) for same in found.values()
        )

    @cached_property
    def undecided(self) -> tuple[CheckComponent, ...]:
        """The components of which nothing was decided."""
        return tuple(
            component
            for component in self.components
            if component.compared and not component.decided
        )

    @cached_property
    def too_few_digits(self) -> tuple[CheckComponent, ...]:
        """The components with fewer digits than were asked for."""
        return tuple(self._too_few_digits())

    def _too_few_digits(self) -> Iterator[CheckComponent]:
        wanted = self.checked.settings.digits
        for component in self.components:
            least = component.least_accurate
            if wanted is not None and least is not None and least.digits < wanted:
                yield component

    @property
    def wrong_formulas(self) -> tuple[str, ...]:
        """The components whose formula is wrong in exact arithmetic."""
        known = (
            found.examination.formula
            for found in self.checked.judged
            if found.examination is not None
        )
        names = (
            name for formula in known if isinstance(formula, Replayed) for name in formula.wrong
        )
        return tuple(dict.fromkeys(names))

    @property
    def same_function(self) -> bool:
        """Whether the code's value is that of the formula, wherever it was examined."""
        examined = (finding.examination for finding in self.checked.judged)
        return all(one.same_function for one in examined if one is not None)

    @property
    def outcomes(self) -> Counter[Outcome]:
        """Of all numbers that were judged."""
        return Counter(
            {outcome: sum(one.outcomes[outcome] for one in self.components) for outcome in Outcome}
        )

    @property
    def outcome(self) -> Outcome:
        """The worst of all; fewer digits than were asked for disagree, and nothing compared in a
        dtype is undecided.
        """
        if self.too_few_digits:
            return Outcome.DISAGREES
        nothing = [Outcome.UNDECIDED] if self.empty_dtypes else []
        return worst([self.checked.outcome, *nothing])

    @property
    def exit_code(self) -> int:
        """0 verified, 1 something disagrees, 2 not judged to its end, 3 something has no decided
        comparison at all, 4 an internal error, 130 interrupted.
        """
        if self.checked.interrupted:
            return 130
        if self.checked.failed:
            return 4
        if self.outcome is Outcome.DISAGREES:
            return 1
        if self.checked.not_reached:
            return 2
        return 0 if self.dtypes and not self.empty_dtypes and not self.undecided else 3
