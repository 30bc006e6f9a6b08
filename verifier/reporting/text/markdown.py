"""Markdown in GitHub's flavour: verdicts, tables and lines, in which text from people is never
markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from verifier.errors import printable
from verifier.judging.outcome import Outcome
from verifier.reporting.content.blocks import Row, Table, Verdict

MARKS = {Outcome.AGREES: "✅", Outcome.UNDECIDED: "⚠️", Outcome.DISAGREES: "❌"}
_SPECIAL = re.compile(r"""[^\w ,;()'"%=+.:-]|_|:(?! )|(?<=www)\.""", re.ASCII)


def verdict_line(verdict: Verdict) -> str:
    """The `verdict` in Markdown, its word in bold.

    >>> print(verdict_line(Verdict("AGREES", "4 of 4.", Outcome.AGREES)))
    ✅ **AGREES** 4 of 4.
    """
    return f"{MARKS[verdict.outcome]} **{verdict.word}** {escaped_text(verdict.sentence)}"


def table_lines(table: Table) -> str:
    """The `table` in Markdown. The names of its rows stand as code, and outcomes have a mark."""
    titles = [column.title for column in table.columns]
    lines = ["---" if column.justify == "left" else "---:" for column in table.columns]
    rows = [[*_cells(row, table.header)] for row in table.rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (titles, lines, *rows))


def _cells(row: Row, header: int) -> Iterator[str]:
    for place, cell in enumerate(row.cells):
        text = code(cell) if place == header else escaped_text(cell)
        yield f"{MARKS[row.outcome]} {text}" if cell == row.outcome else text


def fenced_block(lines: Sequence[str]) -> str:
    """The lines as they stand, in a block of code that none of them ends.

    >>> print(fenced_block(["a ``` b"]))
    ````text
    a ``` b
    ````
    """
    fence = "`" * max(3, 1 + _longest_run("\n".join(lines)))
    return "\n".join([f"{fence}text", *lines, fence])


def code(text: str) -> str:
    """The `text` as code in a line or in a cell of a table, whatever stands in it.

    >>> print(code("a`b"), code("a|b"))
    `` a`b `` `a`&#124;`b`
    """
    pieces = re.split(r"(\|)", printable(text))
    return "".join("&#124;" if piece == "|" else _span(piece) for piece in pieces if piece.strip())


def _span(text: str) -> str:
    fence = "`" * (1 + _longest_run(text))
    inner = f" {text} " if "`" in text else text
    return f"{fence}{inner}{fence}"


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


def escaped_text(text: str) -> str:
    """The `text` as itself: nothing in it is markup, a link or somebody's name.

    >>> print(escaped_text("<b> & *x* @you"))
    &#60;b&#62; &#38; &#42;x&#42; &#64;\u200byou
    """
    return _SPECIAL.sub(_entity, printable(text))


def _entity(found: re.Match[str]) -> str:
    character = found[0]
    if not character.isascii():
        return character
    # GitHub looks for names and numbers in what is shown, where an entity is no entity any more.
    return f"&#{ord(character)};" + ("\u200b" if character in "@#" else "")
