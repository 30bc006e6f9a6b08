"""Data: columns of numbers by name, checked before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from verifier.errors import InputError
from verifier.floats import Format


@dataclass(frozen=True)
class Columns:
    """Equally long columns of finite numbers, each a float of the format (held as float64)."""

    values: Mapping[str, Any]
    rows: int

    def row(self, index: int) -> dict[str, float]:
        return {name: float(column[index]) for name, column in self.values.items()}


NO_DATA = Columns({}, 0)


def columns(data: Mapping[str, Any] | None, names: Sequence[str], format: Format) -> Columns:
    """The named columns of the data, rounded to the format; other columns are left alone.

    Raises InputError for a missing, empty or uneven column and for what is not a finite number.

    >>> from verifier.floats import FLOAT32
    >>> columns({"x": [0.5, 0.1]}, ["x"], FLOAT32).row(1)
    {'x': 0.10000000149011612}
    """
    if not names:
        return NO_DATA
    if data is None:
        raise InputError(f"there is no data: give columns {', '.join(names)}")
    if not hasattr(data, "keys"):
        raise InputError(f"the data is a {type(data).__name__}: give a mapping of columns, such as {_example(names)}")
    missing = [name for name in names if name not in data]
    if missing:
        raise InputError(f"the data has no column {missing[0]!r}: it has {', '.join(map(str, data)) or 'none'}")
    values = {name: _rounded(name, _numbers(name, data[name]), format) for name in names}
    lengths = {name: len(column) for name, column in values.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise InputError(f"the columns differ in length: {told}: give each the same number of rows")
    return Columns(values, next(iter(lengths.values())))


def _example(names: Sequence[str]) -> str:
    return "{" + ", ".join(f'"{name}": [...]' for name in names) + "}"


def _numbers(name: str, column: Any) -> Any:
    """The column as float64. Numbers inside text are text."""
    if isinstance(column, dict | set | frozenset):
        raise InputError(f"column {name} is a {type(column).__name__}, which has no order of rows: give a list")
    try:
        array = np.asarray(column)
        numeric = array.dtype.kind in "iuf"
        numbers = array.astype(np.float64) if numeric else _converted(name, column)
    except InputError:
        raise
    except (ValueError, OverflowError):
        raise InputError(f"column {name} is ragged: give one number a row") from None
    except (TypeError, RuntimeError) as error:
        raise InputError(f"column {name} is a {type(column).__name__}, not a list of numbers: {error}") from None
    if numbers.ndim != 1:
        raise InputError(f"column {name} has shape {numbers.shape}: give one number a row")
    if not len(numbers):
        raise InputError(f"column {name} is empty: give at least one row")
    bad = np.flatnonzero(~np.isfinite(numbers))
    if bad.size:
        raise InputError(f"column {name} holds {numbers[bad[0]]} at index {bad[0]}: remove that row or fill it in")
    return numbers


def _converted(name: str, column: Any) -> Any:
    """Python objects one by one, so that the first that is no number can be named."""
    numbers = np.empty(len(column))
    for index, entry in enumerate(column):
        try:
            if isinstance(entry, str | bytes | bool):
                raise TypeError
            numbers[index] = float(entry)
        except (TypeError, ValueError):
            raise InputError(f"column {name} holds {entry!r} at index {index}, which is not a number") from None
    return numbers


def _rounded(name: str, numbers: Any, format: Format) -> Any:
    with np.errstate(over="ignore"):
        rounded = numbers.astype(format.name).astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(rounded))
    if bad.size:
        raise InputError(f"column {name} holds {numbers[bad[0]]} at index {bad[0]}, too large for {format.name}")
    return rounded
