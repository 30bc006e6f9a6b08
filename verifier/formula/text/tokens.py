"""The tokens of a formula written as text, and the error that shows the place in it."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from verifier.errors import InputError

DIGITS = 309
"""Digits of a whole number: the largest float64 has so many."""


class FormulaError(InputError):
    """A formula that cannot be read. Its message is a sentence, and the formula with a caret under
    the place.
    """

    def __init__(self, sentence: str, text: str, place: int) -> None:
        super().__init__(sentence, _excerpt(text, place))


_WIDTH = 60


def _excerpt(text: str, place: int) -> str:
    """At most 60 characters around the place, and a caret below it; each takes one column."""
    start = max(0, min(place - _WIDTH // 2, len(text) - _WIDTH))
    window = text[start : start + _WIDTH]
    shown = "".join(
        " " if letter in SPACE else letter if " " < letter <= "~" else "?" for letter in window
    )
    left, right = "…" if start else "", "…" if start + _WIDTH < len(text) else ""
    return f"  {left}{shown}{right}\n  {' ' * (len(left) + place - start)}^"


def shorten(text: str) -> str:
    r"""A piece of a formula on one line, of at most 40 characters.

    >>> shorten("a +\n  b")
    'a + b'
    """
    line = " ".join(text.split())
    return line if len(line) <= 40 else f"{line[:39]}…"


SPACE = " \t\r\n"
NUMBER = "number"
NAME = "name"
FUNCTION = "function"
ARGUMENT = "argument"
OPERATOR = "operator"
END = "end"
_NUMBER = r"(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
_ARGUMENT = r"|(?P<argument>[A-Za-z_]\w*)(?=[ \t\r\n]*=(?!=))"
_NAMES = r"|(?P<function>[A-Za-z_]\w*)(?=[ \t\r\n]*\()|(?P<name>[A-Za-z_]\w*)"
_OPERATORS = r"\*\*|<=|>=|==|!=|/(?!/)|[-+~*<>(),]"


@dataclass(frozen=True)
class Grammar:
    """Which tokens a formula may have."""

    token: re.Pattern[str]
    words: frozenset[str]
    """Words of Python that mean something."""


NUMBERS = Grammar(
    re.compile(f"{_NUMBER}{_NAMES}|(?P<operator>{_OPERATORS})", re.ASCII),
    frozenset({"True", "False"}),
)
"""The grammar of a formula whose symbols are numbers."""
ARRAYS = Grammar(
    re.compile(
        rf"{_NUMBER}{_ARGUMENT}{_NAMES}|(?P<operator>{_OPERATORS}|\.\.\.|\.T(?!\w)|[\[\]:@=])",
        re.ASCII,
    ),
    frozenset({"True", "False", "None"}),
)
"""The grammar of a formula in which there are arrays."""
_LIKE_NUMBER = re.compile(r"0[xXoObB][0-9a-fA-F]+|[\d.]+(?:[eE][+-]?[\d.]+)?(?:_[\w.]*)?", re.ASCII)
_WORDS = ("and", "or", "not")
_FOREIGN = {
    "^": "write ** for a power",
    "=": "write == to compare",
    "//": "write / to divide",
    ".": "a formula has no attributes",
    "[": "group with ( and )",
    "]": "group with ( and )",
    "{": "group with ( and )",
    "}": "group with ( and )",
    '"': "a formula has no strings",
    "'": "a formula has no strings",
    "&": "write and",
    "|": "write or",
    "!": "write not",
    "if": "write where(condition, a, b)",
    "else": "write where(condition, a, b)",
}
_LOOKALIKES = {
    **dict.fromkeys("−–—‐‑﹣－", "-"),
    **dict.fromkeys("×·⋅∙∗", "*"),
    **dict.fromkeys("÷∕⁄", "/"),
    "²": "**2",
    "³": "**3",
    "π": "pi",
    "√": "sqrt(...)",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "\u00a0": "a space",
}


class Token(NamedTuple):
    """A piece of a formula: its kind, its text and the place in the formula at which it starts."""

    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        """The place behind its last character."""
        return self.start + len(self.text)


def tokens_of(text: str, grammar: Grammar = NUMBERS) -> Iterator[Token]:
    """The tokens of a formula from left to right, and an empty one of kind END behind them.

    `text` is the formula, and `grammar` says which tokens it may have.

    Raises FormulaError at the first character that belongs to none.

    >>> [token.text for token in tokens_of("2*sin(x)")]
    ['2', '*', 'sin', '(', 'x', ')', '']
    """
    place = 0
    while place < len(text):
        if text[place] in SPACE:
            place += 1
            continue
        token = _token_at(text, place, grammar)
        yield token
        place = token.end
    yield Token(END, "", len(text))


def _token_at(text: str, place: int, grammar: Grammar) -> Token:
    match = grammar.token.match(text, place)
    if match is None:
        raise FormulaError(_sentence_about_character(text, place), text, place)
    token = Token(str(match.lastgroup), match.group(), place)
    if token.text in _WORDS:
        return Token(OPERATOR, token.text, place)
    if keyword.iskeyword(token.text) and token.text not in grammar.words:
        raise FormulaError(no_meaning_sentence(token.text), text, place)
    if token.kind == NUMBER:
        _refuse_malformed_number(token, text)
    return token


def no_meaning_sentence(symbol: str) -> str:
    """What is wrong with a symbol or a word of another language, and what to write in its place."""
    return f"{symbol} has no meaning in a formula" + (
        f": {_FOREIGN[symbol]}" if symbol in _FOREIGN else ""
    )


def _sentence_about_character(text: str, place: int) -> str:
    """The sentence about a character that begins no token."""
    letter = text[place]
    if letter == "@":
        return "@ multiplies arrays, and every symbol of this formula is a number: write *"
    if " " < letter <= "~":
        return no_meaning_sentence("//" if letter == "/" else letter)
    named = f"U+{ord(letter):04X} {unicodedata.name(letter, '')}".rstrip()
    instead = f"write {_LOOKALIKES[letter]}" if letter in _LOOKALIKES else "write plain ASCII"
    return f"the character {named} has no meaning in a formula: {instead}"


def _refuse_malformed_number(token: Token, text: str) -> None:
    """Raise for what begins as a number and goes on as none, and for whole numbers in a strange
    form.
    """
    like = _LIKE_NUMBER.match(text, token.start)
    if like is not None and like.end() > token.end:
        raise FormulaError(
            f"{shorten(like.group())} is not a number: write digits, a point and an exponent, as "
            "in 1.5e-3",
            text,
            token.start,
        )
    if not token.text.isdecimal():
        return
    if len(token.text) > DIGITS:
        raise FormulaError(
            f"this whole number has {len(token.text)} digits: {DIGITS} is the most",
            text,
            token.start,
        )
    whole = token.text.lstrip("0")
    if whole and whole != token.text:
        raise FormulaError(
            f"{shorten(token.text)} begins with 0: write {shorten(whole)}", text, token.start
        )
