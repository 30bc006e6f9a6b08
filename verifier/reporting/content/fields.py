"""Fields: tables made of records, column by column. Each column is defined once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Generic, TypeVar

from verifier.judging.outcome import Outcome
from verifier.reporting.content.blocks import Column, Row, Table

_Record = TypeVar("_Record")
_Given = TypeVar("_Given", contravariant=True)


@dataclass(frozen=True)
class Field(Generic[_Given]):
    """A column, and what stands in it of a record."""

    column: Column
    cell: Callable[[_Given], str]


def words(title: str, cell: Callable[[_Record], str]) -> Field[_Record]:
    """A column of words, which stand at the left. `title` is its title; `cell` gives its text for a
    record.
    """
    return Field(Column(title, justify="left"), cell)


def numbers(title: str, cell: Callable[[_Record], str], head: str = "") -> Field[_Record]:
    """A column of numbers, which stand at the right. `title` is its title, and `head` that on a
    terminal; `cell` gives its text for a record.
    """
    return Field(Column(title, head), cell)


def no_outcome(_: object) -> None:
    """None, for a record `_` that has no outcome."""


def table_of(
    title: str,
    caption: str,
    fields: Sequence[Field[_Record]],
    records: Iterable[_Record],
    outcome: Callable[[Any], Outcome | None] = attrgetter("outcome"),
    **more: Any,
) -> Table:
    """A table of that `title` and `caption` with a row for each of the `records` and a column for
    each of the `fields`. A row has the colour of the `outcome` of its record; `more` are other
    fields of the table.
    """
    rows = [Row(row_cells(fields, record), outcome(record)) for record in records]
    return Table(title, caption, columns_of(fields), rows, **more)


def row_cells(fields: Iterable[Field[_Record]], record: _Record) -> tuple[str, ...]:
    """What stands in the columns of the fields in the row of that record."""
    return tuple(field.cell(record) for field in fields)


def columns_of(fields: Iterable[Field[Any]]) -> tuple[Column, ...]:
    """The columns of the fields."""
    return tuple(field.column for field in fields)
