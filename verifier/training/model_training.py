"""A whole training, from settings to findings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from verifier.errors import InputError
from verifier.formula.model import Model
from verifier.operations.formats import Format
from verifier.process.values import Options, UserValue
from verifier.training.array_causes import ArrayCauses
from verifier.training.array_run import ArrayRun
from verifier.training.findings import Collector, Findings
from verifier.training.runner import Judged, Run, Settings, always, ignore
from verifier.training.step_causes import StepCauses
from verifier.witnesses import Witness, finite_differences

DEFAULTS = Settings(
    epochs=100,
    lr=0.01,
    optimizer="sgd",
    dtype="float32",
    batch=1,
    shuffle=False,
    seed=0,
    hold_out=0.0,
    judge_every=1,
)


def settings_for(model: Model, given: Options) -> Settings:
    """The settings of a training of `model`: what is `given` by name, then what the model says,
    then DEFAULTS.

    Raises InputError for a name that is no setting, and for a value that a setting cannot have.
    """
    unknown = [name for name in given if name not in Settings.__dataclass_fields__]
    if unknown:
        raise InputError(
            f"train has no setting {unknown[0]!r}: it has "
            f"{', '.join(Settings.__dataclass_fields__)}"
        )
    return replace(DEFAULTS, **{**model.training, **given})


def check_prediction_point(
    model: Model, point: Mapping[str, float], format: Format
) -> dict[str, float]:
    """`point`, which has a number for each input of `model`, with its numbers as float64.

    Raises InputError where the model has arrays or no such input, misses one, or `format` has no
    room for a number.
    """
    if not model.is_scalar:
        arguments = ", ".join((*model.inputs, "**report.parameters"))
        raise InputError(
            f"cannot predict: model {model.name} has arrays: call report.model.numpy({arguments})"
        )
    inputs = ", ".join(model.inputs) or "none"
    for name in point:
        if name not in model.inputs:
            raise InputError(
                f"cannot predict: model {model.name} has no input {name!r}, its inputs are {inputs}"
            )
    for name in model.inputs:
        if name not in point:
            raise InputError(
                f"cannot predict: model {model.name} needs a value for {name}, its inputs are "
                f"{inputs}"
            )
    for name, value in point.items():
        if not abs(float(value)) <= format.largest:
            raise InputError(f"cannot predict at {name}={value}: it is not a finite {format.name}")
    return {name: float(value) for name, value in point.items()}


def train_model(
    model: Model,
    data: UserValue,
    chosen: Settings,
    witness: Witness,
    *,
    points: Sequence[Mapping[str, float]] = (),
    third_opinion: bool = False,
    stop_on_failure: bool = False,
    keep_going: Callable[[int, int], bool] = always,
    on_judged: Callable[[Judged], None] = ignore,
) -> Findings:
    """What a training of `model` both ways with the `chosen` settings shows, every step judged.

    `data` is what `read_columns` takes. `witness` states the gradients that are judged. `points`
    are inputs by name to predict at. With `third_opinion` finite differences are taken at the kept
    steps; with `stop_on_failure` the run ends at the first step that disagrees. `keep_going` is
    asked with the steps done and planned, and ends the run where it says False. `on_judged` is
    called with the steps as they are judged.

    Raises InputError for data and settings that cannot be used.
    """
    run: Run | ArrayRun
    causes: StepCauses | ArrayCauses
    if model.is_scalar:
        run = Run(model, data, chosen, witness, keep_going)
        causes = StepCauses(run)
    else:
        if third_opinion:
            raise InputError(
                f"model {model.name} has arrays: finite differences are taken of numbers only"
            )
        run = ArrayRun(model, data, chosen, witness, keep_going)
        causes = ArrayCauses(run)
    collector = Collector(chosen, run.schedule.steps, run.schedule.steps_an_epoch, causes.causes_at)
    for judged in run:
        failure = judged.first_failure() if stop_on_failure else None
        kept = judged if failure is None else judged.until(failure)
        collector.add(kept)
        on_judged(kept)
        if failure is not None:
            break
    if not run.done:
        raise InputError("the run was ended before its first step: there is nothing to report")
    findings = collector.findings(interrupted=run.stopped)
    held_out, formula = run.held_out(), causes.replayed(findings.steps)
    findings = replace(
        findings,
        predictions=tuple(run.predict(point) for point in points) if isinstance(run, Run) else (),
        held_out=held_out,
        data=run.columns,
        parameters=run.parameters,
        ended=run.ended,
        formula=formula,
        notes=(*run.notes, *causes.errors.notes),
        internal_errors=causes.errors.tracebacks,
    )
    if third_opinion and isinstance(run, Run):
        findings = replace(findings, finite_differences=_finite_differences_at_steps(run, findings))
    return findings


def _finite_differences_at_steps(run: Run, findings: Findings) -> dict[int, dict[str, float]]:
    """Finite differences at the kept steps with one sample; a batch has no inputs to take
    them at.
    """
    opinions = {}
    for step in findings.steps:
        if step.sample is not None or not run.columns.rows:
            values = {
                **{name: run.model.start[name] for name in run.model.fixed},
                **step.inputs,
                **step.parameters,
            }
            arguments = {name: np.array([[value]]) for name, value in values.items()}
            found = finite_differences(run.model.gradient_program, run.model.parameters, arguments)
            opinions[step.number] = {name: float(value[0]) for name, value in found.items()}
    return opinions
