"""Closed forms in LaTeX."""

from __future__ import annotations

from collections.abc import Sequence

import sympy

from verifier.formula.arrays.closed_form.notation import plain_number
from verifier.formula.arrays.closed_form.terms import Coefficient, Constant, Dimensions
from verifier.formula.arrays.closed_form.text import constant_text

_MARKS = {"T": r"\top", "-1": "-1", "-T": r"-\top"}
_SIGNS = {"≤": r"\le", "≥": r"\ge", "≠": r"\ne"}
_LETTERS = {"Δ": r"\Delta", "δ": r"\delta", "ŷ": r"\hat{y}"}
_FUNCTIONS = frozenset(
    {"max", "min", "exp", "log", "sin", "cos", "tan", "tanh", "sinh", "cosh", "det"}
)


class LatexNotation:
    """LaTeX with the commands of amsmath; `rows` is the name of how many rows a batch has."""

    def __init__(self, rows: str = "n") -> None:
        self._rows = rows

    def symbol(self, name: str) -> str:
        """As SymPy writes it, with a subscript where it ends in a number."""
        return str(sympy.latex(sympy.Symbol(name)))

    def special(self, name: str) -> str:
        """A command, or e."""
        return {"pi": r"\pi"}.get(name, name)

    def named(self, letter: str, index: int | None) -> str:
        """The index below the line."""
        shown = _LETTERS.get(letter, letter).replace("′", "'")
        return shown if index is None else f"{shown}_{{{index}}}"

    def derivative(self, by: str) -> str:
        """A fraction."""
        return rf"\frac{{\partial L}}{{\partial {self.symbol(by)}}}"

    def number(self, value: Coefficient) -> str:
        """At most six digits where there are many; a power of ten as such."""
        digits, _, exponent = plain_number(value).partition("e")
        if not exponent:
            return digits
        power = f"10^{{{int(exponent)}}}"
        return power if digits == "1" else rf"{digits} \cdot {power}"

    def rows(self) -> str:
        """Its name."""
        return self._rows

    def ones(self) -> str:
        """A bold 1."""
        return r"\mathbf{1}"

    def identity(self) -> str:
        """I."""
        return "I"

    def constant(self, term: Constant) -> str:
        """As text."""
        return rf"\text{{{constant_text(term)}}}"

    def bracketed(self, inner: str) -> str:
        """Brackets that grow."""
        return rf"\left({inner}\right)"

    def fraction(self, over: str, under: str) -> str:
        """A fraction."""
        return rf"\frac{{{over}}}{{{under}}}"

    def beside(self, parts: Sequence[str]) -> str:
        """With a space; with a dot before a digit, which would make another number."""
        text = parts[0]
        for part in parts[1:]:
            text += rf" \cdot {part}" if part[0].isdigit() else f" {part}"
        return text

    def entrywise(self, parts: Sequence[str]) -> str:
        """With a circle."""
        return r" \odot ".join(parts)

    def divided(self, over: str, under: str) -> str:
        """With a circle."""
        return rf"{over} \oslash {under}"

    def added(self, first: str, rest: Sequence[tuple[str, str]]) -> str:
        """With signs."""
        return first + "".join(f" {sign} {text}" for sign, text in rest)

    def negative(self, part: str) -> str:
        """With a minus sign."""
        return f"-{part}"

    def raised(self, base: str, mark: str) -> str:
        """Above the line."""
        return f"{base}^{{{_MARKS[mark]}}}"

    def power(self, base: str, exponent: str, of_entries: bool) -> str:
        """Above the line, behind a circle for every entry."""
        circle = r"\circ " if of_entries else ""
        return f"{base}^{{{circle}{exponent}}}"

    def call(self, name: str, arguments: Sequence[str]) -> str:
        """An upright name."""
        inner = ", ".join(arguments)
        if name == "σ":
            return rf"\sigma\left({inner}\right)"
        escaped = name.replace("_", r"\_")
        shown = rf"\{name}" if name in _FUNCTIONS else rf"\operatorname{{{escaped}}}"
        return rf"{shown}\left({inner}\right)"

    def norm(self, inner: str) -> str:
        """Double lines."""
        return rf"\left\|{inner}\right\|^{{2}}"

    def absolute(self, inner: str) -> str:
        """Lines."""
        return rf"\left|{inner}\right|"

    def root(self, inner: str) -> str:
        """A root."""
        return rf"\sqrt{{{inner}}}"

    def indicator(self, left: str, sign: str, right: str) -> str:
        """In square brackets."""
        return rf"\left[{left} {_SIGNS.get(sign, sign)} {right}\right]"

    def column(self, entries: Sequence[str]) -> str:
        """A matrix."""
        rows = r" \\ ".join(entries)
        return rf"\begin{{bmatrix}} {rows} \end{{bmatrix}}"

    def line(self, entries: Sequence[str]) -> str:
        """A matrix."""
        return rf"\begin{{bmatrix}} {' & '.join(entries)} \end{{bmatrix}}"

    def part(self, base: str, key: str) -> str:
        """Below the line."""
        shown = key.replace(":", "{:}")
        return f"{base}_{{{shown}}}"

    def placed(self, inner: str, key: str, dimensions: Dimensions) -> str:
        """As a call of put."""
        return self.call("put", [inner, rf"\left[{key.replace(':', '{:}')}\right]"])
