"""Commands whose options are the fields of a record."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, TypeVar, get_type_hints

import typer

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_Options = TypeVar("_Options", bound="DataclassInstance")


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
    with the record that was typed.
    """
    hints = get_type_hints(options, include_extras=True)

    def command(**typed: object) -> None:
        run(options(**typed))

    parameters = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is MISSING else field.default,
            annotation=hints[field.name],
        )
        for field in fields(options)
    ]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {field.name: hints[field.name] for field in fields(options)}
    command.__name__ = name
    command.__doc__ = run.__doc__
    app.command(name, epilog=epilog)(command)
