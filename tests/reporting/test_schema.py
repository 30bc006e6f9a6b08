"""The JSON schema: every kind of report is as it says, and what is not is refused."""

from __future__ import annotations

import json
import runpy
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Literal, NotRequired, TypedDict

import pytest
from jsonschema import Draft202012Validator, ValidationError

import verifier
from tests.explaining import test_explanation as test_explain
from tests.helpers.golden import FOLDER
from tests.helpers.schemas import thinned, validated
from tests.reporting import test_check_report as test_checkreport
from tests.reporting import test_training_text as test_tables
from verifier.checking.check_result import CheckSettings
from verifier.commands.config.check_target import settle_report
from verifier.commands.config.report import ConfigReport, TargetResult
from verifier.commands.config.schema import AcceptedFailure, Config, ConfiguredTarget
from verifier.commands.lesson import ClaimDocument
from verifier.commands.selftest import Trials
from verifier.commands.unfinished import unfinished_report
from verifier.explaining.explained_step import Place
from verifier.explaining.explanation import ExplanationDocument
from verifier.explaining.lessons.reader import Claim
from verifier.judging.outcome import Outcome
from verifier.process.workers.supervisor import End, Ending
from verifier.reporting.data.training_json import SCHEMA, TrainingSettings, schema
from verifier.reporting.rendering import Forms, Screen, render
from verifier.testing.trials import GradcheckResult, HonestResult, LieResult
from verifier.training.runner import Settings

pytestmark = pytest.mark.filterwarnings(
    "ignore:`torch.jit.script` is deprecated:DeprecationWarning"
)
REFUSES = GradcheckResult(slow=True, fast=False)
PLANTED = LieResult(
    "zeroed", "zeroed", "tanh", "float32", "graph", float("inf"), True, False, REFUSES
)
HONEST = HonestResult(
    "no lie", "tanh", "float32", "own forward", 4, 1, 1, 0.5, (1e-7, float("nan"))
)


FORMS = Forms(Screen(), json=True)


def config():
    """A file with a target that fails, of which one failure was accepted that is gone, and one that
    is not there.
    """
    report = test_checkreport.CASES["sign flipped"]()
    stale = AcceptedFailure("g", "float32", "known", "zeroed")
    targets = tuple(
        ConfiguredTarget(name, {}, CheckSettings(), accepted=(stale,))
        for name in ("a.py::f", "a.py::no")
    )
    found = settle_report(report, (stale,))
    rendered = render(report, FORMS)
    results = (
        TargetResult(
            "a.py::f", found.outcome, found.exit_code, stale=found.settled.stale, report=rendered
        ),
        TargetResult("a.py::no", "not usable", 2, reason="there is no no in a.py"),
    )
    return ConfigReport(Config(Path("verifier.toml"), targets), results)


class Early:
    """The document of a check that died before or after something was decided."""

    def __init__(self, report):
        self.report = report

    def to_json(self):
        ending = Ending(End.FAILED, self.report, "it ended", traceback="a traceback")
        return json.loads(unfinished_report(ending, "check", {"target": "f"}, FORMS).forms["json"])


KINDS = {
    **{f"train {name}": case for name, case in test_tables.CASES.items()},
    "train batches": lambda: verifier.train(
        verifier.load("linear"), batch="all", hold_out=0.4, epochs=2
    ),
    "train --all": lambda: verifier.train_all(
        map(verifier.load, ("linear", "quadratic")), epochs=1
    ),
    **{f"explain {name}": case for name, case in test_explain.CASES.items()},
    "check --config": config,
    "check that died": lambda: Early(None),
    "check that died late": lambda: Early(render(test_checkreport.CASES["sign flipped"](), FORMS)),
    "lesson": lambda: verifier.lesson("kink"),
    "selftest": lambda: Trials((PLANTED, HONEST), 2, 1, 0, True),
    **{f"check {name}": case for name, case in test_checkreport.CASES.items()},
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_report_is_as_the_schema_says(kind):
    document = KINDS[kind]().to_json()
    text = json.dumps(validated(document), allow_nan=False)
    assert json.loads(text) == document


@pytest.fixture(scope="module")
def check():
    return test_checkreport.CASES["sign flipped"]().to_json()


SPOILT = {
    "format": (lambda document: document.update(format="verifier/2"), "'verifier/1' was expected"),
    "command": (
        lambda document: document.update(command="guess"),
        "'guess' is not one of ['train', 'check', ",
    ),
    "missing": (lambda document: document.pop("components"), "'components' is a required property"),
    "unknown": (lambda document: document.update(colour="red"), "('colour' was unexpected)"),
    "outcome": (
        lambda document: document.update(outcome="fine"),
        "'fine' is not one of ['agrees', ",
    ),
    "count": (
        lambda document: document["components"][0].update(compared=-1),
        "-1 is less than the minimum of 0",
    ),
    "number": (
        lambda document: document["components"][0]["detection_limit"].update(max="tiny"),
        "'tiny' is not valid under any",
    ),
    "point": (
        lambda document: document["points"][0].update(kind="lucky"),
        "'lucky' is not one of ['given', ",
    ),
}


@pytest.mark.parametrize("name", SPOILT)
def test_what_is_not_as_it_says_is_refused(name, check):
    spoil, message = SPOILT[name]
    document = deepcopy(check)
    spoil(document)
    with pytest.raises(ValidationError) as refused:
        validated(document)
    assert message in str(refused.value)


def test_as_it_ships_it_lets_keys_pass_that_are_added_later(check):
    Draft202012Validator(schema()).validate({**check, "colour": "red"})


def test_each_command_has_keys_of_its_own(check):
    for command in ("train", "explain", "lesson", "selftest"):
        with pytest.raises(ValidationError):
            Draft202012Validator(schema()).validate({**check, "command": command})


@pytest.fixture(scope="module")
def maker():
    return runpy.run_path(str(FOLDER.parents[1] / "docs" / "json_schema.py"))


def test_the_schema_is_that_of_the_records(maker):
    assert SCHEMA.read_text(encoding="utf-8") == maker["text"](), (
        "python docs/json_schema.py writes it anew"
    )
    assert maker["PAGE"].read_text(encoding="utf-8") == maker["page"]()


class Shape(TypedDict):
    """A shape."""

    corners: int
    """How many
    there are.
    """
    colour: NotRequired[Annotated[str, Literal["red", "blue"]]]


class Shapes(Shape):
    """Shapes of one colour."""

    each: Mapping[Outcome, Sequence[Spot]] | None


@dataclass(frozen=True)
class Spot:
    """A place."""

    at: tuple[float, ...]


def test_a_record_becomes_a_definition(maker):
    found = {}
    assert maker["_reference"](Shapes, found) == {"$ref": "#/$defs/Shapes"}
    spots = {"type": "array", "items": {"$ref": "#/$defs/Spot"}}
    each = {
        "type": "object",
        "properties": {"agrees": spots, "undecided": spots, "disagrees": spots},
        "required": ["agrees", "undecided", "disagrees"],
    }
    corners = {"type": "integer", "minimum": 0, "description": "How many there are."}
    numbers = {"type": "array", "items": {"$ref": "#/$defs/number"}}
    assert found == {
        "Shapes": {
            "type": "object",
            "description": "Shapes of one colour.",
            "properties": {
                "corners": corners,
                "colour": {"enum": ["red", "blue"]},
                "each": {"anyOf": [each, {"type": "null"}]},
            },
            "required": ["corners", "each"],
        },
        "Spot": {
            "type": "object",
            "description": "A place.",
            "properties": {"at": numbers},
            "required": ["at"],
        },
    }


def test_no_setting_of_a_training_is_left_out():
    assert list(TrainingSettings.__annotations__) == [field.name for field in fields(Settings)]


def test_nothing_of_a_step_and_of_a_claim_is_left_out():
    assert {field.name for field in fields(Place)} <= set(ExplanationDocument.__annotations__)
    assert {field.name for field in fields(Claim)} <= set(ClaimDocument.__annotations__)


def test_what_json_has_no_form_for_is_refused(maker):
    with pytest.raises(TypeError, match="has no form in JSON"):
        maker["_schema"](bytes, {})


def test_every_test_validates(monkeypatch):
    report = verifier.train(verifier.load("linear"), epochs=1)
    monkeypatch.setattr(
        "verifier.reporting.training_report.training_document",
        lambda *parts: {"format": "verifier/1"},
    )
    with pytest.raises(ValidationError, match="'command' is a required property"):
        report.to_json()


def test_thinned_keeps_both_ends():
    assert thinned({"a": list(range(10))}) == {"a": [0, 1, 2, 3, 6, 7, 8, 9]}


def test_it_ships():
    text = (FOLDER.parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    assert '"schema/*.json"' in text
