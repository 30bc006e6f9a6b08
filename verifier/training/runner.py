"""The runner: two trainings from the same start, and every step of the first one judged.

One training is moved by autograd's gradients, the other by the symbolic ones. Steps are judged many
at once, after they are done, which costs a fraction of judging each by itself (`make bench`).
The runner yields records and prints nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import numpy as np
import torch

from verifier.errors import InputError
from verifier.formula.model import Model
from verifier.judging.formulas import Judge
from verifier.judging.verdict import Comparison, Verdicts, joined
from verifier.operations.arrays import Array, Floats, Indices
from verifier.operations.formats import Format, format_named
from verifier.process.isolation import user_code_state
from verifier.program.codegen import NUMPY, TORCH, constant_values, function
from verifier.training.data import Columns, held_apart, read_columns
from verifier.training.optimizers import Optimizer, optimizer_named
from verifier.witnesses import Autograd, Witness, evaluate_in_floats

MOST_EPOCHS = 1_000_000_000
LARGEST_SEED = 2**63 - 1
"""The largest whole number of 64 bits with a sign, which generators of torch and NumPy take."""
CHUNK_STEPS = 1024
CHUNK_NUMBERS = 8192
"""At most so many steps, and so many steps times rows, are judged at once."""


@dataclass(frozen=True)
class Settings:
    """How a model is trained. Raises InputError for what cannot be."""

    epochs: int
    lr: float
    optimizer: Any
    dtype: str
    batch: int | str
    """Rows a step: 1 is one sample a step, without a mean; "all" is the whole data."""
    shuffle: bool
    seed: int
    hold_out: float
    """The fraction of the rows that is not trained on; the seed chooses them."""
    judge_every: int
    """Every so many steps one is judged, from the first on; the last one is, too."""

    def __post_init__(self) -> None:
        if not _is_whole(self.epochs) or not 1 <= self.epochs <= MOST_EPOCHS:
            raise InputError(
                f"epochs is {self.epochs!r}: give a whole number from 1 to {MOST_EPOCHS:,}"
            )
        if not _is_real(self.lr) or not 0 <= self.lr < float("inf"):
            raise InputError(f"the learning rate is {self.lr!r}: use a finite number, 0 or above")
        if self.batch != "all" and (not _is_whole(self.batch) or int(self.batch) < 1):
            raise InputError(
                f"batch is {self.batch!r}: use a whole number of rows, 1 or more, or all"
            )
        if not _is_whole(self.seed) or not 0 <= self.seed <= LARGEST_SEED:
            raise InputError(
                f"the seed is {self.seed!r}: give a whole number from 0 to {LARGEST_SEED:,}"
            )
        if not _is_real(self.hold_out) or not 0 <= self.hold_out < 1:
            raise InputError(
                f"hold_out is {self.hold_out!r}: use a fraction of the rows, 0 or above and below 1"
            )
        if not _is_whole(self.judge_every) or self.judge_every < 1:
            raise InputError(
                f"judge_every is {self.judge_every!r}: give a whole number of steps, 1 or more"
            )
        if not isinstance(self.shuffle, bool):
            raise InputError(f"shuffle is {self.shuffle!r}: use True or False")
        format_named(self.dtype)

    @property
    def format(self) -> Format:
        """The floating-point format of the training's dtype."""
        return format_named(self.dtype)

    def is_judged(self, number: int, last: int) -> bool:
        """Whether the step of that number is judged, where steps are counted from 1 to `last`."""
        return (number - 1) % self.judge_every == 0 or number == last


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_real(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the training by autograd: where it stood, and its loss and gradient judged
    there.
    """

    number: int
    """Counted from 1."""
    epoch: int
    """Counted from 0."""
    sample: int | None
    """The row of a single sample, counted from 0; None for a batch."""
    inputs: dict[str, float]
    """The sample's columns; empty for a batch."""
    parameters: dict[str, float]
    """Before the update."""
    loss: Comparison
    gradient: dict[str, Comparison]
    """By parameter; of an array, its worst entry."""
    entries: dict[str, str] = field(default_factory=dict)
    """The index of the worst entry of each array, as `[3, 5]`."""

    def label(self, name: str) -> str:
        """What is compared under `name`, that of a parameter: it, or an entry of it."""
        return f"{name}{self.entries.get(name, '')}"


@dataclass(frozen=True, eq=False)
class Judged:
    """Steps in their order, judged: every array has an entry a step."""

    names: tuple[str, ...]
    numbers: Indices
    """The steps' numbers, counted from 1."""
    epochs: list[int]
    samples: list[int | None]
    columns: Columns
    parameters: Any
    """Autograd's parameters before each step: steps by parameters, float64."""
    twin_parameters: Any
    """The same of the training by symbolic gradients."""
    twin_losses: Any
    """The losses of that training, at its own parameters."""
    verdicts: list[Verdicts]
    """The loss first, then the trained parameters in order."""

    def __len__(self) -> int:
        return len(self.epochs)

    def first_failure(self) -> int | None:
        """The place of the first step that disagrees, or None."""
        failing = np.any([verdicts.failing for verdicts in self.verdicts], axis=0)
        return int(np.argmax(failing)) if failing.any() else None

    def until(self, place: int) -> Judged:
        """The steps up to that place, it included."""
        end = place + 1
        return replace(
            self,
            numbers=self.numbers[:end],
            epochs=self.epochs[:end],
            samples=self.samples[:end],
            parameters=self.parameters[:end],
            twin_parameters=self.twin_parameters[:end],
            twin_losses=self.twin_losses[:end],
            verdicts=[verdicts.until(place) for verdicts in self.verdicts],
        )

    def step(self, place: int) -> Step:
        """The step at that place of the batch, counted from 0, as a record."""
        sample = self.samples[place]
        comparisons = [verdicts[place] for verdicts in self.verdicts]
        return Step(
            number=int(self.numbers[place]),
            epoch=self.epochs[place],
            sample=sample,
            inputs={} if sample is None else self.columns.row(sample),
            parameters=dict(zip(self.names, map(float, self.parameters[place]), strict=True)),
            loss=comparisons[0],
            gradient=dict(zip(self.names, comparisons[1:], strict=True)),
            entries=self.entry_names(place),
        )

    def entry_names(self, place: int) -> dict[str, str]:
        """The index of the entry that each comparison at that place is about, for arrays."""
        return {}

    @property
    def all_verdicts(self) -> list[Verdicts]:
        """The verdicts on everything that was compared: of arrays, on all entries."""
        return self.verdicts

    @property
    def tiers(self) -> list[str]:
        """How the allowance of each of them was found: proved or estimated."""
        return ["proved"] * len(self.verdicts)

    @property
    def apart(self) -> Floats:
        """How far the parameters of both trainings are apart: steps by parameters."""
        with np.errstate(invalid="ignore"):
            apart = np.abs(self.parameters - self.twin_parameters)
        # Both infinite or both NaN is no distance: the trainings went there together.
        together = (self.parameters == self.twin_parameters) | (
            np.isnan(self.parameters) & np.isnan(self.twin_parameters)
        )
        return np.where(together, 0.0, apart)


Rows = Any
"""What a step trains on: a row's number, an array of them, or None without data."""


@dataclass(frozen=True)
class Schedule:
    """Which rows each step trains on. Without data an epoch is one step."""

    rows: int
    settings: Settings

    @property
    def size(self) -> int:
        """Rows a step, at most; 1 also without data."""
        wanted = self.rows if self.settings.batch == "all" else int(self.settings.batch)
        return max(1, min(wanted, self.rows))

    @property
    def single(self) -> bool:
        """Whether a step has one sample at most, so that no mean is taken."""
        return self.size == 1

    @property
    def steps_an_epoch(self) -> int:
        """How many updates go once through the data; 1 without data."""
        return max(1, -(-self.rows // self.size))

    @property
    def steps(self) -> int:
        """How many updates the whole training has."""
        return self.settings.epochs * self.steps_an_epoch

    def is_judged(self, number: int) -> bool:
        """Whether the step of that number, counted from 1, is judged."""
        return self.settings.is_judged(number, self.steps)

    def __iter__(self) -> Iterator[tuple[int, Rows]]:
        """The epoch and the rows of each step."""
        random = np.random.default_rng(self.settings.seed) if self.settings.shuffle else None
        for epoch in range(self.settings.epochs):
            order = np.arange(self.rows) if random is None else random.permutation(self.rows)
            if self.single:
                yield from ((epoch, row) for row in order.tolist() or [None])
            else:
                yield from (
                    (epoch, order[low : low + self.size]) for low in range(0, self.rows, self.size)
                )


class AutogradTraining:
    """The training that is judged: torch's forward, the witness's gradients, torch's update."""

    def __init__(
        self, model: Model, columns: Columns, schedule: Schedule, witness: Witness, rule: Optimizer
    ) -> None:
        dtype = getattr(torch, schedule.settings.dtype)
        self._columns = [torch.tensor(values, dtype=dtype) for values in columns.values.values()]
        self.parameters = {
            name: torch.tensor(value, dtype=dtype, requires_grad=name in model.parameters)
            for name, value in model.start.items()
        }
        self.trained = [self.parameters[name] for name in model.parameters]
        self._samples = list(zip(*self._columns, strict=True)) if schedule.single else []
        program = (model.guarded_program if schedule.single else model.batch_program).only_last
        self.loss = function(f"{model.name}_loss", _positional(model), program, TORCH)
        self.update = rule.on_tensors(self.trained)
        self.differentiate = differentiation_by(witness)

    def step(self, rows: Rows) -> list[float]:
        """The trained parameters before the step, the loss, and the gradient, in a row."""
        record = [parameter.item() for parameter in self.trained]
        loss = self.loss(*self._sample(rows), *self.parameters.values())
        self.differentiate(loss, self.trained)
        record.append(loss.item())
        record.extend(_item(parameter.grad) for parameter in self.trained)
        self.update()
        return record

    def _sample(self, rows: Rows) -> Sequence[torch.Tensor]:
        if isinstance(rows, int):
            return self._samples[rows]
        return [column[rows] for column in self._columns]


def differentiation_by(witness: Witness) -> Callable[[torch.Tensor, Sequence[torch.Tensor]], None]:
    """The witness's differentiation; where it is somebody's own code it has a state of its own."""
    if type(witness) is Autograd:
        return witness.differentiate

    def differentiate(loss: torch.Tensor, parameters: Sequence[torch.Tensor]) -> None:
        with user_code_state(parameters):
            witness.differentiate(loss, parameters)

    return differentiate


def _item(gradient: torch.Tensor | None) -> float:
    return float("nan") if gradient is None else gradient.item()


class _SymbolicTraining:
    """The twin: the gradient's program in NumPy, and an update by it."""

    def __init__(self, model: Model, columns: Columns, schedule: Schedule, rule: Optimizer) -> None:
        number = np.dtype(schedule.settings.dtype).type
        self._columns = [values.astype(number) for values in columns.values.values()]
        self._samples = list(zip(*self._columns, strict=True)) if schedule.single else []
        self._fixed = {
            name: number(model.start[name]) for name in model.start if name in model.fixed
        }
        self._names = model.parameters
        self._trained: Sequence[Any] = [number(model.start[name]) for name in self._names]
        program = model.gradient_program if schedule.single else model.batch_gradient_program
        order = ", ".join((*model.columns, *model.parameters, *self._fixed))
        self._gradient = function(f"{model.name}_gradient", order, program, NUMPY)
        self._update = rule.on_numbers(self._trained)

    @property
    def parameters(self) -> dict[str, Any]:
        """All parameters by name, as they stand now."""
        return {**self._fixed, **dict(zip(self._names, self._trained, strict=True))}

    def step(self, rows: Rows) -> list[float]:
        """The trained parameters before the step, and the loss."""
        trained = self._trained
        sample = (
            self._samples[rows]
            if isinstance(rows, int)
            else [column[rows] for column in self._columns]
        )
        loss, *gradient = self._gradient(*sample, *trained, *self._fixed.values())
        self._trained = self._update(trained, gradient)
        return [*trained, loss]


def _positional(model: Model) -> str:
    return ", ".join((*model.columns, *model.start))


@dataclass(frozen=True)
class Prediction:
    """What both trainings predict in the end."""

    inputs: dict[str, float]
    autograd: float
    symbolic: float

    @property
    def same(self) -> bool:
        """Whether both are the same number, or both are NaN."""
        return self.autograd == self.symbolic or (
            math.isnan(self.autograd) and math.isnan(self.symbolic)
        )


@dataclass(frozen=True)
class HeldOut:
    """The loss of the rows that were not trained on, with each training's last parameters."""

    rows: int
    autograd: float
    symbolic: float

    @property
    def same(self) -> bool:
        """Whether both are the same number, or both are NaN."""
        return self.autograd == self.symbolic or (
            math.isnan(self.autograd) and math.isnan(self.symbolic)
        )


def always(done: int, planned: int) -> bool:
    """True: go on whatever number of steps is `done` of those that are `planned`."""
    return True


def ignore(_: Judged) -> None:
    """Takes no notice of `_`, steps that were judged."""


def refuse_large_starts(model: Model, format: Format) -> None:
    """Do nothing where the format has room for all start values. Raises InputError else."""
    for name, value in model.start.items():
        flat = np.ravel(value)
        largest = float(flat[np.argmax(np.abs(flat))])
        if abs(largest) > format.largest:
            raise InputError(
                f"parameter {name} starts from {largest!r}, too large for {format.name}"
            )


def _refuse_large_constants(model: Model, format: Format) -> None:
    """torch turns a number beside a tensor into one of the tensor's dtype here, and stops where it
    cannot.
    """
    program = model.guarded_program
    beside = [
        node.arguments[-2:]
        for node in program.nodes
        if node.operation in ("maximum", "minimum", "where")
    ]
    constants = constant_values(program)
    for index in dict.fromkeys(index for pair in beside for index in pair if index in constants):
        value = float(constants[index])
        if abs(value) > format.largest:
            raise InputError(f"the formula's constant {value:.6g} is too large for {format.name}")


class Run:
    """Two trainings of a model, step by step, as an iterable of judged steps.

    `keep_going` is asked before each step, with the numbers of those done and planned; False ends
    the run, which then is `stopped`. Raises InputError for data and settings that do not fit the
    model.
    """

    def __init__(
        self,
        model: Model,
        data: Any,
        settings: Settings,
        witness: Witness,
        keep_going: Callable[[int, int], bool],
    ) -> None:
        self.model = model
        given = read_columns(data, model.columns, settings.format)
        self.columns, self._held_out = held_apart(given, settings.hold_out, settings.seed)
        self.schedule = Schedule(self.columns.rows, settings)
        self.done = 0
        self.stopped = False
        self.ended = ""
        self.notes: list[str] = []
        """Numbers alone always go on, and leave nothing to note."""
        self.settings = settings
        self._keep_going = keep_going
        refuse_large_starts(model, settings.format)
        _refuse_large_constants(model, settings.format)
        rule = optimizer_named(settings.optimizer, settings.lr)
        self.autograd = AutogradTraining(model, self.columns, self.schedule, witness, rule)
        self._twin = _SymbolicTraining(model, self.columns, self.schedule, rule)
        self.gradient_program = (
            model.gradient_program if self.schedule.single else model.batch_gradient_program
        )
        """The loss of a step and its derivatives."""
        self._judge = Judge(
            self.gradient_program, settings.format, data=frozenset((*model.columns, *model.fixed))
        )

    def __iter__(self) -> Iterator[Judged]:
        turns = iter(self.schedule)
        size = max(1, min(CHUNK_STEPS, CHUNK_NUMBERS // self.schedule.size))
        while not self.stopped and (chunk := list(islice(turns, size))):
            first = self.done + 1
            records, twins = self._train(chunk)
            places = [
                place for place in range(len(records)) if self.schedule.is_judged(first + place)
            ]
            if places:
                yield self._judged(
                    np.array(places) + first,
                    [chunk[place] for place in places],
                    np.array(records)[places],
                    np.array(twins, dtype=np.float64)[places],
                )

    @property
    def torch_loss(self) -> Callable[..., torch.Tensor]:
        """The code that is judged: the loss of data columns, then of all parameters, in order."""
        return self.autograd.loss

    @property
    def format(self) -> Format:
        """The floating-point format of the training's dtype."""
        return self.settings.format

    @property
    def dtype(self) -> torch.dtype:
        """torch's dtype of the same name."""
        return getattr(torch, self.settings.dtype)  # type: ignore[no-any-return]

    @property
    def parameters(self) -> dict[str, Array | float]:
        """All parameters as autograd's training has them now, by name."""
        return {name: tensor.item() for name, tensor in self.autograd.parameters.items()}

    def arguments_at(self, step: Step, rows: int) -> dict[str, Any]:
        """What the loss was computed of at a step, at most so many rows of it: a float64 array a
        name, in order.
        """
        chosen = next(
            taken
            for number, (_, taken) in enumerate(self.schedule, start=1)
            if number == step.number
        )
        parameters = np.array([[step.parameters[name] for name in self.model.parameters]])
        arguments = {
            name: values[0] for name, values in self._arguments([chosen], parameters).items()
        }
        cut = {name: arguments[name][:rows] for name in self.model.columns}
        return {**cut, **{name: arguments[name] for name in self.model.start}}

    def advance(self, number: int) -> tuple[int, Rows]:
        """Train by autograd up to before that step, and judge nothing; the step's epoch and rows.

        Raises InputError for a step that the training does not have, and where it was ended before.
        """
        if not 1 <= number <= self.schedule.steps:
            raise InputError(
                f"the training has {self.schedule.steps} steps: step {number} is none of them"
            )
        turns = iter(self.schedule)
        with np.errstate(all="ignore"):
            for _, rows in islice(turns, number - 1):
                if not self._keep_going(self.done, number - 1):
                    raise InputError(
                        f"the run was ended before step {number}: there is nothing to show of it"
                    )
                self.autograd.step(rows)
                self.done += 1
        return next(turns)

    def predict(self, inputs: Mapping[str, float]) -> Prediction:
        """Both trainings' predictions at these inputs, as they stand now."""
        number = np.dtype(self.settings.dtype).type
        values = [number(inputs[name]) for name in self.model.inputs]
        with torch.no_grad():
            tensors = [torch.tensor(value) for value in values]
            autograd = float(self.model.torch(*tensors, **self.autograd.parameters))
        with np.errstate(all="ignore"):
            symbolic = float(self.model.numpy(*values, **self._twin.parameters))
        return Prediction(
            dict(zip(self.model.inputs, map(float, values), strict=True)), autograd, symbolic
        )

    def held_out(self) -> HeldOut | None:
        """The loss of the held-out rows, as both trainings stand now; None where none are
        held out.
        """
        if not self._held_out.rows:
            return None
        number = np.dtype(self.settings.dtype)
        values = {name: column.astype(number) for name, column in self._held_out.values.items()}
        program = self.model.batch_program.only_last
        with torch.no_grad():
            tensors = [torch.tensor(column) for column in values.values()]
            loss = function("held_out", _positional(self.model), program, TORCH)
            autograd = float(loss(*tensors, *self.autograd.parameters.values()))
        start = {name: self._twin.parameters[name] for name in self.model.start}
        with np.errstate(all="ignore"):
            twin = function("held_out", _positional(self.model), program, NUMPY)
            symbolic = float(twin(*values.values(), *start.values()))
        return HeldOut(self._held_out.rows, autograd, symbolic)

    def _train(self, chunk: list[tuple[int, Rows]]) -> tuple[list[list[float]], list[list[float]]]:
        records, twins = [], []
        planned = self.schedule.steps
        with np.errstate(all="ignore"):
            for _, rows in chunk:
                if not self._keep_going(self.done, planned):
                    self.stopped = True
                    break
                records.append(self.autograd.step(rows))
                twins.append(self._twin.step(rows))
                self.done += 1
        return records, twins

    def _judged(
        self, numbers: Indices, chunk: list[tuple[int, Rows]], records: Any, twins: Any
    ) -> Judged:
        count = len(self.model.parameters)
        parameters, stated = records[:, :count], records[:, count:]
        sizes = np.array([np.size(rows) for _, rows in chunk])
        groups = [np.flatnonzero(sizes == size) for size in np.unique(sizes)]
        judged = [
            self._verdicts([chunk[place][1] for place in group], parameters[group], stated[group])
            for group in groups
        ]
        return Judged(
            names=self.model.parameters,
            numbers=numbers,
            epochs=[epoch for epoch, _ in chunk],
            samples=[rows if isinstance(rows, int) else None for _, rows in chunk],
            columns=self.columns,
            parameters=parameters,
            twin_parameters=twins[:, :count],
            twin_losses=twins[:, count],
            verdicts=[joined(parts, np.concatenate(groups)) for parts in zip(*judged, strict=True)],
        )

    def _verdicts(self, rows: list[Rows], parameters: Any, stated: Any) -> list[Verdicts]:
        """Steps of equally many rows, judged at autograd's parameters."""
        arguments = self._arguments(rows, parameters)
        number = np.dtype(self.settings.dtype)
        rounded = {name: values.astype(number) for name, values in arguments.items()}
        symbolically = evaluate_in_floats(self._judge.program, self.settings.dtype, rounded)
        return self._judge.verdicts(
            arguments,
            list(stated.T),
            [np.asarray(values, dtype=np.float64) for values in symbolically],
        )

    def _arguments(self, rows: list[Rows], parameters: Any) -> dict[str, Any]:
        points = len(rows)
        fixed = {
            name: np.full((points, 1), float(self._twin.parameters[name]))
            for name in self.model.fixed
        }
        trained = {name: parameters[:, [place]] for place, name in enumerate(self.model.parameters)}
        if not self.columns.rows:
            return {**fixed, **trained}
        chosen = np.reshape(np.array(rows), (points, -1))
        sampled = {name: values[chosen] for name, values in self.columns.values.items()}
        return {**sampled, **fixed, **trained}
