"""Training a model both ways, with every step judged: the library's `verifier.train`."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from os import PathLike
from typing import Any

import numpy as np

from verifier.errors import InputError
from verifier.formula.model import Model
from verifier.operations.formats import Format
from verifier.process.isolation import isolated
from verifier.reporting.training_report import Report
from verifier.training.exact_replay import replayed
from verifier.training.findings import Collector, Findings
from verifier.training.runner import Run, Settings, always
from verifier.witnesses import Autograd, Witness, finite_differences

DEFAULTS = Settings(epochs=100, lr=0.01, optimizer="sgd", dtype="float32", batch=1, shuffle=False, seed=0, hold_out=0.0)


@isolated
def train(
    model: Model,
    *,
    data: Any = None,
    predict: Iterable[Mapping[str, float]] = (),
    witness: Witness | None = None,
    third_opinion: bool = False,
    stop_on_failure: bool = False,
    keep_going: Callable[[int, int], bool] = always,
    **settings: Any,
) -> Report:
    """Train a model by autograd's gradients and by the symbolic ones, and judge every step.

    Settings are epochs, lr, optimizer ("sgd", a name of `torch.optim`, or a function of the list of
    parameters that returns an optimizer), dtype ("float32" or "float64"), batch (rows a step, or
    "all"), shuffle, seed and hold_out (the fraction of the rows that is not trained on, whose loss is
    reported in the end); what is not given is taken from the model, then from DEFAULTS.

    `data` overrides the model's own: a mapping of columns, the path of a CSV file with a header, a
    data frame of pandas or polars, a torch dataset. `predict` lists inputs at which both trainings predict in the
    end. `witness` states the gradients in place of `loss.backward()`. `third_opinion` adds finite
    differences at the steps that are kept. `keep_going` is asked before each step, with the numbers
    of those done and planned; its False ends the run, and the report is marked as partial.

    Raises InputError for data, settings and inputs that do not fit.

    >>> import verifier
    >>> report = verifier.train(verifier.load("linear"), epochs=2)
    >>> report.outcome, report.ok, report.steps[0].gradient["w"].stated
    (<Outcome.AGREES: 'agrees'>, True, -2.0)
    """
    if not isinstance(model, Model):
        raise InputError(f"train takes a model, not {model!r}: verifier.load('quadratic') gives one of the gallery")
    chosen = settings_for(model, settings)
    points = [_checked_point(model, point, chosen.format) for point in predict]
    run = Run(model, model.data if data is None else data, chosen, witness or Autograd(), keep_going)
    collector = Collector(chosen, run.schedule.steps, run.schedule.steps_an_epoch)
    for judged in run:
        failure = judged.first_failure() if stop_on_failure else None
        collector.add(judged if failure is None else judged.until(failure))
        if failure is not None:
            break
    if not run.done:
        raise InputError("the run was ended before its first step: there is nothing to report")
    findings = collector.findings(interrupted=run.stopped)
    predictions = tuple(run.predict(point) for point in points)
    findings = replace(findings, predictions=predictions, held_out=run.held_out(), data=run.columns)
    findings = replace(findings, formula=replayed(run, findings.steps))
    if third_opinion:
        findings = replace(findings, finite_differences=_third_opinion(run, findings))
    return Report(model, findings, replay_command(model, data, chosen, points))


def settings_for(model: Model, given: Mapping[str, Any]) -> Settings:
    """What is given, then what the model says, then DEFAULTS. Raises InputError."""
    unknown = [name for name in given if name not in Settings.__dataclass_fields__]
    if unknown:
        raise InputError(f"train has no setting {unknown[0]!r}: it has {', '.join(Settings.__dataclass_fields__)}")
    return replace(DEFAULTS, **{**model.training, **given})


def _checked_point(model: Model, point: Mapping[str, float], format: Format) -> dict[str, float]:
    inputs = ", ".join(model.inputs) or "none"
    for name in point:
        if name not in model.inputs:
            raise InputError(f"cannot predict: model {model.name} has no input {name!r}, its inputs are {inputs}")
    for name in model.inputs:
        if name not in point:
            raise InputError(f"cannot predict: model {model.name} needs a value for {name}, its inputs are {inputs}")
    for name, value in point.items():
        if not abs(float(value)) <= format.largest:
            raise InputError(f"cannot predict at {name}={value}: it is not a finite {format.name}")
    return {name: float(value) for name, value in point.items()}


def _third_opinion(run: Run, findings: Findings) -> dict[int, dict[str, float]]:
    """Finite differences at the kept steps with one sample; a batch has no inputs to take them at."""
    opinions = {}
    for step in findings.steps:
        if step.sample is not None or not run.columns.rows:
            values = {**{name: run.model.start[name] for name in run.model.fixed}, **step.inputs, **step.parameters}
            arguments = {name: np.array([[value]]) for name, value in values.items()}
            found = finite_differences(run.model.gradient_program, run.model.parameters, arguments)
            opinions[step.number] = {name: float(value[0]) for name, value in found.items()}
    return opinions


def replay_command(model: Model, data: Any, settings: Settings, points: Iterable[Mapping[str, float]]) -> str | None:
    """The shell command that trains this model in this way; None where there is none."""
    if not model.origin or not isinstance(settings.optimizer, str) or not isinstance(data, str | PathLike | None):
        return None
    own = replace(DEFAULTS, **model.training)
    words = ["verifier", "train", *model.origin, *(["--data", str(data)] if data is not None else [])]
    for name, value in vars(settings).items():
        if value != getattr(own, name):
            option = f"--{name.replace('_', '-')}"
            words += [option] if value is True else [option, str(value)]
    for point in points:
        words += ["--predict", ",".join(f"{name}={value!r}" for name, value in point.items())]
    return shlex.join(words)
