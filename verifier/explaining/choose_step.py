"""Standing at one step of a training: which one, with which sample and which parameters, and
why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from verifier.errors import InputError
from verifier.formula.model import Model
from verifier.operations.arrays import Floats
from verifier.operations.formats import Format
from verifier.operations.number_text import number, plain
from verifier.training.runner import Rows, Run


@dataclass(frozen=True, eq=False)
class StepContext:
    """A training before the update of that step; the sample is float64 arrays, an entry a row."""

    step: int
    epoch: int
    row: int | None
    """The row of the data, where the sample is one."""
    sample: Mapping[str, Floats]
    chosen: str
    """Why this step, as a sentence."""


def round_point(model: Model, at: Mapping[str, float], format: Format) -> dict[str, float]:
    """The values of `at`, by name, rounded to `format`.

    `model` says which names there are. Raises InputError for others, and for numbers that do not
    fit.
    """
    names = (*model.columns, *model.start)
    for name, value in at.items():
        if name not in names:
            raise InputError(f"cannot explain at {name}: model {model.name} has {', '.join(names)}")
        if not abs(float(value)) <= format.largest:
            raise InputError(f"cannot explain at {name}={value}: it is not a finite {format.name}")
    return {name: float(np.dtype(format.name).type(value)) for name, value in at.items()}


def advance_to_step(run: Run, point: Mapping[str, float], step: int | None) -> StepContext:
    """Bring the training `run` to that `step`, and put the point's parameters in place.

    `point` has data and parameters by name; `step` is counted from 1, None where the point chooses
    it. Raises InputError for a step that there is not, and for data of which a column is missing.
    """
    wanted = {name: point[name] for name in run.model.columns if name in point}
    used = _first_use(run, wanted) if step is None or not run.schedule.single else None
    number = step if step is not None else used.step if used else 1
    epoch, rows = run.advance(number)
    own = rows if isinstance(rows, int) and (step is not None or not wanted) else None
    row = used.row if used else own
    sample = _row_with_values(run, row, wanted) if wanted else _columns_of_rows(run, rows)
    chosen = [_step_sentence(run, number, wanted, used, asked=step is not None)]
    if wanted and not run.schedule.single:
        chosen.append("its batch is this row by itself")
    chosen += [*_put_parameters(run, point), _parameters_sentence(number)]
    return StepContext(
        number, epoch, row if used or not wanted else None, sample, "; ".join(chosen)
    )


def step_of_training(run: Run, number: int, epoch: int, rows: Rows) -> StepContext:
    """The step `number`, counted from 1, of the training `run`, which stands before it: in that
    `epoch`, with the `rows` that are the step's own.
    """
    row = rows if isinstance(rows, int) else None
    chosen = [_step_sentence(run, number, {}, None, asked=True), _parameters_sentence(number)]
    return StepContext(number, epoch, row, _columns_of_rows(run, rows), "; ".join(chosen))


@dataclass(frozen=True)
class _FirstUse:
    """The first step that uses a row of the data."""

    step: int
    row: int


def _first_use(run: Run, wanted: Mapping[str, float]) -> _FirstUse | None:
    """The first step of the training that uses a row with these values, and the first such row in
    it.
    """
    columns = run.columns.values
    fits = np.all([columns[name] == value for name, value in wanted.items()], axis=0)
    if not wanted or not fits.any():
        return None
    turns = enumerate(run.schedule, start=1)
    return next(
        _FirstUse(step, row)
        for step, (_, rows) in turns
        for row in np.atleast_1d(rows).tolist()
        if fits[row]
    )


def _columns_of_rows(run: Run, rows: Rows) -> dict[str, Floats]:
    """The columns of these rows."""
    return {name: values[np.atleast_1d(rows)] for name, values in run.columns.values.items()}


def _row_with_values(run: Run, row: int | None, wanted: Mapping[str, float]) -> dict[str, Floats]:
    """One row in which the values that are wanted stand in the place of its own. Raises InputError
    without a row.
    """
    columns = run.columns.values
    missing = [name for name in columns if name not in wanted]
    if row is None and missing:
        raise InputError(
            f"cannot explain at {_values_text(wanted)}: no row of the data has it; give "
            f"{', '.join(missing)} as well"
        )
    base = {} if row is None else _columns_of_rows(run, row)
    return {**base, **{name: np.array([value]) for name, value in wanted.items()}}


def _step_sentence(
    run: Run, number: int, wanted: Mapping[str, float], used: _FirstUse | None, *, asked: bool
) -> str:
    total = f"the training's {run.schedule.steps}"
    if not wanted:
        return f"step {number} of {total}"
    if asked:
        return f"step {number} of {total}, with {_values_text(wanted)} in the place of its sample"
    if used is None:
        return f"{_values_text(wanted)} is no row of the data"
    return f"step {number} is the first of {total} that uses {_values_text(wanted)}"


def _put_parameters(run: Run, point: Mapping[str, float]) -> list[str]:
    """Put the parameters of the point in place; what is to be said of it."""
    sentences = []
    for name, tensor in run.autograd.parameters.items():
        if name in point:
            sentences.append(f"{name}={plain(point[name])} in the place of {number(tensor.item())}")
            tensor.data = torch.tensor(point[name], dtype=tensor.dtype)
    return sentences


def _parameters_sentence(step: int) -> str:
    if step == 1:
        return "the parameters are where the training starts"
    steps = {2: "step 1", 3: "steps 1 and 2"}.get(step, f"steps 1 to {step - 1}")
    return f"the parameters are as {steps} left them"


def _values_text(values: Mapping[str, float]) -> str:
    return " ".join(f"{name}={plain(value)}" for name, value in values.items())
