"""Config report: what became of the targets of a file, in one table with one verdict, and the failing ones in full."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Protocol

from rich.text import Text

from verifier.acceptance import Settled
from verifier.checked import Checked
from verifier.config import Config, ConfiguredTarget
from verifier.document import FORMAT, versions
from verifier.errors import printable
from verifier.isolation import isolated
from verifier.judge import Outcome
from verifier.layout import STYLES, WIDTH, Column, Layout, layout_for
from verifier.markdown import code, escaped

_COLUMNS = (
    Column("target", "", ("target",)),
    Column("outcome", "", ("outcome",)),
    Column("compared", "", ("compared",)),
    Column("accepted", "", ("accepted",)),
    Column("stale", "", ("stale",)),
)
_EXIT_CODES = (130, 1, 2, 3, 0)
"""The worst first."""


class Judged(Protocol):
    """What is asked of the report of a check."""

    @property
    def checked(self) -> Checked: ...

    @property
    def outcome(self) -> Outcome: ...

    @property
    def exit_code(self) -> int: ...

    def to_json(self) -> dict[str, Any]: ...

    def markdown(self) -> str: ...

    def lines(self, width: int) -> Iterator[Text]: ...


@dataclass(frozen=True)
class Refused:
    """A target that could not be checked."""

    target: ConfiguredTarget
    reason: str
    """A sentence."""

    exit_code = 2
    outcome = "not usable"
    compared = 0
    report = None
    accepted = stale = ()

    @property
    def sentences(self) -> Iterator[str]:
        yield f"{self.target.target}: {self.reason}"


@dataclass(frozen=True)
class CheckedTarget:
    """A target with its report."""

    target: ConfiguredTarget
    report: Judged
    """Of everything."""
    left: Judged
    """Of what is not accepted."""
    settled: Settled

    @property
    def exit_code(self) -> int:
        """That of what is not accepted; 1 where an accepted failure is stale."""
        return 1 if self.settled.stale and self.left.exit_code != 130 else self.left.exit_code

    @property
    def outcome(self) -> str:
        return "interrupted" if self.exit_code == 130 else self.left.outcome.value

    @property
    def compared(self) -> int:
        """How many numbers were judged."""
        parts = (part for finding in self.report.checked.judged for part in finding.parts)
        return sum(part.verdicts.severity.size for part in parts)

    @property
    def accepted(self) -> tuple[Any, ...]:
        return self.settled.accepted

    @property
    def stale(self) -> tuple[Any, ...]:
        return self.settled.stale

    @property
    def sentences(self) -> Iterator[str]:
        for entry in self.accepted:
            yield f"{self.target.target}: {entry.title} disagrees and is accepted: {entry.reason}"
        for entry in self.stale:
            yield (
                f"{self.target.target}: the accepted failure of {entry.title} is stale: "
                "nothing disagrees that matches it: remove it"
            )


TargetResult = CheckedTarget | Refused


@dataclass(frozen=True, repr=False)
class ConfigReport:
    """What became of the targets of a file. `print(report)` shows a row for each and each failing one in full."""

    config: Config
    results: tuple[TargetResult, ...]
    """In the file's order; fewer than its targets where the run was interrupted."""

    @property
    def exit_code(self) -> int:
        """130 interrupted, else 1 something disagrees or is stale, 2 a target cannot be used, 3 undecided, 0."""
        codes = {result.exit_code for result in self.results} or {130}
        return 130 if self._is_partial else next(code for code in _EXIT_CODES if code in codes)

    @property
    def ok(self) -> bool:
        return self.exit_code == 0

    @property
    def _is_partial(self) -> bool:
        return len(self.results) < len(self.config.targets)

    @property
    def _failing(self) -> Iterator[CheckedTarget]:
        """Those whose report is shown."""
        for result in self.results:
            if isinstance(result, CheckedTarget) and result.left.exit_code:
                yield result

    @isolated
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

    @isolated
    def markdown(self) -> str:
        """The table and the failing targets, for the summary of a CI job, in GitHub's flavour of Markdown."""
        titles = [column.top for column in _COLUMNS]
        rows = [[code(name), *cells] for name, *cells in map(_row, self.results)]
        table = [titles, ["---", "---", "---:", "---:", "---:"], *rows]
        sentences = [f"- {escaped(sentence)}" for result in self.results for sentence in result.sentences]
        return "\n\n".join(
            [
                f"{'✅' if self.ok else '❌'} **{self._verdict}**",
                "\n".join(f"| {' | '.join(cells)} |" for cells in table),
                *(["\n".join(sentences)] if sentences else []),
                *(result.report.markdown() for result in self._failing),
            ]
        )

    def lines(self, width: int) -> Iterator[Text]:
        """The table, what is to be said of its rows, the failing targets' reports, and the verdict."""
        layout = layout_for(width)
        table = layout.summary(_COLUMNS, [[(cell,) for cell in _row(result)] for result in self.results])
        yield from (line for line in table if line.plain.strip())  # the titles have no second line
        for result in self.results:
            for sentence in result.sentences:
                yield from layout.prose(sentence)
        for result in self._failing:
            yield Text()
            yield from layout.rule()
            yield from result.report.lines(width)
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
        return f"{'VERIFIED' if self.ok else 'NOT VERIFIED'}  {verified} of {planned} target{'s' * (planned != 1)}."

    def __repr__(self) -> str:
        return f"<ConfigReport {printable(str(self.config.path))}: {self._verdict}>"

    @isolated
    def __str__(self) -> str:
        return "\n".join(line.plain.rstrip() for line in self.lines(WIDTH))


def _row(result: TargetResult) -> list[str]:
    counts = (result.compared, len(result.accepted), len(result.stale))
    return [result.target.target, result.outcome, *(f"{count:,}" if count else "–" for count in counts)]


def _document(result: TargetResult) -> dict[str, Any]:
    return {
        "target": result.target.target,
        "outcome": result.outcome,
        "exit_code": result.exit_code,
        "accepted": [asdict(entry) for entry in result.accepted],
        "stale": [asdict(entry) for entry in result.stale],
        "reason": result.reason if isinstance(result, Refused) else None,
        "report": result.report.to_json() if result.report is not None else None,
    }
