"""Rendering: a report in the forms that were asked for, as text that another process can write."""

from __future__ import annotations

import base64
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any, Protocol

from verifier.process.internal_errors import InternalErrors
from verifier.process.values import Facts
from verifier.process.workers.messages import Rendered
from verifier.reporting.content.detail import Detail

if TYPE_CHECKING:
    from rich.text import Text


class Shown(Protocol):
    """A report."""

    @property
    def exit_code(self) -> int:
        """That of the command: 0 where everything that was asked for is verified."""

    def lines(self, width: int, detail: Detail = Detail.SHORT) -> Iterator[Text]:
        """The report as lines for a terminal of `width` columns."""

    def to_json(self) -> Facts:
        """The report in the format `verifier/1`."""


@dataclass(frozen=True)
class Screen:
    """Where text is read."""

    width: int = 80
    """Columns."""
    is_terminal: bool = False
    encoding: str = "utf-8"

    @classmethod
    def of_standard_output(cls) -> Screen:
        """That of this process; 80 columns where nobody looks and nothing else is asked for."""
        stdout = sys.stdout
        is_terminal = stdout is not None and stdout.isatty()
        asked = is_terminal or "COLUMNS" in os.environ
        width = shutil.get_terminal_size((80, 24)).columns if asked else 80
        return cls(width, is_terminal, getattr(stdout, "encoding", None) or "utf-8")


@dataclass(frozen=True)
class Forms:
    """The forms that a report is wanted in."""

    screen: Screen
    text: bool = True
    detail: str = Detail.SHORT
    """How much of the report the text has."""
    json: bool = False
    html: bool = False
    markdown: bool = False
    plot: str = ""
    """The suffix of the file for the pictures, `-` for the terminal; empty: none are drawn."""

    @classmethod
    def of(cls, options: Facts) -> Forms:
        """From its fields, the `options`, in JSON's own types."""
        return cls(**{**options, "screen": Screen(**options["screen"])})


def render(report: Any, forms: Forms, facts: Facts | None = None) -> Rendered:
    """The `report` in the `forms` that are wanted. It must have the methods that they need.

    `facts` go along with what is made. A form that cannot be made is left out: the verdict stands.
    The traceback is then in the facts, under `failed`.
    """
    makers: dict[str, Callable[[], str]] = {}
    if forms.text:
        detail = Detail(forms.detail)
        makers["text"] = lambda: text_of(lambda width: report.lines(width, detail), forms.screen)
    if forms.json:
        makers["json"] = lambda: json_text(report.to_json())
    if forms.html:
        makers["html"] = report.to_html
    if forms.markdown:
        makers["markdown"] = report.markdown
    if forms.plot:
        makers["plot"] = lambda: _plot(report, forms)
    errors = InternalErrors()
    made = {name: errors.run(name, make, "") for name, make in makers.items()}
    found = {name: text for name, text in made.items() if text}
    known = facts or {}
    failed = [*known.get("failed", ()), *errors.tracebacks]
    return Rendered(report.exit_code, found, {**known, **({"failed": failed} if failed else {})})


def json_text(document: Facts) -> str:
    """The `document` as verifier writes it: an entry a line, without NaN."""
    return json.dumps(document, allow_nan=False, indent=1, ensure_ascii=False)


def text_of(lines: Callable[[int], Iterator[Text]], screen: Screen) -> str:
    """What `lines` makes of a width, with colours where they are seen; ASCII where nothing else can
    be written.
    """
    from rich.console import Console

    console = Console(
        file=StringIO(),
        width=screen.width,
        force_terminal=screen.is_terminal or None,
        highlight=False,
        legacy_windows=False,
    )
    fits = _encodes(screen.encoding)
    with console.capture() as capture:
        for line in lines(screen.width):
            if not fits:
                ascii_only = line.plain.translate(_ASCII)
                line.plain = ascii_only.encode(screen.encoding, "backslashreplace").decode(
                    screen.encoding
                )
            console.print(line, soft_wrap=True)
    return capture.get().removesuffix("\n")


_ASCII = str.maketrans(
    {"─": "-", "⋯": "...", "–": "-", "−": "-", "·": "*", "•": "*"}
    | {"²": "^2", "∂": "d", "Σ": "sum", "┤": "+", "└": "+"}
    | dict.fromkeys("│├", "|")
)


def _encodes(encoding: str) -> bool:
    try:
        "─⋯–".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _plot(report: Any, forms: Forms) -> str:
    """The pictures of a training: lines for the terminal, or the bytes of a file in base64."""
    if forms.plot == "-":
        return text_of(report.sketches, forms.screen)
    return base64.b64encode(report.image(forms.plot)).decode("ascii")
