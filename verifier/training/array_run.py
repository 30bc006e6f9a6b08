"""The run of a model of arrays: two trainings from the same start, and steps of the first judged.

A step is judged by the rules of a check: the code's own graph is read, replayed exactly and under
rounding, and every entry of every gradient is compared with the exact one of the formula.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch

from verifier.capture.code_at_point import Subject
from verifier.capture.joint_graph import Captured
from verifier.capture.to_numpy import to_float64, to_numpy
from verifier.errors import InputError, message_of
from verifier.formula.model import Model
from verifier.judging.conditioning import worst_place
from verifier.judging.examination import Examination, NotReplayed, Part, Replayed
from verifier.judging.examine import examine
from verifier.judging.finding import CheckPoint, Finding
from verifier.judging.reference import Formula
from verifier.judging.verdict import Verdicts
from verifier.operations.arrays import Array, Floats
from verifier.process.values import UserValue
from verifier.program.codegen import NUMPY, TORCH, Language, function
from verifier.program.program import Program
from verifier.training.class_labels import refuse_wrong_labels
from verifier.training.constant_arrays import with_arrays_in
from verifier.training.data import held_apart, read_columns
from verifier.training.optimizers import optimizer_named
from verifier.training.runner import (
    HeldOut,
    Judged,
    Rows,
    Schedule,
    Settings,
    differentiation_by,
    refuse_large_starts,
)
from verifier.witnesses import Witness


@dataclass(frozen=True, eq=False)
class JudgedArrays(Judged):
    """One judged step of a model of arrays.

    `parameters` and `twin_parameters` have the Euclidean norms of the arrays, and `verdicts` those
    on the worst entry of each gradient.
    """

    entries: list[Verdicts]
    """The verdicts on all entries: of the loss first, then of each gradient."""
    places: dict[str, str]
    """The index of each gradient's worst entry, as `[3, 5]`; empty for a number."""
    distances: Floats
    """The largest difference between the parameters of both trainings (an entry a parameter)."""
    finding: Finding
    """What was found at the step, for the search for causes."""

    @property
    def apart(self) -> Floats:
        """How far the parameters of both trainings are apart, one row."""
        return self.distances[None]

    def until(self, place: int) -> JudgedArrays:
        """The step itself: there is one."""
        return self

    @property
    def all_verdicts(self) -> list[Verdicts]:
        """The verdicts on all entries."""
        return self.entries

    @property
    def tiers(self) -> list[str]:
        """How the allowance of each of them was found: proved or estimated."""
        return [part.tier for part in self.finding.parts]

    def entry_names(self, place: int) -> dict[str, str]:
        """The index of each gradient's worst entry."""
        return self.places


class ArrayRun:
    """Two trainings of a model of arrays, step by step, as an iterable of judged steps.

    `keep_going` is asked before each step, with the numbers of those done and planned; False ends
    the run, which then is `stopped`. Raises InputError for data and settings that do not fit the
    model.
    """

    def __init__(
        self,
        model: Model,
        data: UserValue,
        settings: Settings,
        witness: Witness,
        keep_going: Callable[[int, int], bool],
    ) -> None:
        refuse_large_starts(model, settings.format)
        self.model, self.settings = model, settings
        given = read_columns(data, model.columns, settings.format, model.row_shapes)
        refuse_wrong_labels(model, given)
        self.columns, self._held_out = held_apart(given, settings.hold_out, settings.seed)
        self.schedule = Schedule(self.columns.rows, settings)
        self.done, self.stopped = 0, False
        self._keep_going, self._differentiate = keep_going, differentiation_by(witness)
        self.torch_loss = self._function("loss", self.loss_program, TORCH)
        self._gradient_in_numpy = self._function("gradient", model.batch_gradient_program, NUMPY)
        self._tensors = {
            name: torch.tensor(value, dtype=self.dtype, requires_grad=name in model.parameters)
            for name, value in model.start.items()
        }
        number = np.dtype(settings.dtype).type
        self._twin: dict[str, Any] = {
            name: np.asarray(value, dtype=number)[()] for name, value in model.start.items()
        }
        self._graphs: dict[Hashable, Captured] = {}
        self.ended = ""
        """Why the training could not go on behind a step that was judged."""
        self.notes: list[str] = []
        """What could not be had besides, a sentence each."""
        self.latest: JudgedArrays | None = None
        """The step that was judged last."""
        self.before: JudgedArrays | None = None
        """The one that was judged before it."""
        self.replays: dict[int, Replayed | NotReplayed] = {}
        """How the code's formula came out in exact arithmetic, by judged step."""
        rule = optimizer_named(settings.optimizer, settings.lr)
        self._update = rule.on_tensors(self._trained)
        self._update_twin = rule.on_numbers([self._twin[name] for name in model.parameters])

    @cached_property
    def loss_program(self) -> Program:
        """The loss of a batch, with the arrays in its formula rounded to the training's dtype."""
        return with_arrays_in(self.model.batch_program.only_last, self.settings.format)

    @property
    def dtype(self) -> torch.dtype:
        """torch's dtype of the training."""
        return getattr(torch, self.settings.dtype)  # type: ignore[no-any-return]

    @property
    def parameters(self) -> dict[str, Array | float]:
        """All parameters as autograd's training has them now, by name."""
        return {
            name: to_numpy(tensor).copy() if tensor.ndim else tensor.item()
            for name, tensor in self._tensors.items()
        }

    @property
    def _trained(self) -> list[torch.Tensor]:
        return [self._tensors[name] for name in self.model.parameters]

    def __iter__(self) -> Iterator[JudgedArrays]:
        last = self.schedule.steps
        for number, (epoch, rows) in enumerate(self.schedule, start=1):
            if not self._keep_going(self.done, last):
                self.stopped = True
                return
            try:
                step = self._trained_step(number, epoch, rows)
                judged = self._judged(step) if self.schedule.is_judged(number) else None
            except InputError as error:
                if self.latest is None:
                    raise
                # What was judged before stands.
                self.ended = error.sentence
                return
            if judged is not None:
                self.before, self.latest = self.latest, judged
                yield judged

    def _trained_step(self, number: int, epoch: int, rows: Rows) -> _TrainedStep:
        """Train one step both ways, and keep what was stated."""
        columns = self._rows(rows)
        given = {name: tensor.detach().clone() for name, tensor in self._tensors.items()}
        twin = dict(self._twin)
        loss = self._loss(number, columns)
        self._differentiate(loss, self._trained)
        gradients = {
            name: None if tensor.grad is None else tensor.grad.detach().clone()
            for name, tensor in self._tensors.items()
            if name in self.model.parameters
        }
        self._update()
        twin_loss, *twin_gradient = self._numpy_gradient(number, columns, twin)
        names = self.model.parameters
        with np.errstate(all="ignore"):
            moved = self._update_twin([twin[name] for name in names], twin_gradient)
        self._twin |= dict(zip(names, moved, strict=True))
        self.done += 1
        return _TrainedStep(
            number, epoch, columns, given, loss.item(), gradients, twin, float(twin_loss)
        )

    def _numpy_gradient(
        self, step: int, columns: Mapping[str, Array], parameters: Mapping[str, Array]
    ) -> Sequence[Array]:
        """The loss and the symbolic gradient at the step of that number."""
        try:
            with np.errstate(all="ignore"):
                return self._gradient_in_numpy(*columns.values(), *parameters.values())  # type: ignore[no-any-return]
        except np.linalg.LinAlgError as error:
            raise InputError(
                f"the symbolic gradient of model {self.model.name} cannot be computed at step "
                f"{step}: {message_of(error)}"
            ) from error

    def _loss(self, step: int, columns: Mapping[str, Array]) -> torch.Tensor:
        tensors = [torch.tensor(values) for values in columns.values()]
        try:
            return self.torch_loss(*tensors, *self._tensors.values())  # type: ignore[no-any-return]
        except RuntimeError as error:
            raise InputError(
                f"the loss of model {self.model.name} cannot be computed at step {step}: "
                f"{message_of(error)}"
            ) from error

    def _rows(self, rows: Rows) -> dict[str, Array]:
        """The data of a step in the training's dtype."""
        chosen = [rows] if isinstance(rows, int) else rows
        return {
            name: values[chosen].astype(self.settings.dtype)
            for name, values in self.columns.values.items()
        }

    def _judged(self, step: _TrainedStep) -> JudgedArrays:
        examination = self._examination(step)
        self.replays[step.number] = examination.formula
        symbolic = self._symbolic(step)
        parts = [
            _restated(part, stated, numbers)
            for part, stated, numbers in zip(examination.parts, step.stated, symbolic, strict=True)
        ]
        entries = [part.verdicts for part in parts]
        worst = [worst_place(verdicts) for verdicts in entries]
        names = self.model.parameters
        return JudgedArrays(
            names=names,
            numbers=np.array([step.number]),
            epochs=[step.epoch],
            samples=[None],
            columns=self.columns,
            parameters=_norms(to_numpy(step.given[name]) for name in names),
            twin_parameters=_norms(step.twin[name] for name in names),
            twin_losses=np.array([step.twin_loss]),
            verdicts=[one.only(place) for one, place in zip(entries, worst, strict=True)],
            entries=entries,
            places={
                part.name: _index_text(place, part.shape)
                for part, place in zip(parts[1:], worst[1:], strict=True)
            },
            distances=np.array([_distance(step.given[name], step.twin[name]) for name in names]),
            finding=Finding(
                "reverse",
                self.settings.dtype,
                CheckPoint(step.number, "step", self.settings.dtype, step.inputs),
                tuple(parts),
                examination=examination,
            ),
        )

    def _examination(self, step: _TrainedStep) -> Examination:
        subject = Subject(
            self.torch_loss,
            step.inputs,
            self.model.parameters,
            (torch.ones((), dtype=self.dtype),),
            reruns=0,
            graphs=self._graphs,
        )
        return examine(subject, Formula(self.loss_program))

    def _symbolic(self, step: _TrainedStep) -> list[Floats]:
        """The loss and the symbolic gradient at autograd's parameters."""
        given = {name: to_numpy(tensor) for name, tensor in step.given.items()}
        found = self._numpy_gradient(step.number, step.columns, given)
        return [np.ravel(np.asarray(numbers, dtype=np.float64)) for numbers in found]

    def held_out(self) -> HeldOut | None:
        """The loss of the held-out rows, as both trainings stand now; None where none are, and
        where the training could not go on from where they stand.
        """
        if not self._held_out.rows or self.ended:
            return None
        dtype = self.settings.dtype
        columns = {name: one.astype(dtype) for name, one in self._held_out.values.items()}
        try:
            with torch.no_grad():
                autograd = float(self._loss(self.done, columns))
            symbolic = float(self._numpy_gradient(self.done, columns, self._twin)[0])
        except InputError as error:
            self.notes.append(f"the held-out rows have no loss: {error.sentence}")
            return None
        return HeldOut(self._held_out.rows, autograd, symbolic)

    def _function(self, name: str, program: Program, language: Language) -> Callable[..., Any]:
        arguments = ", ".join((*self.model.columns, *self.model.start))
        return function(f"{self.model.name}_{name}", arguments, program, language)


@dataclass(frozen=True, eq=False)
class _TrainedStep:
    """What a step stated, and where it stood."""

    number: int
    epoch: int
    columns: dict[str, Array]
    given: dict[str, torch.Tensor]
    """All parameters before the step."""
    loss: float
    gradients: dict[str, torch.Tensor | None]
    twin: dict[str, Array]
    twin_loss: float

    @cached_property
    def inputs(self) -> dict[str, torch.Tensor]:
        """The columns and the parameters."""
        columns = {name: torch.tensor(values) for name, values in self.columns.items()}
        return {**columns, **self.given}

    @property
    def stated(self) -> list[Floats]:
        """The loss and each gradient as flat float64 arrays; NaN where there is no gradient."""
        flat = [np.array([self.loss])]
        for name, gradient in self.gradients.items():
            missing = np.full(self.given[name].numel(), np.nan)
            flat.append(missing if gradient is None else np.ravel(to_float64(gradient)))
        return flat


def _restated(part: Part, stated: Floats, symbolic: Floats) -> Part:
    """The part with what the training had, beside the symbolic numbers."""
    numbers = np.broadcast_to(symbolic, part.case.stated.shape)
    beside = replace(part, case=replace(part.case, symbolic=numbers))
    same = np.array_equal(stated, part.verdicts.stated, equal_nan=True)
    if same:
        return replace(beside, verdicts=replace(part.verdicts, symbolic=numbers))
    return beside.restated(stated)


def _norms(arrays: Iterable[Array]) -> Floats:
    flat = [np.ravel(np.asarray(array, dtype=np.float64)) for array in arrays]
    with np.errstate(over="ignore", invalid="ignore"):
        return np.array([[float(np.linalg.norm(numbers)) for numbers in flat]])


def _distance(one: torch.Tensor, other: Array) -> float:
    """The largest difference; 0 where both are the same NaN or infinity."""
    left, right = np.ravel(to_float64(one)), np.ravel(np.asarray(other, dtype=np.float64))
    same = (left == right) | (np.isnan(left) & np.isnan(right))
    with np.errstate(invalid="ignore"):
        return float(np.max(np.where(same, 0.0, np.abs(left - right)), initial=0.0))


def _index_text(place: int, shape: tuple[int, ...]) -> str:
    return str([int(one) for one in np.unravel_index(place, shape)]) if shape else ""
