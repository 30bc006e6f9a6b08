"""Formulas as their author wrote them, in MathML: the text of a formula, read as Python reads it.

Nothing is put into another order and nothing is worked out: brackets stand where the text has them
and where they matter.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import NamedTuple

from verifier.errors import InputError
from verifier.formula.text.unparse import write_text
from verifier.program.program import Program
from verifier.reporting.html.mathml import escaped_words, name_part

_CHOICE, _COMPARISON, _SUM, _SIGN, _PRODUCT, _FRACTION, _ATOM = range(7)
"""How tightly a part binds."""
_TIMES = "\u2062"
DEEPEST = 100
"""Formulas with more operations inside each other are not written as they stand."""
_SIGNS = {
    ast.Lt: "<", ast.LtE: "≤", ast.Gt: ">", ast.GtE: "≥", ast.Eq: "=", ast.NotEq: "≠",
    ast.And: "∧", ast.Or: "∨", ast.BitAnd: "∧", ast.BitOr: "∨",
}  # fmt: skip


class _Part(NamedTuple):
    markup: str
    precedence: int = _ATOM


def mathml_as_written(program: Program) -> str:
    """The program's only result in the order of its author.

    Raises InputError where it cannot be written as text, and where it is too deep.

    >>> from verifier.program.builder import Builder
    >>> build = Builder()
    >>> total = build.apply("add", build.input("x"), build.input("a"))
    >>> mathml_as_written(build.program(total))
    '<math><mrow><mi>x</mi><mo>+</mo><mi>a</mi></mrow></math>'
    """
    depths: list[int] = []
    for node in program.nodes:
        depths.append(1 + max((depths[argument] for argument in node.arguments), default=0))
    if max(depths[output] for output in program.outputs) > DEEPEST:
        raise InputError(f"the formula has more than {DEEPEST} operations inside each other")
    return f"<math>{_part(ast.parse(write_text(program), mode='eval').body).markup}</math>"


def _part(tree: ast.expr) -> _Part:
    match tree:
        case ast.Name(name):
            return _Part(name_part(name))
        case ast.Constant(value):
            return _Part(f"<mn>{escaped_words(str(value))}</mn>")
        case ast.UnaryOp(ast.USub(), operand):
            return _Part(f"<mrow>{_sign('−')}{_at_least(operand, _PRODUCT)}</mrow>", _SIGN)
        case ast.UnaryOp(_, operand):
            return _Part(f"<mrow>{_sign('¬')}{_at_least(operand, _ATOM)}</mrow>", _SIGN)
        case ast.BinOp(left, operation, right):
            return _binary(left, operation, right)
        case ast.Compare(left, [operation], [right]):
            return _joined(left, _SIGNS[type(operation)], right, _COMPARISON)
        case ast.Call(ast.Name(name), arguments):
            return _call(name, arguments)
    return _Part(f"<mtext>{escaped_words(ast.unparse(tree))}</mtext>", _CHOICE)


def _binary(left: ast.expr, operation: ast.operator, right: ast.expr) -> _Part:
    match operation:
        case ast.Add():
            return _joined(left, "+", right, _SUM)
        case ast.Sub():
            return _joined(left, "−", right, _SUM)
        case ast.Div():
            fraction = f"<mfrac>{_row(left)}{_row(right)}</mfrac>"
            return _Part(fraction, _FRACTION)
        case ast.Pow():
            return _Part(f"<msup>{_at_least(left, _ATOM)}{_row(right)}</msup>", _FRACTION)
        case ast.Mult():
            return _product(left, right)
    return _joined(left, _SIGNS[type(operation)], right, _CHOICE)


def _joined(left: ast.expr, sign: str, right: ast.expr, precedence: int) -> _Part:
    """Both sides of a sign, the right one in brackets where it binds no more tightly."""
    sides = _at_least(left, precedence), _at_least(right, max(precedence + 1, _PRODUCT))
    return _Part(f"<mrow>{sides[0]}{_sign(sign)}{sides[1]}</mrow>", precedence)


def _product(left: ast.expr, right: ast.expr) -> _Part:
    second = _at_least(right, _FRACTION)
    # Two numbers that only stood beside each other would be another one.
    is_number = second.replace("<mrow>", "").replace("<msup>", "").startswith("<mn>")
    times = "·" if is_number else _TIMES
    return _Part(f"<mrow>{_at_least(left, _PRODUCT)}{_sign(times)}{second}</mrow>", _PRODUCT)


def _call(name: str, arguments: Sequence[ast.expr]) -> _Part:
    if name in _DRAWN and len(arguments) == 1:
        return _DRAWN[name](arguments[0])
    if name == "where" and len(arguments) == 3:
        return _choice(*arguments)
    inside = "<mo>,</mo>".join(map(_row, arguments))
    called = f"<mi>{escaped_words(name)}</mi>"
    return _Part(f"<mrow>{called}<mrow><mo>(</mo>{inside}<mo>)</mo></mrow></mrow>")


def _choice(condition: ast.expr, value: ast.expr, otherwise: ast.expr) -> _Part:
    rows = (
        f"<mtr><mtd>{_row(value)}</mtd><mtd><mtext>if\u2003</mtext>{_row(condition)}</mtd></mtr>"
        f"<mtr><mtd>{_row(otherwise)}</mtd><mtd><mtext>otherwise</mtext></mtd></mtr>"
    )
    return _Part(f"<mrow><mo>{{</mo><mtable>{rows}</mtable></mrow>", _CHOICE)


_DRAWN: dict[str, Callable[[ast.expr], _Part]] = {
    "sqrt": lambda of: _Part(f"<msqrt>{_row(of)}</msqrt>"),
    "exp": lambda of: _Part(f"<msup><mi>e</mi>{_row(of)}</msup>", _FRACTION),
    "abs": lambda of: _Part(f"<mrow><mo>|</mo>{_row(of)}<mo>|</mo></mrow>"),
}


def _row(tree: ast.expr) -> str:
    return _part(tree).markup


def _at_least(tree: ast.expr, precedence: int) -> str:
    """The part, in brackets if it binds less tightly than this."""
    part = _part(tree)
    if part.precedence >= precedence:
        return part.markup
    return f"<mrow><mo>(</mo>{part.markup}<mo>)</mo></mrow>"


def _sign(sign: str) -> str:
    return f"<mo>{escaped_words(sign)}</mo>"
