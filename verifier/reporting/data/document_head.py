"""The head of every document: its format, and the versions of what computed it."""

from __future__ import annotations

import platform
from importlib.metadata import version

from verifier.process.values import Facts

FORMAT = "verifier/1"
_PACKAGES = {
    "verifier": "verifier",
    "torch": "torch",
    "numpy": "numpy",
    "sympy": "sympy",
    "flint": "python-flint",
}


def head(command: str) -> Facts:
    """The keys that every document of a `command` begins with."""
    return {"format": FORMAT, "command": command, "versions": versions()}


def versions() -> dict[str, str]:
    """The versions of Python, of verifier and of the packages that it computes with; none is
    loaded.
    """
    found = {name: version(package) for name, package in _PACKAGES.items()}
    return {"python": platform.python_version(), **found}
