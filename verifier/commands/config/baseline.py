"""Acceptance: which failures of a check are known and accepted, which are not, and which are no
longer there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from verifier.checking.labels import component_of_part_name
from verifier.checking.records import CheckResult
from verifier.commands.config.schema import AcceptedFailure
from verifier.judging.finding import Finding
from verifier.judging.verdict import Outcome


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
    none. Of an check that was not made to its end nothing is stale: what disagrees may not have
    been reached.
    """
    used = {
        entry for entry in known for failure in _failures(checked) if failure.is_explained_by(entry)
    }
    left = replace(
        checked,
        findings=tuple(
            _finding_without_accepted(checked, finding, known) for finding in checked.findings
        ),
    )
    stale = (
        ()
        if checked.interrupted or checked.not_reached
        else tuple(entry for entry in known if entry not in used)
    )
    return SettledCheck(left, tuple(entry for entry in known if entry in used), stale)


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


def _failures(checked: CheckResult) -> list[_Failure]:
    named = [names for finding in checked.judged for names in _names_of_failures(finding)]
    return [failure for names, dtype in named for failure in _for_each_cause(checked, names, dtype)]


def _names_of_failures(finding: Finding) -> list[tuple[frozenset[str], str]]:
    """What disagrees: numbers by the names of their parts, anything else by the name of the
    check.
    """
    parts = [
        _component_names(part.name) for part in finding.parts if part.outcome is Outcome.DISAGREES
    ]
    return [
        (names, finding.dtype)
        for names in (*parts, *([_component_names(finding.check)] if finding.failures else []))
    ]


def _component_names(name: str) -> frozenset[str]:
    return frozenset((name, component_of_part_name(name)))


def _for_each_cause(checked: CheckResult, names: frozenset[str], dtype: str) -> list[_Failure]:
    causes = {
        one.cause for one in checked.causes if one.component in names and one.dtype in ("", dtype)
    }
    return [_Failure(names, dtype, cause) for cause in sorted(causes) or [""]]


def _finding_without_accepted(
    checked: CheckResult, finding: Finding, known: Sequence[AcceptedFailure]
) -> Finding:
    def is_accepted(name: str) -> bool:
        found = _for_each_cause(checked, _component_names(name), finding.dtype)
        return all(any(failure.is_explained_by(entry) for entry in known) for failure in found)

    parts = tuple(
        part
        for part in finding.parts
        if part.outcome is not Outcome.DISAGREES or not is_accepted(part.name)
    )
    return replace(
        finding, parts=parts, failures=() if is_accepted(finding.check) else finding.failures
    )
