"""Check document: a whole check in the format `verifier/1`."""

from __future__ import annotations

from dataclasses import asdict

import torch

from verifier.capture.to_numpy import dense
from verifier.checking.tally.components import CheckComponent, Place
from verifier.checking.tally.count import CheckTally, Tally
from verifier.judging.examination import NotReplayed
from verifier.judging.finding import CheckPoint
from verifier.judging.verdict import Outcome
from verifier.process.values import Facts
from verifier.reporting.content.check_tables import check_named
from verifier.reporting.data.document_head import head
from verifier.reporting.data.training_json import clean, comparison_document

KEPT = 1_000
"""Tensors of at most so many numbers are written out, at points where something does not agree."""
KEPT_SIMPLEST = 100_000
"""So are larger ones at the simplest failing point."""


def check_document(tally: Tally) -> Facts:
    """The document of a check, in JSON's own types."""
    checked = tally.checked
    open_ = _numbers_of_points_with_more_than_agreement(tally)
    document: Facts = clean(
        {
            **head("check"),
            "settings": asdict(checked.settings),
            "replay": checked.replay,
            "target": checked.target,
            "against": checked.against,
            "outcome": tally.outcome.value,
            "ok": tally.exit_code == 0,
            "exit_code": tally.exit_code,
            "partial": checked.interrupted or bool(checked.not_reached),
            "not_reached": checked.not_reached,
            "reason": checked.ended or None,
            "formula": _formula(tally),
            "components": [_component(component) for component in tally.components],
            "checks": [_check(one) for one in tally.checks],
            "points": [
                _point(point, KEPT if point.number in open_ else 0) for point in tally.points
            ],
            "simplest": _point(checked.simplest, KEPT_SIMPLEST) if checked.simplest else None,
            "causes": [asdict(cause) for cause in checked.causes],
            "where": [asdict(one) for one in checked.where],
            "ruled_out": checked.ruled_out,
            "notes": checked.notes,
            "internal_errors": (*checked.internal_errors, *checked.failed),
        }
    )
    return document


def _formula(tally: Tally) -> Facts:
    formula, same = tally.checked.formula, tally.same_function
    if isinstance(formula, NotReplayed):
        nothing: Facts = {
            "replayed": False,
            "digits": None,
            "wrong": [],
            "literals": [],
            "narrow": [],
        }
        return {**nothing, "same_function": same, "reason": formula.reason}
    return {
        "replayed": True,
        "digits": formula.digits,
        "wrong": tally.wrong_formulas,
        "literals": formula.literals,
        "narrow": formula.narrow,
        "same_function": same,
        "reason": None,
    }


def _component(component: CheckComponent) -> Facts:
    least = component.least_accurate
    return {
        "name": component.name,
        "quantity": component.quantity,
        "dtype": component.dtype,
        "tier": component.tier,
        "compared": component.compared,
        "outcomes": {outcome.value: component.outcomes[outcome] for outcome in Outcome},
        "inaccurate": component.inaccurate,
        "least_digits": least.digits if least else None,
        "detection_limit": {"median": component.limit_median, "max": component.limit_max},
        "worst": _place(component.worst) if component.worst else None,
    }


def _place(place: Place) -> Facts:
    judged, point = place.comparison, place.finding.point
    return {
        "check": place.finding.check,
        "point": point.number if point else None,
        "part": place.part.name,
        "index": place.index,
        **comparison_document(judged, "stated"),
        "error": judged.error,
        "digits": judged.digits,
    }


def _check(tally: CheckTally) -> Facts:
    return {
        "check": tally.check,
        "title": check_named(tally.check).title,
        "dtype": tally.dtype,
        "outcome": tally.outcome.value if tally.outcome else None,
        "points": len(tally.made),
        "compared": tally.compared,
        "outcomes": {outcome.value: count for outcome, count in tally.outcomes.items()},
        "failures": [
            {"point": finding.point.number if finding.point else None, "sentence": sentence}
            for finding in tally.failing
            for sentence in finding.failures
        ],
        "not_made": tally.absent,
    }


def _numbers_of_points_with_more_than_agreement(tally: Tally) -> set[int]:
    found = {
        finding.point.number
        for finding in tally.checked.judged
        if finding.point and _is_open(finding.outcome)
    }
    worst = (component.worst for component in tally.components)
    return found | {place.finding.point.number for place in worst if place and place.finding.point}


def _is_open(outcome: Outcome | None) -> bool:
    return outcome is not None and outcome is not Outcome.AGREES


def _point(point: CheckPoint, kept: int) -> Facts:
    inputs = {name: _tensor(tensor, kept) for name, tensor in point.inputs.items()}
    return {"number": point.number, "kind": point.kind, "dtype": point.dtype, "inputs": inputs}


def _tensor(tensor: torch.Tensor, kept: int) -> Facts:
    """Its dtype, its shape and, where they are few enough, its numbers in the order of the
    flattened tensor.
    """
    values = dense(tensor).reshape(-1).tolist() if tensor.numel() <= kept else None
    if tensor.is_complex() and values is not None:
        values = [[value.real, value.imag] for value in values]
    return {
        "dtype": str(tensor.dtype).removeprefix("torch."),
        "shape": list(tensor.shape),
        "values": values,
    }
