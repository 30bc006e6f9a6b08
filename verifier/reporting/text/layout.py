"""Layout: the lines that a report is made of, at 80 columns or stacked where there is less room.

A line is a rich Text; text from people is only ever put in as text, never as markup. No number is
ever cut: what does not fit beside its name goes below it.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from rich.text import Text

from verifier.errors import printable
from verifier.judging.outcome import Outcome
from verifier.operations.number_text import number, short

if TYPE_CHECKING:
    from verifier.judging.verdict import Comparison

WIDTH = 80
UNBROKEN = 1_000_000
"""A width for sentences that something else will break."""
_RIGHT = 79
_ROOMY = 60
"""From so many columns on, text stands below text and not below its label."""

STYLES = {Outcome.AGREES: "green", Outcome.UNDECIDED: "yellow", Outcome.DISAGREES: "bold red"}


@dataclass(frozen=True)
class Column:
    """A column of one or more cells: its two lines of title, and what each cell is called by
    itself.
    """

    top: str
    bottom: str
    labels: tuple[str, ...]


class Layout(Protocol):
    """How the parts of a report become lines."""

    @property
    def width(self) -> int:
        """How long a line may be."""

    def rule(self) -> Iterator[Text]: ...

    def header(self) -> Iterator[Text]: ...

    def heading(self, parts: Sequence[str], right: str) -> Iterator[Text]:
        """A line that opens a step."""

    def comparison(self, name: str, judged: Comparison) -> Iterator[Text]:
        """A judged number."""

    def field(self, label: str, value: float) -> Iterator[Text]:
        """A number that stands below a judged one."""

    def summary(
        self, columns: Sequence[Column], rows: Iterable[Sequence[Sequence[str]]]
    ) -> Iterator[Text]:
        """A table; a row has a sequence of cells for each column, and the first column is a
        name.
        """

    def prose(self, text: str, style: str = "") -> Iterator[Text]:
        """A sentence, broken at spaces where it must be."""

    def labelled(self, label: str, text: str, style: str = "") -> Iterator[Text]:
        """A sentence behind a label; what does not fit beside it stands below it."""


class _Prose:
    def __init__(self, width: int) -> None:
        self.width = width

    def prose(self, text: str, style: str = "") -> Iterator[Text]:
        shown = printable(text)
        indent = " " * (len(shown) - len(shown.lstrip()))
        for line in textwrap.wrap(
            shown,
            self.width,
            subsequent_indent=indent,
            break_long_words=True,
            break_on_hyphens=False,
            drop_whitespace=True,
        ):
            yield Text(line, style=style)

    def labelled(self, label: str, text: str, style: str = "") -> Iterator[Text]:
        first, below = (
            printable(label),
            " " * (len(label) if self.width >= _ROOMY else min(len(label), 4)),
        )
        word = text.partition(" ")[0]
        if len(first) + len(word) > self.width:
            yield Text(first.rstrip(), style=style)
            first = below
        for line in textwrap.wrap(
            printable(text),
            self.width,
            initial_indent=first,
            subsequent_indent=below,
            break_on_hyphens=False,
        ):
            yield Text(line.rstrip(), style=style)


class Wide(_Prose):
    """80 columns: name, both gradients, ulps, allowance and outcome in a row."""

    def __init__(self) -> None:
        super().__init__(_RIGHT)

    def rule(self) -> Iterator[Text]:
        yield Text("─" * _RIGHT, style="dim")

    def header(self) -> Iterator[Text]:
        yield Text(
            f"{'autograd':>27}{'symbolic':>23}{'ulps':>8}{'allowed':>9}  outcome", style="bold"
        )
        yield from self.rule()

    def heading(self, parts: Sequence[str], right: str) -> Iterator[Text]:
        step, epoch, *rest = map(printable, parts)
        left = f"{step:<9} {epoch:<8} {' '.join(rest)}".rstrip()
        if len(left) + 2 + len(right) <= _RIGHT:
            yield Text(f"{left}{right:>{_RIGHT - len(left)}}", style="bold")
        else:
            yield from self.prose(left, style="bold")
            yield Text(f"{right:>{_RIGHT}}", style="bold")

    def comparison(self, name: str, judged: Comparison) -> Iterator[Text]:
        autograd, symbolic = number(judged.stated), number(judged.symbolic)
        left = printable(name)
        if len(left) + 1 + len(autograd) > 27:
            yield from self.prose(left)
            left = ""
        error, allowed = _errors(judged)
        row = f"{left}{autograd:>{27 - len(left)}}{symbolic:>23}{error:>8}{allowed:>9}"
        if len(symbolic) > 22 or len(error) > 7 or len(allowed) > 8:
            row = f"{left}{autograd:>{27 - len(left)}} {symbolic} {error} {allowed}"
        yield Text.assemble(row, "  ", (judged.outcome.value, STYLES[judged.outcome]))

    def field(self, label: str, value: float) -> Iterator[Text]:
        yield Text(f"{'':14}{label}  {number(value)}", style="dim")

    def summary(
        self, columns: Sequence[Column], rows: Iterable[Sequence[Sequence[str]]]
    ) -> Iterator[Text]:
        table = [[printable("  ".join(cells)) for cells in row] for row in rows]
        titles = [(column.top, column.bottom) for column in columns]
        widths = [
            max(len(cell) for cell in (*title, *(row[place] for row in table)))
            for place, title in enumerate(titles)
        ]
        widths[0] = min(widths[0], max(9, _RIGHT - sum(width + 2 for width in widths[1:])))
        for line in zip(*titles, strict=True):
            yield Text(_cells(line, widths), style="bold")
        yield from self.rule()
        for row in table:
            if len(row[0]) > widths[0]:
                yield from self.prose(row[0])
                row[0] = ""
            yield Text(_cells(row, widths))


def _cells(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = zip(cells, widths, strict=True)
    return (
        f"{first[0]:<{first[1]}}" + "".join(f"  {cell:>{width}}" for cell, width in rest)
    ).rstrip()


def _errors(judged: Comparison) -> tuple[str, str]:
    """Error and allowance in ulps; absolute at an exact 0, where ulps say nothing."""
    if not math.isfinite(float(judged.enclosure)):
        return "–", "–"
    if judged.exact_is_zero:
        return (
            (short(judged.error), short(judged.allowed))
            if judged.allowed
            else (short(judged.error), "0")
        )
    return short(judged.ulps), short(judged.allowed_ulps)


class Stacked(_Prose):
    """Less than 80 columns: a field a line, every number in full."""

    def rule(self) -> Iterator[Text]:
        yield Text("─" * (self.width - 1), style="dim")

    def header(self) -> Iterator[Text]:
        yield from self.rule()

    def heading(self, parts: Sequence[str], right: str) -> Iterator[Text]:
        for part in (*parts, right):
            yield from self.prose(part, style="bold")

    def comparison(self, name: str, judged: Comparison) -> Iterator[Text]:
        yield from self.prose(name)
        for label, value in (
            ("autograd", judged.stated),
            ("symbolic", judged.symbolic),
            ("ulps", judged.ulps),
            ("allowed", judged.allowed),
        ):
            yield Text(f"  {label:<9} {number(value)}")
        yield Text.assemble("  outcome   ", (judged.outcome.value, STYLES[judged.outcome]))

    def field(self, label: str, value: float) -> Iterator[Text]:
        yield Text(f"  {label}", style="dim")
        yield Text(f"  {'':<9} {number(value)}", style="dim")

    def summary(
        self, columns: Sequence[Column], rows: Iterable[Sequence[Sequence[str]]]
    ) -> Iterator[Text]:
        for (name,), *row in rows:
            yield from self.prose(name, style="bold")
            for column, cells in zip(columns[1:], row, strict=True):
                for label, cell in zip(column.labels, cells, strict=True):
                    yield Text(f"  {label:<16} {cell.strip()}")


def layout_for(width: int) -> Layout:
    """The layout for a terminal of that many columns."""
    return Wide() if width >= WIDTH else Stacked(max(width, 30))
