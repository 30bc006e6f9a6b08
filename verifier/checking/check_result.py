"""Check result: what a check found, as records. What is printed, written and asserted is made from
them alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from verifier.checking.edge_cases.coverage import Coverage
from verifier.checking.settings import CheckSettings as CheckSettings
from verifier.judging.examination import NotReplayed, Replayed
from verifier.judging.finding import CheckCause as CheckCause
from verifier.judging.finding import CheckPoint, Finding
from verifier.judging.verdict import Outcome


@dataclass(frozen=True)
class WrongWhere:
    """Where a component is wrong, and nowhere else."""

    component: str
    quantity: str
    dtype: str
    text: str
    """As in: it is wrong only where x > 1.9."""


@dataclass(frozen=True, eq=False)
class CheckResult:
    """What is known of a target's gradients."""

    target: str
    """What was checked: the TARGET that was typed, else the callable's own name."""
    against: str
    """What it was compared with: the formula as text, `reference NAME`, or `its own forward`."""
    settings: CheckSettings
    findings: tuple[Finding, ...]
    """In the order of the checks, each at every point."""
    causes: tuple[CheckCause, ...] = ()
    causes_searched: bool = True
    """Whether causes were looked for at all."""
    where: tuple[WrongWhere, ...] = ()
    """What all that is wrong in a component has in common."""
    ruled_out: tuple[str, ...] = ()
    """Causes that were tried and do not explain what disagrees, by name."""
    notes: tuple[str, ...] = ()
    """What the reader should know, a sentence each: a detached path, literals that are rounded
    decimals, ...
    """
    simplest: CheckPoint | None = None
    """The simplest point found at which it still fails."""
    replay: str | None = None
    """The command that shows this again; None where there is none."""
    coverage: tuple[tuple[str, Coverage], ...] = ()
    """For each dtype the borders of the code's program, and which of them points lie on both sides
    of; none where no program could be read, or no input is drawn.
    """
    interrupted: bool = False
    not_reached: tuple[str, ...] = ()
    """What was asked for and not looked at, a phrase for each dtype; empty where the check is
    whole.
    """
    ended: str = ""
    """Why it ended early, in a sentence; empty while it goes on, and where it is whole."""
    failed: tuple[str, ...] = ()
    """The tracebacks of internal errors, for each of which something could not be judged."""
    internal_errors: tuple[str, ...] = ()
    """Mistakes of ours beside the verdict, which stands: the whole traceback of each."""

    @cached_property
    def judged(self) -> tuple[Finding, ...]:
        """The findings of checks that were made."""
        return tuple(finding for finding in self.findings if not finding.absent)

    @property
    def outcome(self) -> Outcome:
        """The worst of all; undecided where nothing was judged."""
        found = [finding.outcome for finding in self.judged if finding.outcome is not None]
        return max(found, key=lambda outcome: outcome.severity, default=Outcome.UNDECIDED)

    @property
    def formula(self) -> Replayed | NotReplayed:
        """How the code's graph came out in exact arithmetic: the least digits, or why it was not
        replayed.
        """
        known = [
            finding.examination.formula
            for finding in self.judged
            if finding.examination is not None
        ]
        for formula in known:
            if isinstance(formula, NotReplayed):
                return formula
        replayed = [formula for formula in known if isinstance(formula, Replayed)]
        # Where the formula has no value nothing can be replayed.
        counted = [formula for formula in replayed if not math.isnan(formula.digits)]
        nothing = (
            "the formula has no value at the points that were tried"
            if replayed
            else "nothing was examined"
        )
        return min(counted, key=lambda formula: formula.digits, default=NotReplayed(nothing))
