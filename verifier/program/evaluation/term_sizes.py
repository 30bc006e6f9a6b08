"""The size of the terms that a result is made of: what is left after cancellation is small against
it.

Pairs of a float64 value and a size are carried through an array program: a sum's size is the sum of
its terms' sizes whatever their signs, a product's the product of its factors'; a function's is its
value's, or what its rounding is measured by where that is larger: a series has terms too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from verifier.operations.arrays import Floats
from verifier.operations.table import TABLE
from verifier.program.evaluation.arithmetic import NumPyArithmetic
from verifier.program.matrices.function import exact
from verifier.program.program import NOTHING, Node, Program, evaluate

_Pair = tuple[Floats, Floats]


class SizeArithmetic:
    """Pairs of value and size."""

    def input(self, value: Floats) -> _Pair:
        """The value, and its absolute value."""
        array = np.asarray(value, dtype=np.float64)
        return array, np.abs(array)

    def constant(self, place: int, node: Node) -> _Pair:
        """The constant, and its absolute value; truth values have none."""
        array = node.array
        return array, np.abs(array) if array.dtype != bool else array

    def take(self, place: int, node: Node, argument: _Pair) -> _Pair:
        """Values and sizes at the places of the index; 0 where it says nothing."""
        index = node.array
        value, size = (np.append(np.ravel(part), part.dtype.type(0)) for part in argument)
        return value[index], size[index]  # NOTHING is the last place

    def pile(self, place: int, node: Node, argument: _Pair) -> _Pair:
        """The sums of values, and of sizes, that land on the same place."""
        index, count = node.array.ravel(), int(np.prod(node.shape))
        kept = index != NOTHING
        value, size = (
            np.bincount(index[kept], weights=np.ravel(part)[kept], minlength=count)
            .astype(np.float64)
            .reshape(node.shape)
            for part in argument
        )
        return value, size

    def join(self, place: int, node: Node, *arguments: _Pair) -> _Pair:
        """Values and sizes behind each other."""
        return tuple(
            np.concatenate([np.ravel(pair[side]) for pair in arguments]) for side in (0, 1)
        )  # type: ignore[return-value]

    def reshape(self, place: int, node: Node, argument: _Pair) -> _Pair:
        """Values and sizes in the node's shape."""
        return argument[0].reshape(node.shape), argument[1].reshape(node.shape)

    def total(self, place: int, node: Node, argument: _Pair) -> _Pair:
        """The sums of values, and of sizes: what cancels in the first stays in the second."""
        with np.errstate(all="ignore"):
            return argument[0].sum(axis=node.payload), argument[1].sum(axis=node.payload)

    def contract(self, place: int, node: Node, left: _Pair, right: _Pair) -> _Pair:
        """The products of the matrices of values, and of those of sizes."""
        with np.errstate(all="ignore"):
            return np.matmul(left[0], right[0]), np.matmul(left[1], right[1])

    def matrix(self, place: int, node: Node, argument: _Pair) -> _Pair:
        """What the function of matrices gives of the values, and how large it says that its terms
        are.
        """
        return node.payload.floats(argument[0], exact), node.payload.sizes(argument[1])

    def round(self, place: int, node: Node, argument: _Pair) -> _Pair:
        """The argument itself: a rounding changes no size that matters."""
        return argument

    def row(self, place: int, node: Node, *arguments: _Pair) -> _Pair:
        """The row's values, and the sizes of the terms that they are made of."""
        values, sizes = [pair[0] for pair in arguments], [pair[1] for pair in arguments]
        value = np.asarray(_FLOAT64.row(place, node, *values))
        match node.operation:
            case "sum" | "mean":
                return value, np.asarray(_FLOAT64.row(place, node, sizes[0]))
            case "spread":
                return value, np.full_like(values[0], sizes[1])
        with np.errstate(all="ignore"):
            return value, _size_of_terms(node.operation, value, values, sizes)


def _size_of_terms(
    operation: str, value: Floats, values: Sequence[Floats], sizes: Sequence[Floats]
) -> Floats:
    """The size of the terms of an element's result, from its arguments and the sizes of theirs."""
    match operation:
        case "add" | "subtract":
            return sizes[0] + sizes[1]
        case "multiply":
            return sizes[0] * sizes[1]
        case "square":
            return sizes[0] * sizes[0]
        case "divide":
            return sizes[0] / np.abs(values[1])
        case "negative":
            return sizes[0]
        case "where":
            return np.where(values[0], sizes[1], sizes[2])
    measure = TABLE[operation].budget.size if operation in TABLE else None
    if measure is None:
        return np.abs(value)
    return np.fmax(np.abs(value), np.asarray(measure(value, *values), dtype=np.float64))


_FLOAT64 = NumPyArithmetic("float64")


def term_sizes(program: Program, arguments: Mapping[str, Floats]) -> list[Floats]:
    """For each result of `program` the size of the terms that it is made of, as float64 arrays.

    `arguments` are float64 arrays by name; those of a formula are points by rows.
    """
    return [size for _, size in evaluate(program, SizeArithmetic(), arguments)]
