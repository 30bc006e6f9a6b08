"""Lifting: a formula as an array program, each of its symbols an array, with its reduction at the end.

Sums of several terms are added up in any order, since code of the same formula may add them in any.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from verifier.arrays import ArrayBuilder, Shape
from verifier.errors import InputError
from verifier.floats import Format
from verifier.program import CONSTANT, SYMBOL, Node, Program
from verifier.table import TABLE


class Reduction(Protocol):
    """What makes one number, or fewer numbers, of a formula's value at each element."""

    def __call__(self, builder: ArrayBuilder, node: int) -> int: ...


def unreduced(builder: ArrayBuilder, node: int) -> int:
    """The value at each element."""
    return node


def summed(builder: ArrayBuilder, node: int) -> int:
    """The sum of all elements."""
    return builder.sum(node, range(len(builder.shape(node))))


def averaged(builder: ArrayBuilder, node: int) -> int:
    """The mean of all elements."""
    return builder.apply("divide", summed(builder, node), builder.constant(float(np.prod(builder.shape(node)))))


REDUCTIONS: dict[str, Reduction] = {"none": unreduced, "sum": summed, "mean": averaged}


def lifted(program: Program, builder: ArrayBuilder, symbols: Mapping[str, int]) -> int:
    """The node of the program's first result on these arrays, which are broadcast as NumPy does.

    Raises InputError for a symbol that is not among them, and for rows of a batch inside a formula.
    """
    values: list[int] = []
    for node in program.only(program.outputs[0]).nodes:
        values.append(_lifted(node, builder, symbols, values))
    return values[-1]


def _lifted(node: Node, builder: ArrayBuilder, symbols: Mapping[str, int], values: list[int]) -> int:
    if node.operation == SYMBOL:
        if node.payload not in symbols:
            raise InputError(f"the formula uses {node.payload}, which is not among the inputs: name it as one of them")
        return symbols[str(node.payload)]
    if node.operation == CONSTANT:
        return builder.constant(float(node.payload))
    arguments = [values[argument] for argument in node.arguments]
    match node.operation:
        case "sum":
            return summed(builder, arguments[0])
        case "mean":
            return averaged(builder, arguments[0])
    return builder.apply(node.operation, *arguments)


def common_shape(builder: ArrayBuilder, node: int, shape: Shape) -> int:
    """The node in the shape of what code returned. Raises InputError where it cannot be."""
    try:
        return builder.expand(node, shape)
    except ValueError:
        mine = builder.shape(node)
        raise InputError(
            f"the formula's value has the shape {mine}, the code's has {shape}: say the reduction"
        ) from None


def rounded_each(builder: ArrayBuilder, nodes: Sequence[int], format: Format) -> list[int]:
    """The same nodes with every operation rounded to a 16-bit format, as torch does where nothing is fused."""
    moved: dict[int, int] = {}
    for index in builder.places_in(*nodes):
        node = builder[index]
        again = builder.again(index, [moved[argument] for argument in node.arguments])
        is_exact = node.operation in TABLE and TABLE[node.operation].budget.torch == 0.0
        moved[index] = again if node.format is None or is_exact else builder.round(again, format)
    return [moved[node] for node in nodes]
