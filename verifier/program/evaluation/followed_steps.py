"""Followed steps: whether each operation states what its own arguments give, to its own rounding.

A bound for the whole of a program must reckon with whatever rounding could have done on the way. In
16 bits that is soon as large as the result. But the code has shown most of its intermediate
numbers. Where an operation's number lies within one operation's rounding of what the numbers before
it give, the operation is right, and what comes behind it begins from that number. (Wilkinson's
running error analysis, Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section
3.3, taken operation by operation.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
from flint import arb

from verifier.operations.arrays import Balls, Floats, Truths
from verifier.operations.formats import FLOAT32, Format
from verifier.program.evaluation.arithmetic import balls, precision, radius
from verifier.program.evaluation.balls import STEPS, as_objects
from verifier.program.evaluation.proved_allowance import BITS, Rounded, RoundedArithmetic
from verifier.program.evaluation.rounding_model import RoundingModel
from verifier.program.evaluation.term_sizes import SizeArithmetic
from verifier.program.program import Node, Program, evaluate

_Sized: TypeAlias = tuple[Floats, Floats]
_FLUSHED = 64.0
"""A kernel may take each of so many terms for 0 where they are below the smallest normal number."""


@dataclass(frozen=True, eq=False)
class Step:
    """What an operation may state of the numbers that it was given."""

    rounded: Rounded
    sized: _Sized
    """Its value and the size of its terms."""
    floor: float
    """What underflow may lose."""

    @property
    def telling(self) -> Truths:
        """Where rounding is smaller than the terms, so that another number would be seen, or is no
        more than underflow.
        """
        far = radius(as_objects(self.rounded.ball))
        with np.errstate(invalid="ignore"):
            return (far < self.sized[1]) | (far <= self.floor)

    @property
    def unsure(self) -> Truths:
        """Where a comparison on the way may fall out either way."""
        return np.asarray(self.rounded.unsure)

    def follows(self, stated: Floats) -> Truths:
        """Where a number is one that the operation may state."""
        inside = np.asarray(_contains(self.rounded.ball, stated), dtype=bool)
        return inside & self.telling & ~self.unsure

    def from_there(self, stated: Floats) -> Step:
        """The step with the stated numbers where they follow from what was given."""
        follows = self.follows(stated)
        ball = np.where(follows, balls(stated), self.rounded.ball)
        value, size = self.sized
        return replace(
            self,
            rounded=Rounded(as_objects(ball), unsure=self.unsure & ~follows),
            sized=(np.where(follows, stated, value), np.where(follows, np.abs(stated), size)),
        )


class _FiniteModel(RoundingModel):
    """Of numbers that were shown it is known whether they overflowed."""

    def _overflowed(self, result: Balls) -> Balls:
        return result


class _OneStep(RoundedArithmetic):
    def row(self, place: int, node: Node, *arguments: Rounded) -> Rounded:
        """The ball of a step holds both whole numbers, so that nothing is open."""
        found = super().row(place, node, *arguments)
        if node.operation not in STEPS:
            return found
        return replace(found, border=arguments[0].border, unsure=arguments[0].unsure)

    def _model(self, format: Format) -> RoundingModel:
        return _FiniteModel(format, self.library)


@dataclass(frozen=True, eq=False)
class FollowingArithmetic:
    """Steps that begin anew at each number that the code showed, if it follows from those before
    it.
    """

    shown: Mapping[int, Floats]
    """By place, what the code had."""
    kept: frozenset[int]
    """The places of results."""
    floor: float
    """What underflow may lose."""
    results: dict[int, Step] = field(default_factory=dict)
    """The steps there, before they begin anew."""
    _rounded: RoundedArithmetic = field(default_factory=_OneStep)
    _sized: SizeArithmetic = field(default_factory=SizeArithmetic)

    def input(self, value: Floats) -> Step:
        """The numbers themselves: nothing has rounded them yet."""
        ball = self._rounded.exact.input(value)
        return Step(Rounded(ball), self._sized.input(value), self.floor)

    def constant(self, place: int, node: Node) -> Step:
        """The constant, as its format may have it."""
        rounded = self._rounded.constant(place, node)
        return self._at(place, Step(rounded, self._sized.constant(place, node), self.floor))

    def row(self, place: int, node: Node, *arguments: Step) -> Step:
        """A row of the table."""
        return self._done("row", place, node, arguments)

    def take(self, place: int, node: Node, argument: Step) -> Step:
        """Elements by their places."""
        return self._done("take", place, node, [argument])

    def pile(self, place: int, node: Node, argument: Step) -> Step:
        """Sums of what lands on the same place."""
        return self._done("pile", place, node, [argument])

    def join(self, place: int, node: Node, *arguments: Step) -> Step:
        """All elements behind each other."""
        return self._done("join", place, node, arguments)

    def reshape(self, place: int, node: Node, argument: Step) -> Step:
        """The elements in another shape."""
        return self._done("reshape", place, node, [argument])

    def total(self, place: int, node: Node, argument: Step) -> Step:
        """Sums along axes."""
        return self._done("total", place, node, [argument])

    def contract(self, place: int, node: Node, left: Step, right: Step) -> Step:
        """Products of matrices."""
        return self._done("contract", place, node, [left, right])

    def matrix(self, place: int, node: Node, argument: Step) -> Step:
        """A function of matrices, of which no single step is known."""
        return self._done("matrix", place, node, [argument])

    def round(self, place: int, node: Node, argument: Step) -> Step:
        """A rounding to a narrower format."""
        return self._done("round", place, node, [argument])

    def _done(self, name: str, place: int, node: Node, arguments: Sequence[Step]) -> Step:
        rounded = getattr(self._rounded, name)(place, node, *(one.rounded for one in arguments))
        sized = getattr(self._sized, name)(place, node, *(one.sized for one in arguments))
        return self._at(place, Step(rounded, sized, self.floor))

    def _at(self, place: int, step: Step) -> Step:
        if place in self.kept:
            self.results[place] = step
        shown = self.shown.get(place)
        if shown is None or shown.dtype == bool:
            return step
        return step.from_there(shown)


def followed(
    program: Program, arguments: Mapping[str, Floats], shown: Mapping[int, Floats]
) -> list[Balls]:
    """For each result of `program` the balls of what its last operation may state, if all that the
    code showed on the way follows; NaN where a number on the way does not, or where the ball says
    nothing.

    `arguments` are float64 arrays by name, exact as they are; `shown` has, by the place of a node,
    what the code had there (float64, or bool for truth values).
    """
    arithmetic = FollowingArithmetic(shown, frozenset(program.outputs), _floor(program))
    with precision(BITS):
        last = zip(program.outputs, evaluate(program, arithmetic, arguments), strict=True)
        # A result that is an input has no step of its own.
        found = [arithmetic.results.get(output, step) for output, step in last]
        return [
            as_objects(np.where(step.telling & ~step.unsure, step.rounded.ball, _UNKNOWN))
            for step in found
        ]


def _floor(program: Program) -> float:
    """Where a format has 16 bits, kernels compute in float32 inside."""
    formats = {node.format for node in program.nodes if node.format is not None}
    wide = [known for known in formats if known.precision >= FLOAT32.precision]
    return _FLUSHED * max((known.smallest_normal for known in wide), default=0.0)


_UNKNOWN = arb("nan")
_contains = np.frompyfunc(lambda ball, number: ball.contains(arb(number)), 2, 1)
