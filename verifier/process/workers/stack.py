"""Where a process stood when it died: the line of the user's code in what `faulthandler` wrote."""

from __future__ import annotations

import re
import sysconfig
from pathlib import Path

_FRAME = re.compile(r'\s*File "(?P<file>.*)", line (?P<line>\d+) in (?P<function>.*)')
_PACKAGE = Path(__file__).resolve().parents[2]
_LIBRARY = [Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")]
_SITE = [Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib")]


def user_place_in(dump: str) -> str:
    """The innermost line that is not verifier's, Python's or an installed package's; empty if none
    is.

    >>> user_place_in('Thread 0x1:\\n  File "/home/me/loss.py", line 7 in backward\\n')
    'loss.py:7, in backward'
    """
    for line in dump.splitlines():
        found = _FRAME.fullmatch(line)
        if found and _is_users(found["file"]):
            return f"{Path(found['file']).name}:{found['line']}, in {found['function']}"
    return ""


def _is_users(file: str) -> bool:
    if file.startswith("<"):
        return False
    parents = Path(file).parents
    return not any(folder in parents for folder in (_PACKAGE, *_LIBRARY, *_SITE))
