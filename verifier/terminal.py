"""Terminal: where reports and progress go: standard output, files, and a bar on standard error."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol, cast

import typer

from verifier.errors import InputError

if TYPE_CHECKING:
    from rich.text import Text

    from verifier.checkreport import CheckReport
    from verifier.configreport import ConfigReport


class Shown(Protocol):
    """A report."""

    def lines(self, width: int) -> Iterator[Text]: ...

    def to_json(self) -> dict[str, Any]: ...


class Paged(Shown, Protocol):
    """A report that has a page, too."""

    def to_html(self) -> str: ...


@dataclass(frozen=True)
class Outputs:
    """Where the report goes besides the terminal."""

    json: Path | None = None
    plot: Path | None = None
    html: Path | None = None
    markdown: Path | None = None

    @property
    def _files(self) -> dict[str, Path | None]:
        return {f"--{field.name}": getattr(self, field.name) for field in fields(self)}

    def check(self) -> None:
        """Raise InputError before anything runs if one of the files could not be written."""
        from verifier import files

        if _is_standard_output(self.html):
            raise InputError("--html writes a file: name it, as in --html report.html")
        if _is_standard_output(self.markdown):
            raise InputError("--markdown writes a file: name it, as in --markdown summary.md")
        if _is_standard_output(self.json) and _is_standard_output(self.plot):
            raise InputError("--json - and --plot without a file both go to standard output: give one of them a file")
        if self.plot is not None and not _is_standard_output(self.plot):
            from verifier import pictures

            pictures.check_suffix(self.plot)
        self._refuse_one_file_for_two()
        for path in self._files.values():
            if path is not None and not _is_standard_output(path):
                files.check_writable(path)

    def _refuse_one_file_for_two(self) -> None:
        seen: dict[Path, str] = {}
        for option, path in self._files.items():
            if path is not None and path in seen and not _is_standard_output(path):
                raise InputError(f"cannot write {str(path)!r}: {seen[path]} and {option} name the same file")
            if path is not None:
                seen[path] = option

    def write(self, report: Shown) -> None:
        from verifier import files

        if _is_standard_output(self.json):
            echo(_json_text(report))
        else:
            print_lines(report.lines)
        if self.json is not None and not _is_standard_output(self.json):
            files.write(self.json, lambda path: path.write_text(_json_text(report) + "\n", encoding="utf-8"))
        if self.html is not None:
            page = cast(Paged, report).to_html()
            files.write(self.html, lambda path: path.write_text(page, encoding="utf-8"))
        if self.markdown is not None:
            summary = cast("CheckReport | ConfigReport", report).markdown()
            files.write(self.markdown, lambda path: path.write_text(summary, encoding="utf-8"))
        if self.plot is not None:
            self._draw(report, self.plot)

    def _draw(self, report: Any, plot: Path) -> None:
        """The pictures of one training; several are not drawn."""
        from verifier import files, pictures, sketch

        if _is_standard_output(plot):
            echo("")
            print_lines(lambda width: sketch.sketches(report.findings, width))
        else:
            title = f"{report.model.name}: {report.outcome.value}"
            files.write(plot, lambda path: pictures.draw(report.pictures, title, path))


def _is_standard_output(path: Path | None) -> bool:
    return path is not None and str(path) == "-"


class ReaderGoneError(Exception):
    """Whoever read standard output has enough.

    Rich and typer would exit with 1, which says here that something disagrees.
    """


def echo(text: str) -> None:
    try:
        typer.echo(text)
    except BrokenPipeError:
        raise ReaderGoneError from None


def _json_text(report: Shown) -> str:
    return json.dumps(report.to_json(), allow_nan=False, indent=1, ensure_ascii=False)


def print_lines(lines: Callable[[int], Iterator[Text]]) -> None:
    """What `lines` makes of a width, in the terminal's width and colours; ASCII where the terminal has nothing else."""
    from rich.console import Console

    class Terminal(Console):
        def on_broken_pipe(self) -> None:
            raise ReaderGoneError

    console = Terminal(highlight=False)
    console.width = console.width or 80
    width = console.width if console.is_terminal or "COLUMNS" in os.environ else 80
    for line in lines(width):
        if not _encodes(console.encoding):
            ascii_only = line.plain.translate(_ASCII).encode(console.encoding, "backslashreplace")
            line.plain = ascii_only.decode(console.encoding)
        console.print(line, soft_wrap=True)


_ASCII = str.maketrans(
    {"─": "-", "⋯": "...", "–": "-", "−": "-", "·": "*", "•": "*", "²": "^2", "∂": "d", "Σ": "sum", "┤": "+", "└": "+"}
    | dict.fromkeys("│├", "|")
)


def _encodes(encoding: str) -> bool:
    try:
        "─⋯–".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


PROGRESS_AFTER = 1.0
"""Seconds after which a run shows its progress."""


class Watch:
    """Asked before each step: shows a progress bar on standard error after a second, and says when to end."""

    def __init__(self, what: str, every: int) -> None:
        self.interrupted = False
        self._what, self._every = what, every
        self._started = time.monotonic()
        self._bar: Any = None

    def __call__(self, done: int, planned: int) -> bool:
        if done % self._every == 0:
            self._show(done, planned)
        return not self.interrupted

    def _show(self, done: int, planned: int) -> None:
        if self._bar is None and sys.stderr.isatty() and time.monotonic() - self._started > PROGRESS_AFTER:
            self._bar = _progress_bar()
            self._task = self._bar.add_task(self._what, total=planned)
            self._bar.start()
        if self._bar is not None:
            self._bar.update(self._task, completed=done)

    def refuse_if_interrupted(self) -> None:
        """End the program where nothing has been done yet."""
        if self.interrupted:
            raise KeyboardInterrupt

    def clear(self) -> None:
        if self._bar is not None:
            self._bar.stop()

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        """The first Ctrl-C ends the run after its step; a second one ends the program."""
        if self.interrupted:
            raise KeyboardInterrupt
        self.interrupted = True


def _progress_bar() -> Any:
    from rich.console import Console
    from rich.progress import Progress

    return Progress(console=Console(stderr=True), transient=True)


@contextmanager
def watched(what: str = "training", every: int = 256) -> Iterator[Watch]:
    """`every` says at how many steps at least the progress is worth showing."""
    watch = Watch(what, every)
    if threading.current_thread() is not threading.main_thread():
        yield watch
        return
    before = signal.signal(signal.SIGINT, watch.interrupt)
    try:
        yield watch
    except InputError:
        # A run that was ended before its first step has nothing to say.
        watch.refuse_if_interrupted()
        raise
    finally:
        signal.signal(signal.SIGINT, before)
        watch.clear()
