"""Blocks: what a report is made of. A writer for terminals, pages or Markdown lays them out.

They hold plain text, and text from people too. Each writer makes that text inert in its own way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import ClassVar, Literal

from verifier.judging.outcome import Outcome

STYLES = {Outcome.AGREES: "green", Outcome.UNDECIDED: "yellow", Outcome.DISAGREES: "bold red"}
"""How a terminal shows an outcome, in the words of rich."""
NOTHING_DISAGREES = "nothing disagrees, and every component has decided comparisons: exit code 0."
"""Stands below a verdict that is undecided and yet no failure."""


@dataclass(frozen=True)
class Sentence:
    """A sentence or more. It is broken at spaces, and each line stands `indent` columns in."""

    text: str
    style: str = ""
    indent: int = 0


@dataclass(frozen=True)
class Labelled:
    """A text beside a label. The label takes `width` columns at least."""

    label: str
    text: str
    style: str = ""
    indent: int = 0
    width: int = 0


@dataclass(frozen=True)
class Heading:
    """A line that opens a part: what stands at the left, in columns, and at the right."""

    left: Sequence[str]
    right: str


@dataclass(frozen=True)
class Drawing:
    """Lines that stand as they are, and what is said where there is no room for them."""

    lines: Sequence[str]
    instead: str


@dataclass(frozen=True)
class Title:
    """What a text is called."""

    text: str


@dataclass(frozen=True)
class Passage:
    """A text of our own in Markdown."""

    markdown: str


@dataclass(frozen=True)
class Code:
    """Python code, and what it printed."""

    source: str
    printed: str


@dataclass(frozen=True)
class Ansi:
    """A report as a terminal's writer wrote it before, with the codes of its colours."""

    text: str


@dataclass(frozen=True)
class Rule:
    """A line across."""


@dataclass(frozen=True)
class Blank:
    """An empty line."""


@dataclass(frozen=True)
class Verdict:
    """The word for what came out, and a sentence on it."""

    word: str
    sentence: str
    outcome: Outcome


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    title: str
    """In full: on pages, in Markdown, and where a terminal is too narrow for a table."""
    head: str = ""
    """On a terminal, in one or two lines; empty where that is the title."""
    justify: Literal["left", "right"] = "right"
    """Words stand at the left, numbers at the right."""


@dataclass(frozen=True)
class Row:
    """A row of a table, coloured by its outcome."""

    cells: Sequence[str]
    outcome: Outcome | None = None
    fields: Sequence[tuple[str, str]] = ()
    """What a narrow terminal shows in place of the cells, where that is something else."""


Entry = Row | Sentence | Labelled | Heading
"""What a table is made of."""


@dataclass(frozen=True)
class Table:
    """A table; a row is named by its cell in the column `header`."""

    kind: ClassVar[str] = "table"
    title: str
    caption: str
    columns: Sequence[Column]
    parts: Sequence[Entry]
    """The rows; a terminal also shows what stands between them."""
    header: int = 0
    note: str = ""

    @property
    def rows(self) -> list[Row]:
        """Its rows without the headings between them."""
        return [part for part in self.parts if isinstance(part, Row)]

    @property
    def has_headings(self) -> bool:
        """Whether its rows come in groups with a heading each."""
        return any(isinstance(part, Heading) for part in self.parts)

    @property
    def cells(self) -> list[Sequence[str]]:
        """The cells of each row."""
        return [row.cells for row in self.rows]


Block = (
    Sentence | Labelled | Heading | Drawing | Title | Passage | Code | Ansi | Rule | Blank | Verdict
    | Table
)  # fmt: skip


def sentences_of(blocks: Iterable[Block]) -> Iterator[str]:
    """The sentences among the `blocks`, verdicts included, each in one line."""
    for block in blocks:
        match block:
            case Sentence(text):
                yield text
            case Verdict(word, sentence):
                yield f"{word}  {sentence}"


@dataclass(frozen=True)
class Part:
    """Sentences and labelled texts, as a terminal shows them too."""

    kind: ClassVar[str] = "part"
    title: str
    blocks: Sequence[Block]

    @property
    def groups(self) -> list[tuple[str, list[Block]]]:
        """Blocks of one kind that follow each other, together."""
        grouped = groupby(self.blocks, key=lambda block: type(block).__name__)
        return [(kind, list(blocks)) for kind, blocks in grouped]

    @property
    def sentences(self) -> list[str]:
        """The sentences of all its blocks, in order."""
        return [*sentences_of(self.blocks)]


@dataclass(frozen=True)
class Facts:
    """Names and values, such as settings."""

    kind: ClassVar[str] = "facts"
    title: str
    facts: Sequence[tuple[str, str]]
