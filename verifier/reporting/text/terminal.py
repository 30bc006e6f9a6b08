"""Terminal: blocks as lines for a terminal of any width, with or without colour.

Tables are laid out by rich. No number is ever cut: where a table is too wide for the terminal, each
of its rows becomes a stack of fields. Text from people is never taken as rich's markup.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import singledispatchmethod
from io import StringIO

from rich.box import Box
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.markdown import Markdown
from rich.padding import Padding
from rich.rule import Rule as RuleLine
from rich.syntax import Syntax
from rich.table import Column as RichColumn
from rich.table import Table as RichTable
from rich.text import Text
from rich.theme import Theme

from verifier.errors import printable
from verifier.reporting.content.blocks import (
    STYLES,
    Ansi,
    Blank,
    Block,
    Code,
    Column,
    Drawing,
    Heading,
    Labelled,
    Passage,
    Row,
    Rule,
    Sentence,
    Table,
    Title,
    Verdict,
)

WIDTH = 80
"""Sentences are at most so wide: longer lines are hard to read."""
_NARROWEST = 30
_ROOMY = 60
"""From so many columns on, text may stand far to the right."""
_SHALLOW = 4
"""How far to the right it stands at most where there is less room."""
_LEAST_TEXT = 24
"""A label with less room beside it stands above its text."""
_SHORT_NAME = 9
"""Where not all names fit, a table gives them so much room before it sets its columns closer."""
_HEAD = Box("    \n    \n────\n    \n    \n    \n    \n    \n")
"""A line below the titles, and nothing else."""
_THEME = Theme({"markdown.code": "cyan", "markdown.h2": "bold", "markdown.item.bullet": "none"})
"""Rich's own has words on black, which a light terminal has nothing of."""
_CONSOLE = Console(
    file=StringIO(), width=WIDTH, legacy_windows=False, force_terminal=True, theme=_THEME
)


def lines_of(blocks: Iterable[Block], width: int) -> Iterator[Text]:
    """The blocks, line by line, at most `width` columns wide, and never below 30."""
    terminal = Terminal(max(width, _NARROWEST))
    for block in blocks:
        yield from terminal.lines(block)


@dataclass(frozen=True)
class Terminal:
    """A terminal of so many columns."""

    columns: int

    @property
    def room(self) -> int:
        """How wide a table may be. Some terminals break a line that fills them."""
        return self.columns - 1 if self.columns >= WIDTH else self.columns

    @property
    def width(self) -> int:
        """How wide sentences are."""
        return min(self.room, WIDTH - 1)

    @singledispatchmethod
    def lines(self, block: Block) -> Iterator[Text]:
        """The block, line by line."""
        raise TypeError(f"no lines for {block!r}")

    @lines.register
    def _blank(self, _: Blank) -> Iterator[Text]:
        yield Text()

    @lines.register
    def _rule(self, _: Rule) -> Iterator[Text]:
        return _rendered(RuleLine(style="dim"), self.width)

    @lines.register
    def _ansi(self, report: Ansi) -> Iterator[Text]:
        yield from Text.from_ansi(report.text).split(allow_blank=True)

    @lines.register
    def _title(self, title: Title) -> Iterator[Text]:
        yield from self._sentence(Sentence(title.text, "bold"))
        yield Text("─" * min(cell_len(title.text), self.width), "dim")

    @lines.register
    def _verdict(self, verdict: Verdict) -> Iterator[Text]:
        style = f"bold {STYLES[verdict.outcome].removeprefix('bold ')}"
        return self._sentence(Sentence(f"{verdict.word}  {verdict.sentence}", style))

    @lines.register
    def _passage(self, passage: Passage) -> Iterator[Text]:
        return _rendered(Markdown(passage.markdown, hyperlinks=False), self.width)

    @lines.register
    def _sentence(self, sentence: Sentence) -> Iterator[Text]:
        return _wrapped(
            "", sentence.text, sentence.style, self._within(sentence.indent), self.width
        )

    def _within(self, indent: int) -> int:
        return indent if self.width >= _ROOMY else min(indent, _SHALLOW)

    @lines.register
    def _labelled(self, block: Labelled) -> Iterator[Text]:
        label = " " * block.indent + printable(block.label)
        beside = block.indent + max(block.width, cell_len(block.label) + 2)
        if self.width - beside >= min(_LEAST_TEXT, cell_len(block.text)):
            yield from _wrapped(label, block.text, block.style, beside, self.width)
        else:
            yield from _wrapped(label, "", block.style, block.indent, self.width)
            below = block.indent + _SHALLOW
            yield from _wrapped("", block.text, block.style, below, self.width)

    @lines.register
    def _heading(self, heading: Heading) -> Iterator[Text]:
        if self.columns >= WIDTH:
            yield from self._heading_line(heading, self.width)
        else:
            yield from self._heading_stack(heading)

    def _heading_stack(self, heading: Heading) -> Iterator[Text]:
        for part in (*heading.left, heading.right):
            yield from self._sentence(Sentence(part, "bold"))

    def _heading_line(self, heading: Heading, width: int) -> Iterator[Text]:
        first, second, *rest = map(printable, heading.left)
        right = printable(heading.right)
        line = Text(f"{first:<9} {second:<8} {' '.join(rest)}".rstrip(), "bold")
        if line.cell_len + 2 + cell_len(right) <= width:
            line.pad_right(width - line.cell_len - cell_len(right))
            yield line.append(right)
        else:
            yield from self._sentence(Sentence(line.plain, "bold"))
            yield Text(f"{right:>{width}}", "bold")

    @lines.register
    def _drawing(self, drawing: Drawing) -> Iterator[Text]:
        lines = [Text(printable(line)) for line in drawing.lines]
        if all(line.cell_len <= self.width for line in lines):
            yield from lines
        else:
            yield from self._sentence(Sentence(drawing.instead))

    @lines.register
    def _code(self, code: Code) -> Iterator[Text]:
        source = Syntax(
            code.source.rstrip(),
            "python",
            theme="ansi_dark",
            background_color="default",
            word_wrap=True,
        )
        yield from _rendered(Padding(source, (0, 0, 0, 4)), self.width)
        margin = "    │ "
        for line in code.printed.splitlines():
            for part in _wrapped("", line, "", 0, self.width - len(margin)):
                yield Text.assemble((margin, "dim"), part)

    @lines.register
    def _table(self, table: Table) -> Iterator[Text]:
        grid = _grid(table, self)
        yield from self._stacked(table) if grid is None else self._rows(table, grid)

    def _rows(self, table: Table, grid: _Grid) -> Iterator[Text]:
        """The rows that rich laid out, and between them what stands there."""
        lines = grid.lines(table)
        head = len(lines) - len(table.rows)
        yield from lines[:head]
        rows = iter(lines[head:])
        for part in table.parts:
            match part:
                case Row(cells):
                    if not grid.has_room_for(cells[table.header]):
                        yield from self._sentence(Sentence(cells[table.header]))
                    yield next(rows)
                case Heading():
                    yield from self._heading_line(part, grid.width)
                case _:
                    yield from self.lines(part)

    def _stacked(self, table: Table) -> Iterator[Text]:
        """A field a line, every number in full."""
        names = [column.title for column in table.columns]
        for part in table.parts:
            match part:
                case Row(cells):
                    named = [*zip(names, cells, strict=True)]
                    _, name = named.pop(table.header)
                    yield from self._sentence(Sentence(name, "bold"))
                    yield from self._fields(part.fields or named, part)
                case Heading():
                    yield from self._heading_stack(part)
                case _:
                    yield from self.lines(part)

    def _fields(self, fields: Sequence[tuple[str, str]], row: Row) -> Iterator[Text]:
        width = max((cell_len(label) for label, _ in fields), default=0) + 2
        for label, value in fields:
            for line in self._labelled(Labelled(label, value, "", 2, width)):
                if value == row.outcome:
                    line.stylize(STYLES[row.outcome], line.cell_len - cell_len(value))
                yield line


@dataclass(frozen=True)
class _Grid:
    """The widths of a table's columns, and the gap between them."""

    widths: Sequence[int]
    gap: int
    header: int

    @property
    def width(self) -> int:
        return sum(self.widths) + self.gap * (len(self.widths) - 1)

    def has_room_for(self, name: str) -> bool:
        """Whether a row's name fits beside its numbers."""
        return cell_len(printable(name)) <= self.widths[self.header]

    def lines(self, table: Table) -> list[Text]:
        """The titles with a line below, then a line for each row."""
        laid_out = RichTable(
            *map(_rich_column, table.columns, self.widths),
            box=_HEAD,
            show_edge=False,
            pad_edge=False,
            padding=(0, 0, 0, self.gap - 1),
            header_style="bold",
            border_style="dim",
        )
        for row in table.rows:
            laid_out.add_row(*self._cells(row))
        return [*_rendered(laid_out, self.width)]

    def _cells(self, row: Row) -> Iterator[Text]:
        for place, cell in enumerate(row.cells):
            is_above = place == self.header and not self.has_room_for(cell)
            style = STYLES[row.outcome] if cell == row.outcome else ""
            yield Text("" if is_above else printable(cell), style)


def _grid(table: Table, terminal: Terminal) -> _Grid | None:
    """The widths for that terminal; None where it has no room for the table.

    Every cell fits, but for names of rows, which may stand above their numbers. A table with
    headings fills the line.
    """
    cells = [*zip(*table.cells, strict=True)] or [()] * len(table.columns)
    labels = [part.label for part in table.parts if isinstance(part, Labelled)]
    cells[table.header] = (*cells[table.header], *labels)
    widths = [*map(_width, table.columns, cells)]
    names = widths[table.header]
    has_title = bool(table.columns[table.header].title)
    # Names without a title may all stand above their numbers.
    some = max(_width(table.columns[table.header], ()), _SHORT_NAME)
    # Headings stand as sentences do.
    room = terminal.width if table.has_headings else terminal.room
    for gap, least in ((2, names), (1, names), (2, some), (1, some if has_title else 1)):
        others = sum(widths) - names + gap * (len(widths) - 1)
        if room - others >= least:
            widths[table.header] = min(names, room - others)
            grid = _Grid(widths, gap, table.header)
            return _spread(grid, table, terminal.width) if table.has_headings else grid
    return None


def _spread(grid: _Grid, table: Table, width: int) -> _Grid:
    """The columns of numbers moved apart evenly, until the table is so wide."""
    spare = max(0, width - grid.width)
    share = spare // len(grid.widths)
    widths = [
        known + share * (column.justify == "right")
        for known, column in zip(grid.widths, table.columns, strict=True)
    ]
    widths[grid.header] += spare - sum(widths) + sum(grid.widths)
    return replace(grid, widths=widths)


def _width(column: Column, cells: Iterable[str]) -> int:
    # To rich no column is narrower than 1.
    return max(1, *map(cell_len, [*_head(column).split("\n"), *map(printable, cells)]))


def _head(column: Column) -> str:
    return column.head or column.title


def _rich_column(column: Column, width: int) -> RichColumn:
    return RichColumn(
        Text(_head(column)), justify=column.justify, width=width, no_wrap=True, vertical="top"
    )


def _rendered(what: RenderableType, width: int) -> Iterator[Text]:
    """What rich makes of it, line by line, without the blanks at the ends."""
    options = _CONSOLE.options.update(width=width)
    for segments in _CONSOLE.render_lines(what, options, pad=False):
        line = Text.assemble(*((segment.text, segment.style or "") for segment in segments))
        line.rstrip()
        yield line


def _wrapped(first: str, text: str, style: str, indent: int, width: int) -> Iterator[Text]:
    """The text in lines, `indent` columns in, with `first` in the margin of the first line."""
    lines = Text(printable(text)).wrap(_CONSOLE, width - indent, overflow="fold") or [Text()]
    for line in lines:
        whole = Text(first + " " * (indent - cell_len(first)) + line.plain, style)
        whole.rstrip()
        yield whole
        first = ""
