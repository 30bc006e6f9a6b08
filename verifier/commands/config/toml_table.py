"""TOML table: a table of a TOML file whose keys are held to what they may be, with a sentence for
what is not.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from verifier.errors import InputError
from verifier.process.setting import ValueKind
from verifier.process.values import UserValue
from verifier.training.csv_file import path_errors_as_input_errors, shortened_text


@dataclass(frozen=True)
class Table:
    """A table of the file, and where it is, for sentences."""

    values: Mapping[str, UserValue]
    place: str

    def error(self, sentence: str) -> InputError:
        """That sentence, with the place."""
        return InputError(f"{self.place}: {sentence}")

    def with_target(self, target: str) -> Table:
        """The same table, with the target's name in its place."""
        return replace(self, place=f"{self.place} ({shortened_text(target)})")

    def require_only(self, kinds: Mapping[str, ValueKind]) -> None:
        """Raise InputError unless every key is known and holds what it may."""
        for key, value in self.values.items():
            if key not in kinds:
                raise self.error(
                    f"there is no setting {shortened_text(key)!r} here: use {', '.join(kinds)}"
                )
            if not kinds[key].fits(value):
                raise self.error(
                    f"{key} = {toml_text(value)} cannot be used: give {kinds[key].wanted}"
                )

    def require(self, *keys: str) -> None:
        """Raise InputError unless these keys are there."""
        for key in keys:
            if key not in self.values:
                raise self.error(f"{key} is missing")

    def table(self, key: str, place: str) -> Table:
        """The table under a key, empty where there is none."""
        return Table(self.values.get(key, {}), f"{self.place}: {place}")

    def tables(self, key: str, place: str) -> list[Table]:
        """Those of an array, their places numbered from 1."""
        return [
            Table(values, f"{self.place}: {place.format(number)}")
            for number, values in enumerate(self.values.get(key, ()), 1)
        ]


def toml_text(value: UserValue) -> str:
    """A value about as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return shortened_text("{...}" if isinstance(value, dict) else repr(value))


def read_toml(path: Path) -> Table:
    """The file as one table.

    Raises InputError, with the line where it is known, for what is no TOML.
    """
    with path_errors_as_input_errors(path):
        if path.exists() and not path.is_file():
            raise InputError(f"cannot read {str(path)!r}: it is not a regular file")
        text = path.read_text(encoding="utf-8-sig")
    try:
        return Table(tomllib.loads(text), str(path))
    except tomllib.TOMLDecodeError as error:
        reason, line = _split_place(str(error))
        raise InputError(f"{path}{line}: it cannot be read as TOML: {reason}") from None
    except ValueError as error:
        # Python reads no whole number of more than 4,300 digits.
        raise InputError(f"{path}: it cannot be read as TOML: {_number_error(error)}") from None
    except RecursionError:
        raise InputError(f"{path}: it cannot be read as TOML: it is nested too deeply") from None


def _number_error(error: ValueError) -> str:
    return "a whole number has too many digits" if "digits" in str(error) else str(error)


def _split_place(message: str) -> tuple[str, str]:
    """A message of tomllib's without its place, and its line as one writes it behind a
    file's name.
    """
    found = re.fullmatch(
        r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", message, re.DOTALL
    )
    if not found:
        return message, ""
    return (found[1], f":{found[2]}") if found[2] else (f"{found[1]} at the end of the file", "")


def sub_table(wanted: str) -> ValueKind:
    """Tables."""
    return ValueKind(wanted, lambda value: isinstance(value, dict))


def arrays_of_tables(wanted: str) -> ValueKind:
    """Arrays of tables."""
    return ValueKind(
        wanted,
        lambda value: isinstance(value, list) and all(isinstance(one, dict) for one in value),
    )
