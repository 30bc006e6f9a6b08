"""The oldest torch that verifier judges with: before it, honest code would be judged wrong.

The version is read without loading torch, so that a command that needs no torch stays quick.
"""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec
from pathlib import Path

from verifier.errors import InputError

OLDEST = "2.8"
"""As pyproject.toml says it too."""


def require_torch() -> None:
    """Refuse a torch that is older than the oldest supported one.

    Nothing is said of a torch that is missing or does not say its version: loading it tells.

    Raises InputError, whose sentence names both versions.
    """
    installed = torch_version()
    found = re.match(r"(\d+)\.(\d+)", installed)
    if found and tuple(map(int, found.groups())) < tuple(map(int, OLDEST.split("."))):
        raise InputError(
            f"verifier needs torch {OLDEST} or later, and torch {installed} is installed: "
            f"pip install 'torch>={OLDEST}'"
        )


def torch_version() -> str:
    """The version of torch as its folder says it, such as "2.8.0+cpu"; empty where there is none.

    >>> torch_version().count(".") >= 2
    True
    """
    if "torch" in sys.modules:
        return str(getattr(sys.modules["torch"], "__version__", ""))
    spec = find_spec("torch")
    if spec is None or not spec.origin:
        return ""
    try:
        text = Path(spec.origin).with_name("version.py").read_text(encoding="utf-8")
    except OSError:
        return ""
    found = re.search(r"^__version__ = ['\"]([^'\"]+)", text, re.MULTILINE)
    return found[1] if found else ""
