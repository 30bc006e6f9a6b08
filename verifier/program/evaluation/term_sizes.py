"""The size of the terms that a result is made of: what is left after cancellation is small against
it.

Pairs of a float64 value and a size are carried through an array program: a sum's size is the sum of
its terms' sizes whatever their signs, a product's the product of its factors'; a function's is its
value's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from verifier.operations.table import TABLE
from verifier.program.array_program import NOTHING, ArrayNode, ArrayProgram, evaluate
from verifier.program.evaluation.rounding import size_of_terms
from verifier.program.matrices.function import exact

_Pair = tuple[Any, Any]


class SizeArithmetic:
    """Pairs of value and size."""

    def input(self, value: Any) -> _Pair:
        array = np.asarray(value, dtype=np.float64)
        return array, np.abs(array)

    def constant(self, place: int, node: ArrayNode) -> _Pair:
        array = node.payload.array
        return array, np.abs(array) if array.dtype != bool else array

    def take(self, place: int, node: ArrayNode, argument: _Pair) -> _Pair:
        index = node.payload.array
        value, size = (np.append(np.ravel(part), part.dtype.type(0)) for part in argument)
        return value[index], size[index]  # NOTHING is the last place

    def pile(self, place: int, node: ArrayNode, argument: _Pair) -> _Pair:
        index, count = node.payload.array.ravel(), int(np.prod(node.shape))
        kept = index != NOTHING
        value, size = (
            np.bincount(index[kept], weights=np.ravel(part)[kept], minlength=count).reshape(
                node.shape
            )
            for part in argument
        )
        return value, size

    def join(self, place: int, node: ArrayNode, *arguments: _Pair) -> _Pair:
        return tuple(
            np.concatenate([np.ravel(pair[side]) for pair in arguments]) for side in (0, 1)
        )  # type: ignore[return-value]

    def reshape(self, place: int, node: ArrayNode, argument: _Pair) -> _Pair:
        return argument[0].reshape(node.shape), argument[1].reshape(node.shape)

    def total(self, place: int, node: ArrayNode, argument: _Pair) -> _Pair:
        with np.errstate(all="ignore"):
            return argument[0].sum(axis=node.payload), argument[1].sum(axis=node.payload)

    def contract(self, place: int, node: ArrayNode, left: _Pair, right: _Pair) -> _Pair:
        with np.errstate(all="ignore"):
            return np.matmul(left[0], right[0]), np.matmul(left[1], right[1])

    def matrix(self, place: int, node: ArrayNode, argument: _Pair) -> _Pair:
        return node.payload.floats(argument[0], exact), node.payload.sizes(argument[1])

    def round(self, place: int, node: ArrayNode, argument: _Pair) -> _Pair:
        return argument

    def row(self, place: int, node: ArrayNode, *arguments: _Pair) -> _Pair:
        values, sizes = [pair[0] for pair in arguments], [pair[1] for pair in arguments]
        with np.errstate(all="ignore"):
            value = np.asarray(TABLE[node.operation].numpy.function(*values))
            return value, size_of_terms(node.operation, value, values, sizes)


def term_sizes(program: ArrayProgram, arguments: Mapping[str, Any]) -> list[Any]:
    """For each result the size of the terms that it is made of, as float64 arrays; so are the
    arguments.
    """
    return [size for _, size in evaluate(program, SizeArithmetic(), arguments)]
