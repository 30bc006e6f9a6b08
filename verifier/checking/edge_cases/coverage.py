"""Coverage: which of the borders of a program the points that were tried lie on both sides of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from verifier.checking.edge_cases.critical_points import WATCHED, CrossingKind
from verifier.judging.causes.describe_term import describe_node
from verifier.operations.arrays import Floats
from verifier.program.evaluation.batches import BatchArithmetic, aligned
from verifier.program.program import CONDITIONS, INPUT, Node, Program, evaluate


@dataclass(frozen=True)
class Coverage:
    """The borders of a program: comparisons, maxima, corners."""

    borders: int
    missed: tuple[str, ...] = ()
    """Those that all points lie on one side of, as they stand in the program."""

    @property
    def reached(self) -> int:
        """How many have points on both sides."""
        return self.borders - len(self.missed)


def coverage(program: Program, tried: Sequence[Mapping[str, Floats]]) -> Coverage:
    """The borders that depend on an input, at float64 arguments for each input of the program.

    >>> from verifier.program.builder import Builder
    >>> build = Builder()
    >>> x = build.input("x", (2,))
    >>> above = build.apply("greater", x, build.constant(1.9))
    >>> program = build.program(build.apply("where", above, x, build.apply("abs", x)))
    >>> coverage(program, [{"x": np.array([0.5, -0.5])}]).missed
    ('x > 1.9',)
    """
    arithmetic = _SidesArithmetic(_moving(program))
    names = program.inputs
    if tried:
        stacked = {name: np.stack([point[name] for point in tried]) for name in names}
        evaluate(program, arithmetic, stacked)
    missed = [place for place, both in arithmetic.sides.items() if not both]
    texts = dict.fromkeys(describe_node(program, place) for place in missed)
    return Coverage(len(arithmetic.sides) - len(missed) + len(texts), tuple(texts))


def _moving(program: Program) -> set[int]:
    """The places of what depends on an input."""
    found: set[int] = set()
    for place, node in enumerate(program.nodes):
        if node.operation == INPUT or not found.isdisjoint(node.arguments):
            found.add(place)
    return found


class _SidesArithmetic(BatchArithmetic):
    """Notes for each border that moves whether the variants are on both sides of it."""

    def __init__(self, moving: set[int]) -> None:
        self.moving = moving
        self.sides: dict[int, bool] = {}
        """By the place of the node."""

    def row(self, place: int, node: Node, *arguments: Floats) -> Floats:
        result = super().row(place, node, *arguments)
        if place in self.moving:
            for side in self._sides(node, result, arguments):
                self.sides[place] = side
        return result

    @staticmethod
    def _sides(node: Node, result: Floats, arguments: Sequence[Floats]) -> Iterator[bool]:
        watches = WATCHED.get(node.operation, ())
        if not any(watch.kind is CrossingKind.BORDER for watch in watches):
            return
        if node.operation in CONDITIONS:
            yield bool(result.any() and not result.all())
        elif node.operation in ("floor", "ceiling", "remainder"):
            yield np.unique(result).size > 1
        else:
            parts = aligned(arguments)
            other = parts[1] if len(parts) > 1 else 0.0
            yield bool((parts[0] > other).any() and (parts[0] < other).any())
