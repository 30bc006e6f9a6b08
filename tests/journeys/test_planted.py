"""Planted errors: found at the right step and parameter, with the row, the sentence and the exit
code.
"""

import re

import pytest
import torch

import verifier
from verifier.commands.cli import run
from verifier.judging.verdict import Outcome
from verifier.testing.mutations import NotZeroed, Stale, Tampered

W1, W2, B = 0, 1, 2
TRY = "              try  verifier explain quadratic --step 6"


def failing(report):
    return [
        (step.number, name)
        for step in report.steps
        for name, judged in step.gradient.items()
        if judged.outcome is Outcome.DISAGREES
    ]


def planted(witness):
    return verifier.train(verifier.load("quadratic"), witness=witness)


def test_sign_flipped():
    report = planted(Tampered(B, torch.neg, (6,)))
    assert failing(report) == [(6, "b")]
    assert [(cause.cause, cause.component, cause.step) for cause in report.causes] == [
        ("sign flipped", "b", 6)
    ]
    lines = str(report).splitlines()
    place = lines.index(
        "step 6    epoch 1  x=3 y=6                              loss 1.3162453174591064"
    )
    assert lines[place + 3 : place + 6] == [
        "b       2.2945547103881836   -2.2945547103881836   1.9e+07      14.7  disagrees",
        "              likely the sign is flipped (stated / exact = -1.0000002)",
        TRY,
    ]
    assert lines[0] == "DISAGREES  The gradient by b is wrong at 1 of 300 steps, first at step 6."
    assert lines[-1] == "The formula replays exactly, to 77 digits, at 8 steps."


def test_zeroed():
    report = planted(Tampered(W1, torch.zeros_like, (5,)))
    assert failing(report) == [(5, "w1")]
    assert [cause.cause for cause in report.causes] == ["path detached"]
    sentence = "              likely the gradient is 0, and the exact one is not"
    assert sentence in str(report).splitlines()


def test_not_zeroed_between_steps():
    report = planted(NotZeroed())
    # Step 1 has the gradient 0, so that step 2 is right by chance.
    assert failing(report)[:3] == [(3, "w1"), (3, "w2"), (3, "b")]
    assert {cause.cause for cause in report.causes if cause.step == 3} == {"gradients accumulated"}
    assert "likely the gradient at the step before this one is added to it" in str(report)


def test_taken_from_the_step_before():
    report = planted(Stale(W2, 9))
    assert failing(report) == [(9, "w2")]
    assert [cause.cause for cause in report.causes] == ["stale"]
    sentence = "              likely it is the gradient at the step before this one"
    assert sentence in str(report).splitlines()


def test_of_two_causes_that_fit_the_more_frequent_one_is_named():
    """At step 2 the gradient before was 0: taken from there and set to zero are the same number."""
    report = planted(Stale(B, 2))
    assert [cause.cause for cause in report.causes] == ["path detached"]


def test_no_cause_is_invented():
    report = planted(Tampered(B, lambda gradient: 1.7 * gradient, (6,)))
    assert failing(report) == [(6, "b")]
    assert report.causes == ()
    assert f"              no cause found     {TRY.strip()}" in str(report).splitlines()


@pytest.mark.parametrize(("value", "told"), [(float("nan"), "nan"), (float("inf"), "inf")])
def test_nan_and_infinity(value, told):
    report = verifier.train(
        verifier.load("quadratic"),
        epochs=2,
        witness=Tampered(W1, lambda gradient: gradient * 0 + value, (6,)),
    )
    assert failing(report) == [(6, "w1")]
    assert f"Not finite from step 6 on: the gradient of w1 is {told}" in str(report)
    assert "no cause found" in str(report)


def test_no_gradient_at_all():
    report = planted(Tampered(W2, lambda _: None, (4,)))
    assert failing(report)[0] == (4, "w2")


def test_command_line_says_it_and_exits_with_1(monkeypatch, capsys):
    monkeypatch.setattr("verifier.commands.train.Autograd", lambda: Tampered(B, torch.neg, (6,)))
    assert run(["train", "quadratic"]) == 1
    printed = capsys.readouterr().out
    assert (
        "b       2.2945547103881836   -2.2945547103881836   1.9e+07      14.7  disagrees" in printed
    )
    assert "likely the sign is flipped" in printed
    assert run(["train", "quadratic", "--only-failing"]) == 1
    shown = capsys.readouterr().out
    assert re.findall(r"^step +(\d+)", shown, re.MULTILINE) == ["6"]


def test_stop_on_failure():
    report = verifier.train(
        verifier.load("quadratic"), witness=Tampered(B, torch.neg, (6, 50)), stop_on_failure=True
    )
    assert report.steps[-1].number == 6
    assert failing(report) == [(6, "b")]
    assert "Stopped at the failure, after 6 of 300 steps." in str(report)
    longer = verifier.train(verifier.load("quadratic"), witness=Tampered(B, torch.neg, (6, 50)))
    assert failing(longer) == [(6, "b"), (50, "b")]


def test_the_code_and_the_formula_are_different_functions(monkeypatch):
    from verifier.training import runner

    real = runner.function

    def wrong(name, signature, program, language):
        built = real(name, signature, program, language)
        return (lambda *values: built(*values) + 1) if name == "linear_loss" else built

    monkeypatch.setattr(runner, "function", wrong)
    report = verifier.train(verifier.load("linear"), epochs=1)
    assert report.outcome is Outcome.DISAGREES
    assert report.exit_code == 1
    assert "likely     Code and formula are different functions." in str(report)
    assert not failing(report)


def test_raise_for_failure():
    verifier.train(verifier.load("quadratic"), epochs=2).raise_for_failure()
    report = verifier.train(
        verifier.load("quadratic"), epochs=2, witness=Tampered(B, torch.neg, (6,))
    )
    with pytest.raises(verifier.GradientError, match="quadratic: disagrees\n") as caught:
        report.raise_for_failure()
    assert "likely the sign is flipped" in str(caught.value)
    assert isinstance(caught.value, AssertionError)


def test_third_opinion_stands_beside_the_failure():
    report = verifier.train(
        verifier.load("quadratic"),
        epochs=2,
        witness=Tampered(B, torch.neg, (6,)),
        third_opinion=True,
    )
    assert report.findings.finite_differences[6]["b"] == pytest.approx(
        -2.2945547103881836, rel=1e-6
    )
    assert "finite differences  -2.29455" in str(report)


def test_a_witness_need_not_be_autograd():
    class Nothing:
        def differentiate(self, loss, parameters):
            pass

    report = verifier.train(verifier.load("linear"), epochs=1, witness=Nothing())
    assert report.outcome is Outcome.DISAGREES
