"""The proved tier on array programs: balls of Arb widened by each operation's own rounding.

The final ball contains whatever honest code may state along that graph, its sums added up in any
order (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., sections 2.2 and 4.2), so
that its distance from the exact value is a proof. Worst cases add up: for long programs the noisy
replays of `noise` say more.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from flint import arb

from verifier.operations.formats import Format
from verifier.operations.operation import Operation
from verifier.operations.table import TABLE
from verifier.program.array_program import ArrayNode, ArrayProgram, evaluate
from verifier.program.evaluation.arithmetic import precision
from verifier.program.evaluation.balls import BallArithmetic, piled
from verifier.program.evaluation.rounding import RoundedArithmetic

BITS = 128
_COMPARED = frozenset(
    {
        "less",
        "less_equal",
        "greater",
        "greater_equal",
        "equal",
        "not_equal",
        "sign",
        "floor",
        "ceiling",
    }
)


class _RoundedBalls(BallArithmetic):
    """Balls that contain every rounding of the formats of a program; a comparison that is open
    gives no bound.
    """

    def constant(self, place: int, node: ArrayNode) -> Any:
        exact = super().constant(place, node)
        if node.format is None or node.shape or exact.dtype == bool:
            return exact
        return np.asarray(
            _model(node.format).constant(float(node.payload.array)).ball, dtype=object
        )

    def row(self, place: int, node: ArrayNode, *arguments: Any) -> Any:
        operation = TABLE[node.operation]
        if operation.name in _COMPARED:
            decided = np.asarray(operation.arb(*arguments), dtype=object)
            if any(value is None for value in decided.ravel()):
                raise _OpenError
            return decided
        result = np.asarray(operation.arb(*arguments), dtype=object)
        if node.format is None or operation.budget.torch == 0.0:
            return result
        if operation.name in ("add", "subtract"):
            return _bounded(node.format, result, np.add(*map(np.abs, arguments)), 2)
        return _rounded(node.format, operation, result, list(arguments))

    def pile(self, place: int, node: ArrayNode, argument: Any) -> Any:
        index = node.payload.array
        most = int(np.bincount(index[index >= 0].ravel(), minlength=1).max(initial=0))
        sizes = piled(np.abs(argument), index, node.shape)
        return _bounded(node.format, piled(argument, index, node.shape), sizes, most)

    def total(self, place: int, node: ArrayNode, argument: Any) -> Any:
        terms = int(np.prod([argument.shape[axis] for axis in node.payload]))
        return _bounded(
            node.format,
            super().total(place, node, argument),
            super().total(place, node, np.abs(argument)),
            terms,
        )

    def contract(self, place: int, node: ArrayNode, left: Any, right: Any) -> Any:
        sizes = super().contract(place, node, np.abs(left), np.abs(right))
        return _bounded(
            node.format, super().contract(place, node, left, right), sizes, left.shape[-1] + 1
        )

    def matrix(self, place: int, node: ArrayNode, argument: Any) -> Any:
        """What a library's iteration may state is not bounded by any model of one rounding."""
        raise _OpenError

    def round(self, place: int, node: ArrayNode, argument: Any) -> Any:
        if node.format is None:
            return argument
        return _rounded(node.format, TABLE["multiply"], np.asarray(argument, dtype=object), [])


class _OpenError(Exception):
    """A comparison falls out either way within rounding, or there is no bound."""


@cache
def _model(format: Format) -> RoundedArithmetic:
    return RoundedArithmetic(format, "torch")


def _bounded(format: Format | None, totals: Any, sizes: Any, terms: int) -> Any:
    """A sum of so many terms: each of its additions is off by at most the unit roundoff of the sum
    of the sizes.
    """
    if format is None or terms < 2:
        return totals
    spread = arb(0, format.unit_roundoff * (terms - 1) * (1.0 + 2.0**-10))
    lost = arb(0, format.smallest_subnormal * terms)
    widened = np.asarray(totals + sizes * spread, dtype=object)
    nonzero = np.asarray(np.not_equal(sizes, arb(0)), dtype=bool)
    return _model(format).overflowed(np.where(nonzero, widened + lost, widened))


def _rounded(format: Format, operation: Operation, result: Any, arguments: list[Any]) -> Any:
    """The results widened by the operation's rounding; the model works on arrays that have
    an axis.
    """
    return np.reshape(
        _model(format).rounded(operation, np.atleast_1d(result), arguments), np.shape(result)
    )


def proved(program: ArrayProgram, arguments: Mapping[str, Any]) -> list[Any]:
    """For each result the balls of what honest code may state; None for all where a comparison is
    open.
    """
    try:
        with precision(BITS):
            return [
                np.asarray(result, dtype=object)
                for result in evaluate(program, _RoundedBalls(), arguments)
            ]
    except _OpenError:
        return [None for _ in program.outputs]
