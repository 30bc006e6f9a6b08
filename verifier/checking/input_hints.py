"""Hints: what to type in place of an input that cannot be read."""

from __future__ import annotations

import re

_HINTS = (
    (r"[1-9]\d*(x[1-9]\d*)+", "for numbers that are drawn write -1:1:{0}, for example"),
    (r"[-+.\deE]+(\s*,\s*[-+.\deE]+)+", "for a tensor write [{0}]"),
    (r"(yes|on|YES|ON|Yes|On)", "write true"),
    (r"(no|off|NO|OFF|No|Off)", "write false"),
    (r"([-+.\d]+)\.\.([-+.\d]+)", "for numbers that are drawn write {1}:{2}"),
    (r"(?:torch\.)?tensor\((.*)\)", "for a tensor write {1}"),
    (r"(?:np\.|torch\.)?(?:randn?|ones|zeros)\(.*\)", "for numbers that are drawn write -1:1:4x3"),
    (r"[^@]+\.(npy|pt|pth|csv)(:.*)?", "for a file write @{0}"),
)


def hint_for(text: str) -> str:
    """What the text may have been meant for, and how that is written; empty where nobody knows.

    >>> hint_for("0,1,2"), hint_for("4x3"), hint_for("?")
    ('for a tensor write [0,1,2]', 'for numbers that are drawn write -1:1:4x3, for example', '')
    """
    for pattern, hint in _HINTS:
        found = re.fullmatch(pattern, text.strip(), re.DOTALL)
        if found:
            return hint.format(text.strip(), *(part or "" for part in found.groups()))
    return ""
