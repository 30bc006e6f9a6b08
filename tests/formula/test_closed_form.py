"""Closed forms: what is shown is what is computed, whatever form it has."""

from __future__ import annotations

import xml.etree.ElementTree

import numpy as np
import pytest
import sympy

from tests.formula.closed_form_code import Code, as_matrix, scope_of
from tests.formula.closed_form_models import MODELS
from tests.formula.closed_form_values import ROWS, numeric
from verifier import InputError, functions, model, normal, squared_error
from verifier.program.codegen import NUMPY, function


def drawn(model_of_arrays):
    """Values of all symbols, with a batch of three rows."""
    random = np.random.default_rng(7)
    values = {}
    for name, shape in model_of_arrays.row_shapes.items():
        values[name] = random.normal(size=(ROWS, *shape))
    for name, shape in model_of_arrays.shapes.items():
        is_square = len(shape) == 2 and shape[0] == shape[1]
        values[name] = random.normal(size=shape) + (3 * np.eye(shape[0]) if is_square else 0.0)
    if getattr(model_of_arrays.loss, "__name__", "") == "cross_entropy":
        values["y"] = np.array([2.0, 0.0, 1.0])
    return values


def by_program(model_of_arrays, values):
    """The loss of the batch and its gradient, as the NumPy code computes them."""
    program = model_of_arrays.batch_gradient_program
    compute = function("gradient", ", ".join(program.inputs), program, NUMPY)
    loss, *gradient = compute(*(values[name] for name in program.inputs))
    return [np.asarray(loss), *map(np.asarray, gradient)]


def assert_same(found, expected):
    """A column of the closed form is a vector of the program."""
    found, expected = np.asarray(found, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    scale = max(1.0, float(np.abs(expected).max()))
    assert found.size == expected.size
    assert np.abs(found.reshape(expected.shape) - expected).max() <= 1e-11 * scale


@pytest.mark.parametrize("name", MODELS)
def test_the_sympy_form_has_the_numbers_of_the_gradient_program(name):
    tried = MODELS[name]
    values = drawn(tried)
    forms = [tried.loss_expression, *tried.gradient.values()]
    for form, expected in zip(forms, by_program(tried, values), strict=True):
        assert_same(numeric(form, values), expected)
        assert sympy.latex(form)
    assert list(tried.gradient) == list(tried.parameters)


@pytest.mark.parametrize("name", MODELS)
def test_a_planted_factor_in_the_sympy_form_is_found(name):
    tried = MODELS[name]
    values = drawn(tried)
    _, expected, *_ = by_program(tried, values)
    form = next(iter(tried.gradient.values()))
    with pytest.raises(AssertionError):
        assert_same((1 + 1e-9) * numeric(form, values), expected)


@pytest.mark.parametrize("name", MODELS)
def test_the_lines_computed_one_by_one_have_the_numbers_of_the_gradient_program(name):
    tried = MODELS[name]
    values = drawn(tried)
    scope = scope_of(tried.closed_form, values)
    names = ["L", *(f"d_{name}" for name in tried.parameters)]
    for name, expected in zip(names, by_program(tried, values), strict=True):
        assert_same(as_matrix(scope[name]).array, expected)


def test_a_bracket_that_is_missing_in_a_line_is_found(monkeypatch):
    values = drawn(MODELS["tanh_network"])
    monkeypatch.setattr(Code, "bracketed", lambda self, inner: inner)
    with pytest.raises((AssertionError, ValueError)):
        scope = scope_of(MODELS["tanh_network"].closed_form, values)
        assert_same(scope["d_W1"].array, by_program(MODELS["tanh_network"], values)[1])


EXPECTED = {
    "linear": """
ŷ = X W
L = (1/n) ‖X W − y‖²
∂L/∂W = (2/n) Xᵀ (X W − y)
""",
    "ridge": """
ŷ = X w
L = (1/n) ‖X w − y‖² + decay ‖w‖²
∂L/∂w = (2/n) Xᵀ (X w − y) + 2 decay w
""",
    "logistic": """
ŷ = X w + b
L = (1/n) 1ᵀ (softplus(ŷ) − y ⊙ ŷ)
δ = σ(ŷ) − y
∂L/∂w = (1/n) Xᵀ δ
∂L/∂b = (1/n) 1ᵀ δ
""",
    "softmax_regression": """
ŷ = X W + 1 bᵀ
L = (1/n) 1ᵀ (logsumexp(ŷ) − (onehot(y) ⊙ ŷ) 1)
Δ = softmax(ŷ) − onehot(y)
∂L/∂W = (1/n) Xᵀ Δ
∂L/∂b = (1/n) Δᵀ 1
""",
    "tanh_network": """
A1 = tanh(X W1 + 1 b1ᵀ)
ŷ = A1 W2 + 1 b2ᵀ
R = ŷ − y
L = (1/n) ‖R‖²
Δ1 = (R W2ᵀ) ⊙ (1 − A1∘²)
∂L/∂W1 = (2/n) Xᵀ Δ1
∂L/∂b1 = (2/n) Δ1ᵀ 1
∂L/∂W2 = (2/n) A1ᵀ R
∂L/∂b2 = (2/n) Rᵀ 1
""",
    "relu_network": """
Z1 = X W1 + 1 b1ᵀ
A1 = max(Z1, 0)
ŷ = A1 W2 + 1 b2ᵀ
L = (1/n) 1ᵀ (logsumexp(ŷ) − (onehot(y) ⊙ ŷ) 1)
Δ2 = softmax(ŷ) − onehot(y)
Δ1 = (Δ2 W2ᵀ) ⊙ [Z1 > 0]
∂L/∂W1 = (1/n) Xᵀ Δ1
∂L/∂b1 = (1/n) Δ1ᵀ 1
∂L/∂W2 = (1/n) A1ᵀ Δ2
∂L/∂b2 = (1/n) Δ2ᵀ 1
""",
    "linear_with_bias": """
ŷ = X W + 1 bᵀ
R = ŷ − y
L = ‖R‖²
∂L/∂W = 2 Xᵀ R
∂L/∂b = 2 Rᵀ 1
""",
}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_text_word_for_word(name):
    assert "\n".join(MODELS[name].closed_form.text()) == EXPECTED[name].strip()


@pytest.mark.parametrize("name", MODELS)
def test_no_line_is_long_and_none_is_written_twice(name):
    lines = MODELS[name].closed_form.text()
    assert max(len(part) for line in lines for part in line.splitlines()) <= 80
    rights = [line.partition(" = ")[2] for line in lines]
    assert len(set(rights)) == len(rights)
