"""Ties in formulas: several parameters at once, many points at once, and what a training says."""

import numpy as np
import pytest

import verifier
from verifier.judging.formulas import Judge
from verifier.judging.verdict import Note, Outcome
from verifier.losses import squared_error
from verifier.operations.formats import FLOAT64
from verifier.program.program import INPUT

AGREES, DISAGREES = Outcome.AGREES, Outcome.DISAGREES


def judged(text, stated, **at):
    """The outcomes and notes of derivatives stated at one point."""
    model = verifier.Model.from_text(text, start=dict.fromkeys(at, 1.0))
    names = [node.payload for node in model.gradient_program.nodes if node.operation == INPUT]
    arguments = {name: np.array([[at[name]]]) for name in names}
    columns = [np.zeros(1), *(np.array([float(stated[name])]) for name in model.parameters)]
    _, *slopes = Judge(model.gradient_program, FLOAT64).verdicts(arguments, columns, columns)
    return [(one[0].outcome, one[0].note) for one in slopes]


@pytest.mark.parametrize("weights", [(1, 0, 0), (0, 0.5, 0.5), (0.25, 0.25, 0.5)])
def test_weights_of_three_equal_numbers_that_sum_to_one(weights):
    stated = dict(zip("uvw", weights, strict=True))
    found = judged("maximum(maximum(u, v), w)", stated, u=1.0, v=1.0, w=1.0)
    assert found == [(AGREES, Note.KINK)] * 3


@pytest.mark.parametrize("weights", [(0, 0, 0), (1, 1, 1), (0.5, 0.5, 0.5)])
def test_weights_that_do_not(weights):
    stated = dict(zip("uvw", weights, strict=True))
    found = judged("maximum(maximum(u, v), w)", stated, u=1.0, v=1.0, w=1.0)
    assert (DISAGREES, Note.NO_MEAN) in found


def test_no_weight_is_negative():
    found = judged("maximum(u, v)", {"u": -0.5, "v": 1.5}, u=1.0, v=1.0)
    assert [outcome for outcome, _ in found] == [DISAGREES, DISAGREES]


def test_a_component_that_no_tie_moves_is_judged_as_ever():
    right = {"u": 0.5, "v": 0.5, "w": 3.0}
    assert judged("maximum(u, v) + 3*w", right, u=1.0, v=1.0, w=2.0)[2] == (AGREES, Note.NONE)
    wrong = {**right, "w": 3.001}
    assert judged("maximum(u, v) + 3*w", wrong, u=1.0, v=1.0, w=2.0)[2][0] is DISAGREES


def test_points_with_and_without_a_tie_are_told_apart():
    model = verifier.Model.from_text("maximum(u, v)", start={"u": 1.0, "v": 1.0})
    u, v = np.array([[1.0], [2.0], [1.0]]), np.array([[1.0], [1.0], [2.0]])
    stated = [np.zeros(3), np.array([0.5, 0.5, 0.5]), np.array([0.5, 0.5, 0.5])]
    _, by_u, _ = Judge(model.gradient_program, FLOAT64).verdicts({"u": u, "v": v}, stated, stated)
    assert [by_u[place].outcome for place in range(3)] == [AGREES, DISAGREES, DISAGREES]


RELU = {"x": [1.0, 2.0], "y": [3.0, 0.5]}


def trained(text, **start):
    model = verifier.Model.from_text(text, inputs="x", start=start, loss=squared_error)
    return verifier.train(model, data=RELU, epochs=1)


def test_a_training_that_starts_at_a_kink_agrees():
    """torch takes one side there and SymPy's derivative the middle: both are right."""
    report = trained("maximum(w*x, 0)", w=0.0)
    assert report.steps[0].gradient["w"].note is Note.KINK
    assert report.outcome == "agrees"


def test_a_training_where_kinks_cancel_disagrees():
    report = trained("maximum(w*x, 0) - maximum(-w*x, 0)", w=0.0)
    assert report.steps[0].gradient["w"].stated == -12.0
    assert report.steps[0].gradient["w"].outcome is DISAGREES


def test_a_wrong_gradient_at_a_kink_disagrees():
    class Doubled(verifier.witnesses.Autograd):
        def differentiate(self, loss, parameters):
            super().differentiate(loss, parameters)
            for parameter in parameters:
                parameter.grad.mul_(2)

    model = verifier.Model.from_text(
        "maximum(w*x, 0)", inputs="x", start={"w": 0.0}, loss=squared_error
    )
    report = verifier.train(model, data=RELU, epochs=1, witness=Doubled())
    assert report.steps[0].gradient["w"].outcome is DISAGREES
