"""Check document: a whole check in the format `verifier/1`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypedDict

import torch

from verifier.capture.to_numpy import dense
from verifier.checking.check_result import CheckSettings, WrongWhere
from verifier.checking.tally.components import CheckComponent, Place
from verifier.checking.tally.count import CheckTally, Tally
from verifier.judging.examination import NotReplayed
from verifier.judging.finding import CheckCause, CheckPoint
from verifier.judging.verdict import Outcome
from verifier.reporting.content.check_tables import check_named
from verifier.reporting.data.document import FORMAT, ExitCode, Head, versions
from verifier.reporting.data.training_json import JudgedComponent, JudgedWorst, judged_worst

KEPT = 1_000
"""Tensors of at most so many numbers are written out, at points where something does not agree."""
KEPT_SIMPLEST = 100_000
"""So are larger ones at the simplest failing point."""


class TensorDocument(TypedDict):
    """A tensor."""

    dtype: str
    shape: list[int]
    values: list[Any] | None
    """In the order of the flattened tensor; null where there are too many or everything agrees."""


class PointDocument(TypedDict):
    """Where the target was tried."""

    number: int
    """From 1 on, over all dtypes."""
    kind: Annotated[str, Literal["given", "random", "edge", "simplified"]]
    dtype: str
    inputs: dict[str, TensorDocument]


class WorstOfCheck(JudgedWorst):
    """The worst of a component, and where it was found."""

    check: str
    point: int | None
    part: str
    index: Sequence[int]


class CheckComponentDocument(JudgedComponent):
    """All comparisons of a value, or of a derivative by one input, in one dtype."""

    inaccurate: int
    """How many lack more than half of the dtype's digits needlessly."""
    least_digits: float | None
    """Counted against the largest entry of the array; null where nothing is known."""
    worst: WorstOfCheck | None
    """null where nothing was compared."""


class ReplayedCode(TypedDict):
    """How the formulas of the code came out in exact arithmetic."""

    replayed: bool
    digits: float | None
    """To how many digits the code's own graph, replayed exactly, agrees with the exact gradient, at
    least.
    """
    wrong: Sequence[str]
    """The components whose formula is wrong in exact arithmetic."""
    literals: Sequence[float]
    """Rounded decimals in the code that are granted half a unit of their last digit."""
    narrow: Sequence[float]
    """Literals that are numbers of float32, used in a wider dtype."""
    same_function: bool
    """Whether the code's value is that of the formula."""
    reason: str | None
    """Why it was not replayed."""


class CheckFailure(TypedDict):
    """What is wrong apart from numbers."""

    point: int | None
    sentence: str


class MadeCheck(TypedDict):
    """A check in one dtype, at all points."""

    check: str
    title: str
    dtype: str
    outcome: Outcome | None
    """null where it was not made."""
    points: int
    """At how many points it was made."""
    compared: int
    outcomes: Mapping[Outcome, int]
    """How many comparisons came out so."""
    failures: list[CheckFailure]
    """What is wrong apart from numbers."""
    not_made: Sequence[str]
    """Why it was not made, where it was not."""


class CheckDocument(Head):
    """A check of somebody's code."""

    command: Literal["check"]
    settings: CheckSettings
    replay: str | None
    """The command that shows it again; null where only Python can."""
    target: str
    against: str
    """The formula, the reference, or its own forward."""
    outcome: Outcome
    ok: bool
    """Whether the exit code is 0."""
    exit_code: ExitCode
    """0 verified, 1 something disagrees, 2 it ended early, 3 something has no decided comparison, 4
    an internal error, 130 interrupted.
    """
    partial: bool
    """Whether it ended early."""
    not_reached: Sequence[str]
    """What was asked for and not looked at."""
    reason: str | None
    """Why it ended early."""
    formula: ReplayedCode
    components: list[CheckComponentDocument]
    checks: list[MadeCheck]
    points: list[PointDocument]
    simplest: PointDocument | None
    """The simplest point found at which it fails."""
    causes: Sequence[CheckCause]
    where: Sequence[WrongWhere]
    """What all numbers that are wrong have in common."""
    ruled_out: Sequence[str]
    """Causes that were tried and explain nothing."""
    notes: Sequence[str]
    internal_errors: Sequence[str]
    """The tracebacks of errors of verifier's own."""


def check_document(tally: Tally) -> CheckDocument:
    """The document of a check."""
    checked = tally.checked
    open_ = _numbers_of_points_with_more_than_agreement(tally)
    return {
        "format": FORMAT,
        "command": "check",
        "versions": versions(),
        "settings": checked.settings,
        "replay": checked.replay,
        "target": checked.target,
        "against": checked.against,
        "outcome": tally.outcome,
        "ok": tally.exit_code == 0,
        "exit_code": tally.exit_code,
        "partial": checked.interrupted or bool(checked.not_reached),
        "not_reached": checked.not_reached,
        "reason": checked.ended or None,
        "formula": _formula(tally),
        "components": [_component(component) for component in tally.components],
        "checks": [_check(one) for one in tally.checks],
        "points": [_point(point, KEPT if point.number in open_ else 0) for point in tally.points],
        "simplest": _point(checked.simplest, KEPT_SIMPLEST) if checked.simplest else None,
        "causes": checked.causes,
        "where": checked.where,
        "ruled_out": checked.ruled_out,
        "notes": checked.notes,
        "internal_errors": (*checked.internal_errors, *checked.failed),
    }


def _formula(tally: Tally) -> ReplayedCode:
    formula, same = tally.checked.formula, tally.same_function
    if isinstance(formula, NotReplayed):
        return {
            "replayed": False,
            "digits": None,
            "wrong": [],
            "literals": [],
            "narrow": [],
            "same_function": same,
            "reason": formula.reason,
        }
    return {
        "replayed": True,
        "digits": formula.digits,
        "wrong": tally.wrong_formulas,
        "literals": formula.literals,
        "narrow": formula.narrow,
        "same_function": same,
        "reason": None,
    }


def _component(component: CheckComponent) -> CheckComponentDocument:
    least = component.least_accurate
    return {
        "name": component.name,
        "quantity": component.quantity,
        "dtype": component.dtype,
        "tier": component.tier,
        "compared": component.compared,
        "outcomes": {outcome: component.outcomes[outcome] for outcome in Outcome},
        "inaccurate": component.inaccurate,
        "least_digits": least.digits if least else None,
        "detection_limit": {"median": component.limit_median, "max": component.limit_max},
        "worst": _place(component.worst) if component.worst else None,
    }


def _place(place: Place) -> WorstOfCheck:
    point = place.finding.point
    return {
        "check": place.finding.check,
        "point": point.number if point else None,
        "part": place.part.name,
        "index": place.index,
        **judged_worst(place.comparison),
    }


def _check(tally: CheckTally) -> MadeCheck:
    return {
        "check": tally.check,
        "title": check_named(tally.check).title,
        "dtype": tally.dtype,
        "outcome": tally.outcome,
        "points": len(tally.made),
        "compared": tally.compared,
        "outcomes": tally.outcomes,
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


def _point(point: CheckPoint, kept: int) -> PointDocument:
    inputs = {name: _tensor(tensor, kept) for name, tensor in point.inputs.items()}
    return {"number": point.number, "kind": point.kind, "dtype": point.dtype, "inputs": inputs}


def _tensor(tensor: torch.Tensor, kept: int) -> TensorDocument:
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
