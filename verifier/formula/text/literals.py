"""What stands in a formula's text as it is meant: the places of an index, and settings of calls."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import EllipsisType
from typing import NamedTuple, TypeAlias

from verifier.errors import InputError
from verifier.formula.text.parts import Whole
from verifier.formula.text.tokens import END, Token, shorten

Place: TypeAlias = "int | slice | list[int] | EllipsisType | None"
"""What an index has along an axis, as NumPy takes it."""

_WHOLE = r"(?:[-+] )?\d+"
_NUMBER = re.compile(_WHOLE)
_SLICE = re.compile(rf"({_WHOLE})? ?:(?: ({_WHOLE}))?(?: :(?: ({_WHOLE}))?)?")
_LIST = re.compile(rf"\[ {_WHOLE}(?: , {_WHOLE})* \]")


class MisplacedError(InputError):
    """Something in a text that cannot be read, with the place at which it stands."""

    def __init__(self, sentence: str, place: int) -> None:
        super().__init__(sentence)
        self.place = place


class Index(NamedTuple):
    """An index, and the place in the text behind it."""

    key: tuple[Place, ...]
    end: int


def read_index(tokens: Iterator[Token], opening: Token) -> Index:
    """The index behind a [ that was read already, up to its ].

    Raises MisplacedError for what is no index.

    >>> from verifier.formula.text.tokens import ARRAYS, tokens_of
    >>> tokens = tokens_of("[:, 0:3, None]", ARRAYS)
    >>> read_index(tokens, next(tokens)).key
    (slice(None, None, None), slice(0, 3, None), None)
    """
    entries, depth, token = [[]], 0, opening  # type: list[list[Token]], int, Token
    for token in tokens:
        if token.kind == END:
            raise MisplacedError("this [ is never closed", opening.start)
        depth += (token.text == "[") - (token.text == "]")
        if depth < 0:
            break
        if token.text == "," and not depth:
            entries.append([])
        else:
            entries[-1].append(token)
    if not all(entries):
        raise MisplacedError("an index has a place between its commas", opening.start)
    return Index(tuple(map(_place, entries)), token.end)


def _place(entry: list[Token]) -> Place:
    text = " ".join(token.text for token in entry)
    if text in ("None", "..."):
        return None if text == "None" else ...
    if _NUMBER.fullmatch(text):
        return _whole(text)
    if _LIST.fullmatch(text):
        return [_whole(one) for one in _NUMBER.findall(text)]
    matched = _SLICE.fullmatch(text)
    if matched is None:
        raise MisplacedError(
            f"{shorten(text)} is no index: write whole numbers, slices such as 0:3, lists of whole "
            "numbers, or None for an axis more",
            entry[0].start,
        )
    start, stop, step = (None if one is None else _whole(one) for one in matched.groups())
    if step == 0:
        raise MisplacedError("a slice cannot have steps of 0", entry[0].start)
    return slice(start, stop, step)


def _whole(text: str) -> int:
    return int(text.replace(" ", ""))


def read_setting(tokens: Iterator[Token], name: Token) -> tuple[Whole, int]:
    """The value behind a name such as axis, and the place in the text behind it.

    Raises MisplacedError for what is neither a whole number nor a list of them.

    >>> from verifier.formula.text.tokens import ARRAYS, tokens_of
    >>> tokens = tokens_of("axis=[0, -1])", ARRAYS)
    >>> read_setting(tokens, next(tokens))
    ((0, -1), 12)
    """
    equals = next(tokens)
    found = [next(tokens)]
    if found[0].text in ("-", "+"):
        found.append(next(tokens))
    while found[0].text == "[" and found[-1].text != "]" and found[-1].kind != END:
        found.append(next(tokens))
    text = " ".join(token.text for token in found)
    if _NUMBER.fullmatch(text):
        return _whole(text), found[-1].end
    if _LIST.fullmatch(text):
        return tuple(_whole(one) for one in _NUMBER.findall(text)), found[-1].end
    raise MisplacedError(
        f"{name.text}={shorten(text)} is no setting: write a whole number, or a list of them as in "
        f"{name.text}=[0, 1]",
        equals.start,
    )
