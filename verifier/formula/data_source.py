"""Data that a function gives: it is loaded when the model first needs it."""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING

from verifier.errors import InputError, message_of
from verifier.process.imports import quiet_imports

if TYPE_CHECKING:
    from verifier.process.values import UserValue

EXTRAS = {"sklearn": "pip install 'verifier[data]'"}
"""How a package is installed that models of the gallery take their data from."""


def loaded_data(data: UserValue) -> UserValue:
    """What the data is: a function without arguments is called, anything else is it already.

    Raises InputError where the function cannot be called, fails, or returns nothing.

    >>> loaded_data(lambda: {"x": [0.5]})
    {'x': [0.5]}
    """
    if not is_function(data):
        return data
    name = getattr(data, "__name__", "the function")
    try:
        with quiet_imports():
            found = data()
    except InputError:
        raise
    except ModuleNotFoundError as error:
        raise InputError(f"the data needs {_package_text(error.name or name)}") from error
    except Exception as error:
        raised = f"{type(error).__name__}: {message_of(error, whole=True)}"
        raise InputError(f"the data cannot be loaded: {name}() raises {raised}") from error
    if found is None:
        raise InputError(f"the data cannot be loaded: {name}() returns None")
    return found


def is_function(data: UserValue) -> bool:
    """Whether the data is a function that gives it, which frames and datasets are not."""
    return inspect.isroutine(data) or isinstance(data, partial)


def _package_text(module: str) -> str:
    """A package that is missing, and what to type."""
    install = EXTRAS.get(module.partition(".")[0])
    if install is None:
        return f"the package {module}, which is not installed"
    return f"scikit-learn, which is not installed: {install}"
