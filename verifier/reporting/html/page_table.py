"""Tables on a page: columns without words are left out, the outcome stands beside the name of its
row, and long numbers have two forms.

A number has six digits, and in full it stands beside them, where the reader asks for all digits.
Where six digits would hide why two numbers disagree, all of them are shown at once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from verifier.judging.outcome import Outcome
from verifier.reporting.content.blocks import Column, Row, Table

DIGITS = 6
LONG = 24
"""Longer words are broken into lines."""
_COMPARED = ("autograd", "stated", "exact")
"""Titles of the columns of a number and of what it should be."""
_NUMBER = re.compile(r"([-+]?)(\d+\.?\d*(?:e[-+]?\d+)?)(…?)")


@dataclass(frozen=True)
class Cell:
    """What stands in a row of one column: in short, and in full where that is something else."""

    short: str
    full: str = ""
    kinds: str = ""
    """The classes of the element."""
    is_header: bool = False
    """Whether it names its row."""


@dataclass(frozen=True)
class Heading:
    """The heading of a column."""

    title: str
    is_word: bool


@dataclass(frozen=True)
class PageTable:
    """A table as a page has it."""

    headings: Sequence[Heading]
    rows: Sequence[tuple[str, Sequence[Cell]]]
    """The class of each row, and its cells."""


def page_table(table: Table) -> PageTable:
    """The `table` with the columns that have something in them."""
    shown = _places(table)
    headings = [
        Heading(table.columns[place].title,
                table.columns[place].justify == "left" or place == table.header)
        for place in shown
    ]  # fmt: skip
    rows = [(row.outcome.value if row.outcome else "", _cells(table, row, shown))
            for row in table.rows]  # fmt: skip
    return PageTable(headings, rows)


def _places(table: Table) -> list[int]:
    """The columns that have something in them. The outcome stands beside the name of its row, where
    the narrowest screen has room for it.
    """
    places = [place for place in range(len(table.columns)) if _has_words(table, place)]
    for place in [place for place in places if table.columns[place].title == "outcome"]:
        places.remove(place)
        places.insert(places.index(table.header) + 1, place)
    return places


def _has_words(table: Table, place: int) -> bool:
    return place == table.header or any(row.cells[place] for row in table.rows)


def _cells(table: Table, row: Row, shown: Sequence[int]) -> list[Cell]:
    short = _short_cells(table.columns, row)
    return [
        Cell(
            short[place],
            row.cells[place] if short[place] != row.cells[place] else "",
            _kinds(table, place, row),
            place == table.header,
        )
        for place in shown
    ]


def _kinds(table: Table, place: int, row: Row) -> str:
    """The classes of a cell."""
    text, column = row.cells[place], table.columns[place]
    is_word = column.justify == "left" or place == table.header
    is_outcome = row.outcome is not None and text == row.outcome
    kinds = {"word": is_word, "outcome": is_outcome, "long": is_word and len(text) > LONG}
    return " ".join(kind for kind, applies in kinds.items() if applies)


def _short_cells(columns: Sequence[Column], row: Row) -> list[str]:
    short = [
        six_digits(cell) if column.justify == "right" else cell
        for cell, column in zip(row.cells, columns, strict=True)
    ]
    return list(row.cells) if _hides_the_difference(columns, row, short) else short


def _hides_the_difference(columns: Sequence[Column], row: Row, short: Sequence[str]) -> bool:
    """Whether a number that is wrong would look like the exact one."""
    both = [place for place, column in enumerate(columns) if column.title in _COMPARED]
    is_wrong = row.outcome is Outcome.DISAGREES
    return is_wrong and len(both) == 2 and len({short[place] for place in both}) == 1


def six_digits(text: str) -> str:
    """The number in `text` with so many digits, where the text is a longer one.

    >>> six_digits("0.7840883135795593"), six_digits("-2.2945547103881836e-12"), six_digits("9.0")
    ('0.784088', '-2.29455e-12', '9.0')
    >>> six_digits("+1.47005295753479…"), six_digits("300 of 300"), six_digits("1,234,567")
    ('+1.47005', '300 of 300', '1,234,567')
    """
    found = _NUMBER.fullmatch(text)
    if found is None or len(text) <= DIGITS + 2 or text.isdigit():
        return text
    value = float(found[2])
    if not value or not math.isfinite(value):
        return text
    short = f"{value:.{DIGITS}g}"
    whole = short if set(short) & set(".e") else f"{short}.0"
    return f"{found[1]}{whole}"
