"""Lifting: a formula as an array program, each of its symbols an array, with its reduction at the
end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from verifier.errors import InputError
from verifier.operations.formats import Format
from verifier.operations.table import TABLE
from verifier.program.array_operations.operation import ArrayOperation
from verifier.program.builder import Builder
from verifier.program.program import CONSTANT, INPUT, Node, Program, Shape
from verifier.program.shapes import broadcast


class Reduction(Protocol):
    """What makes one number, or fewer numbers, of a formula's value at each element."""

    def __call__(self, builder: Builder, node: int) -> int: ...


def unreduced(builder: Builder, node: int) -> int:
    """The value at each element: `node` of `builder` as it is."""
    return node


def summed(builder: Builder, node: int) -> int:
    """The sum of all elements."""
    return builder.sum(node, range(len(builder.shape(node))))


def averaged(builder: Builder, node: int) -> int:
    """The mean of all elements."""
    return builder.apply(
        "divide", summed(builder, node), builder.constant(float(np.prod(builder.shape(node))))
    )


REDUCTIONS: dict[str, Reduction] = {"none": unreduced, "sum": summed, "mean": averaged}


def lifted(program: Program, builder: Builder, symbols: Mapping[str, int]) -> int:
    """The node of `builder` that computes the first result of `program`, a formula, on arrays,
    which are broadcast as NumPy does.

    `symbols` are the nodes of the arrays by name. Raises InputError for a symbol that is not among
    them, for rows of a batch inside a formula, and for shapes that do not fit.
    """
    values: list[int] = []
    for node in program.only(program.outputs[0]).nodes:
        values.append(_lifted(node, builder, symbols, values))
    return values[-1]


def _lifted(node: Node, builder: Builder, symbols: Mapping[str, int], values: list[int]) -> int:
    if node.operation == INPUT:
        if node.payload not in symbols:
            raise InputError(
                f"the formula uses {node.payload}, which is not among the inputs: name it as one "
                "of them"
            )
        return symbols[str(node.payload)]
    if node.operation == CONSTANT:
        return builder.constant(node.array if node.is_array else float(node.payload))
    arguments = [values[argument] for argument in node.arguments]
    match node.operation:
        case "array":
            operation: ArrayOperation = node.payload
            return operation.lowered(builder, *arguments)
        case "sum":
            return summed(builder, arguments[0])
        case "mean":
            return averaged(builder, arguments[0])
        case "size":
            return builder.constant(float(np.prod(builder.shape(arguments[0]))))
        case "spread":
            return builder.expand(arguments[1], builder.shape(arguments[0]))
    try:
        broadcast(*map(builder.shape, arguments))
    except InputError as error:
        raise InputError(f"in the formula {error.sentence} at {node.operation}") from None
    return builder.apply(node.operation, *arguments)


def common_shape(builder: Builder, node: int, shape: Shape) -> int:
    """`node` of `builder` broadcast to `shape`, that of what code returned. Raises InputError where
    that cannot be.
    """
    try:
        return builder.expand(node, shape)
    except ValueError:
        mine = builder.shape(node)
        raise InputError(
            f"the formula's value has the shape {mine}, the code's has {shape}: say the reduction"
        ) from None


def order_free(builder: Builder, outputs: Sequence[int]) -> list[int]:
    """New nodes of `builder` for its nodes `outputs`, with every chain of additions as one sum,
    which may be added up in any order.

    What a kernel of one's own computes is a formula, in an order that nobody can see.
    """
    uses = builder.uses(outputs)
    copies: dict[int, int] = {}
    for index in builder.needed(outputs):
        terms = _terms(builder, index, uses)
        if len(terms) <= 2:
            copies[index] = builder.again(
                index, [copies[argument] for argument in builder[index].arguments]
            )
            continue
        shape = builder.shape(index)
        signed = [
            builder.expand(
                builder.apply("negative", copies[term]) if taken else copies[term], shape
            )
            for term, taken in terms
        ]
        stacked = builder.reshape(builder.join(signed), (len(terms), *shape))
        with builder.rounding(builder[index].format):
            copies[index] = builder.sum(stacked, (0,))
    return [copies[output] for output in outputs]


def _terms(builder: Builder, root: int, uses: Mapping[int, int]) -> list[tuple[int, bool]]:
    """What a node adds up, each with whether it is taken away; inner sums that others use as well
    are terms.
    """
    terms, waiting = [], [(root, False)]
    while waiting:
        index, taken = waiting.pop()
        node = builder[index]
        if node.operation in ("add", "subtract") and (index == root or uses[index] == 1):
            left, right = node.arguments
            waiting += [(right, taken ^ (node.operation == "subtract")), (left, taken)]
        else:
            terms.append((index, taken))
    return terms


def rounded_each(builder: Builder, nodes: Sequence[int], format: Format) -> list[int]:
    """New nodes of `builder` for some of its `nodes`, with every operation rounded to `format`, one
    of 16 bits, as torch does where nothing is fused.
    """
    moved: dict[int, int] = {}
    for index in builder.places_in(*nodes):
        node = builder[index]
        again = builder.again(index, [moved[argument] for argument in node.arguments])
        is_exact = node.operation in TABLE and TABLE[node.operation].budget.torch == 0.0
        moved[index] = again if node.format is None or is_exact else builder.round(again, format)
    return [moved[node] for node in nodes]
