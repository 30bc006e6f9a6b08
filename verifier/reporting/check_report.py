"""Check report: a check with its verdict, for people, for machines and for tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from verifier.checking.check_result import CheckResult
from verifier.checking.tally.components import CheckComponent
from verifier.checking.tally.count import Tally
from verifier.errors import printable
from verifier.judging.examination import NotReplayed, Replayed
from verifier.judging.finding import CheckCause
from verifier.judging.verdict import Outcome
from verifier.process.isolation import isolate
from verifier.process.values import Facts
from verifier.reporting.base_report import PageReport
from verifier.reporting.content.blocks import Block
from verifier.reporting.content.check import check_content
from verifier.reporting.content.detail import Detail
from verifier.reporting.data.check_frame import check_frame
from verifier.reporting.data.check_json import check_document
from verifier.reporting.data.document import json_object
from verifier.reporting.html.check import check_page
from verifier.reporting.html.page import Page
from verifier.reporting.text.check_markdown import check_markdown

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, repr=False, eq=False)
class CheckReport(PageReport):
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
    def exit_code(self) -> int:
        """0 verified, 1 something disagrees, 3 something has no decided comparison at all, 130
        interrupted.
        """
        return self.tally.exit_code

    @property
    def components(self) -> tuple[CheckComponent, ...]:
        """What was compared, by name, quantity and dtype."""
        return self.tally.components

    @property
    def formula(self) -> Replayed | NotReplayed:
        """How the code's graph came out in exact arithmetic."""
        return self.checked.formula

    @property
    def causes(self) -> tuple[CheckCause, ...]:
        """The likely reasons for what disagrees; empty where none was found."""
        return self.checked.causes

    @property
    def replay(self) -> str | None:
        """The command that shows it again; None where there is none."""
        return self.checked.replay

    @isolate
    def to_json(self) -> Facts:
        """The report in the format `verifier/1`, in JSON's own types."""
        return json_object(check_document(self.tally))

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

    def content(self, detail: Detail = Detail.SHORT) -> Iterator[Block]:
        """The verdict, what fails and why, and what was checked, at that `detail`."""
        return check_content(self.tally, detail)

    def _page(self) -> Page:
        return check_page(self.checked, self.replay)

    def __repr__(self) -> str:
        compared = self.tally.outcomes.total()
        return f"<CheckReport {printable(self.checked.target)}: {self._state}, {compared} numbers>"

    @property
    def _summary(self) -> str:
        return f"{self.checked.target}: {self._state}"

    @property
    def _state(self) -> str:
        return "interrupted" if self.checked.interrupted else self.outcome.value
