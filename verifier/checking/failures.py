"""Failures: why what disagrees does, what the reader should know, and the simplest point that
shows it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch

from verifier.capture.code_at_point import SECOND
from verifier.checking.check_result import CheckResult, WrongWhere
from verifier.checking.labels import component_of_part_name
from verifier.checking.points import LARGE, Sampling
from verifier.checking.shrink.search import find_simplest
from verifier.checking.shrink.start import start_of
from verifier.checking.tally.count import Tally
from verifier.checking.tally.notes import notes_on
from verifier.checking.tally.where_wrong import where_wrong
from verifier.checking.variants import AT_EVERY_POINT
from verifier.errors import InputError
from verifier.judging.causes import SearchResult, find_causes
from verifier.judging.examination import Part
from verifier.judging.finding import CheckCause, Finding
from verifier.judging.verdict import Outcome
from verifier.process.deadline import Deadline
from verifier.process.internal_errors import InternalErrors

TRIES = 100
"""How often a failing point is made simpler at most."""
MOST_COMPONENTS = 16
"""Of so many components it is looked for what all that is wrong in them has in common."""
NAMED_IN = 1 / 3
"""Of the places where a component is wrong a cause explains so many at least."""
SHORT = 1.0
"""Seconds for the causes at the simpler point, beside the limit of all."""
CAUSES = 2
"""At most so many causes are named for a component: those that explain it at the most points."""
SHARE = 2 / 3
"""Of the time the search for causes may take so much; the rest is for a simpler point."""


def explain_failures(
    checked: CheckResult,
    samplings: Sequence[Sampling],
    deadline: Deadline = Deadline.NEVER,
) -> CheckResult:
    """The result `checked` with the causes of what disagrees, notes, and a finding at the simplest
    point where it does.

    `samplings` has one for each dtype in which a simpler point is to be looked for. Both searches
    end when `deadline` passes, with what they found so far, and a note says so. An error in any of
    it is kept in `internal_errors`, with a line in the notes: the verdict stands.
    """
    errors = InternalErrors()
    failing = [finding for finding in checked.judged if finding.outcome is Outcome.DISAGREES]
    search = _Search(checked, failing, samplings, errors)
    causes = errors.run(_FOR_CAUSES, partial(search.causes, deadline.after(SHARE)), _CausesFound())
    simplify = partial(search.simpler, causes.causes, deadline)
    simpler = errors.run(_FOR_SIMPLER, simplify, _SimplerFound())
    where = errors.run("looking where it is wrong", partial(_where_wrong, checked), _NOWHERE)
    notes = errors.run("collecting the notes", partial(notes_on, checked), _NONE)
    return replace(
        checked,
        findings=(*checked.findings, *simpler.findings),
        causes=_with_simpler(causes.causes, simpler.causes),
        where=where,
        ruled_out=causes.ruled_out,
        notes=(*notes, *causes.notes, *simpler.notes, *errors.notes),
        simplest=simpler.findings[0].point if simpler.findings else None,
        internal_errors=errors.tracebacks,
    )


def _where_wrong(checked: CheckResult) -> tuple[WrongWhere, ...]:
    wrong = [one for one in Tally(checked).components if one.outcome is Outcome.DISAGREES]
    found = [
        WrongWhere(one.name, one.quantity, one.dtype, where_wrong(one.statements))
        for one in wrong[:MOST_COMPONENTS]
        if one.quantity != SECOND
    ]
    return tuple(one for one in found if one.text)


def _with_simpler(
    causes: Sequence[CheckCause], simpler: Sequence[CheckCause]
) -> tuple[CheckCause, ...]:
    """The causes, each as it is at the simpler point where it was named there."""
    found = {_key(cause): cause for cause in simpler}
    return tuple(found.get(_key(cause), cause) for cause in causes)


def _question_of(cause: CheckCause) -> tuple[str, str, str, bool]:
    component, dtype = _component_of(cause)
    return cause.cause, component, dtype, bool(cause.circumstance)


def _component_of(cause: CheckCause) -> tuple[str, str]:
    return component_of_part_name(cause.component), cause.dtype


def _key(cause: CheckCause) -> tuple[str, str, str]:
    return component_of_part_name(cause.component), cause.cause, cause.dtype


_NONE: tuple[str, ...] = ()
_NOWHERE: tuple[WrongWhere, ...] = ()
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
    causes: tuple[CheckCause, ...] = ()
    """Those of what disagrees there."""
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
        asked = Counter(
            (component_of_part_name(part.name), finding.dtype, bool(finding.circumstance.text))
            for finding, _ in zip(self.failing, found, strict=False)
            for part in finding.parts
            if part.outcome is Outcome.DISAGREES
        )
        causes = _most_frequent_causes([cause for one in found for cause in one.causes], asked)
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

    def simpler(self, causes: Sequence[CheckCause], deadline: Deadline) -> _SimplerFound:
        """A finding at a simpler point at which a component fails for the same cause."""
        numbers = [finding.point.number for finding in self.checked.findings if finding.point]
        number, found = 1 + max(numbers, default=0), None
        if not deadline.passed():
            found = self._at_simplest_point(causes, number, deadline)
        ended = bool(self.failing) and deadline.passed()
        note = f"{_FOR_SIMPLER} ended after {_seconds_text(deadline)}"
        named = () if found is None else find_causes(found, deadline=Deadline(SHORT)).causes
        return _SimplerFound(() if found is None else (found,), named, (note,) if ended else ())

    def _at_simplest_point(
        self, causes: Sequence[CheckCause], number: int, deadline: Deadline
    ) -> Finding | None:
        start = start_of(self.failing, causes)
        point = None if start is None else start.finding.point
        if start is None or point is None:
            return None
        check = next(one for one in AT_EVERY_POINT if one.name == start.finding.check)
        sampling = next((one for one in self.samplings if one.dtype == point.dtype), None)
        if sampling is None:
            return None

        def found(inputs: Mapping[str, torch.Tensor]) -> Finding:
            return next(iter(check.findings(sampling.at(inputs, "simplified", number))))

        def fails(inputs: Mapping[str, torch.Tensor]) -> bool:
            return start.is_kept_by(found(inputs), deadline)

        given = point.inputs
        numbers = sum(tensor.numel() for tensor in given.values())
        tries = TRIES if numbers < LARGE else TRIES // 10
        try:
            simplest = found(find_simplest(given, fails, sampling.domains, tries, deadline))
        except InputError:
            # Code that is wrong now and then need not fail again.
            return None
        return simplest if start.is_kept_by(simplest, Deadline(SHORT)) else None


def _seconds_text(deadline: Deadline) -> str:
    """How long the search has gone on."""
    seconds = deadline.since()
    return f"{seconds:,.0f} s" if seconds >= 1 else f"{seconds:.1g} s"


def _most_frequent_causes(
    causes: Sequence[CheckCause], asked: Mapping[tuple[str, str, bool], int]
) -> list[CheckCause]:
    """For each component the causes that are named at the most points, each once in a dtype; those
    under other circumstances only where a plain use has none.

    `asked` counts where causes were looked for, by component, dtype, and whether that was under
    other circumstances. What is named in too few of these places is an accident of the point.
    """
    counts = Counter(map(_question_of, causes))
    causes = [
        one
        for one in causes
        if counts[_question_of(one)] >= NAMED_IN * asked.get(_question_of(one)[1:], 0)
    ]
    plainly = {_component_of(cause) for cause in causes if not cause.circumstance}
    causes = [one for one in causes if not (one.circumstance and _component_of(one) in plainly)]
    counted = Counter((component_of_part_name(cause.component), cause.cause) for cause in causes)
    best: dict[str, list[str]] = {}
    for (component, name), count in counted.items():
        most = max(other for (same, _), other in counted.items() if same == component)
        if count == most:
            best.setdefault(component, []).append(name)
    kept: dict[tuple[str, str, str], CheckCause] = {}
    for cause in causes:
        if cause.cause in best[component_of_part_name(cause.component)][:CAUSES]:
            kept.setdefault(_key(cause), cause)
    return list(kept.values())


def _parts_at_point_before(checked: CheckResult, finding: Finding) -> Sequence[Part]:
    """What the same check found at the point before."""
    here = finding.point
    for other in checked.judged:
        same = (other.check, other.dtype) == (finding.check, finding.dtype)
        if same and other.point and here and other.point.number == here.number - 1:
            return other.parts
    return ()
