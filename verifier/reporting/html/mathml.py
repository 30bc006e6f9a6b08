"""MathML: expressions for a page, by SymPy's presentation printer.

SymPy's printer writes names into its markup as they are. Here its tree is taken instead and written
anew: elements that MathML Core has, and text with every special character escaped.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import Any

import sympy
from sympy.printing.mathml import MathMLPresentationPrinter

from verifier.errors import printable
from verifier.program.program import Program
from verifier.program.sympy_form import expressions

_ELEMENTS = frozenset(
    (
        "mrow",
        "mi",
        "mn",
        "mo",
        "mtext",
        "mspace",
        "mfrac",
        "msqrt",
        "mroot",
        "msub",
        "msup",
        "msubsup",
        "munder",
        "mover",
        "munderover",
        "mtable",
        "mtr",
        "mtd",
        "mstyle",
        "mpadded",
        "mphantom",
    )
)
_INVISIBLE = "\u2061\u2062\u2063\u2064\u2003"
"""Application, times, separator and plus: operators of MathML that have no picture; and a wide
space.
"""
_MINUS = "\u2212"
_ENTITY = re.compile(r"&(#x?[0-9a-fA-F]+|[A-Za-z]+);")


def mathml(expression: Any) -> str:
    """The expression as a `math` element; its names are text whatever characters they have.

    >>> x = sympy.Symbol("x")
    >>> mathml(x**2)
    '<math><msup><mi>x</mi><mn>2</mn></msup></math>'
    """
    return f"<math>{_written(_Printer()._print(expression))}</math>"


def mathml_as_written(program: Program) -> str:
    """The program's only result with its terms in the order of its operations, which is that of its
    author. Raises InputError where the expression would be too long.

    >>> from verifier.program.builder import Builder
    >>> build = Builder()
    >>> total = build.apply("add", build.input("x"), build.input("a"))
    >>> mathml_as_written(build.program(total))
    '<math><mrow><mi>x</mi><mo>+</mo><mi>a</mi></mrow></math>'
    """
    with sympy.evaluate(False):
        (expression,) = expressions(program)
        printed = _Printer({"order": "none"})._print(expression)
    return f"<math>{_written(printed)}</math>"


def derivative(name: str) -> str:
    """The derivative of the loss by the parameter of that name."""
    return f"<math>{partial('L', name)}</math>"


def partial(name: str, by: str) -> str:
    """The derivative of one node by another, as a part of a `math` element."""
    above, below = (_written(_Printer()._print(sympy.Symbol(part))) for part in (name, by))
    return f"<mfrac><mrow><mo>∂</mo>{above}</mrow><mrow><mo>∂</mo>{below}</mrow></mfrac>"


def product(factors: Sequence[str]) -> str:
    """Parts with a dot between them, as `math` elements of their own between which a line may
    break.
    """
    return "<math><mo>·</mo></math>".join(f"<math>{factor}</math>" for factor in factors)


def text(words: str) -> str:
    """Words as a `math` element.

    >>> text("1 if a < b")
    '<math><mtext>1 if a &lt; b</mtext></math>'
    """
    return f"<math><mtext>{_text(words)}</mtext></math>"


class _Printer(MathMLPresentationPrinter):  # type: ignore[misc]
    def _print_Piecewise(self, expression: Any) -> Any:  # noqa: N802 (SymPy's name for it)
        """A brace before a row for each branch, as in a textbook."""
        brace = self._part("mo", self.dom.createTextNode("{"))
        rows = [
            self._part("mtr", *self._branch(value, condition))
            for value, condition in expression.args
        ]
        return self._part("mrow", brace, self._part("mtable", *rows))

    def _branch(self, value: Any, condition: Any) -> list[Any]:
        word = "otherwise" if condition == sympy.true else "if"
        parts = [self._part("mtext", self.dom.createTextNode(word))]
        if condition != sympy.true:
            parts += [
                self._part("mtext", self.dom.createTextNode("\u2003")),
                self._print(condition),
            ]
        return [self._part("mtd", self._print(value)), self._part("mtd", *parts)]

    def _part(self, tag: str, *children: Any) -> Any:
        part = self.dom.createElement(tag)
        for child in children:
            part.appendChild(child)
        return part


def _written(node: Any) -> str:
    if node.nodeType == node.TEXT_NODE:
        return _text(node.data)
    inside = "".join(map(_written, node.childNodes))
    if node.tagName == "mo" and inside == "-":
        inside = _MINUS
    tag = node.tagName if node.tagName in _ELEMENTS else "mrow"
    return f"<{tag}>{inside}</{tag}>"


def _text(text: str) -> str:
    """Text in which SymPy's own signs, which it writes as entities, stand for themselves."""
    shown = _ENTITY.sub(lambda found: html.unescape(found[0]), text)
    return html.escape("".join(part if part in _INVISIBLE else printable(part) for part in shown))
