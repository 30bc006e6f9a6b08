"""CSV files: columns of numbers read by NumPy's reader, and the line and the text of what it cannot
read.

A file is read twice. The first pass looks at commas, quotes and line ends only, a block at a time;
the second is `numpy.loadtxt`, which takes just the columns that are asked for. Neither makes Python
objects of rows. Where the first is not certain or the second fails, a third pass goes row by row,
for the sentence to say.
"""

from __future__ import annotations

import csv
import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np
import numpy.typing as npt

from verifier.errors import InputError, message_of, reason_of, too_long
from verifier.operations.arrays import Floats

BLOCK = 1 << 20
"""Bytes that are read at once."""
HEADER_BYTES = 1 << 20
"""The first line ends within so many bytes, so that a file without lines is not read whole."""
QUOTE, COMMA, LINE_END = b'",\n'
COMPRESSED = (".gz", ".bz2", ".xz")
"""Endings that make NumPy unpack a file."""
DIGITS = r"([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?"
LIKE_NUMBER = re.compile(rf"\s*[+-]?({DIGITS}|nan|inf|infinity)\s*", re.IGNORECASE)
"""What NumPy's reader takes for a number: less than `float` does, which reads 1_000 too."""


@dataclass(frozen=True)
class CsvFile:
    """A text file whose first line names its columns, no two of them alike."""

    path: Path
    header: tuple[str, ...]

    def read(self, names: Sequence[str]) -> dict[str, Floats]:
        """The named columns, each number the float64 nearest to its text; NaN and infinities are
        among them.

        Every row has as many fields as the header, and there is at least one. Raises InputError
        where that is not so.
        """
        self._require(names)
        places = [self.header.index(name) for name in names]
        rows = self._count_rows()
        if rows == 0:
            raise InputError(f"{self.path} has a header and no rows: give at least one row")
        table = self._load(places)
        if rows is None:
            rows = self._walk(places)
        if len(table) != rows:
            raise InputError(
                f"cannot read {str(self.path)!r}: it had {count_text(rows, 'row')} and then "
                f"{len(table)}"
            )
        return dict(zip(names, table.T, strict=True))

    def entry(self, name: str, row: int) -> tuple[int, str]:
        """The line, counted from 1, and the text of a column's entry in a row, counted from 0."""
        line, fields = next(islice(self._rows(), row, None))
        return line, fields[self.header.index(name)]

    def _require(self, names: Sequence[str]) -> None:
        missing = [name for name in names if name not in self.header]
        if missing:
            raise InputError(
                f"{self.path} has no column {missing[0]!r}: it has {names_text(self.header)}"
                f"{self._hint(missing[0])}"
            )

    def _hint(self, name: str) -> str:
        """What to do about a column that is missing, where one can tell."""
        mark = next((mark for mark in ";\t|" if mark in self.header[0]), "")
        if len(self.header) == 1 and mark:
            sign = {"\t": "tab"}.get(mark, mark)
            return f": separate columns by commas, or give --sep {sign!r} on the command line"
        titles = (title for title in self.header if title.isprintable())
        other = next((title for title in titles if title and not title.isidentifier()), "")
        if other:
            return f": --column {f'{name}={other}'!r} takes one by another name"
        return ""

    def _load(self, places: Sequence[int]) -> Floats:
        """The columns at these places, side by side. Raises InputError, but not for rows that are
        too long.
        """
        try:
            return np.loadtxt(
                self.path.absolute(),
                delimiter=",",
                quotechar='"',
                comments=None,
                skiprows=1,
                usecols=places,
                ndmin=2,
                encoding="utf-8-sig",
            )
        except (ValueError, OSError) as error:
            self._walk(places)
            message = message_of(error, whole=True)
            raise InputError(f"cannot read {str(self.path)!r}: {message}") from None

    def _count_rows(self) -> int | None:
        """How many rows there are, each with as many fields as the header; None where that is not
        certain.

        Empty lines at the end are no rows; anywhere else they are not certain.
        """
        with _open_text(self.path) as stream:
            stream.readline()
            return count_rows(stream, len(self.header))

    def _walk(self, places: Sequence[int]) -> int:
        """How many rows there are. Raises InputError for the first that is not as it should be."""
        rows = 0
        empty = 0
        for line, fields in self._rows():
            if not fields:
                empty = empty or line
                continue
            if empty:
                raise InputError(f"{self.path}:{empty}: the line is empty: remove it")
            self._check(line, fields, places)
            rows += 1
        return rows

    def _check(self, line: int, fields: Sequence[str], places: Sequence[int]) -> None:
        if len(fields) != len(self.header):
            raise InputError(
                f"{self.path}:{line}: the row has {count_text(len(fields), 'field')}, the header "
                f"{len(self.header)}"
            )
        for place in places:
            name, text = self.header[place], fields[place]
            if not text.strip():
                raise InputError(
                    f"{self.path}:{line}: column {name} holds nothing: remove that row or fill it "
                    "in"
                )
            if not LIKE_NUMBER.fullmatch(text):
                raise InputError(
                    f"{self.path}:{line}: column {name} holds {quoted_text(text)}, which is not "
                    f"a number{number_hint(text)}"
                )

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """Each row behind the header with the line where it begins; an empty line is a row without
        fields.
        """
        with _open_text(self.path, newline="") as stream:
            stream.readline()
            reader = csv.reader(stream, strict=True)
            while True:
                line = reader.line_num + 2
                try:
                    fields = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    reason = "one is not closed" if "unexpected end" in str(error) else str(error)
                    raise InputError(
                        f"{self.path}:{line}: cannot tell fields by their quotes: {reason}"
                    ) from None
                yield line, fields


_DATE = re.compile(r"\s*(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})\b.*")
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+,\d+\s*")


def number_hint(text: str) -> str:
    """What to do about a text that is no number; empty where one cannot tell.

    >>> number_hint("two"), number_hint("2020-01-01")
    ('', ': write a date as a number, such as the days since the first')
    """
    if _DATE.fullmatch(text):
        return ": write a date as a number, such as the days since the first"
    if _DECIMAL_COMMA.fullmatch(text):
        return ": write a point for the comma, or give --decimal , on the command line"
    return ""


def open_csv_file(given: str | os.PathLike[str]) -> CsvFile:
    """The CSV file at the path `given`.

    Raises InputError where there is none, or none with a header.
    """
    path = _checked_path(given)
    with path_errors_as_input_errors(path), path.open("rb") as stream:
        start = stream.read(HEADER_BYTES)
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"{path} is UTF-16: save it as UTF-8")
    if b"\0" in start:
        raise InputError(f"{path} is a binary file: give a CSV file, which is text")
    if not start.removeprefix(b"\xef\xbb\xbf").strip():
        raise InputError(
            f"{path} is empty: give a line with the names of the columns, and then a line a row"
        )
    with _open_text(path) as text:
        line = text.readline(HEADER_BYTES)
    return CsvFile(path, _header(path, line))


def quoted_text(text: str) -> str:
    r"""Text from a file as one shows it: in quotes, escaped, and shortened.

    >>> quoted_text("a\tb")
    "'a\\tb'"
    """
    return repr(shortened_text(text))


def shortened_text(text: str) -> str:
    """At most 40 characters of `text`.

    >>> len(shortened_text("long" * 1000))
    40
    """
    return text if len(text) <= 40 else text[:37] + "..."


def names_text(names: Sequence[str]) -> str:
    """At most ten of the `names`, each shortened.

    >>> names_text([f"x{place}" for place in range(12)])
    'x0, x1, x2, x3, x4, x5, x6, x7, x8, x9 and 2 more'
    """
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return (", ".join(shortened_text(name) for name in names[:10]) or "none") + more


@contextmanager
def path_errors_as_input_errors(path: Path) -> Iterator[None]:
    """A block that reads the file at `path`, in which InputError is raised for what the system
    refuses, and for bytes that are not text.
    """
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"there is no file {str(path)!r}") from None
    except OSError as error:
        raise InputError(
            too_long(error) or f"cannot read {str(path)!r}: {reason_of(error)}"
        ) from None
    except UnicodeDecodeError:
        raise InputError(
            f"{path}:{_undecodable_line(path)}: the line is not UTF-8: save the file as UTF-8"
        ) from None


def count_rows(stream: TextIO, fields: int, block: int = BLOCK) -> int | None:
    """How many rows of that many fields stand in the rest of the stream; None where that is not
    certain.
    """
    held = (
        "," * (fields - 1) + "\n"
    )  # stands for the header, which makes an empty line below it one of two line ends
    rows = -1
    separators = np.empty(0, np.uint8)
    quotes = _Quotes(inside=False, last=LINE_END)
    while text := stream.read(block):
        text = held + text
        content = text.rstrip("\n")
        held = text[len(content) :]
        found = _separators_outside_quotes(content, quotes)
        if found is None or "\n\n" in content:
            return None
        added, quotes = found
        separators = np.concatenate((separators, added))
        whole = len(separators) // fields
        lines, separators = (
            separators[: whole * fields].reshape(whole, fields),
            separators[whole * fields :],
        )
        if (lines[:, :-1] != COMMA).any() or (lines[:, -1] != LINE_END).any():
            return None
        rows += whole
    if rows < 0 and not len(separators):
        return 0
    complete = len(separators) == fields - 1 and (separators == COMMA).all() and not quotes.inside
    return rows + 1 if complete else None


@dataclass(frozen=True)
class _Quotes:
    """Where the reading of quotes stands between two blocks."""

    inside: bool
    last: int
    """The code of the last character."""


def _separators_outside_quotes(
    content: str, quotes: _Quotes
) -> tuple[npt.NDArray[np.uint8], _Quotes] | None:
    """The commas and line ends of a block outside quotes; None where quotes stand elsewhere than
    around a field.
    """
    encoded = content.encode()
    if not encoded:
        return np.empty(0, np.uint8), quotes
    codes = np.frombuffer(encoded, np.uint8)
    separating = (codes == COMMA) | (codes == LINE_END)
    if QUOTE not in encoded and not quotes.inside and quotes.last != QUOTE:
        return codes[separating], _Quotes(False, encoded[-1])
    quote = codes == QUOTE
    after = (np.cumsum(quote) + quotes.inside) % 2 == 1
    before = np.concatenate(([quotes.inside], after[:-1]))
    previous = np.concatenate((np.array([quotes.last], np.uint8), codes[:-1]))
    edge = separating | quote
    previous_edge = (previous == COMMA) | (previous == LINE_END) | (previous == QUOTE)
    stray = (quote & ~before & ~previous_edge) | ((previous == QUOTE) & ~before & ~edge)
    if stray.any():
        return None
    return codes[separating & ~before], _Quotes(bool(after[-1]), encoded[-1])


def _checked_path(given: str | os.PathLike[str]) -> Path:
    path = Path(os.fsdecode(given))
    with path_errors_as_input_errors(path):
        try:
            mode = path.stat().st_mode
        except ValueError:  # which Python says in other words from version to version
            raise InputError(
                f"cannot read {str(path)!r}: no file has a null byte in its name"
            ) from None
    if stat.S_ISDIR(mode):
        raise InputError(f"cannot read {str(path)!r}: it is a folder")
    if not stat.S_ISREG(mode):
        raise InputError(
            f"cannot read {str(path)!r}: it is not a regular file, and it has to be read twice"
        )
    if path.suffix in COMPRESSED:
        raise InputError(f"cannot read {str(path)!r}: it is compressed: unpack it first")
    return path


def _header(path: Path, line: str) -> tuple[str, ...]:
    where = f"{path}:1: "
    if not line.strip():
        raise InputError(f"{where}the first line is empty: write the names of the columns there")
    if len(line) >= HEADER_BYTES:
        raise InputError(
            f"{where}the first line has over {HEADER_BYTES} characters: it is no line of names"
        )
    if line.count('"') % 2:
        raise InputError(f"{where}a quote in the header is not closed on its line")
    header = tuple(name.strip() for name in next(csv.reader([line], skipinitialspace=True)))
    if all(LIKE_NUMBER.fullmatch(name) for name in header if name):
        raise InputError(
            f"{where}the first line holds numbers: write the names of the columns above it"
        )
    refuse_equal_names(where, header)
    return header


def refuse_equal_names(where: str, header: Sequence[str]) -> None:
    """Raise InputError where two columns in `header` have the same name, which is not empty.

    `where` is the place of the line, with which the message begins.
    """
    twice = [name for place, name in enumerate(header) if name and name in header[:place]]
    if twice:
        raise InputError(
            f"{where}column {quoted_text(twice[0])} is named twice: give each column a name of "
            "its own"
        )


@contextmanager
def _open_text(path: Path, newline: str | None = None) -> Iterator[TextIO]:
    with (
        path_errors_as_input_errors(path),
        path.open(encoding="utf-8-sig", newline=newline) as stream,
    ):
        yield stream


def _undecodable_line(path: Path) -> int:
    with path.open("rb") as stream:
        return next(
            number
            for number, line in enumerate(stream, 1)
            if line.decode(errors="ignore").encode() != line
        )


def count_text(count: int, one: str, several: str = "") -> str:
    """A count with its noun, as people write it.

    `several` is the plural where it is not `one` with an s.

    >>> count_text(1, "row"), count_text(2, "entry", "entries")
    ('1 row', '2 entries')
    """
    return f"{count} {one if count == 1 else several or one + 's'}"
