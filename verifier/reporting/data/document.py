"""What every document has: its format, the versions of what computed it, and JSON's own types.

Keys are only ever added. Floats read back as the same floats; NaN and infinities are the strings
"NaN", "Infinity" and "-Infinity"; exact values are decimal strings. `docs/json_schema.py` makes the
schema from the typed dictionaries and the records that documents are made of: their docstrings are
its descriptions. `Annotated[str, Literal["a", "b"]]` is a text that is one of these.
"""

from __future__ import annotations

import math
import platform
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from importlib.metadata import version
from typing import Annotated, Any, Final, Literal, TypeAlias, TypedDict

from verifier.process.values import Facts

FORMAT: Final = "verifier/1"
_PACKAGES = {
    "verifier": "verifier",
    "torch": "torch",
    "numpy": "numpy",
    "sympy": "sympy",
    "flint": "python-flint",
}

_AS_THEY_ARE = frozenset({str, int, bool, type(None)})

ExitCode: TypeAlias = Annotated[int, Literal[0, 1, 2, 3, 4, 130]]
"""0 verified, 1 something disagrees, 2 it ended early, 3 something has no decided comparison, 4 an
internal error, 130 interrupted.
"""


class Head(TypedDict):
    """The keys that every document has, besides `command`."""

    format: Literal["verifier/1"]
    versions: dict[str, str]
    """What computed the report: python, verifier, torch, ..."""


def versions() -> dict[str, str]:
    """The versions of Python, of verifier and of the packages that it computes with; none is
    loaded.
    """
    found = {name: version(package) for name, package in _PACKAGES.items()}
    return {"python": platform.python_version(), **found}


def json_object(document: Mapping[str, Any]) -> Facts:
    """The `document` in JSON's own types: a record is the object of its fields, a member of an
    enumeration its value, and a float that JSON cannot write a word.

    >>> json_object({"allowed": float("inf"), "rows": (1, 2)})
    {'allowed': 'Infinity', 'rows': [1, 2]}
    """
    return {str(key): _json_value(part) for key, part in document.items()}


def _json_value(value: Any) -> Any:
    if type(value) in _AS_THEY_ARE:
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return json_object(value)
    if isinstance(value, list | tuple):
        return [_json_value(part) for part in value]
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value):
        return {field.name: _json_value(getattr(value, field.name)) for field in fields(value)}
    return value
