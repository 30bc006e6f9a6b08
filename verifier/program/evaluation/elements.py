"""Elements: single entries of an array program, each worked out from those that it needs and from
no others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from flint import arb

from verifier.operations.arrays import Numeric as Value
from verifier.operations.table import TABLE
from verifier.program.evaluation.arithmetic import precision
from verifier.program.evaluation.balls import LAST_BITS
from verifier.program.program import (
    CONSTANT,
    CONTRACT,
    INPUT,
    JOIN,
    MATRIX,
    NOTHING,
    PILE,
    RESHAPE,
    ROUND,
    TAKE,
    TOTAL,
    Node,
    Program,
)

MOST_NODES = 300
"""Of elements that an entry is made of."""
MOST_INPUTS = 4
"""Of elements of inputs that an entry depends on."""

Key = tuple[int, int]
"""The place of a node, and which of its elements."""
Line = Mapping[tuple[str, int], int]
"""A direction: how far the elements of inputs move in each step."""
Known = Mapping[Key, Value]
MOVED = frozenset({TAKE, RESHAPE, ROUND, JOIN})
"""Operations whose elements are elements of their arguments."""
ADDED = frozenset({TOTAL, PILE})


class TooLargeError(Exception):
    """The entry is made of too many others."""


class BeyondError(Exception):
    """A number on the way is beyond what is computed with."""


@dataclass(eq=False)
class Elements:
    """What one entry of a program is made of, at one point."""

    program: Program
    arguments: Mapping[str, Value]
    names: Collection[str]
    """The inputs by which the point is approached."""
    result: Key
    involved: list[tuple[str, int]] = field(default_factory=list)
    """The elements of these inputs that the entry depends on."""

    def reach(self) -> None:
        """Collects what the entry depends on. Raises TooLargeError."""
        seen = {self.result}
        waiting = [self.result]
        while waiting:
            key = waiting.pop()
            node = self.node(key)
            if node.operation == INPUT and node.payload in self.names:
                self.involved.append((str(node.payload), key[1]))
            fresh = [part for part in self.parts(key) if part not in seen]
            seen.update(fresh)
            waiting.extend(fresh)
            if len(seen) > MOST_NODES or len(self.involved) > MOST_INPUTS:
                raise TooLargeError
        self.involved.sort()

    def refuse_beyond(self) -> None:
        """Raises BeyondError where the entry has no ball since a number on the way is too long for
        Arb.
        """
        with precision(LAST_BITS):
            known = self.balls({}, 1)
        key = self.result
        while unknown := [part for part in self._taken(key, known) if not is_finite(known[part])]:
            key = unknown[0]
        # What lies outside a domain has no middle either.
        if not is_finite(known[key]) and not math.isnan(float(known[key].mid())):
            raise BeyondError

    def balls(self, line: Line, part: int) -> dict[Key, Value]:
        """The entry and what it is made of as balls, one such part of 1 from the point on that
        line.

        Raises ValueError where it is open which branch is taken.
        """

        def value(key: Key, known: Known) -> Value:
            return self._ball(key, [known[one] for one in self._taken(key, known)], line, part)

        return self.worked_out(self._taken, value)

    def _ball(self, key: Key, parts: Sequence[Value], line: Line, part: int) -> Value:
        node, at = self.node(key), key[1]
        match node.operation:
            case "where":
                return parts[-1]
            case op if op == INPUT:
                return arb(self.given(key)) + arb(line.get((str(node.payload), at), 0)) / part
            case op if op == CONSTANT:
                number = np.ravel(node.array)[at]
                return bool(number) if node.array.dtype == bool else arb(float(number))
            case op if op in MOVED:
                return parts[0] if parts else arb(0)
            case op if op in ADDED:
                return sum(parts, arb(0))
            case op if op == CONTRACT:
                return dot(parts, arb(0))
        return TABLE[node.operation].arb(*parts)

    def worked_out(
        self, parts_of: Callable[[Key, Known], Sequence[Key]], value: Callable[[Key, Known], Value]
    ) -> dict[Key, Value]:
        """The values of the entry and of the parts that it is made of; what the parts are may
        depend on values.
        """
        known: dict[Key, Value] = {}
        waiting = [self.result]
        while waiting:
            missing = [part for part in parts_of(waiting[-1], known) if part not in known]
            waiting.extend(missing)
            if not missing:
                key = waiting.pop()
                known[key] = value(key, known)
        return known

    def _taken(self, key: Key, known: Known) -> list[Key]:
        """The parts of an element; of a choice the condition, and once that is known the branch
        that is taken.
        """
        parts = self.parts(key)
        if self.node(key).operation != "where":
            return parts
        if parts[0] not in known:
            return parts[:1]
        if known[parts[0]] is None:
            raise ValueError("it is open which branch is taken")
        return [parts[0], parts[1] if known[parts[0]] else parts[2]]

    def node(self, key: Key) -> Node:
        """The node that an element is one of."""
        return self.program.nodes[key[0]]

    def given(self, key: Key) -> float:
        """The number of an element of an input."""
        return float(np.ravel(self.arguments[str(self.node(key).payload)])[key[1]])

    def parts(self, key: Key) -> list[Key]:
        """The elements that an element is made of. Raises TooLargeError for a function of a matrix,
        each of whose elements is made of all.
        """
        node, at = self.node(key), key[1]
        if node.operation == MATRIX:
            raise TooLargeError
        shapes = [self.program.nodes[argument].shape for argument in node.arguments]
        match node.operation:
            case op if op in (INPUT, CONSTANT):
                return []
            case op if op == TAKE:
                source = int(np.ravel(node.array)[at])
                return [] if source == NOTHING else [(node.arguments[0], source)]
            case op if op == PILE:
                found = np.flatnonzero(np.ravel(node.array) == at)
                return [(node.arguments[0], int(source)) for source in found[: MOST_NODES + 1]]
            case op if op == JOIN:
                sizes = [math.prod(shape) for shape in shapes]
                which = int(np.searchsorted(np.cumsum(sizes), at, side="right"))
                return [(node.arguments[which], at - sum(sizes[:which]))]
            case op if op in (RESHAPE, ROUND):
                return [(node.arguments[0], at)]
            case op if op == TOTAL:
                return [(node.arguments[0], source) for source in _summed(shapes[0], node, at)]
            case op if op == CONTRACT:
                return _factors(shapes, node, at)
        where = np.unravel_index(at, node.shape) if node.shape else ()
        return [
            (argument, _broadcast(shape, where))
            for argument, shape in zip(node.arguments, shapes, strict=True)
        ]


def is_finite(ball: Value) -> bool:
    """Whether `ball` is a truth value or a finite ball; None is neither."""
    return isinstance(ball, bool) or (ball is not None and bool(ball.is_finite()))


def dot(parts: Sequence[Value], zero: Value) -> Value:
    """The sum of products of the first half of `parts` with the second, added up from `zero`, the 0
    of their number system.
    """
    half = len(parts) // 2
    return sum([a * b for a, b in zip(parts[:half], parts[half:], strict=True)], zero)


def _summed(shape: tuple[int, ...], node: Node, at: int) -> list[int]:
    where = list(np.unravel_index(at, node.shape)) if node.shape else []
    index: list[Value] = [
        slice(None) if axis in node.payload else where.pop(0) for axis in range(len(shape))
    ]
    places = np.arange(math.prod(shape)).reshape(shape)
    return [int(source) for source in np.ravel(places[tuple(index)])[: MOST_NODES + 1]]


def _factors(shapes: Sequence[tuple[int, ...]], node: Node, at: int) -> list[Key]:
    *batch, row, column = np.unravel_index(at, node.shape)
    sides = []
    index: Value
    for shape, argument, index in zip(
        shapes,
        node.arguments,
        ((*batch, row, slice(None)), (*batch, slice(None), column)),
        strict=True,
    ):
        places: Value = np.arange(math.prod(shape)).reshape(shape)
        sides.append(
            [(argument, int(source)) for source in np.ravel(places[index])[: MOST_NODES + 1]]
        )
    return [*sides[0], *sides[1]]


def _broadcast(shape: tuple[int, ...], where: Sequence[Value]) -> int:
    own = [
        0 if size == 1 else int(place)
        for size, place in zip(shape, where[len(where) - len(shape) :], strict=True)
    ]
    return int(np.ravel_multi_index(own, shape)) if shape else 0
