"""Compared programs: the code's statements at a point beside the exact ones, as nodes of one
builder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch

from verifier.capture.code_at_point import Statements
from verifier.capture.lowering import Lowered, plain
from verifier.judging.conditioning import Point
from verifier.operations.arrays import Array, Floats, Truths
from verifier.operations.formats import Format
from verifier.program.builder import Builder
from verifier.program.evaluation.balls import Decision
from verifier.program.program import CONSTANT, Program


@dataclass(frozen=True, eq=False)
class ComparedPrograms:
    """The code's statements as nodes beside the exact ones."""

    point: Statements
    read: Lowered
    code: Sequence[int]
    exact: Sequence[int]
    literals: frozenset[int]
    """Constants of the code that may be rounded decimals."""
    tables: Mapping[int, Format] = field(default_factory=dict)
    """Constants that its forward has as well, and arrays of short decimals: they may be off by one
    rounding to that format.
    """

    @property
    def builder(self) -> Builder:
        """What holds the nodes of both."""
        return self.read.builder

    @property
    def given(self) -> Mapping[str, Floats]:
        """The inputs and what multiplies the results' derivatives."""
        return self.point.given

    @cached_property
    def program(self) -> Program:
        """The code's statements, then the exact ones."""
        return self.builder.program(*self.code, *self.exact)

    @cached_property
    def code_program(self) -> Program:
        """The code's statements alone."""
        return self.builder.program(*self.code)

    @cached_property
    def exact_program(self) -> Program:
        """The exact ones alone."""
        return self.builder.program(*self.exact)

    @cached_property
    def places(self) -> dict[int, int]:
        """Where the builder's nodes stand in that program."""
        return self.builder.places_in(*self.code, *self.exact)

    @property
    def shown(self) -> dict[int, Array]:
        """What the code had on the way, by the places of its statements' program, as float64."""
        places = self.builder.places_in(*self.code)
        return {
            place: self.builder.actual[index]
            for index, place in places.items()
            if index in self.builder.actual
        }

    def actual(self, node: int) -> Array | None:
        """What the code, or the version of it that says what is right, had for a node, as float64;
        None where neither showed it.
        """
        known = self.builder[node]
        if known.operation != CONSTANT:
            return self.builder.actual.get(node)
        if known.array.dtype == bool or known.array.ndim:
            numbers: Array = known.array
            return numbers
        # A number that is compared with a tensor is rounded to the tensor's format.
        rounded = self.point.lowest if known.format is None else known.format
        return plain(torch.tensor(known.array).to(getattr(torch, rounded.name)))

    def as_in_forward(self, program: Program) -> Program:
        """No operation rounded more coarsely than the forward's: a backward in a narrower format is
        not honest.
        """
        forward = self.builder.program(*self.code[: len(self.point.results)])
        formats = [node.format for node in forward.nodes if node.format is not None]
        formats += [self.point.format(place) for place in range(len(self.code))]
        coarsest = min(formats, key=lambda known: known.precision)
        nodes = [
            replace(node, format=coarsest)
            if node.format and node.format.precision < coarsest.precision
            else node
            for node in program.nodes
        ]
        is_changed = any(one is not other for one, other in zip(nodes, program.nodes, strict=True))
        return replace(program, nodes=tuple(nodes)) if is_changed else program

    def code_point(self, decisions: Mapping[int, Decision], ties: Mapping[int, Truths]) -> Point:
        """The code's statements alone, with what is known of comparisons by their places there."""
        return self._only(self.code_program, self.code, decisions, ties)

    def exact_point(self, decisions: Mapping[int, Decision], ties: Mapping[int, Truths]) -> Point:
        """The same of the exact ones."""
        return self._only(self.exact_program, self.exact, decisions, ties)

    def _only(
        self,
        program: Program,
        nodes: Sequence[int],
        decisions: Mapping[int, Decision],
        ties: Mapping[int, Truths],
    ) -> Point:
        own = self.builder.places_in(*nodes) if decisions or ties else {}
        both = [(place, own[index]) for index, place in self.places.items() if index in own]
        decided = {now: decisions[at] for at, now in both if at in decisions}
        tied = {now: ties[at] for at, now in both if at in ties}
        return Point(program, self.given, self.point.formats, decided, tied)
