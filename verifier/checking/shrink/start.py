"""Start: the failure that is simplified, and what a simpler point keeps of it: what disagrees, and
why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from verifier.checking.labels import component_of_part_name
from verifier.checking.variants import AT_EVERY_POINT
from verifier.judging.causes import find_causes
from verifier.judging.conditioning import worst_place
from verifier.judging.examination import Part
from verifier.judging.finding import CheckCause, Finding
from verifier.judging.verdict import Outcome
from verifier.operations.arrays import Truths
from verifier.process.deadline import Deadline


@dataclass(frozen=True, eq=False)
class Start:
    """A finding that disagrees, from which a simpler one is looked for."""

    finding: Finding
    causes: Mapping[str, str]
    """The cause of each part that is to disagree; empty where none is known."""

    @classmethod
    def of(cls, finding: Finding, causes: Sequence[CheckCause]) -> Start:
        """With the causes that were named right there."""
        return cls(finding, _causes_of(finding, causes))

    def is_kept_by(self, simpler: Finding, deadline: Deadline) -> bool:
        """Whether one of the parts still disagrees, for the same cause, and shows it as well."""
        return any(
            self._is_kept(part, simpler, deadline)
            for part in simpler.parts
            if part.name in self.causes and part.outcome is Outcome.DISAGREES
        )

    def _is_kept(self, part: Part, simpler: Finding, deadline: Deadline) -> bool:
        first = next(one for one in self.finding.parts if one.name == part.name)
        if _telling(first).any() and not _telling(part)[worst_place(part.verdicts)]:
            return False
        wanted = self.causes[part.name]
        if not wanted:
            return True
        named = find_causes(simpler, deadline=deadline).causes
        return any((one.component, one.cause) == (part.name, wanted) for one in named)


def _telling(part: Part) -> Truths:
    """The numbers that disagree and tell what is wrong: 0, infinity and NaN do not."""
    stated, exact = part.verdicts.stated, part.verdicts.centre
    wrong: Truths = part.verdicts.severity == Outcome.DISAGREES.severity
    finite = np.isfinite(stated) & np.isfinite(exact)
    telling: Truths = wrong & finite & (stated != 0) & (exact != 0)
    return telling


def start_of(failing: Sequence[Finding], causes: Sequence[CheckCause]) -> Start | None:
    """The first failure at a point of its own whose cause is known, else the first of all."""
    checks = {check.name for check in AT_EVERY_POINT}
    starts = [
        Start.of(finding, causes)
        for finding in failing
        if finding.point is not None and finding.check in checks
    ]
    known = (start for start in starts if any(start.causes.values()))
    return next(known, starts[0] if starts else None)


def _causes_of(finding: Finding, causes: Sequence[CheckCause]) -> dict[str, str]:
    """For each part that disagrees the cause that is named for it right there, or nothing."""
    here = (finding.check, finding.dtype, finding.point.number if finding.point else 0)
    named = {
        component_of_part_name(cause.component): cause.cause
        for cause in reversed(causes)
        if (cause.check, cause.dtype, cause.point) == here
    }
    wrong = [part.name for part in finding.parts if part.outcome is Outcome.DISAGREES]
    return {name: named[name] for name in wrong if name in named} or dict.fromkeys(wrong, "")
