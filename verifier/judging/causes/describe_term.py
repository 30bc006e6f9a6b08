"""A term of a gradient in words short enough for a sentence."""

from __future__ import annotations

import numpy as np

from verifier.capture.code_at_point import SEED, TANGENT
from verifier.operations.operation import Infix
from verifier.operations.table import TABLE
from verifier.program.program import (
    CONDITIONS,
    CONSTANT,
    CONTRACT,
    INPUT,
    PILE,
    RESHAPE,
    ROUND,
    TAKE,
    TOTAL,
    Program,
)

LONGEST = 60
"""Characters of a term that is written out."""


def describe_node(program: Program, place: int) -> str:
    """The node at `place` in `program` as text of at most LONGEST characters; a longer one by its
    last operation, and a comparison by that of each side.
    """
    text, node = short_text(program, place), program.nodes[place]
    if text is None and node.operation in CONDITIONS:
        sides = [describe_node(program, argument) for argument in node.arguments]
        return _without_brackets(_operation_text(node.operation, sides))
    return text or f"a result of {_last_operation(program, place)}"


def describe_term(program: Program, place: int) -> str:
    """A node as a term of a sum, for a sentence: `the term x * y`."""
    text = short_text(program, place)
    return (
        f"a term that ends in {_last_operation(program, place)}"
        if text is None
        else f"the term {text}"
    )


def short_text(program: Program, place: int) -> str | None:
    """The node at `place` in `program` as text of at most LONGEST characters; None where it takes
    more.
    """
    text = _text_within(program, place, LONGEST)
    return None if text is None else _without_brackets(text)


def _text_within(program: Program, place: int, room: int) -> str | None:
    """The text of a node; None where there is no room for it."""
    node = program.nodes[place]
    if node.operation == INPUT:
        return _input_text(str(node.payload))
    if node.operation == CONSTANT:
        numbers = np.unique(node.array)
        return f"{numbers[0]:g}" if len(numbers) == 1 else "constants"
    if node.operation == "where" and program.nodes[node.arguments[2]].number == 0:
        # What multiplies a branch that is not taken is 0.
        return _text_within(program, node.arguments[1], room)
    parts: list[str] = []
    for argument in node.arguments:
        part = _text_within(program, argument, room) if room > 0 else None
        if part is None:
            return None
        parts.append(part)
        room -= len(part)
    return parts[0] if node.operation in _SAME else _operation_text(node.operation, parts)


def _operation_text(operation: str, parts: list[str]) -> str:
    if operation in _CALLS:
        return f"{_CALLS[operation]}({_without_brackets(parts[0])})"
    if operation == CONTRACT:
        return f"({parts[0]} @ {parts[1]})"
    notation = TABLE[operation].numpy if operation in TABLE else None
    if operation == "multiply" and "1" in parts:
        return parts[1 - parts.index("1")]
    if isinstance(notation, Infix):
        return f"(-{parts[0]})" if len(parts) == 1 else f"({f' {notation.symbol} '.join(parts)})"
    return f"{operation}({', '.join(map(_without_brackets, parts))})"


_SAME = frozenset({TAKE, RESHAPE, ROUND})
"""What only moves numbers is not written."""
_CALLS = {TOTAL: "sum", PILE: "sum"}


def _without_brackets(text: str) -> str:
    if not (text.startswith("(") and text.endswith(")")):
        return text
    depth = 0
    for position, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0 and position < len(text) - 1:
            return text
    return text[1:-1]


def _input_text(name: str) -> str:
    if name.startswith(SEED):
        number = name.removeprefix(SEED)
        return "grad_output" if number == "0" else f"grad_output {number}"
    return f"d{name.removeprefix(TANGENT)}" if name.startswith(TANGENT) else name


_SILENT = CONDITIONS | {
    INPUT, CONSTANT, TAKE, RESHAPE, ROUND, TOTAL, PILE, "multiply", "where", "add", "negative",
}  # fmt: skip


def _last_operation(program: Program, place: int) -> str:
    """The operation nearest to the end that says something."""
    layer, seen = [place], set[int]()
    while layer:
        for one in layer:
            if program.nodes[one].operation not in _SILENT:
                return program.nodes[one].operation
        seen |= set(layer)
        layer = [
            argument
            for one in layer
            for argument in program.nodes[one].arguments
            if argument not in seen
        ]
    return program.nodes[place].operation
