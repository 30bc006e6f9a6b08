"""Batches: an array program in float64 at several arguments at once, or with several decisions.

The first axis of every array are the variants; what is the same in all of them has the length 1
there, and is computed once. Nothing is rounded to the formats of the nodes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from verifier.operations.arrays import Array
from verifier.operations.table import TABLE
from verifier.program.matrices.function import exact
from verifier.program.program import NOTHING, Node


class BatchArithmetic:
    """Float64 arrays whose first axis are the variants; arguments have that axis already."""

    def input(self, value: Array) -> Array:
        return np.asarray(value, dtype=np.float64)

    def constant(self, place: int, node: Node) -> Array:
        return np.asarray(node.array[None])

    def take(self, place: int, node: Node, argument: Array) -> Array:
        index = node.array
        flat = argument.reshape(argument.shape[0], -1)
        if not (index == NOTHING).any():
            return flat[:, index]
        nothing = np.zeros((flat.shape[0], 1), dtype=flat.dtype)
        return np.concatenate([flat, nothing], axis=1)[:, index]

    def pile(self, place: int, node: Node, argument: Array) -> Array:
        return piled_rows(argument, node)

    def join(self, place: int, node: Node, *arguments: Array) -> Array:
        lead = max(argument.shape[0] for argument in arguments)
        parts = [
            np.broadcast_to(part, (lead, *part.shape[1:])).reshape(lead, -1) for part in arguments
        ]
        return np.concatenate(parts, axis=1)

    def reshape(self, place: int, node: Node, argument: Array) -> Array:
        return argument.reshape(argument.shape[0], *node.shape)

    def total(self, place: int, node: Node, argument: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(argument.sum(axis=tuple(axis + 1 for axis in node.payload)))

    def contract(self, place: int, node: Node, left: Array, right: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(np.matmul(left, right))

    def matrix(self, place: int, node: Node, argument: Array) -> Array:
        return np.asarray(node.payload.floats(argument, exact))

    def round(self, place: int, node: Node, argument: Array) -> Array:
        return argument

    def row(self, place: int, node: Node, *arguments: Array) -> Array:
        with np.errstate(all="ignore"):
            result = np.asarray(TABLE[node.operation].numpy.function(*aligned(arguments)))
        return result if arguments else result.reshape(1)


def piled_rows(argument: Array, node: Node) -> Array:
    """For each variant zeros of the node's shape, with each element added at its place."""
    index, count = node.array.ravel(), int(np.prod(node.shape))
    kept = index != NOTHING
    flat = argument.reshape(argument.shape[0], -1)[:, kept]
    rows = [np.bincount(index[kept], weights=row, minlength=count) for row in flat]
    return np.stack(rows).reshape(len(rows), *node.shape)


def aligned(arguments: Sequence[Array]) -> list[Array]:
    """Arrays that broadcast against each other behind the axis of the variants."""
    rank = max((argument.ndim for argument in arguments), default=0)
    return [
        part.reshape(part.shape[0], *([1] * (rank - part.ndim)), *part.shape[1:])
        for part in arguments
    ]
