"""What a formula's text does with whole arrays: where their shapes are known, and where not."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

from verifier.errors import InputError
from verifier.formula.arrays.functions import FUNCTIONS
from verifier.formula.arrays.traced_array import TracedArray
from verifier.formula.text.literals import Place
from verifier.formula.text.parts import Whole
from verifier.operations.arrays import Floats
from verifier.program.array_operations.products import Product
from verifier.program.builder import FormulaBuilder

MOST_AXES = 16
MOST_NUMBERS = 10_000_000
"""The most that an array of a formula may have, with one row in place of a batch."""


class ArrayOperations(Protocol):
    """Writes what a text does with whole arrays, as nodes."""

    def product(self, left: int, right: int) -> int:
        """The node of `left @ right`. Raises InputError where the shapes do not fit."""

    def transposed(self, node: int) -> int:
        """The node with its axes in reverse order."""

    def indexed(self, node: int, key: tuple[Place, ...]) -> int:
        """The node of a part. Raises InputError for places that the array lacks."""

    def constant(self, numbers: Floats) -> int:
        """The node of an array of numbers."""

    def called(self, name: str, arguments: Mapping[str, int | list[int] | Settled]) -> int:
        """The node of a function of arrays, for nodes, lists of nodes and settings by parameter.

        Raises InputError where the shapes do not fit.
        """


class Settled:
    """What a parameter is set to that is no node."""

    __slots__ = ("value",)

    def __init__(self, value: Whole) -> None:
        self.value = value


class KnownShapes:
    """Operations on nodes whose shapes are known."""

    def __init__(self, build: FormulaBuilder) -> None:
        self._build = build

    def product(self, left: int, right: int) -> int:
        """The node of `left @ right`. Raises InputError where the shapes do not fit."""
        return self._checked(self._build.array(Product(), left, right))

    def transposed(self, node: int) -> int:
        """The node with its axes in reverse order."""
        return self._traced(node).T.node

    def indexed(self, node: int, key: tuple[Place, ...]) -> int:
        """The node of a part. Raises InputError for places that the array lacks."""
        return self._checked(self._traced(node)[key].node)

    def constant(self, numbers: Floats) -> int:
        """The node of an array of numbers."""
        return self._build.constant(numbers)

    def called(self, name: str, arguments: Mapping[str, int | list[int] | Settled]) -> int:
        """The node of a function of arrays, for nodes, lists of nodes and settings by parameter.

        Raises InputError where the shapes do not fit.
        """
        given = {parameter: self._argument(value) for parameter, value in arguments.items()}
        return self._checked(FUNCTIONS[name](**given).node)

    def _argument(
        self, value: int | list[int] | Settled
    ) -> TracedArray | list[TracedArray] | Whole:
        if isinstance(value, Settled):
            return value.value
        if isinstance(value, list):
            return [self._traced(one) for one in value]
        return self._traced(value)

    def _traced(self, node: int) -> TracedArray:
        return TracedArray(self._build, node)

    def _checked(self, node: int) -> int:
        """The node, if its array has a size that can be computed with."""
        shape = self._build.shape(node)
        if len(shape) > MOST_AXES:
            raise InputError(f"the array has {len(shape)} axes: {MOST_AXES} is the most")
        if math.prod(map(abs, shape)) > MOST_NUMBERS:
            raise InputError(f"the array has more than {MOST_NUMBERS:,} numbers")
        return node


class UnknownShapes:
    """Stand-ins for the results of operations, where nothing is known but names."""

    def __init__(self, build: FormulaBuilder) -> None:
        self._build = build
        self.used = 0
        """How often the text does something with a whole array."""

    def product(self, left: int, right: int) -> int:
        """A stand-in."""
        return self._stand_in()

    def transposed(self, node: int) -> int:
        """A stand-in."""
        return self._stand_in()

    def indexed(self, node: int, key: tuple[Place, ...]) -> int:
        """A stand-in."""
        return self._stand_in()

    def constant(self, numbers: Floats) -> int:
        """A stand-in."""
        return self._stand_in()

    def called(self, name: str, arguments: Mapping[str, int | list[int] | Settled]) -> int:
        """A stand-in."""
        return self._stand_in()

    def _stand_in(self) -> int:
        self.used += 1
        return self._build.input(f"@{self.used}")
