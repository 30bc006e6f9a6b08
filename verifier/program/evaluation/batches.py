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
        """The value in float64; its first axis counts the variants."""
        return np.asarray(value, dtype=np.float64)

    def constant(self, place: int, node: Node) -> Array:
        """The constant with a first axis of length 1, since it is the same in all variants."""
        return np.asarray(node.array[None])

    def take(self, place: int, node: Node, argument: Array) -> Array:
        """The elements at the places of the index, in each variant; 0 where it says nothing."""
        index = node.array
        flat = argument.reshape(argument.shape[0], -1)
        if not (index == NOTHING).any():
            return flat[:, index]
        nothing = np.zeros((flat.shape[0], 1), dtype=flat.dtype)
        return np.concatenate([flat, nothing], axis=1)[:, index]

    def pile(self, place: int, node: Node, argument: Array) -> Array:
        """The sums of the elements that land on the same place, in each variant."""
        return piled_rows(argument, node)

    def join(self, place: int, node: Node, *arguments: Array) -> Array:
        """All elements behind each other, along the second axis."""
        lead = max(argument.shape[0] for argument in arguments)
        parts = [
            np.broadcast_to(part, (lead, *part.shape[1:])).reshape(lead, -1) for part in arguments
        ]
        return np.concatenate(parts, axis=1)

    def reshape(self, place: int, node: Node, argument: Array) -> Array:
        """The node's shape behind the axis of the variants."""
        return argument.reshape(argument.shape[0], *node.shape)

    def total(self, place: int, node: Node, argument: Array) -> Array:
        """NumPy's pairwise sums along the node's axes."""
        with np.errstate(all="ignore"):
            return np.asarray(argument.sum(axis=tuple(axis + 1 for axis in node.payload)))

    def contract(self, place: int, node: Node, left: Array, right: Array) -> Array:
        """NumPy's products of the matrices in the last two axes."""
        with np.errstate(all="ignore"):
            return np.asarray(np.matmul(left, right))

    def matrix(self, place: int, node: Node, argument: Array) -> Array:
        """What the node's function of matrices gives in float64, without noise."""
        return np.asarray(node.payload.floats(argument, exact))

    def round(self, place: int, node: Node, argument: Array) -> Array:
        """The argument itself: the variants stay in float64."""
        return argument

    def row(self, place: int, node: Node, *arguments: Array) -> Array:
        """What NumPy's function for the row gives; a row without arguments gives one number for all
        variants.
        """
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
    """The `arguments`, arrays whose first axis is that of the variants, in shapes that broadcast
    against each other behind it.
    """
    rank = max((argument.ndim for argument in arguments), default=0)
    return [
        part.reshape(part.shape[0], *([1] * (rank - part.ndim)), *part.shape[1:])
        for part in arguments
    ]
