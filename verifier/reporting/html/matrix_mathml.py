"""The closed form of a model of arrays in MathML."""

from __future__ import annotations

from collections.abc import Sequence

from verifier.formula.arrays.closed_form.notation import plain_number
from verifier.formula.arrays.closed_form.terms import Coefficient, Constant, Dimensions
from verifier.formula.arrays.closed_form.text import constant_text
from verifier.reporting.html.mathml import escaped_words, name_part, partial

_MARKS = {
    "T": "<mo>⊤</mo>",
    "-1": "<mrow><mo>−</mo><mn>1</mn></mrow>",
    "-T": "<mrow><mo>−</mo><mo>⊤</mo></mrow>",
}
_TIMES = "<mo>\u2062</mo>"
_HATS = {"ŷ": "<mover><mi>y</mi><mo>^</mo></mover>"}


class MathmlNotation:
    """Elements of MathML Core; what comes from a model is escaped.

    `rows` is the name of how many rows a batch has.

    >>> MathmlNotation("n").raised("<mi>W</mi>", "T")
    '<msup><mi>W</mi><mo>⊤</mo></msup>'
    """

    def __init__(self, rows: str) -> None:
        self._rows = rows

    def symbol(self, name: str) -> str:
        """With a subscript where it ends in a number."""
        return name_part(name)

    def special(self, name: str) -> str:
        """π or e."""
        shown = {"pi": "π"}.get(name, name)
        return f"<mi>{shown}</mi>"

    def named(self, letter: str, index: int | None) -> str:
        """The index below the line."""
        shown = _HATS.get(letter, f"<mi>{escaped_words(letter)}</mi>")
        return shown if index is None else f"<msub>{shown}<mn>{index}</mn></msub>"

    def derivative(self, by: str) -> str:
        """A fraction."""
        return partial("L", by)

    def number(self, value: Coefficient) -> str:
        """At most six digits where there are many; a power of ten as such."""
        digits, _, exponent = plain_number(value).partition("e")
        if not exponent:
            return f"<mn>{digits}</mn>"
        sign = "<mo>−</mo>" if exponent.startswith("-") else ""
        raised = f"<mrow>{sign}<mn>{abs(int(exponent))}</mn></mrow>"
        power = f"<msup><mn>10</mn>{raised}</msup>"
        return power if digits == "1" else f"<mrow><mn>{digits}</mn><mo>·</mo>{power}</mrow>"

    def rows(self) -> str:
        """Its name."""
        return f"<mi>{escaped_words(self._rows)}</mi>"

    def ones(self) -> str:
        """A bold 1."""
        return "<mn>𝟏</mn>"

    def identity(self) -> str:
        """I."""
        return "<mi>I</mi>"

    def constant(self, term: Constant) -> str:
        """As text."""
        return f"<mtext>{escaped_words(constant_text(term))}</mtext>"

    def bracketed(self, inner: str) -> str:
        """Brackets that grow."""
        return f"<mrow><mo>(</mo>{inner}<mo>)</mo></mrow>"

    def fraction(self, over: str, under: str) -> str:
        """A fraction."""
        return f"<mfrac>{over}{under}</mfrac>"

    def beside(self, parts: Sequence[str]) -> str:
        """With a sign that is not seen; with a dot before a digit, which would make another
        number.
        """
        text = parts[0]
        for part in parts[1:]:
            starts = part.replace("<mrow>", "").replace("<msup>", "")
            is_number = starts.startswith("<mn>") and not starts.startswith("<mn>𝟏")
            text += f"{'<mo>·</mo>' if is_number else _TIMES}{part}"
        return f"<mrow>{text}</mrow>"

    def entrywise(self, parts: Sequence[str]) -> str:
        """With a circle."""
        return f"<mrow>{'<mo>⊙</mo>'.join(parts)}</mrow>"

    def divided(self, over: str, under: str) -> str:
        """With a circle."""
        return f"<mrow>{over}<mo>⊘</mo>{under}</mrow>"

    def added(self, first: str, rest: Sequence[tuple[str, str]]) -> str:
        """With signs."""
        shown = {"+": "+", "-": "−"}
        more = "".join(f"<mo>{shown[sign]}</mo>{text}" for sign, text in rest)
        return f"<mrow>{first}{more}</mrow>"

    def negative(self, part: str) -> str:
        """With a minus sign."""
        return f"<mrow><mo>−</mo>{part}</mrow>"

    def raised(self, base: str, mark: str) -> str:
        """Above the line."""
        return f"<msup>{base}{_MARKS[mark]}</msup>"

    def power(self, base: str, exponent: str, of_entries: bool) -> str:
        """Above the line, behind a circle for every entry."""
        shown = f"<mrow><mo>∘</mo>{exponent}</mrow>" if of_entries else exponent
        return f"<msup>{base}{shown}</msup>"

    def call(self, name: str, arguments: Sequence[str]) -> str:
        """A name before brackets."""
        inner = "<mo>,</mo>".join(arguments)
        brackets = f"<mrow><mo>(</mo>{inner}<mo>)</mo></mrow>"
        return f"<mrow><mi>{escaped_words(name)}</mi><mo>\u2061</mo>{brackets}</mrow>"

    def norm(self, inner: str) -> str:
        """Double lines."""
        return f"<msup><mrow><mo>‖</mo>{inner}<mo>‖</mo></mrow><mn>2</mn></msup>"

    def absolute(self, inner: str) -> str:
        """Lines."""
        return f"<mrow><mo>|</mo>{inner}<mo>|</mo></mrow>"

    def root(self, inner: str) -> str:
        """A root."""
        return f"<msqrt>{inner}</msqrt>"

    def indicator(self, left: str, sign: str, right: str) -> str:
        """In square brackets."""
        return f"<mrow><mo>[</mo>{left}<mo>{escaped_words(sign)}</mo>{right}<mo>]</mo></mrow>"

    def column(self, entries: Sequence[str]) -> str:
        """A table."""
        return _table("".join(f"<mtr><mtd>{entry}</mtd></mtr>" for entry in entries))

    def line(self, entries: Sequence[str]) -> str:
        """A table."""
        return _table(f"<mtr>{''.join(f'<mtd>{entry}</mtd>' for entry in entries)}</mtr>")

    def part(self, base: str, key: str) -> str:
        """Below the line."""
        return f"<msub>{base}<mtext>{escaped_words(key)}</mtext></msub>"

    def placed(self, inner: str, key: str, dimensions: Dimensions) -> str:
        """As a call of put."""
        return self.call("put", [inner, f"<mtext>[{escaped_words(key)}]</mtext>"])


def _table(rows: str) -> str:
    return f"<mrow><mo>[</mo><mtable>{rows}</mtable><mo>]</mo></mrow>"
