"""The values of those parts of a formula that depend on no symbol."""

from __future__ import annotations

import math

import numpy as np

from verifier.operations.arrays import Numeric
from verifier.operations.table import TABLE
from verifier.program.builder import FormulaBuilder
from verifier.program.evaluation.arithmetic import NumPyArithmetic
from verifier.program.infix_operators import whole_number
from verifier.program.program import ARRAY, CONSTANT, INPUT


class ConstantValues:
    """The float64 values of a builder's nodes that depend on no symbol."""

    def __init__(self, build: FormulaBuilder) -> None:
        self._build = build
        self._arithmetic = NumPyArithmetic("float64")
        self._values: dict[int, Numeric] = {}
        self._seen = 0

    def finite(self, node: int) -> bool:
        """Whether a node, built just now, is finite or depends on a symbol.

        A branch that it does not take may be anything.
        """
        new = range(self._seen, len(self._build))
        self._seen = len(self._build)
        for index in new:
            self._value(index)
        value = self._values.get(node)
        return value is None or bool(np.isfinite(value).all())

    def whole(self, index: int) -> int | None:
        """The whole number that a node is, also as 10**12; None for any other."""
        value = self._values.get(index)
        if value is None or not np.all(value == np.trunc(value)):
            return None
        # Beyond 2**53 a float64 stands for more than one whole number, and only a literal says
        # which.
        return whole_number(self._build, index) if abs(value) > 2**53 else int(value)

    def _value(self, index: int) -> Numeric:
        node = self._build[index]
        if node.operation == CONSTANT:
            self._values[index] = node.array if node.is_array else self._constant(node.payload)
        elif node.operation not in (INPUT, ARRAY) and all(
            argument in self._values for argument in node.arguments
        ):
            values = (self._values[argument] for argument in node.arguments)
            self._values[index] = self._arithmetic.apply(TABLE[node.operation], *values)
        return self._values.get(index)

    def _constant(self, value: int | float) -> Numeric:
        try:
            return self._arithmetic.number(value)
        except OverflowError:
            return math.inf
