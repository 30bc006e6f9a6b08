"""A training that judges each so many steps: which ones, and what the report says."""

import json

import numpy as np
import pytest

import verifier
from verifier import model, normal, squared_error
from verifier.commands.cli import run
from verifier.witnesses import Autograd

X = np.random.default_rng(0).normal(size=(12, 3))


@model(loss=squared_error, data={"x": X, "y": X @ [1.0, 2.0, 3.0]})
def line(x, *, w=normal(3)):
    return x @ w


class DoubledFrom:
    """Autograd's gradients, from some step on doubled."""

    def __init__(self, step):
        self.left = step

    def differentiate(self, loss, parameters):
        Autograd().differentiate(loss, parameters)
        self.left -= 1
        if self.left <= 0:
            parameters[0].grad *= 2


@pytest.mark.parametrize("trained", [line, verifier.load("linear")], ids=["arrays", "numbers"])
@pytest.mark.parametrize(
    ("every", "judged"), [(1, [1, 2, 3, 4, 5, 6]), (4, [1, 5, 6]), (9, [1, 6])]
)
def test_the_first_each_so_many_and_the_last(trained, every, judged):
    report = verifier.train(trained, epochs=6, batch="all", judge_every=every)
    assert [step.number for step in report.steps] == judged
    assert report.findings.judged == len(judged)
    assert report.components[0].compared == len(judged)


def test_the_verdict_says_how_many():
    report = str(verifier.train(verifier.load("quadratic"), epochs=10, judge_every=7))
    assert report.startswith(
        "AGREES  Autograd and the symbolic gradient agree at all 6 judged steps of 30:\n"
        "18 of 18 gradients, 6 of 6 losses, bit for bit."
    )
    assert "⋯ 3 judged steps not shown, all 9 comparisons agree" in report


def test_a_wrong_gradient_at_a_judged_step_is_found():
    settings = {"epochs": 10, "judge_every": 7, "witness": DoubledFrom(16)}
    report = verifier.train(verifier.load("quadratic"), **settings)
    assert str(report).startswith(
        "DISAGREES  The gradient by w1 is wrong at 3 of 6 judged steps, first at step\n22."
    )
    assert report.exit_code == 1


def test_the_numbers_of_the_steps_are_those_of_a_training_that_judges_all():
    every, some = (verifier.train(line, epochs=6, batch="all", judge_every=each) for each in (1, 4))
    by_number = {step.number: step for step in every.steps}
    assert all(step.gradient == by_number[step.number].gradient for step in some.steps)


def test_the_command_line(tmp_path):
    file = tmp_path / "report.json"
    assert run(["train", "linear", "--judge-every", "50", "--json", str(file)]) == 0
    report = json.loads(file.read_text(encoding="utf-8"))
    assert (report["steps_done"], report["steps_judged"]) == (300, 7)
    assert report["settings"]["judge_every"] == 50


@pytest.mark.parametrize("every", [0, -1, 1.5, True, "2"])
def test_what_is_no_number_of_steps(every):
    with pytest.raises(verifier.InputError) as error:
        verifier.train(line, judge_every=every)
    assert str(error.value) == f"judge_every is {every!r}: give a whole number of steps, 1 or more"
