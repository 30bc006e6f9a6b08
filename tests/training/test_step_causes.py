"""A training names causes by the rules of a check, and an error in them costs no verdict."""

import math

import torch

import verifier
from tests.helpers.own_backward import with_slope
from verifier.formula.model import Model
from verifier.judging.causes import RULES
from verifier.judging.causes.rule import Rule
from verifier.testing.mutations import NotZeroed, Tampered
from verifier.training import step_causes
from verifier.witnesses import Autograd

wrong = with_slope(lambda x: x * x.exp(), torch.exp)
"""x·exp(x) with a gradient that lacks the term x·exp(x)."""


def test_a_term_that_is_missing_is_named():
    def loss(x, y, w):
        return (wrong(w * x) - y) ** 2

    class Coded(Autograd):
        """States what the wrong backward gives at the same point."""

        def differentiate(self, value, parameters):
            (w,) = parameters
            twin = w.detach().requires_grad_()
            loss(torch.tensor(1.0), torch.tensor(2.0), twin).backward()
            w.grad = twin.grad

    model = Model.from_text(
        "w*x*exp(w*x)",
        inputs="x",
        start={"w": 0.5},
        loss=verifier.squared_error,
        data={"x": [1.0], "y": [2.0]},
    )
    report = verifier.train(model, epochs=1, witness=Coded())
    assert report.outcome.value == "disagrees"
    (cause,) = report.causes
    assert (cause.cause, cause.component, cause.step) == ("one term missing", "w", 1)
    assert cause.sentence == "the gradient lacks a term that ends in exp"


def test_gradients_that_add_up_over_all_steps_are_named_at_each():
    report = verifier.train(verifier.load("quadratic"), epochs=2, witness=NotZeroed())
    assert {cause.cause for cause in report.causes} == {"gradients accumulated"}
    assert {cause.step for cause in report.causes} >= {3, 4, 5, 6}


def test_only_the_first_failing_steps_are_examined(monkeypatch):
    examined = []
    real = step_causes.examine

    def counted(subject):
        examined.append(subject)
        return real(subject)

    monkeypatch.setattr(step_causes, "examine", counted)
    report = verifier.train(verifier.load("quadratic"), epochs=10, witness=NotZeroed())
    failing = {cause.step for cause in report.causes}
    assert len(examined) == step_causes.EXAMINED < len(failing)


def broken(told):
    raise ArithmeticError("a mistake of ours")


def test_an_error_in_a_rule_is_a_line_and_the_verdict_stands(monkeypatch):
    rules = (Rule(("stale",), broken), *RULES)
    monkeypatch.setattr("verifier.judging.causes.RULES", rules)
    report = verifier.train(
        verifier.load("quadratic"), epochs=2, witness=Tampered(2, torch.neg, (6,))
    )
    sentence = (
        "the search for causes failed: ArithmeticError: a mistake of ours; the verdict stands"
    )
    assert report.outcome.value == "disagrees"
    assert report.findings.notes == (sentence,)
    assert [cause.cause for cause in report.causes] == ["sign flipped"]
    assert f"{sentence[0].upper()}{sentence[1:]}." in " ".join(str(report).split())
    document = report.to_json()
    assert document["notes"] == [sentence]
    assert "ArithmeticError: a mistake of ours" in document["internal_errors"][0]


def test_an_error_while_a_step_is_examined_is_a_line_too(monkeypatch):
    monkeypatch.setattr(step_causes, "examine", broken)
    report = verifier.train(
        verifier.load("quadratic"), epochs=2, witness=Tampered(2, torch.neg, (6,))
    )
    assert [cause.cause for cause in report.causes] == ["sign flipped"]
    assert report.findings.notes == (
        "examining a step failed: ArithmeticError: a mistake of ours; the verdict stands",
    )


def test_a_large_batch_is_explained_by_its_numbers_alone(monkeypatch):
    monkeypatch.setattr(step_causes, "examine", broken)
    rows = [float(number % 7) for number in range(300)]
    report = verifier.train(
        verifier.load("linear"),
        data={"x": rows, "y": [2 * x for x in rows]},
        batch="all",
        epochs=2,
        witness=Tampered(0, torch.neg, (2,)),
    )
    assert report.findings.notes == ()
    assert [cause.cause for cause in report.causes] == ["sign flipped"]


def test_a_number_that_nothing_explains_has_no_cause():
    report = verifier.train(
        verifier.load("quadratic"),
        epochs=2,
        witness=Tampered(2, lambda gradient: gradient * math.nan, (6,)),
    )
    assert report.outcome.value == "disagrees"
    assert report.causes == ()
