"""Functions that people add: one call, and they are known in bodies, in text and in expressions."""

import numpy as np
import pytest
import torch

import verifier
from verifier import functions
from verifier.formula.add_function import remove_added_functions
from verifier.judging.verdict import Outcome
from verifier.operations.table import COMPOSITIONS, TABLE

DATA = {"x": [1.0, 2.0, -3.0], "y": [0.0, 1.0, 2.0]}


@pytest.fixture(autouse=True)
def as_before():
    """Take out again what a test adds."""
    with remove_added_functions():
        yield


class Swish(torch.autograd.Function):
    """x sigmoid(2x), with a backward by hand."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * torch.sigmoid(2 * x)

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        s = torch.sigmoid(2 * x)
        return grad_output * (s + 2 * x * s * (1 - s))


class Forgetful(Swish):
    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        s = torch.sigmoid(2 * x)
        return grad_output * (s + x * s * (1 - s))


def definition(x):
    return x * functions.sigmoid(2 * x)


def model():
    return verifier.Model.from_text(
        "swish2(w*x)*swish2(1)",
        inputs="x",
        start={"w": 0.5},
        loss=verifier.squared_error,
        data=DATA,
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch", [1, "all"])
def test_a_backward_by_hand_is_judged(dtype, batch):
    verifier.add_function("swish2", definition, torch=Swish.apply)
    assert verifier.train(model(), epochs=5, dtype=dtype, batch=batch).outcome is Outcome.AGREES


def test_a_wrong_backward_disagrees():
    verifier.add_function("swish2", definition, torch=Forgetful.apply)
    assert verifier.train(model(), epochs=5).outcome is Outcome.DISAGREES


def test_a_wrong_forward_disagrees():
    verifier.add_function("swish2", definition, torch=lambda x: x * torch.sigmoid(2.001 * x))
    report = verifier.train(model(), epochs=5)
    assert report.components[0].outcome is Outcome.DISAGREES


def test_a_value_outside_its_budget_disagrees():
    def late(x):
        return Swish.apply(x) * (1 + 3e-15)

    verifier.add_function("swish2", definition, torch=late, ulps=1000)
    assert verifier.train(model(), epochs=2, dtype="float64").outcome is Outcome.AGREES
    del TABLE["swish2"]
    verifier.add_function("swish2", definition, torch=late, ulps=1)
    assert verifier.train(model(), epochs=2, dtype="float64").outcome is Outcome.DISAGREES


def test_bodies_text_expressions_and_numbers():
    verifier.add_function("swish2", definition, torch=Swish.apply)
    from verifier.functions import swish2

    @verifier.model(loss=verifier.squared_error, data=DATA)
    def body(x, *, w=0.5):
        return swish2(w * x)

    assert str(body.expression) == "swish2(w*x)"
    assert verifier.train(body, epochs=2).ok
    assert swish2(0.5) == pytest.approx(0.5 / (1 + np.exp(-1.0)), rel=1e-15)
    assert "swish2" in dir(functions)


def test_without_code_of_its_own_it_is_what_its_definition_says():
    verifier.add_function("bump", lambda x, width: functions.exp(-((x / width) ** 2)))
    text = verifier.Model.from_text(
        "bump(x, w)", inputs="x", start={"w": 2.0}, loss=verifier.squared_error, data=DATA
    )
    assert str(text.expression) == "exp(-x**2/w**2)"
    assert verifier.train(text, epochs=3).ok


def test_two_arguments():
    verifier.add_function("product", lambda a, b: a * b, torch=lambda a, b: a * b)
    text = verifier.Model.from_text(
        "product(x, w)", inputs="x", start={"w": 1.0}, loss=verifier.squared_error
    )
    assert verifier.train(text, data=DATA, epochs=2).ok


@pytest.mark.parametrize("ulps", [-1, float("nan"), float("inf")])
def test_budgets_that_are_none(ulps):
    with pytest.raises(verifier.InputError, match=r"^ulps is .+: use a finite number, 0 or above$"):
        verifier.add_function("swish2", definition, torch=Swish.apply, ulps=ulps)


def test_numpys_code_may_be_given():
    seen = []

    def by_numpy(x):
        seen.append(x)
        return x / (1 + np.exp(-2 * x))

    verifier.add_function("swish2", definition, torch=Swish.apply, numpy=by_numpy)
    assert verifier.train(model(), epochs=1).ok
    assert seen


@pytest.mark.parametrize(
    ("name", "definition", "sentence"),
    [
        ("exp", lambda x: x, "there is a function exp already: use another name"),
        ("elu", lambda x: x, "there is a function elu already: use another name"),
        (
            "two words",
            lambda x: x,
            "'two words' cannot name a function: use a Python name of its own",
        ),
        ("lambda", lambda x: x, "'lambda' cannot name a function: use a Python name of its own"),
        ("torch", lambda x: x, "'torch' cannot name a function: use a Python name of its own"),
        ("half", lambda x, y: x / 2, "the definition of half must use each of its arguments: x, y"),
        ("number", 5, "the definition of number is a int: give a function"),
        ("text", lambda x: "x", "the definition of text cannot be run on symbols: "),
    ],
)
@pytest.mark.parametrize("code", [None, Swish.apply])
def test_what_is_said(name, definition, sentence, code):
    with pytest.raises(verifier.InputError) as error:
        verifier.add_function(name, definition, torch=code)
    assert str(error.value).startswith(sentence)
    assert name in ("exp", "elu") or name not in TABLE.keys() | COMPOSITIONS.keys()
