"""Baseline: which failures of a check are known and accepted, which are not, and which are no
longer there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from verifier.checking.check_result import CheckResult
from verifier.checking.labels import component_of_part_name
from verifier.checking.tally.components import CheckComponent
from verifier.checking.tally.count import Tally
from verifier.commands.config.schema import AcceptedFailure
from verifier.judging.finding import Finding
from verifier.judging.verdict import Outcome
from verifier.reporting.content.failure_groups import causes_of, failing_checks, failures_of


@dataclass(frozen=True, eq=False)
class SettledCheck:
    """A check beside what was accepted of it beforehand."""

    left: CheckResult
    """The check without what is accepted."""
    accepted: tuple[AcceptedFailure, ...] = ()
    """What explains a failure."""
    stale: tuple[AcceptedFailure, ...] = ()
    """What matches nothing that disagrees."""


def set_accepted_aside(checked: CheckResult, known: Sequence[AcceptedFailure]) -> SettledCheck:
    """The check with what is known of its failures set aside.

    A failure is accepted where each of its causes is; one without a cause, where an entry names
    none. An entry for a gradient covers what follows from it, such as second derivatives. Of a
    check that was not made to its end nothing is stale: what disagrees may not have been reached.
    """
    failing = _Failing(checked)
    used = {entry for entry in known for failure in failing.all if failure.is_explained_by(entry)}
    left = replace(
        checked,
        findings=tuple(failing.without(finding, known) for finding in checked.findings),
    )
    stale = (
        ()
        if checked.interrupted or checked.not_reached
        else tuple(entry for entry in known if entry not in used)
    )
    return SettledCheck(left, tuple(entry for entry in known if entry in used), stale)


def entries_for(checked: CheckResult) -> tuple[AcceptedFailure, ...]:
    """The entries that accept everything that disagrees in a check, without a reason yet.

    What follows from a gradient has none of its own. An entry names the cause where there is one,
    and where it covers all that follows even so.
    """
    tally = Tally(checked)
    derived = {id(one) for failure in failures_of(tally) for one in failure.derived}
    found = [
        AcceptedFailure(component.name, component.dtype, "", _only_cause(tally, same))
        for same in tally.failing
        for component in same
        if id(component) not in derived
    ]
    found += [AcceptedFailure(one.check, one.dtype, "") for one in failing_checks(tally)]
    if set_accepted_aside(checked, found).left.outcome is Outcome.DISAGREES:
        found = [replace(entry, cause="") for entry in found]
    return tuple(dict.fromkeys(found))


def _only_cause(tally: Tally, same: Sequence[CheckComponent]) -> str:
    causes = {cause.cause for cause in causes_of(tally, same)}
    return next(iter(causes)) if len(causes) == 1 else ""


@dataclass(frozen=True)
class _Failure:
    """Something that disagrees, for one of its causes."""

    names: frozenset[str]
    dtype: str
    cause: str

    def is_explained_by(self, entry: AcceptedFailure) -> bool:
        return (
            entry.component in self.names
            and entry.dtype == self.dtype
            and entry.cause in ("", self.cause)
        )


@dataclass(frozen=True, eq=False)
class _Failing:
    """What disagrees in a check."""

    checked: CheckResult

    @cached_property
    def all(self) -> list[_Failure]:
        """Numbers by the names of their parts, anything else by the name of the check."""
        return [
            failure
            for finding in self.checked.judged
            for name in _names_of_failures(finding)
            for failure in self._for_each_cause(name, finding.dtype)
        ]

    @cached_property
    def _sources(self) -> Mapping[str, frozenset[str]]:
        """By the name of what is wrong because of a gradient, the names of that gradient."""
        found: dict[str, frozenset[str]] = {}
        for failure in failures_of(Tally(self.checked)):
            for component in failure.derived:
                before = found.get(component.name, frozenset())
                found[component.name] = before | {failure.first.name}
        return found

    def _for_each_cause(self, name: str, dtype: str) -> list[_Failure]:
        component = component_of_part_name(name)
        own = frozenset((name, component))
        causes = {
            one.cause
            for one in self.checked.causes
            if one.component in own and one.dtype in ("", dtype)
        }
        names = own | self._sources.get(component, frozenset())
        return [_Failure(names, dtype, cause) for cause in sorted(causes) or [""]]

    def _is_accepted(self, name: str, dtype: str, known: Sequence[AcceptedFailure]) -> bool:
        found = self._for_each_cause(name, dtype)
        return all(any(failure.is_explained_by(entry) for entry in known) for failure in found)

    def without(self, finding: Finding, known: Sequence[AcceptedFailure]) -> Finding:
        """The finding without what is accepted."""
        parts = tuple(
            part
            for part in finding.parts
            if part.outcome is not Outcome.DISAGREES
            or not self._is_accepted(part.name, finding.dtype, known)
        )
        is_accepted = self._is_accepted(finding.check, finding.dtype, known)
        return replace(finding, parts=parts, failures=() if is_accepted else finding.failures)


def _names_of_failures(finding: Finding) -> Iterator[str]:
    """What disagrees in a finding."""
    yield from (part.name for part in finding.parts if part.outcome is Outcome.DISAGREES)
    if finding.failures:
        yield finding.check
