"""Commands whose options are the fields of a record."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar, get_type_hints

import typer

from verifier.errors import InputError
from verifier.process.setting import Setting, names_in, settings_of
from verifier.process.values import Options, UserValue

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_Options = TypeVar("_Options", bound="DataclassInstance")
_FLAG = "{}_{}"
"""The parameter of an option that is a word of a choice."""


def add_command(
    app: typer.Typer,
    options: type[_Options],
    run: Callable[[_Options], None],
    *,
    name: str,
    epilog: str,
) -> None:
    """Add a command to the app. Its arguments and options are the fields of the record `options`,
    whose annotations describe them to typer; its help is the docstring of `run`, which is called
    with the record that was typed. A field that is annotated with a record of settings stands for
    their options: it holds those that were typed.
    """
    hints = get_type_hints(options, include_extras=True)
    groups = {field: _record_of_settings(hint) for field, hint in hints.items()}

    def command(**typed: UserValue) -> None:
        chosen = {
            field: typed[field] if record is None else _typed_settings(record, typed)
            for field, record in groups.items()
        }
        run(options(**chosen))

    parameters: list[inspect.Parameter] = []
    for field in fields(options):
        record = groups[field.name]
        default = inspect.Parameter.empty if field.default is MISSING else field.default
        parameters += (
            [_parameter(field.name, hints[field.name], default)]
            if record is None
            else _setting_parameters(record)
        )
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in parameters}
    command.__name__ = name
    command.__doc__ = run.__doc__
    app.command(name, epilog=epilog)(command)


def _parameter(name: str, hint: UserValue, default: UserValue) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint)


def _record_of_settings(hint: UserValue) -> type[DataclassInstance] | None:
    """The record that a field stands for; None where the field is an option itself."""
    known = (part for part in getattr(hint, "__metadata__", ()) if isinstance(part, type))
    return next(known, None)


def _setting_parameters(record: type[DataclassInstance]) -> Iterator[inspect.Parameter]:
    for name, setting in settings_of(record).items():
        if setting.flags:
            for word, help_ in setting.flags:
                option = typer.Option(f"--{word}", help=help_)
                yield _parameter(_FLAG.format(name, word), Annotated[bool, option], False)
        else:
            yield _setting_parameter(name, setting)


def _setting_parameter(name: str, setting: Setting) -> inspect.Parameter:
    option = typer.Option(setting.option_of(name), metavar=setting.metavar, help=setting.help)
    typed = setting.kind.typed
    if typed is bool:
        return _parameter(name, Annotated[bool, option], False)
    kind: UserValue = list[str] if typed is list else typed
    return _parameter(name, Annotated[kind | None, option], None)


def _typed_settings(record: type[DataclassInstance], typed: Options) -> Options:
    """The settings that were typed, as JSON's own types. Raises InputError for two words of one
    choice.
    """
    values = {
        name: _typed_value(name, setting, typed) for name, setting in settings_of(record).items()
    }
    return {name: value for name, value in values.items() if value is not None}


def _typed_value(name: str, setting: Setting, typed: Options) -> UserValue:
    if setting.flags:
        words = [word for word, _ in setting.flags if typed[_FLAG.format(name, word)]]
        if len(words) > 1:
            raise InputError(f"--{words[0]} and --{words[1]} exclude each other: give one")
        return words[0] if words else None
    value = typed[name]
    if setting.kind.typed is list and value is not None:
        return [part for text in value for part in names_in(text)] or None
    if isinstance(value, Path):
        return str(value)
    return None if value is False else value
