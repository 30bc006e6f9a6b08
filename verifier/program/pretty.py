"""Pretty printing: an array program as text, so that people see what was read from code.

It is for people: broadcasting and rounding are left out, and shared parts stand each time they are
used.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np

from verifier.program.array_operations.operation import TEXT, Argument, ArrayOperation
from verifier.program.builder import places
from verifier.program.infix_operators import ATOM, INFIX, SIGN, SYMBOLS
from verifier.program.program import (
    CONSTANT,
    INPUT,
    NOTHING,
    RESHAPE,
    ROUND,
    Node,
    Program,
    is_held,
)

MOST_OPERATIONS = 100
MOST_CHARACTERS = 1_000
"""Nobody reads longer formulas: operations are counted instead."""


class _Text(NamedTuple):
    text: str
    precedence: int = ATOM

    def within(self, precedence: int) -> str:
        return self.text if self.precedence >= precedence else f"({self.text})"


def readback(program: Program) -> str:
    """The results of `program` as formulas, or its size and its operations where they are too long
    to be read.

    >>> from verifier.program.builder import Builder
    >>> build = Builder()
    >>> x = build.input("x", (3,))
    >>> readback(build.program(build.sum(build.apply("multiply", x, x), (0,))))
    'sum(x*x)'
    """
    counted = Counter(node.operation for node in program.nodes if node.operation not in _SILENT)
    if sum(counted.values()) <= MOST_OPERATIONS:
        texts: list[_Text] = []
        for node in program.nodes:
            written = _written(node, program, texts)
            texts.append(
                written if len(written.text) <= MOST_CHARACTERS else _Text("..." * MOST_CHARACTERS)
            )
        results = [texts[output].text for output in program.outputs]
        if sum(map(len, results)) <= MOST_CHARACTERS:
            return "\n".join(results)
    text = ", ".join(f"{name} {count:,}" for name, count in counted.most_common())
    return f"{sum(counted.values()):,} operations on {program.elements:,} numbers: {text}"


_SILENT = frozenset({INPUT, CONSTANT, RESHAPE, ROUND})


def _written(node: Node, program: Program, texts: list[_Text]) -> _Text:
    arguments = [texts[argument] for argument in node.arguments]
    match node.operation:
        case "input":
            return _Text(str(node.payload))
        case "array":
            return _on_arrays(node.payload, arguments)
        case "constant":
            return _constant(node)
        case "reshape" | "round":
            return _Text(f"constant({arguments[0].text})") if is_held(node) else arguments[0]
        case "take":
            return _taken(node, program.nodes[node.arguments[0]], arguments[0])
        case "pile":
            return _Text(f"scatter_add({arguments[0].text})")
        case "join":
            return _Text(f"cat({', '.join(argument.text for argument in arguments)})")
        case "total":
            return _Text(f"sum({arguments[0].text}{_axes(node, program.nodes[node.arguments[0]])})")
        case "contract":
            precedence = INFIX["*"].precedence
            return _Text(
                f"{arguments[0].within(precedence)} @ {arguments[1].within(precedence + 1)}",
                precedence,
            )
    return _row(node.operation, arguments)


def _on_arrays(operation: ArrayOperation, arguments: list[_Text]) -> _Text:
    if operation.symbol:
        own = INFIX["*"].precedence
        left, right = arguments
        return _Text(f"{left.within(own)} {operation.symbol} {right.within(own + 1)}", own)
    given = [Argument(argument.text, argument.within(ATOM)) for argument in arguments]
    return _Text(operation.source(TEXT, *given))


def _constant(node: Node) -> _Text:
    number = node.number
    if number is None:
        return _Text(f"a constant of {'x'.join(map(str, node.shape)) or 'truth'}")
    shown = str(int(number)) if number == np.floor(number) and abs(number) < 1e15 else repr(number)
    return _Text(shown, SIGN if number < 0 else ATOM)


def _taken(node: Node, source: Node, argument: _Text) -> _Text:
    index = node.array
    own = places(source.shape)
    try:
        if np.array_equal(index, np.broadcast_to(own, node.shape)):
            return argument
    except ValueError:
        pass
    if own.ndim == 2 and np.array_equal(index, own.T):
        return _Text(f"{argument.within(ATOM)}.T")
    if np.any(index == NOTHING):
        return _Text(f"pad({argument.text})")
    if index.size == 1:
        place = np.unravel_index(int(index.ravel()[0]), source.shape)
        return _Text(f"{argument.within(ATOM)}[{', '.join(map(str, place))}]")
    return _Text(f"take({argument.text})")


def _axes(node: Node, source: Node) -> str:
    return (
        "" if len(node.payload) == len(source.shape) else f", {', '.join(map(str, node.payload))}"
    )


def _row(operation: str, arguments: list[_Text]) -> _Text:
    if operation == "negative":
        return _Text(f"-{arguments[0].within(SIGN)}", SIGN)
    if operation == "square":
        return _Text(f"{arguments[0].within(ATOM)}**2", INFIX["**"].precedence)
    if operation in SYMBOLS and len(arguments) == 2:
        symbol = SYMBOLS[operation]
        own = INFIX[symbol].precedence
        left, right = arguments
        spaced = symbol if symbol in ("*", "/", "**") else f" {symbol} "
        before, after = (ATOM, SIGN) if symbol == "**" else (own, own + 1)
        return _Text(f"{left.within(before)}{spaced}{right.within(after)}", own)
    return _Text(f"{operation}({', '.join(argument.text for argument in arguments)})")
