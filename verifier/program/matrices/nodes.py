"""Products and parts of matrices as nodes, for gradients that are written in matrices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from verifier.program.builder import Builder, places
from verifier.program.program import Shape


def transposed(builder: Builder, node: int) -> int:
    """The node with its last two axes swapped."""
    return builder.take(node, places(builder.shape(node)).swapaxes(-1, -2))


def product(builder: Builder, *factors: int) -> int:
    """Of matrices, from left to right."""
    result = factors[0]
    for factor in factors[1:]:
        result = builder.contract(result, factor)
    return result


def total(builder: Builder, *terms: int) -> int:
    """The sum of the terms, added from the left."""
    result = terms[0]
    for term in terms[1:]:
        result = builder.apply("add", result, term)
    return result


def scaled_columns(builder: Builder, node: int, factors: int) -> int:
    """A matrix times a diagonal one: each column times its factor."""
    *batch, count = builder.shape(factors)
    return builder.apply("multiply", node, builder.reshape(factors, (*batch, 1, count)))


def divided_columns(builder: Builder, node: int, divisors: int) -> int:
    """The matrices with column j divided by entry j of the divisors."""
    *batch, count = builder.shape(divisors)
    return builder.apply("divide", node, builder.reshape(divisors, (*batch, 1, count)))


def diagonal_matrix(builder: Builder, entries: int) -> int:
    """A matrix with these entries on its diagonal, and zeros elsewhere."""
    *batch, count = builder.shape(entries)
    unit = builder.constant(np.eye(count, dtype=bool))
    spread = builder.reshape(entries, (*batch, 1, count))
    return builder.apply("where", unit, spread, builder.constant(0.0))


def differences(builder: Builder, entries: int) -> int:
    """In row i and column j entry j less entry i, and 1 on the diagonal."""
    *batch, count = builder.shape(entries)
    row = builder.reshape(entries, (*batch, 1, count))
    column = builder.reshape(entries, (*batch, count, 1))
    apart = builder.apply("subtract", row, column)
    return builder.apply(
        "where", builder.constant(np.eye(count, dtype=bool)), builder.constant(1.0), apart
    )


def without_diagonal(builder: Builder, node: int) -> int:
    """The square matrices with zeros on their diagonals."""
    count = builder.shape(node)[-1]
    unit = builder.constant(np.eye(count, dtype=bool))
    return builder.apply("where", unit, builder.constant(0.0), node)


def blocks(builder: Builder, diagonal: int, corner: int) -> int:
    """Of twice the size: one matrix twice on the diagonal, another one above it, zeros below."""
    shape = builder.shape(diagonal)
    nothing = builder.expand(builder.constant(0.0), shape)
    upper = joined(builder, -1, (diagonal, corner))
    return joined(builder, -2, (upper, joined(builder, -1, (nothing, diagonal))))


def joined(builder: Builder, axis: int, nodes: Sequence[int]) -> int:
    """Arrays one behind another along an axis."""
    indices, start = [], 0
    for node in nodes:
        indices.append(places(builder.shape(node)) + start)
        start += indices[-1].size
    return builder.take(builder.join(nodes), np.concatenate(indices, axis))


def parts(builder: Builder, node: int, shapes: Sequence[Shape]) -> list[int]:
    """What stands behind one another along the last axis of `node` in `builder`: a node for each of
    the `shapes`, in order, which replace the last axis.
    """
    *batch, _ = builder.shape(node)
    found, start = [], 0
    for shape in shapes:
        count = int(np.prod(shape))
        index = places(builder.shape(node))[..., start : start + count]
        found.append(builder.reshape(builder.take(node, index), (*batch, *shape)))
        start += count
    return found
