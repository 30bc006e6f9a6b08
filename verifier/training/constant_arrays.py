"""Arrays that stand in a formula: they are data, and a training rounds them as it rounds data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from verifier.errors import InputError
from verifier.operations.formats import Format
from verifier.program.program import CONSTANT, FrozenArray, Node, Program


def with_arrays_in(program: Program, format: Format) -> Program:
    """The program with the numbers of its constant arrays rounded to the format; plain numbers
    stay as they were written.

    Raises InputError for an array with a number that is too large for the format.

    >>> from verifier.operations.formats import FLOAT32
    >>> from verifier.program.builder import FormulaBuilder
    >>> build = FormulaBuilder()
    >>> table = build.program(build.constant(np.array([0.1])))
    >>> with_arrays_in(table, FLOAT32).nodes[0].array
    array([0.1])
    >>> float(with_arrays_in(table, FLOAT32).nodes[0].array[0])
    0.10000000149011612
    """
    return Program(tuple(_rounded(node, format) for node in program.nodes), program.outputs)


def _rounded(node: Node, format: Format) -> Node:
    if node.operation != CONSTANT or not node.is_array or node.array.dtype == bool:
        return node
    with np.errstate(over="ignore"):
        numbers = node.array.astype(format.name).astype(np.float64)
    large = node.array[~np.isfinite(numbers)]
    if large.size:
        raise InputError(
            f"an array in the formula holds {large[0].item()!r}, too large for {format.name}"
        )
    return replace(node, payload=FrozenArray(numbers))
