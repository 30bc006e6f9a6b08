"""Check report: a check with its verdict, for people, for machines and for tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rich.console import Console, ConsoleOptions
from rich.text import Text

from verifier.checking.records import CheckResult
from verifier.checking.tally.components import CheckComponent
from verifier.checking.tally.count import Tally
from verifier.errors import GradientError, printable
from verifier.judging.examination import NotReplayed, Replayed
from verifier.judging.finding import CheckCause
from verifier.judging.verdict import Outcome
from verifier.process.isolation import isolate
from verifier.reporting.data.check_frame import check_frame
from verifier.reporting.data.check_json import check_document
from verifier.reporting.html.check import check_page
from verifier.reporting.text.check import check_lines
from verifier.reporting.text.check_markdown import check_markdown
from verifier.reporting.text.layout import WIDTH, layout_for

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, repr=False, eq=False)
class CheckReport:
    """What a check found. `print(report)` shows it; in a rich console it has colour."""

    checked: CheckResult

    @cached_property
    def tally(self) -> Tally:
        """What was found, counted."""
        return Tally(self.checked)

    @property
    def outcome(self) -> Outcome:
        """The worst of all; a component with fewer digits than were asked for disagrees."""
        return self.tally.outcome

    @property
    def ok(self) -> bool:
        """Whether nothing disagrees and every component has at least one decided comparison."""
        return self.exit_code == 0

    @property
    def exit_code(self) -> int:
        """0 verified, 1 something disagrees, 3 something has no decided comparison at all, 130
        interrupted.
        """
        return self.tally.exit_code

    @property
    def components(self) -> tuple[CheckComponent, ...]:
        return self.tally.components

    @property
    def formula(self) -> Replayed | NotReplayed:
        """How the code's graph came out in exact arithmetic."""
        return self.checked.formula

    @property
    def causes(self) -> tuple[CheckCause, ...]:
        return self.checked.causes

    @property
    def replay(self) -> str | None:
        """The command that shows it again; None where there is none."""
        return self.checked.replay

    @isolate
    def raise_for_failure(self) -> None:
        """Raise GradientError, with the report as its message, unless the report is ok."""
        if not self.ok:
            raise GradientError(f"{printable(self.checked.target)}: {self._state}\n{self}")

    @isolate
    def to_json(self) -> dict[str, Any]:
        """The report in the format `verifier/1`, in JSON's own types."""
        return check_document(self.tally)

    @isolate
    def to_frame(self) -> pandas.DataFrame:
        """A pandas frame with a row for each judged number.

        Its columns are check, point and kind (of the point), dtype, name, quantity and index,
        stated and exact (a decimal string), error, allowed, ulps, digits, outcome and note. Raises
        InputError where pandas is not installed.
        """
        return check_frame(self.tally)

    @isolate
    def markdown(self) -> str:
        """The report for the summary of a CI job, in GitHub's flavour of Markdown."""
        return check_markdown(self.tally)

    @isolate
    def to_html(self) -> str:
        """The report as a page: one HTML file that needs no other, and no network."""
        return check_page(self.checked, self.replay).html()

    @isolate
    def _repr_html_(self) -> str:
        return check_page(self.checked, self.replay).fragment()

    def lines(self, width: int) -> Iterator[Text]:
        """The report, line by line, at most `width` columns wide."""
        return check_lines(self.tally, layout_for(width))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        yield from self.lines(options.max_width)

    def __repr__(self) -> str:
        compared = self.tally.outcomes.total()
        return f"<CheckReport {printable(self.checked.target)}: {self._state}, {compared} numbers>"

    @isolate
    def __str__(self) -> str:
        return "\n".join(line.plain.rstrip() for line in self.lines(WIDTH))

    @property
    def _state(self) -> str:
        return "interrupted" if self.checked.interrupted else self.outcome.value
