"""One target of verifier.toml checked in this process, and what is known of its failures set
aside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from importlib import import_module

from verifier.commands.config.baseline import SettledCheck, entries_for, set_accepted_aside
from verifier.commands.config.schema import AcceptedFailure, ConfiguredTarget
from verifier.process.values import Facts, UserValue
from verifier.reporting.check_report import CheckReport
from verifier.reporting.check_watcher import Watcher
from verifier.reporting.content.check_verdict import verdict


@dataclass(frozen=True, eq=False)
class SettledReport:
    """A report beside what is left of it when what is accepted is set aside."""

    report: CheckReport
    """Of everything."""
    left: CheckReport
    """Of what is not accepted."""
    settled: SettledCheck

    @property
    def exit_code(self) -> int:
        """That of what is not accepted; 1 where an accepted failure is stale."""
        return 1 if self.settled.stale and self.left.exit_code in (0, 1, 3) else self.left.exit_code

    @property
    def outcome(self) -> str:
        """The outcome of what is not accepted, in a word, as in JSON."""
        return "interrupted" if self.exit_code == 130 else self.left.outcome.value

    @property
    def compared(self) -> int:
        """How many numbers were judged."""
        parts = (part for finding in self.report.checked.judged for part in finding.parts)
        return sum(part.verdicts.severity.size for part in parts)

    @property
    def facts(self) -> Facts:
        """What a table of several targets says of it, in JSON's own types."""
        return {
            "outcome": self.outcome,
            "compared": self.compared,
            "accepted": [asdict(entry) for entry in self.settled.accepted],
            "stale": [asdict(entry) for entry in self.settled.stale],
            "is_failing": self.left.exit_code != 0,
            "sentence": verdict(self.left.tally).sentence,
            "unaccepted": [asdict(entry) for entry in entries_for(self.left.checked)],
        }


def settle_report(report: CheckReport, known: Sequence[AcceptedFailure]) -> SettledReport:
    """The report with what is known of its failures set aside."""
    found = set_accepted_aside(report.checked, known)
    return SettledReport(report, replace(report, checked=found.left), found)


def check_configured_target(target: ConfiguredTarget, watcher: Watcher) -> CheckReport:
    """The report of a target.

    Raises InputError where the target cannot be used.
    """
    # By their names: they load torch.
    run = import_module("verifier.commands.check").check_watched
    typed = import_module("verifier.commands.from_shell.check_inputs")
    inputs = typed.typed_inputs(target.words, target.folder)
    settings = _settings_given(target)
    settings["dtypes"] = settings["dtypes"] or typed.typed_dtypes(target.words, target.folder)
    report: CheckReport = run(target.path_from_here(target.target), inputs, watcher, **settings)
    return report


def _settings_given(target: ConfiguredTarget) -> dict[str, UserValue]:
    settings = target.settings
    given = {field.name: getattr(settings, field.name) for field in fields(settings)}
    return {
        **given,
        "formula": target.formula,
        "reference": target.path_from_here(target.reference) if target.reference else None,
        "reduction": target.reduction,
        "state": None if settings.state is None else str(target.folder / settings.state),
    }
