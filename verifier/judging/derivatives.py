"""Derivatives: what code states at a point, as nodes that are derived from those of its values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from verifier.capture.code_at_point import SECOND, SEED, TANGENT, Statements
from verifier.judging.reference import input_nodes
from verifier.program.builder import Builder
from verifier.program.gradients.array_gradient import gradients


def derivative_nodes(point: Statements, builder: Builder, values: Sequence[int]) -> list[int]:
    """Values, their derivatives and, where they are wanted, their second derivatives, as nodes."""
    inputs = input_nodes(point, builder)
    by = [inputs[name] for name in point.by]
    if point.forward:
        return [
            *values,
            *_tangents(builder, values, by, [inputs[f"{TANGENT}{name}"] for name in point.by]),
        ]
    seeds = [inputs[f"{SEED}{place}"] for place in range(len(values))]
    first = _weighted(builder, values, seeds, by)
    rows: list[int] = []
    if point.subject.quantity == SECOND:
        for node, elements in zip(first, point.rows, strict=True):
            for element in elements:
                one = {builder.take(node, np.asarray(element)): builder.constant(1)}
                rows.extend(gradients(builder, one, [*by, *seeds]))
    return [*values, *first, *rows]


def _weighted(
    builder: Builder, values: Sequence[int], weights: Sequence[int], by: Sequence[int]
) -> list[int]:
    """The derivatives of the results' weighted sum."""
    seeds: dict[int, int] = {}
    for node, weight in zip(values, weights, strict=True):
        seeds[node] = builder.apply("add", seeds[node], weight) if node in seeds else weight
    return gradients(builder, seeds, by)


def _tangents(
    builder: Builder, values: Sequence[int], by: Sequence[int], moves: Sequence[int]
) -> list[int]:
    """How each result moves: the gradient is linear in what multiplies the results, and its
    derivative by those is it.

    (Townsend, A new trick for calculating Jacobian vector products, 2017.)
    """
    weights = [
        builder.input(f"{SEED}{place}", builder.shape(node)) for place, node in enumerate(values)
    ]
    tangents = _weighted(builder, _weighted(builder, values, weights, by), moves, weights)
    return _without(builder, tangents, weights)


def _without(builder: Builder, nodes: Sequence[int], inputs: Sequence[int]) -> list[int]:
    """The nodes with zeros for these inputs, which are in them as they are written but change
    nothing.
    """
    changed = {
        index: builder.expand(builder.constant(0.0), builder.shape(index)) for index in inputs
    }
    for index in builder.needed(nodes):
        arguments = builder[index].arguments
        if index not in changed and any(argument in changed for argument in arguments):
            changed[index] = builder.again(index, [changed.get(part, part) for part in arguments])
    return [changed.get(node, node) for node in nodes]
