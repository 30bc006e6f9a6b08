"""The machine's report, format `verifier/1`: keys are only ever added.

Floats read back as the same floats; NaN and infinities are the strings "NaN", "Infinity" and
"-Infinity"; exact values are decimal strings.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from verifier.errors import InputError
from verifier.formula.arrays.start_values import Start
from verifier.formula.model import Model
from verifier.judging.examination import NotReplayed
from verifier.judging.verdict import Comparison, Outcome
from verifier.reporting.data.document_head import head
from verifier.training.findings import Component, Findings
from verifier.training.runner import Settings, Step

SCHEMA = Path(__file__).parent / "schema" / "verifier-1.json"


NO_OPINION: Mapping[str, float] = {}
"""Of a step without finite differences."""


def training_document(
    model: Model, findings: Findings, verdict: Mapping[str, Any]
) -> dict[str, Any]:
    """The document of a training; `verdict` holds what the report as a whole says."""
    document = {
        **head("train"),
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
        "partial": findings.interrupted,
        "not_finite": asdict(findings.not_finite) if findings.not_finite else None,
        "drift": {name: asdict(drift) for name, drift in findings.drift.items()},
        "predictions": [asdict(prediction) for prediction in findings.predictions],
        "held_out": asdict(findings.held_out) if findings.held_out else None,
        "causes": [asdict(cause) for cause in findings.causes],
        "notes": findings.notes,
        "internal_errors": findings.internal_errors,
    }
    cleaned: dict[str, Any] = clean(document)
    return cleaned


def _formula(findings: Findings) -> dict[str, Any]:
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
        "steps": list(formula.steps),
        "wrong": [asdict(part) for part in formula.parted],
        "reason": None,
    }


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of every report in the format `verifier/1`.

    >>> schema()["title"]
    'verifier/1'
    """
    read: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return read


def settings_document(settings: Settings) -> dict[str, Any]:
    """The settings, an optimizer by its name."""
    return {**asdict(settings), "optimizer": optimizer_name(settings.optimizer)}


def optimizer_name(optimizer: Any) -> str:
    """What an optimizer is called: its name, or that of the function that makes it."""
    return (
        optimizer
        if isinstance(optimizer, str)
        else str(getattr(optimizer, "__name__", type(optimizer).__name__))
    )


def model_document(model: Model) -> dict[str, Any]:
    """The `model` of a document; a formula that is too long to be written is null."""
    return {
        "name": model.name,
        "prediction": _shown(model, lambda: model.expression),
        "loss": _shown(model, lambda: model.loss_expression),
        "parameters": {name: _start(value) for name, value in model.start.items()},
        "gradient": _gradient(model),
    }


FEW_ENTRIES = 100
"""Arrays of more entries are given by their shape and norm."""


def _start(value: Start) -> Any:
    """A start value: a number; of an array its shape, its norm, and few entries themselves."""
    if not np.ndim(value):
        return value
    array = np.asarray(value)
    summary = {"shape": list(array.shape), "norm": float(np.linalg.norm(array.ravel()))}
    return {**summary, "values": array.tolist() if array.size <= FEW_ENTRIES else None}


def _shown(model: Model, expression: Callable[[], Any]) -> str | None:
    """The expression as text; None where it is too long for people."""
    try:
        return model.order.text(expression())
    except InputError:
        return None


def _gradient(model: Model) -> dict[str, str | None]:
    try:
        return {name: model.order.text(derivative) for name, derivative in model.gradient.items()}
    except InputError:
        return dict.fromkeys(model.parameters)


def _component(component: Component, dtype: str) -> dict[str, Any]:
    return {
        "name": component.name,
        "quantity": component.quantity,
        "dtype": dtype,
        "tier": "proved",
        "compared": component.compared,
        "outcomes": {outcome.value: component.outcomes[outcome] for outcome in Outcome},
        "identical": component.identical,
        "detection_limit": {"median": component.limit_median, "max": component.limit_max},
        "worst": {
            "step": component.worst_step,
            **({"entry": component.worst_entry} if component.worst_entry else {}),
            **comparison_document(component.worst, "stated"),
            **_detail(component),
        },
    }


def _detail(component: Component) -> dict[str, Any]:
    return {"error": component.worst.error, "digits": component.worst.digits}


def comparison_document(judged: Comparison, stated: str) -> dict[str, Any]:
    """One judged number; `stated` is the key under which the code's own stands."""
    return {
        stated: judged.stated,
        "symbolic": judged.symbolic,
        "exact": judged.exact,
        "allowed": judged.allowed,
        "ulps": judged.ulps,
        "outcome": judged.outcome.value,
        "note": judged.note.value,
    }


def step_document(
    step: Step, finite_differences: Mapping[str, float] = NO_OPINION
) -> dict[str, Any]:
    """A step in JSON's own types, but for numbers that are not finite."""
    return {
        "step": step.number,
        "epoch": step.epoch,
        "sample": step.sample,
        "inputs": step.inputs,
        "loss": comparison_document(step.loss, "autograd"),
        "parameters": _parameters(step),
        "gradient": {
            name: {
                **({"entry": step.entries[name]} if step.entries.get(name) else {}),
                **comparison_document(judged, "autograd"),
                **(
                    {"finite_differences": finite_differences[name]}
                    if name in finite_differences
                    else {}
                ),
            }
            for name, judged in step.gradient.items()
        },
    }


def _parameters(step: Step) -> dict[str, Any]:
    """The parameters before the step; of arrays their norms."""
    return {
        name: {"norm": value} if step.entries.get(name) else value
        for name, value in step.parameters.items()
    }


def clean(value: Any) -> Any:
    """The value in JSON's own types, with a word for every float that JSON cannot write."""
    if isinstance(value, Mapping):
        return {str(key): clean(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [clean(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
