"""The same model as a Python function, as text and as SymPy's matrices: the same numbers to the last
bit.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import sympy
from sympy import HadamardProduct, MatrixSymbol, Max, OneMatrix, Trace

import verifier
from verifier import Model, cross_entropy, model, normal, squared_error, zeros
from verifier.functions import maximum, trace

n = sympy.Symbol("n")
x = MatrixSymbol("x", n, 3)
W, V = MatrixSymbol("W", 3, 4), MatrixSymbol("V", 4, 2)
b = MatrixSymbol("b", 2, 1)
A = MatrixSymbol("A", 2, 2)
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


def linear(x, *, W=normal(3, 2), b=zeros(2)):
    return x @ W + b


def without_bias(x, *, W=normal(3, 2)):
    return x @ W


def network(x, *, W=normal(3, 4), V=normal(4, 2), b=zeros(2)):
    return maximum(x @ W, 0) @ V + b


def scaled(x, *, W=normal(3, 2), c=0.5):
    return c * (x @ W)


def bilinear(*, A=normal(2, 2, seed=1)):
    return trace(A @ A.T) + trace(A * A)


SMALL = MatrixSymbol("W", 3, 2)
FORMS = {
    "linear": Forms(linear, "x @ W + b", x * SMALL + OneMatrix(n, 1) * b.T, data=DATA),
    "without bias": Forms(without_bias, "x @ W", x * SMALL, cross_entropy, LABELS),
    "network": Forms(
        network,
        "maximum(x @ W, 0) @ V + b",
        (x * W).applyfunc(lambda t: Max(t, 0)) * V + OneMatrix(n, 1) * b.T,
        cross_entropy,
        LABELS,
    ),
    "scaled": Forms(scaled, "c*(x @ W)", sympy.Symbol("c") * x * SMALL, data=DATA),
    "no inputs": Forms(
        bilinear,
        "trace(A @ A.T) + trace(A*A)",
        Trace(A * A.T) + Trace(HadamardProduct(A, A)),
        loss=None,
    ),
}


def trained(one):
    """What a training of three steps states: losses, worst entries and norms."""
    batch = {"batch": "all"} if one.inputs else {}
    report = verifier.train(one, epochs=3, dtype="float64", lr=0.1, **batch)
    assert report.outcome == "agrees"
    assert len(report.steps) == 3
    return [
        [(part.stated, part.symbolic, part.error) for part in (step.loss, *step.gradient.values())]
        + [step.parameters, step.entries]
        for step in report.steps
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
        "x @ (W + 1e-15) + b",
        inputs="x",
        start=dict(models["function"].start),
        loss=squared_error,
        data=DATA,
    )
    assert gradients_of(other) != gradients_of(models["function"])
