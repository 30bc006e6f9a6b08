"""A failure's two numbers: what was stated and what is exact, and how far they are apart."""

from __future__ import annotations

import math
from collections.abc import Collection
from decimal import ROUND_DOWN, Context, Decimal, InvalidOperation

from verifier.checking.labels import digits_phrase
from verifier.judging.outcome import Note
from verifier.judging.verdict import Comparison
from verifier.operations.number_text import number, short
from verifier.reporting.content.blocks import Labelled

DIGITS = 17
"""So many digits tell a float64 from its neighbours."""


def line(label: str, text: str) -> Labelled:
    """A line of a failure."""
    return Labelled(label, text, indent=2, width=11)


def signed_number(judged: Comparison) -> tuple[str, str]:
    """What was stated and the exact value; both with their sign where that differs."""
    stated, exact = number(judged.stated), exact_text(judged)
    if stated.startswith("-") and exact[0].isdigit() and not judged.exact_is_zero:
        return stated, f"+{exact}"
    if exact.startswith("-") and judged.stated > 0:
        return f"+{stated}", exact
    return stated, exact


def exact_text(judged: Comparison) -> str:
    """The exact value as Python writes a float, with `…` where it goes on; at a kink the ends of
    what agrees.
    """
    if judged.note is Note.KINK:
        return _ends(judged)
    try:
        value = Decimal(judged.exact)
    except InvalidOperation:
        return judged.exact
    if value.is_nan():
        return "not known"
    cut = Context(prec=DIGITS, rounding=ROUND_DOWN).create_decimal(value)
    return f"{_as_float(cut)}{'' if cut == value else '…'}"


def _ends(judged: Comparison) -> str:
    if not math.isfinite(judged.allowed):
        return "between the one-sided derivatives"
    middle = float(judged.exact)
    ends = [middle + way * judged.allowed for way in (-1.0, 1.0)]
    # Rounding moves an end at 0 a little to one side.
    low, high = (0.0 if abs(end) < _SMALL * abs(middle) else end for end in ends)
    return f"between {short(low)} and {short(high)}"


_SMALL = 1e-4


def _as_float(value: Decimal) -> str:
    """In Python's own spelling: 1e-07 and 1e+16, else with a point."""
    if not value:
        return "0.0"
    exponent = value.adjusted()
    if -5 < exponent < 16:
        text = f"{value.normalize():f}"
        return text if "." in text else f"{text}.0"
    return f"{value.scaleb(-exponent).normalize():f}e{exponent:+03d}"


def distance_text(judged: Comparison, dtype: str) -> str:
    """How far the two are apart, and how far rounding could have moved them; nothing at a kink."""
    if judged.note is Note.KINK:
        return ""
    measured = judged.exact_is_zero and math.isfinite(judged.error)
    digits = f"off by {short(judged.error)}" if measured else digits_phrase(judged.digits)
    allows = f"; {dtype} allows {short(judged.allowed)}" if math.isfinite(judged.allowed) else ""
    return f"{digits}{allows}"


def sentence_of(words: str, names: Collection[str] = ()) -> str:
    """The words as a sentence. One of the names keeps its case, and so does code.

    >>> sentence_of("the sign is flipped"), sentence_of("p is 0", ["p"]), sentence_of("f(p) is 0")
    ('The sign is flipped.', 'p is 0.', 'f(p) is 0.')
    """
    first = words.partition(" ")[0].rstrip(",:")
    is_word = first.isalpha() and first not in names
    opened = words[:1].upper() + words[1:] if is_word else words
    return opened if opened.endswith((".", "?", "!")) else f"{opened}."
