"""Table files: data whose columns have other names, another separator, or decimal commas."""

from __future__ import annotations

import csv
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from verifier.errors import InputError, message_of
from verifier.training.csv_file import names_text, path_errors_as_input_errors, refuse_equal_names

_WORDS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "space": " "}


@dataclass(frozen=True)
class TableFile:
    """A table in a text file, and how it is read."""

    path: str
    columns: tuple[str, ...] = ()
    """Settings such as t=Time (s): the model's name, and what the first line calls it."""
    sep: str = ","
    decimal: str = "."

    def read(self) -> dict[str, list[float | str]]:
        """The columns by the model's names for them, else by their own.

        An entry that is no number stays the text that it is: only what a model asks for has to be
        numbers. Raises InputError for a file without such a table.
        """
        separator = _WORDS.get(self.sep, self.sep)
        if len(separator) != 1 or len(self.decimal) != 1 or separator == self.decimal:
            raise InputError(
                f"--sep {self.sep!r} and --decimal {self.decimal!r} cannot be used: give one sign "
                "each, and not the same, as in --sep ';' --decimal ,"
            )
        path = Path(self.path)
        with path_errors_as_input_errors(path), path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file, delimiter=separator)
            try:
                header, *rows = [*lines] or [[]]
            except csv.Error as error:
                raise InputError(f"{path}:{lines.line_num}: {message_of(error)}") from None
        header = [name.strip() for name in header]
        refuse_equal_names(f"{path}:1: ", header)
        rows = [row for row in rows if row]
        for number, row in enumerate(rows, 2):
            if len(row) != len(header):
                raise InputError(
                    f"{path}:{number}: the row has {len(row)} fields, the header {len(header)}"
                )
        return {
            name: [self._number(row[place]) for row in rows]
            for name, place in self._places(header).items()
        }

    def _places(self, header: Sequence[str]) -> Mapping[str, int]:
        renamed = dict(map(_setting, self.columns))
        for name, title in renamed.items():
            if title not in header:
                raise InputError(
                    f"--column {name}: {self.path} has no column {title!r}: it has "
                    f"{names_text(header)}"
                )
        titles = {title: name for name, title in renamed.items()}
        return {titles.get(title, title): place for place, title in enumerate(header) if title}

    def _number(self, text: str) -> float | str:
        try:
            return float(text.replace(self.decimal, "."))
        except ValueError:
            return text

    @property
    def words(self) -> str:
        """The words of a command line that read it so."""
        words = ["--data", self.path]
        for column in self.columns:
            words += ["--column", column]
        words += ["--sep", self.sep] if self.sep != "," else []
        words += ["--decimal", self.decimal] if self.decimal != "." else []
        return shlex.join(words)


def _setting(text: str) -> tuple[str, str]:
    name, equals, title = text.partition("=")
    if not equals or not name.strip() or not title.strip():
        raise InputError(
            f"--column {text}: write the model's name and the column's, as in --column 't=Time (s)'"
        )
    return name.strip(), title.strip().strip("\"'")
