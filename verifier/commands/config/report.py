"""What became of the targets of a file, in one table with one verdict, and the failing ones in
full.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from rich.text import Text

from verifier.commands.config.schema import AcceptedFailure, Config
from verifier.errors import printable
from verifier.judging.outcome import Outcome
from verifier.process.workers.messages import Rendered
from verifier.reporting.data.document_head import FORMAT, versions
from verifier.reporting.text.layout import STYLES, WIDTH, Column, Layout, layout_for
from verifier.reporting.text.markdown_escape import code, escaped

_COLUMNS = (
    Column("target", "", ("target",)),
    Column("outcome", "", ("outcome",)),
    Column("compared", "", ("compared",)),
    Column("accepted", "", ("accepted",)),
    Column("stale", "", ("stale",)),
)
_EXIT_CODES = (130, 1, 4, 2, 3, 0)
"""The worst first."""


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

    @property
    def sentences(self) -> Iterator[str]:
        """What is to be said of it below the table."""
        if self.reason:
            yield f"{self.target}: {self.reason}"
        for entry in self.accepted:
            yield f"{self.target}: {entry.title} disagrees and is accepted: {entry.reason}"
        for entry in self.stale:
            yield (
                f"{self.target}: the accepted failure of {entry.title} is stale: "
                "nothing disagrees that matches it: remove it"
            )

    def form(self, name: str) -> str:
        """The report in one of its forms; empty where there is none."""
        return "" if self.report is None else self.report.forms.get(name, "")


@dataclass(frozen=True, repr=False)
class ConfigReport:
    """What became of the targets of a file: a row for each, and each failing one in full."""

    config: Config
    results: tuple[TargetResult, ...]
    """In the file's order; fewer than its targets where the run was interrupted."""

    @property
    def exit_code(self) -> int:
        """130 interrupted, else the worst: 1 something disagrees or is stale, 4 an internal error,
        2 a target cannot be used, 3 undecided, 0.
        """
        codes = {result.exit_code for result in self.results} or {130}
        return 130 if self._is_partial else next(code for code in _EXIT_CODES if code in codes)

    @property
    def ok(self) -> bool:
        return self.exit_code == 0

    @property
    def _is_partial(self) -> bool:
        return len(self.results) < len(self.config.targets)

    @property
    def _shown(self) -> Iterator[TargetResult]:
        """Those whose report stands below the table."""
        return (result for result in self.results if result.is_shown)

    def to_json(self) -> dict[str, Any]:
        """All targets in one document of the format `verifier/1`, in JSON's own types."""
        return {
            "format": FORMAT,
            "command": "check",
            "versions": versions(),
            "config": str(self.config.path),
            "ok": self.ok,
            "exit_code": self.exit_code,
            "targets": [_document(result) for result in self.results],
        }

    def markdown(self) -> str:
        """The table and the failing targets, for the summary of a CI job, in GitHub's flavour of
        Markdown.
        """
        titles = [column.top for column in _COLUMNS]
        rows = [[code(name), *cells] for name, *cells in map(_row, self.results)]
        table = [titles, ["---", "---", "---:", "---:", "---:"], *rows]
        sentences = [
            f"- {escaped(sentence)}" for result in self.results for sentence in result.sentences
        ]
        return "\n\n".join(
            [
                f"{'✅' if self.ok else '❌'} **{self._verdict}**",
                "\n".join(f"| {' | '.join(cells)} |" for cells in table),
                *(["\n".join(sentences)] if sentences else []),
                *(result.form("markdown") for result in self._shown),
            ]
        )

    def lines(self, width: int) -> Iterator[Text]:
        """The table, what is to be said of its rows, the failing targets' reports, and the
        verdict.
        """
        layout = layout_for(width)
        rows = [[(cell,) for cell in _row(result)] for result in self.results]
        table = layout.summary(_COLUMNS, rows)
        yield from (line for line in table if line.plain.strip())  # the titles have no second line
        for result in self.results:
            for sentence in result.sentences:
                yield from layout.prose(sentence)
        for result in self._shown:
            yield Text()
            yield from layout.rule()
            yield from Text.from_ansi(result.form("text")).split(allow_blank=True)
        yield Text()
        yield from self._ending(layout)

    def _ending(self, layout: Layout) -> Iterator[Text]:
        if self._is_partial:
            done = f"{len(self.results)} of {len(self.config.targets)} targets"
            yield from layout.prose(f"PARTIAL  interrupted after {done}", style="yellow")
        style = STYLES[Outcome.AGREES if self.ok else Outcome.DISAGREES]
        yield from layout.prose(self._verdict, style=style)

    @cached_property
    def _verdict(self) -> str:
        verified = sum(result.exit_code == 0 for result in self.results)
        planned = len(self.config.targets)
        state = "VERIFIED" if self.ok else "NOT VERIFIED"
        return f"{state}  {verified} of {planned} target{'s' * (planned != 1)}."

    def __repr__(self) -> str:
        return f"<ConfigReport {printable(str(self.config.path))}: {self._verdict}>"

    def __str__(self) -> str:
        return "\n".join(line.plain.rstrip() for line in self.lines(WIDTH))


def _row(result: TargetResult) -> list[str]:
    counts = (result.compared, len(result.accepted), len(result.stale))
    return [result.target, result.outcome, *(f"{count:,}" if count else "–" for count in counts)]


def _document(result: TargetResult) -> dict[str, Any]:
    report = result.form("json")
    return {
        "target": result.target,
        "outcome": result.outcome,
        "exit_code": result.exit_code,
        "accepted": [asdict(entry) for entry in result.accepted],
        "stale": [asdict(entry) for entry in result.stale],
        "reason": result.reason or None,
        "report": json.loads(report) if report else None,
    }
