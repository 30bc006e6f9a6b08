"""Markdown text: what people wrote, so that it never becomes markup in GitHub's flavour of
Markdown.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from verifier.errors import printable

_SPECIAL = re.compile(r"""[^\w ,;()'"%=+.:-]|_|:(?! )|(?<=www)\.""", re.ASCII)


def fenced(lines: Sequence[str]) -> str:
    """The lines as they stand, in a block of code that none of them ends.

    >>> print(fenced(["a ``` b"]))
    ````text
    a ``` b
    ````
    """
    fence = "`" * max(3, 1 + _longest_run("\n".join(lines)))
    return "\n".join([f"{fence}text", *lines, fence])


def code(text: str) -> str:
    """The text as code in a line or in a cell of a table, whatever stands in it.

    >>> print(code("a`b"), code("a|b"))
    `` a`b `` `a`&#124;`b`
    """
    pieces = re.split(r"(\|)", printable(text))
    return "".join("&#124;" if piece == "|" else _span(piece) for piece in pieces if piece.strip())


def _span(text: str) -> str:
    fence = "`" * (1 + _longest_run(text))
    inner = f" {text} " if "`" in text else text
    return f"{fence}{inner}{fence}"


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


def escaped(text: str) -> str:
    """The text as itself: nothing in it is markup, a link or somebody's name.

    >>> print(escaped("<b> & *x* @you"))
    &#60;b&#62; &#38; &#42;x&#42; &#64;\u200byou
    """
    return _SPECIAL.sub(_entity, printable(text))


def _entity(found: re.Match[str]) -> str:
    character = found[0]
    if not character.isascii():
        return character
    # GitHub looks for names and numbers in what is shown, where an entity is no entity any more.
    return f"&#{ord(character)};" + ("\u200b" if character in "@#" else "")
