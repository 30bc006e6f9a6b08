"""Where reports, progress and messages go: standard output, standard error, files."""

from __future__ import annotations

import base64
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from verifier.commands.terminal.streams import write_line, write_message
from verifier.errors import InputError
from verifier.process.workers.messages import Rendered
from verifier.reporting import atomic_write
from verifier.reporting.content.detail import Detail
from verifier.reporting.rendering import Forms, Screen

if TYPE_CHECKING:
    from verifier.commands.terminal.progress import ProgressBar

SUFFIXES = (".svg", ".png", ".pdf")
"""Of files for pictures."""


@dataclass(frozen=True)
class Outputs:
    """Where the report goes besides the terminal."""

    json: Path | None = None
    plot: Path | None = None
    html: Path | None = None
    markdown: Path | None = None
    junit: Path | None = None
    log: Path | None = None
    """Written step by step, while the work goes on."""
    detail: Detail = Detail.SHORT
    """How much of it the terminal shows."""

    @property
    def _files(self) -> dict[str, Path | None]:
        return {
            "--json": self.json,
            "--plot": self.plot,
            "--html": self.html,
            "--markdown": self.markdown,
            "--junit": self.junit,
            "--log": self.log,
        }

    def check(self, read: Iterable[str] = ()) -> None:
        """Raise InputError before anything runs if one of the files could not be written.

        Nor may one of them be a file that the command reads.
        """
        if _is_standard_output(self.html):
            raise InputError("--html writes a file: name it, as in --html report.html")
        if _is_standard_output(self.markdown):
            raise InputError("--markdown writes a file: name it, as in --markdown summary.md")
        if _is_standard_output(self.junit):
            raise InputError("--junit writes a file: name it, as in --junit report.xml")
        if _is_standard_output(self.log):
            raise InputError("--log writes a file: name it, as in --log steps.jsonl")
        if _is_standard_output(self.json) and _is_standard_output(self.plot):
            raise InputError(
                "--json - and --plot without a file both go to standard output: "
                "give one of them a file"
            )
        if self.plot is not None and not _is_standard_output(self.plot):
            _check_suffix(self.plot)
        self._refuse_one_file_for_two()
        self._refuse_to_overwrite(read)
        for path in self._files.values():
            if path is not None and not _is_standard_output(path):
                atomic_write.check_writable(path)

    def _refuse_one_file_for_two(self) -> None:
        seen: dict[str, str] = {}
        for option, path in self._files.items():
            if path is None or _is_standard_output(path):
                continue
            place = os.path.realpath(path)
            if place in seen:
                raise InputError(
                    f"cannot write {str(path)!r}: {seen[place]} and {option} name the same file"
                )
            seen[place] = option

    def _refuse_to_overwrite(self, read: Iterable[str]) -> None:
        places = set(map(os.path.realpath, read))
        for option, path in self._files.items():
            if path is not None and os.path.realpath(path) in places:
                raise InputError(
                    f"cannot write {str(path)!r}: the command reads this file; name another for "
                    f"{option}"
                )

    @property
    def has_json_lines(self) -> bool:
        """Whether each target of a file is a line of its own."""
        return self.json is not None and self.json.suffix == ".jsonl"

    @property
    def forms(self) -> Forms:
        """The forms that the report is wanted in."""
        plot = ""
        if self.plot is not None:
            plot = "-" if _is_standard_output(self.plot) else self.plot.suffix
        return Forms(
            screen=Screen.of_standard_output(),
            text=not _is_standard_output(self.json),
            detail=self.detail,
            json=self.json is not None,
            html=self.html is not None,
            markdown=self.markdown is not None,
            plot=plot,
        )

    def write(self, report: Rendered) -> None:
        """Write all that was asked for. Raises InputError for a file that cannot be written."""
        # Files first: standard output may be closed, full, or read no further.
        self._write_files(report.forms)
        self._echo(report.forms)

    def _echo(self, forms: Mapping[str, str]) -> None:
        for name in ("text", "json") if _is_standard_output(self.json) else ("text",):
            if name in forms:
                write_line(forms[name])
        if "plot" in forms and _is_standard_output(self.plot):
            write_line(f"\n{forms['plot']}")

    def _write_files(self, forms: Mapping[str, str]) -> None:
        for path, name in ((self.json, "json"), (self.html, "html"), (self.markdown, "markdown")):
            if path is not None and name in forms and not _is_standard_output(path):
                end = "\n" if name == "json" else ""
                atomic_write.write(path, (forms[name] + end).encode("utf-8", "backslashreplace"))
        if self.plot is not None and "plot" in forms and not _is_standard_output(self.plot):
            atomic_write.write(self.plot, base64.b64decode(forms["plot"]))


def _is_standard_output(path: Path | None) -> bool:
    return path is not None and str(path) == "-"


def _check_suffix(path: Path) -> None:
    """Raise InputError for a file that no picture can be written to."""
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"cannot draw {str(path)!r}: end its name in {', '.join(SUFFIXES)}, "
            "or put --plot last for the terminal"
        )


PROGRESS_AFTER = 1.0
"""Seconds after which a run shows its progress."""


class TerminalMonitor:
    """Shows a progress bar on standard error after a second, and counts Ctrl-C."""

    def __init__(self, what: str, *, shows_progress: bool = True) -> None:
        self.interruptions = 0
        self._what, self._shows_progress = what, shows_progress
        self._started = time.monotonic()
        self._bar: ProgressBar | None = None

    def progress(self, done: int, planned: int, note: str = "") -> None:
        """Show how much is done of what is planned, and what came out so far, once the run takes
        longer than PROGRESS_AFTER.
        """
        late = self._shows_progress and time.monotonic() - self._started > PROGRESS_AFTER
        if self._bar is None and late and sys.stderr is not None and sys.stderr.isatty():
            # Rich is loaded by a run that takes long alone.
            from verifier.commands.terminal.progress import ProgressBar

            self._bar = ProgressBar(self._what, planned)
        if self._bar is not None:
            self._bar.update(done, planned, note)

    def tell(self, text: str) -> None:
        """Write what the code prints to standard error."""
        write_message(text)

    def clear(self) -> None:
        """Take the progress bar off the screen."""
        if self._bar is not None:
            self._bar.stop()

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        """The first Ctrl-C ends the run after its step; a second one ends the program.

        Other signals count once: whoever sends them does not wait at the keyboard.
        """
        if number != signal.SIGINT:
            self.interruptions = max(self.interruptions, 1)
            return
        self.interruptions += 1
        if self.interruptions > 1:
            raise KeyboardInterrupt


@contextmanager
def watch_signals(what: str, detail: Detail = Detail.SHORT) -> Iterator[TerminalMonitor]:
    """A block in which Ctrl-C and the other signals that ask for an end are counted."""
    monitor = TerminalMonitor(what, shows_progress=detail is not Detail.QUIET)
    if threading.current_thread() is not threading.main_thread():
        yield monitor
        return
    before = {number: signal.signal(number, monitor.interrupt) for number in _ending_signals()}
    try:
        yield monitor
    finally:
        for number, handler in before.items():
            # The report is still to be written: a signal that comes again must not cost it.
            is_late = monitor.interruptions > 0 and number != signal.SIGINT
            signal.signal(number, signal.SIG_IGN if is_late else handler)
        monitor.clear()


def _ending_signals() -> Iterator[signal.Signals]:
    """Those that ask a program to end, but for the ones that whoever started it has ignored."""
    yield signal.SIGINT
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            yield number
