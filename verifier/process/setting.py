"""Setting: what is said once of a setting, for each place where it can be given.

A setting is a field of a record. Its metadata has a `Setting`, from which come the option of the
command line, the check of a keyword argument, the key of verifier.toml and the line on the page of
settings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from verifier.errors import InputError
from verifier.process.values import UserValue

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


SettingValue: TypeAlias = bool | int | float | str | list[str]
"""A setting in JSON's own types."""

_KEY = "setting"
"""Of the metadata of a field."""


@dataclass(frozen=True)
class ValueKind:
    """What a setting, or another key of a file, may hold."""

    wanted: str
    """What to give, in words."""
    fits: Callable[[UserValue], bool]
    typed: type | None = None
    """What an option reads; None where no option gives it."""


@dataclass(frozen=True)
class Setting:
    """One setting, for all places."""

    kind: ValueKind
    help: str
    """What it does, in a line."""
    metavar: str | None = None
    """What stands for a value in the help."""
    option: str = ""
    """The name of the option, where that is not the field's."""
    flags: tuple[tuple[str, str], ...] = ()
    """Of a choice the words that are options of their own, each with its help."""

    def option_of(self, name: str) -> str:
        """The option of the field `name`."""
        return self.option or f"--{name.replace('_', '-')}"

    def options_of(self, name: str) -> list[str]:
        """The options that give the field `name`: one, or the words of a choice."""
        return [f"--{word}" for word, _ in self.flags] or [self.option_of(name)]

    def words(self, name: str, value: UserValue) -> list[str]:
        """The words of a command line that give the field `name` that value."""
        option = self.option_of(name)
        if self.flags:
            return [f"--{value}"]
        if isinstance(value, bool):
            return [option] * value
        values = value if isinstance(value, tuple) else [value]
        return [word for one in values for word in (option, str(one))]


def setting(
    kind: ValueKind,
    help: str,
    *,
    metavar: str | None = None,
    option: str = "",
    flags: Iterable[tuple[str, str]] = (),
) -> dict[str, Setting]:
    """The metadata of a field that is a setting, with the fields of `Setting`.

    `kind` is the kind of value that it takes, `help` what it does, `metavar` and `option` its value
    and its name on the command line, `flags` the words of a choice that are options of their own.
    """
    return {_KEY: Setting(kind, help, metavar, option, tuple(flags))}


def settings_of(record: type[DataclassInstance]) -> Mapping[str, Setting]:
    """The settings of a `record` by the names of its fields, in their order."""
    return {one.name: one.metadata[_KEY] for one in fields(record) if _KEY in one.metadata}


def require_settings(record: DataclassInstance) -> None:
    """Raise InputError where a field of `record` has a value that its setting cannot have, and that
    is not its default.
    """
    defaults = {field.name: field.default for field in fields(record)}
    for name, setting in settings_of(type(record)).items():
        value = getattr(record, name)
        if value is not defaults[name] and not setting.kind.fits(value):
            raise InputError(f"{name} is {value!r}: give {setting.kind.wanted}")


def names_in(value: UserValue) -> UserValue:
    """The names in `value`, a text such as `weight,bias` or a collection, as a tuple; what is
    neither stays as it is.

    >>> names_in("weight, bias"), names_in(["weight"]), names_in(3)
    (('weight', 'bias'), ('weight',), 3)
    """
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(","))
    try:
        return tuple(part.strip() if isinstance(part, str) else part for part in value)
    except TypeError:
        return value


def is_number(value: UserValue) -> bool:
    """Whether it is a number, and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_text(value: UserValue) -> bool:
    """Whether it is a text that is not blank."""
    return isinstance(value, str) and bool(value.strip())


def whole_numbers(least: int, most: int) -> ValueKind:
    """Whole numbers from `least` to `most`."""
    return ValueKind(
        f"a whole number from {least} to {most:,}",
        lambda value: is_number(value) and isinstance(value, int) and least <= value <= most,
        int,
    )


def positive_numbers(wanted: str, most: float) -> ValueKind:
    """Numbers above 0, up to `most`; `wanted` says in words what they are."""
    return ValueKind(wanted, lambda value: is_number(value) and 0 < value <= most, float)


def arrays_of_texts(wanted: str) -> ValueKind:
    """Arrays of texts, none of them blank; `wanted` says in words what they are."""
    return ValueKind(
        wanted, lambda value: isinstance(value, list | tuple) and all(map(is_text, value)), list
    )


def one_of(names: Iterable[str]) -> ValueKind:
    """One of the words `names`."""
    known = tuple(names)
    return ValueKind(
        f"one of {', '.join(known)}", lambda value: isinstance(value, str) and value in known, str
    )


TEXT = ValueKind("text in quotes", is_text, str)
FILE = ValueKind("the path of a file, in quotes", is_text, Path)
FLAG = ValueKind("true or false", lambda value: isinstance(value, bool), bool)
