"""Sampling: the points of one dtype at which a target is tried, drawn, given, or taken from its own
program.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch

from verifier.capture.target import Bound, By, bound, tried
from verifier.capture.target.pytree import leaves
from verifier.capture.to_numpy import dense
from verifier.checking.edge_cases.edges import Domain, edge_points, edges, own_points
from verifier.checking.expected_gradient import Intended
from verifier.checking.inputs import Between, drawn
from verifier.checking.records import CheckSettings
from verifier.checking.variants import Trial
from verifier.errors import InputError
from verifier.judging.finding import CheckPoint
from verifier.judging.verdict import Outcome
from verifier.operations.formats import CODE_FORMATS
from verifier.operations.number_text import short
from verifier.process.deadline import Deadline

EDGE_POINTS = 4
"""For each dtype, each with many edge values."""
LARGE = 20_000
"""Programs of more numbers get one edge point only, and points of more numbers are hardly
simplified.
"""


@dataclass(frozen=True, eq=False)
class Request:
    """A target with everything that was asked about it."""

    code: Callable[..., Any]
    inputs: Mapping[str, Any]
    intended: Intended
    settings: CheckSettings


@dataclass(frozen=True, eq=False)
class Asked:
    """A target at the points that were asked for."""

    trials: tuple[Trial, ...]
    overwritten: tuple[str, ...]
    """The inputs that the target writes to."""
    changed: tuple[str, ...] = ()
    """The buffers that it changes."""


@dataclass(frozen=True, eq=False)
class Edges:
    """A target at edge points."""

    trials: tuple[Trial, ...]
    left_out: tuple[str, ...]
    """Edge values at which nothing can be decided, as x = 1e-45: points were chosen beside them."""
    refused: tuple[str, ...]
    """What the target raised at edge points, which are left out."""


@dataclass(frozen=True, eq=False)
class Sampling:
    """The points of a request in one dtype; their numbers go on from `start`."""

    request: Request
    dtype: str
    start: int = 0

    def asked(self, deadline: Deadline = Deadline.NEVER) -> Asked:
        """The target at random points or at the one given.

        Raises InputError where it cannot be run there.
        """
        found = [
            self.at(inputs, kind, self.start + 1 + place)
            for place, (kind, inputs) in enumerate(self._points())
        ]
        runs = [tried(trial.bound, deadline) for trial in found]
        found[0] = replace(found[0], beside=self._beside(found))
        return Asked(tuple(found), runs[0].overwritten, runs[0].changed)

    def edges(self, asked: Sequence[Trial], deadline: Deadline = Deadline.NEVER) -> Edges:
        """The target at edge points of the program that was read at the first point. Those at which
        it cannot be run are left out.
        """
        found: list[Trial] = []
        left_out: dict[str, None] = {}
        refused: dict[str, None] = {}
        for inputs in self._edges(asked[0]):
            if deadline.passed():
                break
            edge = self.at(inputs, "edge", self.start + 1 + len(asked) + len(found))
            try:
                tried(edge.bound, deadline)
            except InputError as error:
                refused[error.sentence] = None
                continue
            blind = _blind(edge)
            if blind:
                left_out.update(dict.fromkeys(_values(edge, blind)))
                edge = self._without(edge, blind, asked[0])
            if not _blind(edge):
                found.append(edge)
        return Edges(tuple(found), tuple(left_out), tuple(refused))

    def _beside(self, found: Sequence[Trial]) -> Mapping[str, torch.Tensor]:
        """The inputs of the second point; where there is one only, its own in reverse order."""
        if len(found) > 1:
            return found[1].point.inputs
        point = found[0].point.inputs
        return {
            name: torch.flip(point[name], tuple(range(point[name].ndim)))
            for name in found[0].bound.arguments
        }

    def _without(self, edge: Trial, blind: Mapping[str, Any], base: Trial) -> Trial:
        """The edge point with ordinary numbers again where nothing is decided."""
        inputs = dict(edge.point.inputs)
        for name, mask in blind.items():
            inputs[name] = torch.where(torch.as_tensor(mask), base.point.inputs[name], inputs[name])
        return self.at(inputs, "edge", edge.point.number)

    def at(self, inputs: Mapping[str, torch.Tensor], kind: str, number: int) -> Trial:
        """The target at a point of its flat inputs."""
        request = self.request
        here = replace(self.first, inputs=inputs)
        specification = request.intended.at(here, self._drawn(1), self.dtype)
        return Trial(
            here,
            CheckPoint(number, kind, self.dtype, inputs),
            specification,
            request.settings.honour_detach,
            request.settings.seed,
        )

    @cached_property
    def first(self) -> Bound:
        """The target bound to the first point."""
        return self._bound(1)

    @cached_property
    def domains(self) -> dict[str, Domain]:
        """Where an argument may lie when a point is made simpler: where it is drawn, else between
        the numbers given.
        """
        given = {
            name: self.first.inputs[name]
            for name in self.first.arguments
            if name in self.first.wanted
        }
        hulls = {
            name: Domain(_below(float(tensor.min())), _above(float(tensor.max())))
            for name, tensor in given.items()
            if tensor.numel() and tensor.isfinite().all()
        }
        return {**hulls, **self._domains}

    @cached_property
    def _domains(self) -> dict[str, Domain]:
        """Where the inputs lie that are drawn, by flat names."""
        found = [
            pair for name, value in self.request.inputs.items() for pair in leaves(value, name)
        ]
        return {
            name: Domain(leaf.low, leaf.high)
            for name, leaf in found
            if isinstance(leaf, Between) and leaf.low < leaf.high
        }

    def _drawn(self, number: int) -> dict[str, Any]:
        return drawn(self.request.inputs, self.dtype, self.request.settings.seed, number)

    def _bound(self, number: int) -> Bound:
        settings = self.request.settings
        by = By(settings.wrt, settings.not_wrt)
        return bound(self.request.code, self._drawn(number), self.dtype, by)

    def _points(self) -> Iterator[tuple[str, Mapping[str, torch.Tensor]]]:
        if not self._domains:
            yield "given", self.first.inputs
            return
        for number in range(1, 1 + self.request.settings.points):
            yield "random", self._bound(number).inputs

    def _edges(self, base: Trial) -> list[dict[str, torch.Tensor]]:
        coded = base.examination.coded
        if coded is None or not self._domains:
            return []
        # The backward may have conditions of its own.
        program = coded.point.program
        limit = EDGE_POINTS if program.elements < LARGE else 1
        found = edges(program, base.statements.given, self._domains, CODE_FORMATS[self.dtype])
        own = own_points(found.own, base.bound.inputs)
        return [*edge_points(found.values, base.bound.inputs, limit), *own[:1]]


def _blind(edge: Trial) -> dict[str, Any]:
    """For each input of an edge point where numbers of its shape are undecided, and nothing
    disagrees.
    """
    parts = edge.examination.parts
    if edge.examination.outcome is not Outcome.UNDECIDED:
        return {}
    undecided = [part.verdicts.severity.reshape(part.shape) > 0 for part in parts]
    found: dict[str, Any] = {}
    for name in edge.bound.arguments:
        tensor = edge.point.inputs[name]
        masks = [mask for mask in undecided if mask.shape == tuple(tensor.shape)]
        if tensor.is_floating_point():
            found[name] = np.any(masks, axis=0) if masks else np.zeros(tensor.shape, dtype=bool)
    return found


def _values(edge: Trial, blind: Mapping[str, Any]) -> Iterator[str]:
    for name, mask in blind.items():
        for value in sorted(set(dense(edge.point.inputs[name])[torch.as_tensor(mask)].tolist())):
            yield f"{name} = {short(value)}"


def _below(number: float) -> float:
    return math.nextafter(min(number, 0.0), -math.inf)


def _above(number: float) -> float:
    return math.nextafter(max(number, 0.0), math.inf)
