"""Closed forms as plain text, with Unicode's signs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from verifier.formula.arrays.closed_form.notation import plain_number
from verifier.formula.arrays.closed_form.terms import Coefficient, Constant, Dimensions

_RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_MARKS = {"T": "ᵀ", "-1": "⁻¹", "-T": "⁻ᵀ"}
MOST_ENTRIES = 9
_LONGEST = 40
"""Larger arrays that stand in a formula, and longer ones, are not written out."""


class TextNotation:
    """Unicode on one line; `rows` is the name of how many rows a batch has."""

    def __init__(self, rows: str = "n") -> None:
        self._rows = rows

    def symbol(self, name: str) -> str:
        """As it is."""
        return name

    def special(self, name: str) -> str:
        """π or e."""
        return {"pi": "π"}.get(name, name)

    def named(self, letter: str, index: int | None) -> str:
        """The index behind the letter."""
        return letter if index is None else f"{letter}{index}"

    def derivative(self, by: str) -> str:
        """∂L/∂by."""
        return f"∂L/∂{by}"

    def number(self, value: Coefficient) -> str:
        """At most six digits where there are many; a power of ten as such."""
        digits, _, exponent = plain_number(value).partition("e")
        if not exponent:
            return digits
        power = f"10{str(int(exponent)).translate(_RAISED)}"
        return power if digits == "1" else f"{digits}·{power}"

    def rows(self) -> str:
        """Its name."""
        return self._rows

    def ones(self) -> str:
        """1."""
        return "1"

    def identity(self) -> str:
        """I."""
        return "I"

    def constant(self, term: Constant) -> str:
        """The numbers of a short one, the shape of a long one."""
        return constant_text(term)

    def bracketed(self, inner: str) -> str:
        """(inner)."""
        return f"({inner})"

    def fraction(self, over: str, under: str) -> str:
        """(over/under)."""
        return f"({over}/{f'({under})' if ' ' in under else under})"

    def beside(self, parts: Sequence[str]) -> str:
        """With a space."""
        return " ".join(parts)

    def entrywise(self, parts: Sequence[str]) -> str:
        """With ⊙."""
        return " ⊙ ".join(parts)

    def divided(self, over: str, under: str) -> str:
        """With ⊘."""
        return f"{over} ⊘ {under}"

    def added(self, first: str, rest: Sequence[tuple[str, str]]) -> str:
        """With spaces around each sign."""
        return first + "".join(f" {'−' if sign == '-' else '+'} {text}" for sign, text in rest)

    def negative(self, part: str) -> str:
        """With a minus sign."""
        return f"−{part}"

    def raised(self, base: str, mark: str) -> str:
        """With a sign above the line."""
        return base + _MARKS[mark]

    def power(self, base: str, exponent: str, of_entries: bool) -> str:
        """Above the line where the exponent is whole."""
        exponent = exponent.replace("−", "-")
        whole = exponent.lstrip("-").isdigit()
        shown = exponent.translate(_RAISED) if whole else f"^({exponent})"
        return f"{base}{'∘' if of_entries else ''}{shown}"

    def call(self, name: str, arguments: Sequence[str]) -> str:
        """With round brackets."""
        return f"{name}({', '.join(arguments)})"

    def norm(self, inner: str) -> str:
        """‖inner‖²."""
        return f"‖{inner}‖²"

    def absolute(self, inner: str) -> str:
        """|inner|."""
        return f"|{inner}|"

    def root(self, inner: str) -> str:
        """√inner, with brackets around more than a word."""
        return f"√{inner}" if inner.isalnum() else f"√({inner})"

    def indicator(self, left: str, sign: str, right: str) -> str:
        """In square brackets."""
        return f"[{left} {sign} {right}]"

    def column(self, entries: Sequence[str]) -> str:
        """In square brackets, with semicolons."""
        return f"[{'; '.join(entries)}]"

    def line(self, entries: Sequence[str]) -> str:
        """In square brackets, with commas."""
        return f"[{', '.join(entries)}]"

    def part(self, base: str, key: str) -> str:
        """As in Python."""
        return f"{base}[{key}]"

    def placed(self, inner: str, key: str, dimensions: Dimensions) -> str:
        """As a call of put."""
        return f"put({inner}, [{key}])"


def constant_text(term: Constant) -> str:
    """The numbers of `term`, an array with two axes, with a semicolon behind each row; its shape
    where they are too many or too long.
    """
    array = np.asarray(term.array.array, dtype=np.float64).reshape(term.dimensions)
    rows = [
        ", ".join(plain_number(one).removesuffix(".0") for one in row)
        for row in array[: MOST_ENTRIES + 1].tolist()
    ]
    written = f"[{'; '.join(rows)}]"
    is_large = array.size > MOST_ENTRIES or len(written) > _LONGEST
    return f"numbers({array.shape[0]}×{array.shape[1]})" if is_large else written
