"""One task of a command: where it is done, and where its report goes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

from verifier.commands.cli.host import HOST
from verifier.commands.terminal import Outputs, watch_signals
from verifier.commands.terminal.streams import (
    ReaderGoneError,
    discard_output,
    print_refusal,
    write_message,
)
from verifier.errors import InputError, printable
from verifier.process.workers.messages import Rendered
from verifier.process.workers.resource_limits import ResourceLimits
from verifier.process.workers.supervisor import End, Ending
from verifier.process.workers.task import Task
from verifier.reporting.incident import incident_file, incident_text

_PROGRESS = {"train": "training"}
"""What the bar says of a command."""


def files_of(*targets: str | None, data: object = None) -> Iterator[str]:
    """The files that a command reads: those of path.py::name, and one of data or settings."""
    yield from (text.partition("::")[0] for text in targets if text and "::" in text)
    if data is not None:
        yield str(data)


@dataclass(frozen=True)
class CommandRun:
    """One task of a command."""

    command: str
    subject: str | None
    """What is judged, as it was typed."""
    outputs: Outputs
    debug: bool = False
    limits: ResourceLimits = field(default_factory=ResourceLimits)

    def code(self, task: Task) -> int:
        """Do the task and write its report; the exit code."""
        with watch_signals(
            _PROGRESS.get(self.command, self.command), self.outputs.detail
        ) as monitor:
            ending = HOST.get()().run(task, self.limits, monitor)
        if ending.end is End.FINISHED and ending.report is not None:
            code = self.write(self._completed(ending.report), ending.report.exit_code)
            if ending.sentence:
                write_message(f"verifier: {printable(ending.sentence)}\n")
            for error in ending.report.facts.get("failed", ()):
                self.send_in(str(self.subject), error)
            return code
        return self._unfinished(ending)

    def write(self, report: Rendered, code: int) -> int:
        """Write the report; the exit code, which is not 0 where something could not be written."""
        try:
            self.outputs.write(report)
        except ReaderGoneError:
            discard_output(sys.stdout)
        except InputError as error:
            refused = print_refusal(error.sentence, error.excerpt)
            return code or refused
        return code

    def _completed(self, report: Rendered) -> Rendered:
        """The report in every form that was asked for, whatever could not be made."""
        if not report.facts.get("failed"):
            return report
        from verifier.commands.unfinished import complete_forms

        return complete_forms(report, self.command, self._subject, self.outputs.forms)

    @property
    def _subject(self) -> dict[str, str]:
        return {"target": self.subject} if self.subject else {}

    def _unfinished(self, ending: Ending) -> int:
        from verifier.commands.unfinished import ending_sentence, exit_code_of, unfinished_report

        code = exit_code_of(ending)
        if ending.end is End.INTERRUPTED and ending.report is None:
            write_message("verifier: interrupted before anything was decided\n")
            return code
        code = self.write(
            unfinished_report(ending, self.command, self._subject, self.outputs.forms), code
        )
        if ending.end is End.FAILED:
            self.send_in(ending.sentence, ending.traceback)
        elif ending.end is not End.INTERRUPTED:
            print_refusal(ending_sentence(ending), ending.excerpt)
        return code

    def send_in(self, what: str, error: str) -> None:
        """Say that this is an error of ours, and what to send."""
        report_internal_error(what, error, self.debug)


def report_internal_error(what: str, error: str, debug: bool) -> int:
    """Say that this is an error of ours, and what to send; the exit code."""
    text = incident_text(sys.argv[1:], error)
    if debug:
        write_message(text)
    path = incident_file(text)
    where = f"please send us {path}" if path else "run it again with --debug to see what to send us"
    write_message(f"verifier: an internal error of verifier ({printable(what)}): {where}\n")
    return 4
