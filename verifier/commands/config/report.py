"""What became of the targets of a file, in one table with one verdict, and the failing ones in
full.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Literal, TypedDict

from verifier.checking.labels import with_noun
from verifier.commands.config.schema import AcceptedFailure, Config
from verifier.errors import printable
from verifier.judging.outcome import Outcome
from verifier.process.values import Facts
from verifier.process.workers.messages import Rendered
from verifier.reporting.base_report import BaseReport
from verifier.reporting.content.blocks import (
    Ansi,
    Blank,
    Block,
    Rule,
    Sentence,
    Table,
    Verdict,
)
from verifier.reporting.content.component_rows import DASH
from verifier.reporting.content.detail import Detail
from verifier.reporting.content.fields import Field, no_outcome, numbers, table_of, words
from verifier.reporting.data.document import FORMAT, ExitCode, Head, json_object, versions
from verifier.reporting.text.markdown import code, escaped_text, table_lines, verdict_line

_EXIT_CODES = (130, 1, 4, 2, 3, 0)
"""The worst first."""


class TargetDocument(TypedDict):
    """What became of a target."""

    target: str
    outcome: str
    """agrees, undecided or disagrees; else why there is no verdict: not usable, died, out of time,
    ...
    """
    exit_code: ExitCode
    accepted: Sequence[AcceptedFailure]
    """What explains a failure."""
    stale: Sequence[AcceptedFailure]
    """What matches no failure any more."""
    reason: str | None
    """Why it was not checked to its end."""
    report: Annotated[Facts, "CheckDocument"] | None


class ConfigDocument(Head):
    """The targets of a file: check --config."""

    command: Literal["check"]
    config: str
    """The file that lists the targets."""
    ok: bool
    """Whether the exit code is 0."""
    exit_code: ExitCode
    targets: list[TargetDocument]


@dataclass(frozen=True)
class TargetResult:
    """What became of one target."""

    target: str
    outcome: str
    """agrees, undecided or disagrees; else why there is no verdict: not usable, died, out of time,
    ...
    """
    exit_code: int
    compared: int = 0
    """How many numbers were judged."""
    accepted: tuple[AcceptedFailure, ...] = ()
    """What explains a failure."""
    stale: tuple[AcceptedFailure, ...] = ()
    """What matches nothing that disagrees."""
    reason: str = ""
    """Why it was not judged to its end; empty where it was."""
    report: Rendered | None = None
    is_shown: bool = False
    """Whether the report stands below the table."""
    traceback: str = ""
    """Of an internal error."""
    sentence: str = ""
    """What its verdict says; empty where there is none."""
    unaccepted: tuple[AcceptedFailure, ...] = ()
    """Entries that would accept what disagrees, without a reason yet."""
    seconds: float = field(default=0.0, compare=False)
    """How long it took."""

    @property
    def remarks(self) -> Iterator[str]:
        """What is to be said of it below the table, without its name."""
        if self.reason:
            yield self.reason
        for entry in self.accepted:
            yield f"{entry.title} disagrees and is accepted: {entry.reason}"
        for entry in self.stale:
            yield (
                f"the accepted failure of {entry.title} is stale: nothing disagrees that matches "
                "it: remove it"
            )

    @property
    def sentences(self) -> Iterator[str]:
        """What is to be said of it below the table."""
        return (f"{self.target}: {remark}" for remark in self.remarks)

    def form(self, name: str) -> str:
        """The report in one of its forms; empty where there is none."""
        return "" if self.report is None else self.report.forms.get(name, "")


@dataclass(frozen=True, repr=False)
class ConfigReport(BaseReport):
    """What became of the targets of a file: a row for each, and each failing one in full."""

    config: Config
    results: tuple[TargetResult, ...]
    """In the file's order; fewer than its targets where the run was interrupted."""
    left_out: int = 0
    """How many targets of the file did not change, and were not checked."""
    written: int = 0
    """How many accepted failures were written into the file."""

    @property
    def exit_code(self) -> int:
        """130 interrupted, else the worst: 1 something disagrees or is stale, 4 an internal error,
        2 a target cannot be used, 3 undecided, 0.
        """
        codes = {result.exit_code for result in self.results} or {0}
        return 130 if self._is_partial else next(code for code in _EXIT_CODES if code in codes)

    @property
    def _is_partial(self) -> bool:
        return len(self.results) < len(self.config.targets)

    @property
    def _shown(self) -> Iterator[TargetResult]:
        """Those whose report stands below the table."""
        return (result for result in self.results if result.is_shown)

    def to_json(self) -> Facts:
        """All targets in one document of the format `verifier/1`, in JSON's own types."""
        document: ConfigDocument = {
            "format": FORMAT,
            "command": "check",
            "versions": versions(),
            "config": str(self.config.path),
            "ok": self.ok,
            "exit_code": self.exit_code,
            "targets": [_target_document(result) for result in self.results],
        }
        return json_object(document)

    def markdown(self) -> str:
        """The table and the failing targets, for the summary of a CI job, in GitHub's flavour of
        Markdown.
        """
        sentences = [
            f"- {code(result.target)}: {escaped_text(remark)}"
            for result in self.results
            for remark in result.remarks
        ]
        return "\n\n".join(
            [
                verdict_line(self._verdict),
                table_lines(self._table()),
                *(["\n".join(sentences)] if sentences else []),
                *(result.form("markdown") for result in self._shown),
            ]
        )

    def content(self, detail: Detail = Detail.SHORT) -> Iterator[Block]:
        """The verdict, a row for each target, what is to be said of it, and the report of each
        target that fails.
        """
        yield self._verdict
        if self._is_partial:
            done = f"{len(self.results)} of {len(self.config.targets)} targets"
            yield Sentence(f"PARTIAL  Interrupted after {done}.", "yellow")
        if self.left_out:
            yield Sentence(f"{with_noun(self.left_out, 'target')} did not change: not checked.")
        if self.written:
            entries = with_noun(self.written, "accepted failure")
            yield Sentence(f"{entries} written to {self.config.path}: the next run accepts them.")
        yield Blank()
        yield self._table()
        for result in self.results:
            yield from map(Sentence, result.sentences)
        for result in self._shown:
            yield from (Blank(), Rule(), Ansi(result.form("text")))

    def _table(self) -> Table:
        return table_of("Targets", "What became of each.", _FIELDS, self.results, no_outcome)

    @cached_property
    def _verdict(self) -> Verdict:
        verified = sum(result.exit_code == 0 for result in self.results)
        planned = len(self.config.targets)
        sentence = f"{verified} of {with_noun(planned, 'target')}."
        if not planned:
            sentence = "No target changed."
        if self.ok:
            return Verdict("VERIFIED", sentence, Outcome.AGREES)
        return Verdict("NOT VERIFIED", sentence, Outcome.DISAGREES)

    @property
    def _summary(self) -> str:
        return f"{self.config.path}: {self._verdict.word}  {self._verdict.sentence}"

    def __repr__(self) -> str:
        return f"<ConfigReport {printable(self._summary)}>"


def _count(number: int) -> str:
    return f"{number:,}" if number else DASH


_FIELDS: tuple[Field[TargetResult], ...] = (
    words("target", lambda result: result.target),
    words("outcome", lambda result: result.outcome),
    numbers("compared", lambda result: _count(result.compared)),
    numbers("accepted", lambda result: _count(len(result.accepted))),
    numbers("stale", lambda result: _count(len(result.stale))),
)


def target_json(result: TargetResult) -> Facts:
    """What became of a target, in JSON's own types."""
    return json_object(_target_document(result))


def _target_document(result: TargetResult) -> TargetDocument:
    report = result.form("json")
    return {
        "target": result.target,
        "outcome": result.outcome,
        "exit_code": result.exit_code,
        "accepted": result.accepted,
        "stale": result.stale,
        "reason": result.reason or None,
        "report": json.loads(report) if report else None,
    }
