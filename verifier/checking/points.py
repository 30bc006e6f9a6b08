"""Points: the points of one dtype at which a target is tried, drawn, given, or taken from its own
program.
"""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from verifier.capture.code_at_point import FORWARD, REVERSE, SECOND
from verifier.capture.target import Bound, By, bound, run_once
from verifier.capture.target.pytree import leaves
from verifier.capture.to_numpy import dense, to_float64
from verifier.checking.edge_cases.candidates import Surroundings, candidate_points
from verifier.checking.edge_cases.coverage import Coverage, coverage
from verifier.checking.edge_cases.edge_points import Point
from verifier.checking.edge_cases.edges import (
    Domain,
    ProgramEdges,
    find_edges,
    make_edge_points,
    points_with_own_edges,
)
from verifier.checking.edge_cases.float64_screening import Float64Screening
from verifier.checking.expected_gradient import ExpectedFunction
from verifier.checking.inputs import Between, draw_inputs
from verifier.checking.settings import EFFORTS, CheckSettings, Effort
from verifier.checking.variants import Trial
from verifier.checking.variants.grad_outputs import seeds_tried
from verifier.errors import InputError
from verifier.judging.examination import Examination, NotReplayed
from verifier.judging.finding import CheckPoint
from verifier.judging.verdict import Outcome
from verifier.operations.arrays import Truths
from verifier.operations.formats import CODE_FORMATS
from verifier.operations.number_text import short
from verifier.process.deadline import Deadline
from verifier.process.values import UserFunction, UserInputs, UserValue

EDGE_POINTS = 4
"""For each dtype, each with many edge values."""
SCREENED = {REVERSE: 144, FORWARD: 48, SECOND: 48}
"""For each derivative at most so many further points are compared in float64."""
OPAQUE = 7
"""So many times as many where the graph cannot be read."""
FINITE = sys.float_info.max
SUSPECTS, SHOWN = {REVERSE: 6, FORWARD: 2, SECOND: 2}, 2
"""At most so many points are examined that look wrong there, until so many disagree."""
FAR = {REVERSE: (1.0, math.inf), FORWARD: (100.0, FINITE), SECOND: (1000.0, FINITE)}
"""So many times further from the exact answer than rounding is likely to bring one, at least and at
most. An examination of a Hessian costs much, and it is often ill-conditioned at edges.
"""
SWEPT = 3_000
"""Programs of more numbers are not searched for edges that the gradient's has not."""
LARGE = 20_000
"""Programs of more numbers get one edge point only, and points of more numbers are hardly
simplified.
"""


@dataclass(frozen=True, eq=False)
class Request:
    """A target with everything that was asked about it."""

    code: Callable[..., UserFunction]
    inputs: UserInputs
    expected: ExpectedFunction
    settings: CheckSettings


@dataclass(frozen=True, eq=False)
class TrialsAsked:
    """A target at the points that were asked for."""

    trials: tuple[Trial, ...]
    overwritten: tuple[str, ...]
    """The inputs that the target writes to."""
    changed: tuple[str, ...] = ()
    """The buffers that it changes."""


@dataclass(frozen=True, eq=False)
class EdgeTrials:
    """A target at edge points."""

    trials: tuple[Trial, ...]
    left_out: tuple[str, ...]
    """Edge values at which nothing can be decided, as x = 1e-45: points were chosen beside them."""
    refused: tuple[str, ...]
    """What the target raised at edge points, which are left out."""
    forward: tuple[Trial, ...] = ()
    """Those at which forward mode looks wrong."""
    second: tuple[Trial, ...] = ()
    """Those at which the Hessian looks wrong."""
    screened: int = 0
    """At so many further points the answers were compared in float64."""
    coverage: Coverage | None = None
    """The borders of the program at the first point asked for; None where there is none."""


@dataclass(frozen=True, eq=False)
class Sampling:
    """The points of a request in one dtype; their numbers go on from `start`."""

    request: Request
    dtype: str
    start: int = 0

    def trials_asked(self, deadline: Deadline = Deadline.NEVER) -> TrialsAsked:
        """The target at random points, or at the one given.

        Raises InputError where it cannot be run there.
        """
        found = [
            self.at(inputs, kind, self.start + 1 + place)
            for place, (kind, inputs) in enumerate(self._points())
        ]
        runs = [run_once(trial.bound, deadline) for trial in found]
        first = runs[0].gradients
        found[0] = replace(found[0], beside=self._inputs_beside(found), first_call=first)
        return TrialsAsked(tuple(found), runs[0].overwritten, runs[0].changed)

    def edge_trials(
        self, asked: Sequence[Trial], deadline: Deadline = Deadline.NEVER
    ) -> EdgeTrials:
        """The target at edge points of the program that was read at the first of `asked`.

        Points at which it cannot be run are left out.
        """
        found: list[Trial] = []
        left_out: dict[str, None] = {}
        refused: dict[str, None] = {}
        number = self.start + 1 + len(asked)
        edges = self._edges(asked[0].examination)
        for inputs in self._edge_inputs(asked[0], edges):
            if deadline.passed():
                break
            edge = self.at(inputs, "edge", number + len(found))
            try:
                run_once(edge.bound, deadline)
            except InputError as error:
                refused[error.sentence] = None
                continue
            examination = edge.examined(REVERSE)
            if isinstance(examination, str):
                refused[examination] = None
                continue
            blind = _undecided_entries(edge)
            if blind:
                left_out.update(dict.fromkeys(_value_texts(edge, blind)))
                edge = self._with_ordinary_numbers(edge, blind, asked[0])
            if not isinstance(edge.examined(REVERSE), str) and not _undecided_entries(edge):
                found.append(edge)
        suspects = self._suspects(asked[0], edges, number + len(found), deadline)
        return replace(
            suspects,
            trials=(*found, *suspects.trials),
            left_out=tuple(left_out),
            refused=tuple(refused),
        )

    def _suspects(
        self, base: Trial, edges: ProgramEdges, number: int, deadline: Deadline
    ) -> EdgeTrials:
        """Further points, at which something disagrees that looked wrong in float64.

        Their numbers go on from `number`.
        """
        found: dict[str, tuple[Trial, ...]] = {}
        screened, covered = 0, None
        for quantity in SCREENED:
            if deadline.passed():
                break
            examination = base.examined(quantity)
            # Nothing has to be looked for that is wrong everywhere.
            if isinstance(examination, str) or examination.outcome is Outcome.DISAGREES:
                continue
            points, suspects = self._screened(base.bound.inputs, examination, quantity, edges)
            if quantity == REVERSE:
                covered = self._coverage(base, points)
            screened += len(points)
            found[quantity] = tuple(self._disagreeing(suspects, quantity, number))
            number += len(found[quantity])
        reverse, forward, second = (
            found.get(quantity, ()) for quantity in (REVERSE, FORWARD, SECOND)
        )
        return EdgeTrials(reverse, (), (), forward, second, screened, covered)

    def _screened(
        self,
        base: Mapping[str, torch.Tensor],
        examination: Examination,
        quantity: str,
        edges: ProgramEdges,
    ) -> tuple[list[Point], list[Point]]:
        """The points at which that derivative is compared in float64, and those of them at which
        it looks wrong.
        """
        screen = Float64Screening.of(examination)
        if screen is None or not self._moving:
            return [], []
        most = self._effort.of(SCREENED[quantity])
        if isinstance(examination.formula, NotReplayed):
            # Nothing says where something happens in the backward.
            most *= OPAQUE
        if quantity != REVERSE:
            if screen.point.program.elements <= SWEPT:
                edges = self._edges(examination)
            # Further derivatives are asked for inside of pieces: at zeros and ties many have no
            # finite value in floats.
            edges = replace(edges, values=edges.pieces)
        points = self._candidates(base, edges, min(most, screen.most))
        places = screen.suspects(points, *FAR[quantity])[: self._effort.of(SUSPECTS[quantity])]
        return points, [points[place] for place in places]

    def _coverage(self, base: Trial, points: Sequence[Point]) -> Coverage | None:
        """The borders of the base's program, with these points and all that grad_output takes."""
        coded = base.examination.coded
        if coded is None or isinstance(base.examination.formula, NotReplayed) or not points:
            return None
        given = coded.statements.given
        tried = [
            {
                name: to_float64(changed[name]) if name in changed else value
                for name, value in given.items()
            }
            for changed in (*points, *seeds_tried(base), base.beside)
        ]
        return coverage(coded.point.program, [given, *tried])

    def _disagreeing(self, points: Sequence[Point], quantity: str, number: int) -> Iterator[Trial]:
        """The target at the first of these points at which that derivative disagrees."""
        found = 0
        for inputs in points:
            trial = self.at(inputs, "edge", number + found)
            examination = trial.examined(quantity)
            if not isinstance(examination, str) and examination.outcome is Outcome.DISAGREES:
                found += 1
                yield trial
            if found == SHOWN:
                return

    def _candidates(
        self, base: Mapping[str, torch.Tensor], edges: ProgramEdges, most: int
    ) -> list[Point]:
        """Points that are worth a run, at most so many."""
        around = Surroundings(base, self._moving, CODE_FORMATS[self.dtype])
        return candidate_points(around, edges, self.request.settings.seed, most)

    @cached_property
    def _moving(self) -> dict[str, Domain]:
        """The domains that have numbers of the format."""
        own = CODE_FORMATS[self.dtype]
        return {
            name: domain
            for name, domain in self._domains.items()
            if operator.le(*domain.ends(own)) and self.first.inputs[name].is_floating_point()
        }

    def _edges(self, examination: Examination) -> ProgramEdges:
        """Where something happens in the program of what was stated: its backward may have
        conditions of its own.
        """
        if examination.coded is None or not self._domains:
            return ProgramEdges({}, {}, {})
        program, given = examination.coded.point.program, examination.coded.statements.given
        return find_edges(program, given, self._domains, CODE_FORMATS[self.dtype])

    def _inputs_beside(self, found: Sequence[Trial]) -> Mapping[str, torch.Tensor]:
        """The inputs of the second point; where there is one only, its own in reverse order."""
        if len(found) > 1:
            return found[1].point.inputs
        point = found[0].point.inputs
        return {
            name: torch.flip(point[name], tuple(range(point[name].ndim)))
            for name in found[0].bound.arguments
        }

    def _with_ordinary_numbers(
        self, edge: Trial, blind: Mapping[str, Truths], base: Trial
    ) -> Trial:
        """The edge point with ordinary numbers again where nothing is decided."""
        inputs = dict(edge.point.inputs)
        for name, mask in blind.items():
            inputs[name] = torch.where(torch.as_tensor(mask), base.point.inputs[name], inputs[name])
        return self.at(inputs, "edge", edge.point.number)

    def at(self, inputs: Mapping[str, torch.Tensor], kind: str, number: int) -> Trial:
        """The target at a point of its flat inputs."""
        request = self.request
        here = replace(self.first, inputs=inputs)
        specification = request.expected.at(here, self._draw(1), self.dtype)
        return Trial(
            here,
            CheckPoint(number, kind, self.dtype, inputs),
            specification,
            request.settings.honour_detach,
            request.settings.seed,
        )

    @property
    def _effort(self) -> Effort:
        return EFFORTS[self.request.settings.effort]

    @cached_property
    def first(self) -> Bound:
        """The target bound to the first point."""
        return self._bind(1)

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
            name: Domain(_just_below(float(tensor.min())), _just_above(float(tensor.max())))
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

    def _draw(self, number: int) -> dict[str, UserValue]:
        return draw_inputs(self.request.inputs, self.dtype, self.request.settings.seed, number)

    def _bind(self, number: int) -> Bound:
        settings = self.request.settings
        by = By(settings.wrt, settings.not_wrt)
        return bound(self.request.code, self._draw(number), self.dtype, by)

    def _points(self) -> Iterator[tuple[str, Mapping[str, torch.Tensor]]]:
        if not self._domains:
            yield "given", self.first.inputs
            return
        for number in range(1, 1 + self.request.settings.points):
            yield "random", self._bind(number).inputs

    def _edge_inputs(self, base: Trial, edges: ProgramEdges) -> list[Point]:
        coded = base.examination.coded
        if coded is None or not self._domains:
            return []
        is_large = coded.point.program.elements >= LARGE
        limit = 1 if is_large else self._effort.of(EDGE_POINTS)
        own = points_with_own_edges(edges.own, base.bound.inputs)
        return [*make_edge_points(edges.values, base.bound.inputs, limit), *own[:1]]


def _undecided_entries(edge: Trial) -> dict[str, Truths]:
    """For each input of an edge point where numbers of its shape are undecided, and nothing
    disagrees.
    """
    parts = edge.examination.parts
    if edge.examination.outcome is not Outcome.UNDECIDED:
        return {}
    undecided = [part.verdicts.severity.reshape(part.shape) > 0 for part in parts]
    found: dict[str, Truths] = {}
    for name in edge.bound.arguments:
        tensor = edge.point.inputs[name]
        masks = [mask for mask in undecided if mask.shape == tuple(tensor.shape)]
        if tensor.is_floating_point():
            found[name] = np.any(masks, axis=0) if masks else np.zeros(tensor.shape, dtype=bool)
    return found


def _value_texts(edge: Trial, blind: Mapping[str, Truths]) -> Iterator[str]:
    for name, mask in blind.items():
        for value in sorted(set(dense(edge.point.inputs[name])[torch.as_tensor(mask)].tolist())):
            yield f"{name} = {short(value)}"


def _just_below(number: float) -> float:
    return math.nextafter(min(number, 0.0), -math.inf)


def _just_above(number: float) -> float:
    return math.nextafter(max(number, 0.0), math.inf)
