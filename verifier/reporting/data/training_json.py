"""The machine's report, format `verifier/1`: keys are only ever added.

Floats read back as the same floats; NaN and infinities are the strings "NaN", "Infinity" and
"-Infinity"; exact values are decimal strings.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, TypeAlias, TypedDict

import numpy as np

from verifier.errors import InputError
from verifier.formula.arrays.start_values import Start
from verifier.formula.model import Model
from verifier.judging.causes.scalar_gradients import Cause
from verifier.judging.examination import NotReplayed
from verifier.judging.verdict import Comparison, Outcome
from verifier.process.values import Facts, UserValue
from verifier.reporting.data.document import FORMAT, Head, versions
from verifier.training.exact_replay import Parted
from verifier.training.findings import Component, Drift, Findings, NotFinite
from verifier.training.runner import HeldOut, Prediction, Settings, Step

SCHEMA = Path(__file__).parent / "schema" / "verifier-1.json"

NO_OPINION: Mapping[str, float] = {}
"""Of a step without finite differences."""
Quantity: TypeAlias = Annotated[str, Literal["value", "reverse", "forward", "second"]]
Tier: TypeAlias = Annotated[str, Literal["proved", "estimated"]]


class Judged(TypedDict):
    """What the judge says of a number."""

    symbolic: float
    """The symbolic gradient; of a check the exact value in float64."""
    exact: str
    """Decimal."""
    allowed: float
    """How far rounding alone can move a right statement."""
    ulps: float
    """The error in units of the last place of the exact value."""
    outcome: Outcome
    note: str
    """Why the outcome is what it is; empty where the numbers say it."""


class JudgedAutograd(Judged):
    """A number of autograd's, judged."""

    autograd: float
    entry: NotRequired[str]
    """The index of the number in an array, as `[3, 5]`: its worst entry; empty for a number."""
    finite_differences: NotRequired[float]
    """The third opinion, where it was asked for."""


class JudgedWorst(Judged):
    """The number that is worst by error over allowance, judged."""

    stated: float
    error: float
    digits: float


class WorstOfTraining(JudgedWorst):
    """The worst of a component, and its step."""

    step: int
    entry: str
    """The index of the number in an array, as `[3, 5]`; empty for a number."""


class DetectionLimit(TypedDict):
    """The error that would have been flagged, relative to the exact value."""

    median: float
    max: float


class JudgedComponent(TypedDict):
    """All comparisons of a value, or of a derivative by one input or parameter."""

    name: str
    quantity: Quantity
    dtype: str
    tier: Tier
    """How the allowance was found."""
    compared: int
    outcomes: Mapping[Outcome, int]
    """How many comparisons came out so."""
    detection_limit: DetectionLimit


class TrainingComponent(JudgedComponent):
    """The loss, or the gradient by one parameter."""

    identical: int
    """How often both gradients are the same to the last bit."""
    worst: WorstOfTraining


class StartArray(TypedDict):
    """A start value that is an array."""

    shape: list[int]
    norm: float
    """Euclidean."""
    values: list[Any] | None
    """The entries, row by row; null for many."""


class ModelDocument(TypedDict):
    """A model; a formula that is too long to be written is null."""

    name: str
    prediction: str | None
    loss: str | None
    parameters: dict[str, float | StartArray]
    """Their start values."""
    gradient: dict[str, str | None]


class TrainingSettings(TypedDict):
    """How a model is trained; an optimizer by its name."""

    epochs: int
    lr: float
    optimizer: str
    dtype: str
    batch: int | Annotated[str, Literal["all"]]
    shuffle: bool
    seed: int
    hold_out: float
    judge_every: int
    """Each so many steps one was judged, and the last one."""


class ReplayedTraining(TypedDict):
    """How the formulas of the code came out in exact arithmetic."""

    replayed: bool
    digits: int | None
    """To how many digits the code's own graph, replayed exactly, agrees with the exact gradient, at
    least.
    """
    steps: Sequence[int]
    """The steps that were replayed."""
    wrong: Sequence[Parted]
    reason: str | None
    """Why it was not replayed."""


class StepDocument(TypedDict):
    """A step, and its loss and gradient judged there."""

    step: int
    """Counted from 1."""
    epoch: int
    """Counted from 0."""
    sample: int | None
    """The row of a single sample, counted from 0; null for a batch."""
    inputs: Mapping[str, float]
    """The sample's columns; empty for a batch."""
    loss: JudgedAutograd
    parameters: Mapping[str, float]
    """Before the update; of an array its Euclidean norm."""
    gradient: dict[str, JudgedAutograd]


class TrainingVerdict(TypedDict):
    """What the report of a training as a whole says."""

    replay: str | None
    """The command that shows it again; null where only Python can."""
    outcome: Outcome
    ok: bool
    """Whether the exit code is 0."""


class TrainingDocument(Head, TrainingVerdict):
    """A training."""

    command: Literal["train"]
    settings: TrainingSettings
    model: ModelDocument
    formula: ReplayedTraining
    components: list[TrainingComponent]
    steps: list[StepDocument]
    """All up to 10,000; of a longer run the first, the last, the worst and those that fail."""
    steps_done: int
    steps_judged: int
    steps_planned: int
    partial: bool
    """Whether it was interrupted, or could not go on."""
    ended: str
    """Why it could not go on; empty where it could."""
    not_finite: NotFinite | None
    """The first NaN or infinity."""
    drift: Mapping[str, Drift]
    """How far the two trainings are apart."""
    predictions: Sequence[Prediction]
    held_out: HeldOut | None
    causes: Sequence[Cause]
    notes: Sequence[str]
    """What failed beside the verdict."""
    internal_errors: Sequence[str]
    """The tracebacks of errors of verifier's own."""


def training_document(
    model: Model, findings: Findings, verdict: TrainingVerdict
) -> TrainingDocument:
    """The document of a training; `verdict` holds what the report as a whole says."""
    return {
        "format": FORMAT,
        "command": "train",
        "versions": versions(),
        "settings": settings_document(findings.settings),
        "model": model_document(model),
        **verdict,
        "formula": _formula(findings),
        "components": [
            _component(component, findings.settings.dtype) for component in findings.components
        ],
        "steps": [
            step_document(step, findings.finite_differences.get(step.number, {}))
            for step in findings.steps
        ],
        "steps_done": findings.done,
        "steps_judged": findings.judged,
        "steps_planned": findings.planned,
        "partial": findings.interrupted or bool(findings.ended),
        "ended": findings.ended,
        "not_finite": findings.not_finite,
        "drift": findings.drift,
        "predictions": findings.predictions,
        "held_out": findings.held_out,
        "causes": findings.causes,
        "notes": findings.notes,
        "internal_errors": findings.internal_errors,
    }


def _formula(findings: Findings) -> ReplayedTraining:
    formula = findings.formula
    if isinstance(formula, NotReplayed):
        return {
            "replayed": False,
            "digits": None,
            "steps": [],
            "wrong": [],
            "reason": formula.reason,
        }
    return {
        "replayed": True,
        "digits": int(formula.digits),
        "steps": formula.steps,
        "wrong": formula.parted,
        "reason": None,
    }


def schema() -> Facts:
    """The JSON Schema (draft 2020-12) of every report in the format `verifier/1`.

    >>> schema()["title"]
    'verifier/1'
    """
    read: Facts = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return read


def settings_document(settings: Settings) -> TrainingSettings:
    """The `settings` of a training, an optimizer by its name."""
    return {
        "epochs": settings.epochs,
        "lr": settings.lr,
        "optimizer": optimizer_name(settings.optimizer),
        "dtype": settings.dtype,
        "batch": settings.batch,
        "shuffle": settings.shuffle,
        "seed": settings.seed,
        "hold_out": settings.hold_out,
        "judge_every": settings.judge_every,
    }


def optimizer_name(optimizer: UserValue) -> str:
    """What an `optimizer` is called: its name, or that of the function that makes it."""
    return (
        optimizer
        if isinstance(optimizer, str)
        else str(getattr(optimizer, "__name__", type(optimizer).__name__))
    )


def model_document(model: Model) -> ModelDocument:
    """The `model` of a document; a formula that is too long to be written is null."""
    prediction, loss, gradient = _formulas(model)
    return {
        "name": model.name,
        "prediction": prediction,
        "loss": loss,
        "parameters": {name: _start(value) for name, value in model.start.items()},
        "gradient": gradient,
    }


FEW_ENTRIES = 100
"""Arrays of more entries are given by their shape and norm."""


def _start(value: Start) -> float | StartArray:
    """A start value: a number; of an array its shape, its norm, and few entries themselves."""
    if isinstance(value, float):
        return value
    return {
        "shape": list(value.shape),
        "norm": float(np.linalg.norm(value.ravel())),
        "values": value.tolist() if value.size <= FEW_ENTRIES else None,
    }


def _formulas(model: Model) -> tuple[str | None, str | None, dict[str, str | None]]:
    """The prediction, the loss and the gradient as text; of arrays in the algebra of matrices."""
    if model.is_scalar:
        prediction = _shown(lambda: model.order.text(model.expression))
        return prediction, _shown(lambda: model.order.text(model.loss_expression)), _gradient(model)
    try:
        form = model.closed_form
    except InputError:
        return None, None, dict.fromkeys(model.parameters)
    prediction, loss, *derivatives = (
        _shown(partial(form.text_of, term))
        for term in (form.formulas.prediction, form.formulas.loss, *form.formulas.gradient)
    )
    return prediction, loss, dict(zip(form.parameters, derivatives, strict=True))


def _shown(text: Callable[[], str]) -> str | None:
    """The text of a formula; None where it is too long for people."""
    try:
        return text()
    except InputError:
        return None


def _gradient(model: Model) -> dict[str, str | None]:
    try:
        return {name: model.order.text(derivative) for name, derivative in model.gradient.items()}
    except InputError:
        return dict.fromkeys(model.parameters)


def _component(component: Component, dtype: str) -> TrainingComponent:
    return {
        "name": component.name,
        "quantity": component.quantity,
        "dtype": dtype,
        "tier": component.tier,
        "compared": component.compared,
        "outcomes": {outcome: component.outcomes[outcome] for outcome in Outcome},
        "identical": component.identical,
        "detection_limit": {"median": component.limit_median, "max": component.limit_max},
        "worst": {
            "step": component.worst_step,
            "entry": component.worst_entry,
            **judged_worst(component.worst),
        },
    }


def judged_worst(judged: Comparison) -> JudgedWorst:
    """The number that is worst, judged."""
    return {
        "stated": judged.stated,
        "symbolic": judged.symbolic,
        "exact": judged.exact,
        "allowed": judged.allowed,
        "ulps": judged.ulps,
        "outcome": judged.outcome,
        "note": judged.note.value,
        "error": judged.error,
        "digits": judged.digits,
    }


def judged_autograd(judged: Comparison) -> JudgedAutograd:
    """The number of autograd's that is `judged`, as a document has it."""
    return {
        "autograd": judged.stated,
        "symbolic": judged.symbolic,
        "exact": judged.exact,
        "allowed": judged.allowed,
        "ulps": judged.ulps,
        "outcome": judged.outcome,
        "note": judged.note.value,
    }


def step_document(step: Step, finite_differences: Mapping[str, float] = NO_OPINION) -> StepDocument:
    """A step; `finite_differences` are the third opinion on its gradient, by name."""
    gradient = {name: judged_autograd(judged) for name, judged in step.gradient.items()}
    for name, entry in step.entries.items():
        gradient[name]["entry"] = entry
    for name in gradient.keys() & finite_differences.keys():
        gradient[name]["finite_differences"] = finite_differences[name]
    return {
        "step": step.number,
        "epoch": step.epoch,
        "sample": step.sample,
        "inputs": step.inputs,
        "loss": judged_autograd(step.loss),
        "parameters": step.parameters,
        "gradient": gradient,
    }
