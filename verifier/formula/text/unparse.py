"""Formulas as text: a program written back, so that reading it gives the same nodes.

>>> build = FormulaBuilder()
>>> x = build.input("x")
>>> write_text(build.program(build.apply("multiply", build.apply("exp", x), x)))
'exp(x) * x'
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from verifier.errors import InputError
from verifier.formula.text.parser import LONGEST, read_text
from verifier.program.array_operations.operation import TEXT, Argument, ArrayOperation
from verifier.program.builder import FormulaBuilder
from verifier.program.infix_operators import (
    ATOM,
    COMPARISON,
    CONSTANTS,
    DENIAL,
    INFIX,
    POWER,
    SIGN,
    SYMBOLS,
    operate,
)
from verifier.program.program import ARRAY, CONSTANT, INPUT, Node, Program


class _ArgumentSlot(NamedTuple):
    """Where the text of a node comes in a longer one, in brackets if it binds less tightly than
    this.
    """

    node: int
    precedence: int = 0


class _NodeText(NamedTuple):
    """The text of a node: pieces of text, and holes for its arguments."""

    pieces: tuple[str | _ArgumentSlot, ...]
    precedence: int = ATOM


def write_text(program: Program) -> str:
    """The program's only result as text, with no brackets that do not matter.

    `read_text` gives the same node for it. Raises InputError where that cannot be, and where the
    text would be too long: nodes that are shared stand in it each time they are used.
    """
    (output,) = program.outputs
    build, places = FormulaBuilder(), dict[int, int]()
    root = build.copy(program, output, places)
    nodes = sorted(places.values())
    symbols = {str(build[node].payload): node for node in nodes if build[node].operation == INPUT}
    written = {node: _node_text(build, node, symbols) for node in nodes}
    text = _joined_text(written, root)
    try:
        same = read_text(text, build, symbols) == root
    except InputError as error:
        raise InputError(f"the formula cannot be written as text: {error.sentence}") from None
    if not same:
        raise InputError("the formula cannot be written as text: it would be read as another one")
    return text


def _joined_text(written: Mapping[int, _NodeText], root: int) -> str:
    lengths: dict[int, int] = {}
    for node, (pieces, _) in written.items():
        lengths[node] = sum(
            len(piece) if isinstance(piece, str) else lengths[piece.node] for piece in pieces
        )
        if lengths[node] > LONGEST:
            raise InputError(
                f"the formula has more than {LONGEST} characters: it is not written out"
            )
    texts: list[str] = []
    waiting: list[str | _ArgumentSlot] = [_ArgumentSlot(root)]
    while waiting:
        piece = waiting.pop()
        if isinstance(piece, str):
            texts.append(piece)
        else:
            pieces, precedence = written[piece.node]
            within = ("(", *pieces, ")") if precedence < piece.precedence else pieces
            waiting.extend(reversed(within))
    return "".join(texts)


def _node_text(build: FormulaBuilder, index: int, symbols: Mapping[str, int]) -> _NodeText:
    node = build[index]
    if node.operation == INPUT:
        return _NodeText((str(node.payload),))
    if node.operation == CONSTANT and node.is_array:
        return _NodeText((str(node.array.tolist()),))
    if node.operation == CONSTANT:
        return _NodeText(
            (repr(node.payload),), SIGN if math.copysign(1.0, node.payload) < 0 else ATOM
        )
    if node.operation == ARRAY:
        return _array_text(node)
    if node.operation == "negative":
        return _negative_text(build, *node.arguments)
    if node.operation == "not":
        return _NodeText(("not ", _ArgumentSlot(node.arguments[0], DENIAL)), DENIAL)
    if node.operation == "square":
        return _NodeText((_ArgumentSlot(node.arguments[0], ATOM), "**2"), POWER)
    if node.operation in CONSTANTS.values() and not node.arguments:
        return _NodeText(("E" if node.operation in symbols else node.operation,))
    if node.operation in SYMBOLS and _is_operator(build, index):
        return _infix_text(node)
    separated = [piece for argument in node.arguments for piece in (", ", _ArgumentSlot(argument))]
    return _NodeText((f"{node.operation}(", *separated[1:], ")"))


def _array_text(node: Node) -> _NodeText:
    """An operation on arrays as it writes itself, with slots for its arguments."""
    operation: ArrayOperation = node.payload
    if operation.symbol:
        left, right = node.arguments
        own = INFIX["*"].precedence
        slots = _ArgumentSlot(left, own), _ArgumentSlot(right, own + 1)
        return _NodeText((slots[0], f" {operation.symbol} ", slots[1]), own)
    marks = [Argument(f"\0{place}\0", f"\0{place}.\0") for place in range(len(node.arguments))]
    pieces: list[str | _ArgumentSlot] = []
    for position, piece in enumerate(operation.source(TEXT, *marks).split("\0")):
        if position % 2 == 0:
            pieces.append(piece)
        else:
            place = int(piece.rstrip("."))
            pieces.append(_ArgumentSlot(node.arguments[place], ATOM if "." in piece else 0))
    return _NodeText(tuple(pieces))


def _is_operator(build: FormulaBuilder, index: int) -> bool:
    """Whether reading the operator between the arguments gives the node itself."""
    row, arguments = build[index].operation, build[index].arguments
    return INFIX[SYMBOLS[row]].precedence <= COMPARISON or operate(build, row, *arguments) == index


def _negative_text(build: FormulaBuilder, argument: int) -> _NodeText:
    # -3 is a number and -(3) the negative of one.
    number = None if build[argument].is_array else build[argument].number
    literal = number is not None and math.copysign(1.0, number) > 0
    return _NodeText(("-", _ArgumentSlot(argument, ATOM + 1 if literal else SIGN)), SIGN)


def _infix_text(node: Node) -> _NodeText:
    symbol = SYMBOLS[node.operation]
    own = INFIX[symbol].precedence
    left, right = node.arguments
    if own == POWER:
        return _NodeText((_ArgumentSlot(left, ATOM), symbol, _ArgumentSlot(right, SIGN)), own)
    # Only the left operand may go without brackets: a + (b + c) is not (a + b) + c in floats.
    return _NodeText(
        (
            _ArgumentSlot(left, own + (own == COMPARISON)),
            f" {symbol} ",
            _ArgumentSlot(right, own + 1),
        ),
        own,
    )
