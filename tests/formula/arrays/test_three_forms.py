"""One model as a Python function, as text and as SymPy's matrices: the same to the last bit."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import sympy
from sympy import HadamardProduct, MatrixSymbol, Max, OneMatrix, Trace

from verifier import Model, cross_entropy, model, normal, squared_error, train, zeros
from verifier.functions import maximum, trace
from verifier.training.array_run import ArrayRun
from verifier.training.runner import Settings
from verifier.witnesses import Autograd

n = sympy.Symbol("n")
x = MatrixSymbol("x", n, 3)
u, v = MatrixSymbol("u", 3, 4), MatrixSymbol("v", 4, 2)
w = MatrixSymbol("w", 3, 2)
b = MatrixSymbol("b", 2, 1)
a = MatrixSymbol("a", 2, 2)
GENERATOR = np.random.default_rng(2)
INPUTS = GENERATOR.normal(size=(12, 3))
DATA = {"x": INPUTS, "y": INPUTS[:, :2] ** 2}
LABELS = {"x": INPUTS, "y": (INPUTS[:, 0] > 0).astype(float)}


@dataclass
class Forms:
    """One model in three forms; the loss and the data are the same."""

    function: Any
    text: str
    expression: Any
    loss: Any = squared_error
    data: Any = None

    @property
    def models(self):
        """By the name of the form."""
        first = model(loss=self.loss, data=self.data)(self.function)
        start = dict(first.start)
        inputs = first.inputs
        rest = {"start": start, "loss": self.loss, "data": self.data}
        return {
            "function": first,
            "text": Model.from_text(self.text, inputs=list(inputs), **rest),
            "sympy": Model(self.expression, inputs=inputs, **rest),
        }


WEIGHTS, BIAS = normal(3, 2), zeros(2)
FIRST, SECOND, SQUARE = normal(3, 4), normal(4, 2), normal(2, 2, seed=1)


def linear(x, *, w=WEIGHTS, b=BIAS):
    return x @ w + b


def without_bias(x, *, w=WEIGHTS):
    return x @ w


def network(x, *, u=FIRST, v=SECOND, b=BIAS):
    return maximum(x @ u, 0) @ v + b


def scaled(x, *, w=WEIGHTS, c=0.5):
    return c * (x @ w)


def bilinear(*, a=SQUARE):
    return trace(a @ a.T) + trace(a * a)


FORMS = {
    "linear": Forms(linear, "x @ w + b", x * w + OneMatrix(n, 1) * b.T, data=DATA),
    "without bias": Forms(without_bias, "x @ w", x * w, cross_entropy, LABELS),
    "network": Forms(
        network,
        "maximum(x @ u, 0) @ v + b",
        (x * u).applyfunc(lambda t: Max(t, 0)) * v + OneMatrix(n, 1) * b.T,
        cross_entropy,
        LABELS,
    ),
    "scaled": Forms(scaled, "c*(x @ w)", sympy.Symbol("c") * x * w, data=DATA),
    "no inputs": Forms(
        bilinear,
        "trace(a @ a.T) + trace(a*a)",
        Trace(a * a.T) + Trace(HadamardProduct(a, a)),
        loss=None,
    ),
}


def trained(one):
    """What a training of three steps states: every loss and every entry of every gradient."""
    settings = Settings(
        epochs=3,
        lr=0.1,
        optimizer="sgd",
        dtype="float64",
        batch="all" if one.inputs else 1,
        shuffle=False,
        seed=0,
        hold_out=0.0,
        judge_every=1,
    )
    steps = list(ArrayRun(one, one.data, settings, Autograd(), lambda done, planned: True))
    assert len(steps) == 3
    assert all((part.severity == 0).all() for step in steps for part in step.entries)
    return [
        (part.stated.tolist(), part.symbolic.tolist()) for step in steps for part in step.entries
    ]


def gradients_of(one):
    """The loss and all gradients as the generated NumPy code gives them, at each of three steps."""
    from verifier.program.codegen import NUMPY, function

    names = [*one.columns, *one.start]
    compute = function("gradient", ", ".join(names), one.batch_gradient_program, NUMPY)
    given = {name: np.asarray(value, float)[()] for name, value in one.start.items()}
    columns = {name: np.asarray(one.data[name], float) for name in one.columns}
    found = []
    for _ in range(3):
        loss, *gradient = compute(**columns, **given)
        found += [loss, *gradient]
        step = dict(zip(one.parameters, gradient, strict=True))
        given |= {name: given[name] - 0.1 * step[name] for name in one.parameters}
    return [np.asarray(part).ravel().tolist() for part in found]


@pytest.mark.parametrize("name", FORMS)
def test_the_three_forms_give_the_same_gradients_to_the_last_bit(name):
    models = FORMS[name].models
    expected = gradients_of(models["function"])
    assert gradients_of(models["text"]) == expected
    assert gradients_of(models["sympy"]) == expected
    assert any(any(part) for part in expected)


@pytest.mark.parametrize("name", FORMS)
def test_the_three_forms_train_alike(name):
    models = FORMS[name].models
    expected = trained(models["function"])
    assert trained(models["text"]) == expected
    assert trained(models["sympy"]) == expected


@pytest.mark.parametrize("name", FORMS)
def test_text_makes_the_nodes_of_the_function(name):
    models = FORMS[name].models
    assert models["text"].program == models["function"].program


def test_another_formula_gives_others():
    models = FORMS["linear"].models
    other = Model.from_text(
        "x @ (w + 1e-15) + b",
        inputs="x",
        start=dict(models["function"].start),
        loss=squared_error,
        data=DATA,
    )
    assert gradients_of(other) != gradients_of(models["function"])


def test_the_body_is_traced_once():
    """And run once more on numbers, to compare."""
    runs = []

    def body(x, *, w=np.ones(3)):
        runs.append(type(x).__name__)
        return x @ w

    data = {"x": np.ones((4, 3)), "y": np.zeros(4)}
    one = model(loss=squared_error, data=data)(body)
    train(one, epochs=1)
    _ = one.gradient, one.torch, one.numpy
    assert runs == ["TracedArray", "ndarray"]
