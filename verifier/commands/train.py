"""Training a model both ways, with every step judged: the library's `verifier.train`."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from os import PathLike

from verifier.errors import InputError
from verifier.formula.model import Model
from verifier.process.isolation import isolate
from verifier.process.values import UserValue
from verifier.reporting.training_report import Report
from verifier.training.model_training import (
    DEFAULTS,
    check_prediction_point,
    settings_for,
    train_model,
)
from verifier.training.runner import Judged, Settings, always, ignore
from verifier.witnesses import Autograd, Witness


@isolate
def train(
    model: Model,
    *,
    data: UserValue = None,
    predict: Iterable[Mapping[str, float]] = (),
    witness: Witness | None = None,
    third_opinion: bool = False,
    stop_on_failure: bool = False,
    keep_going: Callable[[int, int], bool] = always,
    on_judged: Callable[[Judged], None] = ignore,
    **settings: UserValue,
) -> Report:
    """Train a model by autograd's gradients and by the symbolic ones, and judge every step.

    The `settings` are epochs, lr, optimizer ("sgd", a name of `torch.optim`, or a function of the
    list of parameters that returns an optimizer), dtype ("float32" or "float64"), batch (rows a
    step, or "all"), shuffle, seed, hold_out (the fraction of the rows that is not trained on, whose
    loss is reported in the end) and judge_every (each so many steps one is judged). What is not
    given is taken from `model`, then from DEFAULTS.

    `data` overrides the model's own: a mapping of columns, the path of a CSV file with a header, a
    data frame of pandas or polars, a torch dataset, or a function that returns one. `predict` lists
    inputs at which both trainings predict in the end. `witness` states the gradients in place of
    `loss.backward()`. `third_opinion` adds finite differences at the steps that are kept. With
    `stop_on_failure` the run ends at the first step that disagrees. `keep_going` is asked before
    each step, with the numbers of those done and planned; its False ends the run, and the report is
    marked as partial. `on_judged` is called with the steps as they are judged, many at once.

    Raises InputError for data, settings and inputs that do not fit.

    >>> import verifier
    >>> report = verifier.train(verifier.load("linear"), epochs=2)
    >>> report.outcome, report.ok, report.steps[0].gradient["w"].stated
    (<Outcome.AGREES: 'agrees'>, True, -2.0)
    """
    if not isinstance(model, Model):
        raise InputError(
            f"train takes a model, not {model!r}: verifier.load('quadratic') gives one of the "
            "gallery"
        )
    if data is not None:
        model = model.with_data(data)
    chosen = settings_for(model, settings)
    points = [check_prediction_point(model, point, chosen.format) for point in predict]
    findings = train_model(
        model,
        model.data,
        chosen,
        witness or Autograd(),
        points=points,
        third_opinion=third_opinion,
        stop_on_failure=stop_on_failure,
        keep_going=keep_going,
        on_judged=on_judged,
    )
    return Report(model, findings, training_command(model, data, chosen, points))


def training_command(
    model: Model, data: UserValue, settings: Settings, points: Iterable[Mapping[str, float]]
) -> str | None:
    """The shell command that trains this model in this way.

    It is None where there is none: for a model without a name on the command line, an optimizer
    that is a function, and data that is not a file.
    """
    if (
        not model.origin
        or not isinstance(settings.optimizer, str)
        or not isinstance(data, str | PathLike | None)
    ):
        return None
    own = replace(DEFAULTS, **model.training)
    words = [
        "verifier",
        "train",
        *model.origin,
        *(["--data", str(data)] if data is not None else []),
    ]
    for name, value in vars(settings).items():
        if value != getattr(own, name):
            option = f"--{name.replace('_', '-')}"
            words += [option] if value is True else [option, str(value)]
    for point in points:
        words += ["--predict", ",".join(f"{name}={value!r}" for name, value in point.items())]
    return shlex.join(words)
