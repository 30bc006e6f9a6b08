"""Failures: why what disagrees does, what the reader should know, and the simplest point that
shows it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch

from verifier.checking.check_result import CheckResult
from verifier.checking.labels import component_of_part_name
from verifier.checking.points import LARGE, Sampling
from verifier.checking.shrink.search import find_simplest
from verifier.checking.tally.notes import notes_on
from verifier.checking.variants import AT_EVERY_POINT, Check
from verifier.errors import InputError
from verifier.judging.causes import SearchResult, find_causes
from verifier.judging.examination import Part
from verifier.judging.finding import CheckCause, Finding
from verifier.judging.verdict import Outcome
from verifier.process.deadline import Deadline
from verifier.process.internal_errors import InternalErrors

TRIES = 100
"""How often a failing point is made simpler at most."""
CAUSES = 2
"""At most so many causes are named for a component: those that explain it at the most points."""
SHARE = 2 / 3
"""Of the time the search for causes may take so much; the rest is for a simpler point."""


def explain_failures(
    checked: CheckResult,
    samplings: Sequence[Sampling],
    deadline: Deadline = Deadline.NEVER,
) -> CheckResult:
    """The same result with the causes of what disagrees, notes, and a finding at the simplest
    point where it does.

    `samplings` has one for each dtype in which a simpler point is to be looked for. Both searches
    end when `deadline` passes, with what they found so far, and a note says so. An error in any of
    it is kept in `internal_errors`, with a line in the notes: the verdict stands.
    """
    errors = InternalErrors()
    failing = [finding for finding in checked.judged if finding.outcome is Outcome.DISAGREES]
    search = _Search(checked, failing, samplings, errors)
    causes = errors.run(_FOR_CAUSES, partial(search.causes, deadline.after(SHARE)), _CausesFound())
    simpler = errors.run(_FOR_SIMPLER, partial(search.simpler, deadline), _SimplerFound())
    notes = errors.run("collecting the notes", partial(notes_on, checked), _NONE)
    return replace(
        checked,
        findings=(*checked.findings, *simpler.findings),
        causes=causes.causes,
        ruled_out=causes.ruled_out,
        notes=(*notes, *causes.notes, *simpler.notes, *errors.notes),
        simplest=simpler.findings[0].point if simpler.findings else None,
        internal_errors=errors.tracebacks,
    )


_NONE: tuple[str, ...] = ()
_FOR_CAUSES, _FOR_SIMPLER = "the search for causes", "the search for a simpler point"


@dataclass(frozen=True)
class _CausesFound:
    """What the search for causes found."""

    causes: tuple[CheckCause, ...] = ()
    ruled_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class _SimplerFound:
    """What the search for a simpler point found: at most one finding."""

    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class _Search:
    """What is asked about a check in which something disagrees."""

    checked: CheckResult
    failing: Sequence[Finding]
    samplings: Sequence[Sampling]
    errors: InternalErrors

    def causes(self, deadline: Deadline) -> _CausesFound:
        found = list(self._search_each(deadline))
        causes = _most_frequent_causes([cause for one in found for cause in one.causes])
        named = {cause.cause for cause in causes}
        ruled_out = dict.fromkeys(name for one in found for name in one.ruled_out)
        ended = [one for one in found if one.ended_early]
        note = f"{_FOR_CAUSES} ended after {_seconds_text(deadline)}, before all had been tried"
        return _CausesFound(
            tuple(causes),
            tuple(name for name in ruled_out if name not in named),
            (note,) if ended else (),
        )

    def _search_each(self, deadline: Deadline) -> Iterator[SearchResult]:
        """The causes of each finding, until the time is over."""
        for finding in self.failing:
            found = find_causes(finding, _parts_at_point_before(self.checked, finding), deadline)
            for error in found.errors:
                self.errors.add(_FOR_CAUSES, error)
            yield found
            if found.ended_early:
                return

    def simpler(self, deadline: Deadline) -> _SimplerFound:
        """A finding at a simpler point at which the first component that fails still does."""
        numbers = [finding.point.number for finding in self.checked.findings if finding.point]
        number, found = 1 + max(numbers, default=0), None
        if not deadline.passed():
            found = _finding_at_simplest_point(self.failing, self.samplings, number, deadline)
        ended = bool(self.failing) and deadline.passed()
        note = f"{_FOR_SIMPLER} ended after {_seconds_text(deadline)}"
        return _SimplerFound(() if found is None else (found,), (note,) if ended else ())


def _seconds_text(deadline: Deadline) -> str:
    """How long the search has gone on."""
    seconds = deadline.since()
    return f"{seconds:,.0f} s" if seconds >= 1 else f"{seconds:.1g} s"


def _most_frequent_causes(causes: Sequence[CheckCause]) -> list[CheckCause]:
    """For each component the causes that are named at the most points, each once in a dtype."""
    counted = Counter((component_of_part_name(cause.component), cause.cause) for cause in causes)
    best: dict[str, list[str]] = {}
    for (component, name), count in counted.items():
        most = max(other for (same, _), other in counted.items() if same == component)
        if count == most:
            best.setdefault(component, []).append(name)
    kept: dict[tuple[str, str, str], CheckCause] = {}
    for cause in causes:
        component = component_of_part_name(cause.component)
        if cause.cause in best[component][:CAUSES]:
            kept.setdefault((component, cause.cause, cause.dtype), cause)
    return list(kept.values())


def _parts_at_point_before(checked: CheckResult, finding: Finding) -> Sequence[Part]:
    """What the same check found at the point before."""
    here = finding.point
    for other in checked.judged:
        same = (other.check, other.dtype) == (finding.check, finding.dtype)
        if same and other.point and here and other.point.number == here.number - 1:
            return other.parts
    return ()


def _finding_at_simplest_point(
    failing: Sequence[Finding], samplings: Sequence[Sampling], number: int, deadline: Deadline
) -> Finding | None:
    """What a check finds at a simpler point at which the first component that fails still does."""
    checks: dict[str, Check] = {check.name: check for check in AT_EVERY_POINT}
    first = next(
        (finding for finding in failing if finding.point and finding.check in checks), None
    )
    if first is None or first.point is None:
        return None
    check, start = checks[first.check], first.point
    names = {part.name for part in first.parts if part.outcome is Outcome.DISAGREES}
    sampling = next((one for one in samplings if one.dtype == start.dtype), None)
    if sampling is None:
        return None

    def found(inputs: Mapping[str, torch.Tensor]) -> Finding:
        return next(iter(check.findings(sampling.at(inputs, "simplified", number))))

    def fails(inputs: Mapping[str, torch.Tensor]) -> bool:
        parts = found(inputs).parts
        return any(part.outcome is Outcome.DISAGREES for part in parts if part.name in names)

    numbers = sum(tensor.numel() for tensor in start.inputs.values())
    tries = TRIES if numbers < LARGE else TRIES // 10
    try:
        return found(find_simplest(start.inputs, fails, sampling.domains, tries, deadline))
    except InputError:
        # Code that is wrong now and then need not fail again.
        return None
