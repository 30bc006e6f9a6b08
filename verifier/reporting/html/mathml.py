"""MathML: expressions for a page, by SymPy's presentation printer.

SymPy's printer writes names into its markup as they are. Here its tree is taken instead and written
anew: elements that MathML Core has, and text with every special character escaped.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import sympy
from sympy.printing.mathml import MathMLPresentationPrinter

from verifier.errors import printable
from verifier.operations.arrays import Expr
from verifier.program.author_order import AuthorOrder, InOrder

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


@lru_cache(maxsize=1_000)
def mathml(expression: Expr, order: AuthorOrder | None = None) -> str:
    """The SymPy `expression` as a `math` element; its names are text whatever characters they have.
    Terms are in the `order` of an author, else in SymPy's.

    >>> x = sympy.Symbol("x")
    >>> mathml(x**2)
    '<math><msup><mi>x</mi><mn>2</mn></msup></math>'
    """
    printer = _Printer() if order is None else _InOrderPrinter(order)
    return f"<math>{_written(printer._print(expression))}</math>"


@lru_cache(maxsize=1_000)
def name_part(name: str) -> str:
    """A name as a part of a `math` element: with a subscript where it ends in a number.

    >>> name_part("w1")
    '<msub><mi>w</mi><mi>1</mi></msub>'
    """
    return _written(_Printer()._print(sympy.Symbol(name)))


def derivative(name: str) -> str:
    """The derivative of the loss by the parameter of that `name`, as a part of a `math` element."""
    return f"<math>{partial('L', name)}</math>"


def partial(name: str, by: str) -> str:
    """The derivative of the node `name` by the node `by`, as a part of a `math` element."""
    above, below = (f"<mrow><mo>∂</mo>{name_part(part)}</mrow>" for part in (name, by))
    return f"<mfrac>{above}{below}</mfrac>"


def product(factors: Sequence[str]) -> str:
    """The `factors` with a dot between them, as `math` elements of their own between which a line
    may break.
    """
    return "<math><mo>·</mo></math>".join(f"<math>{factor}</math>" for factor in factors)


def text(words: str) -> str:
    """The `words` as a `math` element.

    >>> text("1 if a < b")
    '<math><mtext>1 if a &lt; b</mtext></math>'
    """
    return f"<math><mtext>{escaped_words(words)}</mtext></math>"


class _Printer(MathMLPresentationPrinter):  # type: ignore[misc]
    def _print_Piecewise(self, expression: Expr) -> Any:  # noqa: N802 (SymPy's name for it)
        """A brace before a row for each branch, as in a textbook."""
        brace = self._part("mo", self.dom.createTextNode("{"))
        rows = [
            self._part("mtr", *self._branch(value, condition))
            for value, condition in expression.args
        ]
        return self._part("mrow", brace, self._part("mtable", *rows))

    def _branch(self, value: Expr, condition: Expr) -> list[Any]:
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


class _InOrderPrinter(InOrder, _Printer):
    pass


def _written(node: Any) -> str:
    if node.nodeType == node.TEXT_NODE:
        return escaped_words(node.data)
    inside = "".join(map(_written, node.childNodes))
    if node.tagName == "mo" and inside == "-":
        inside = _MINUS
    tag = node.tagName if node.tagName in _ELEMENTS else "mrow"
    return f"<{tag}>{inside}</{tag}>"


def escaped_words(text: str) -> str:
    """Text in which SymPy's own signs, which it writes as entities, stand for themselves."""
    shown = _ENTITY.sub(lambda found: html.unescape(found[0]), text)
    return html.escape("".join(part if part in _INVISIBLE else printable(part) for part in shown))
