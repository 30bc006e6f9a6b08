"""Closed forms: what is shown is what is computed, whatever form it has."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
import sympy

import verifier
from tests.formula.arrays.closed_form_code import Code, as_matrix, scope_of
from tests.formula.arrays.closed_form_models import MODELS
from tests.formula.arrays.closed_form_values import ROWS, numeric
from verifier import InputError, Model, functions, model, normal, squared_error, zeros
from verifier.commands.cli import run
from verifier.explaining.model_as_code import formulas
from verifier.formula.arrays.closed_form.naming import MOST_LINES
from verifier.program.codegen import NUMPY, function
from verifier.reporting.data.training_json import model_document
from verifier.reporting.html.matrix_mathml import MathmlNotation


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


def test_latex_word_for_word():
    assert MODELS["linear"].latex() == (
        r"\hat{y} = X W",
        r"L = \frac{1}{n} \left\|X W - y\right\|^{2}",
        r"\frac{\partial L}{\partial W} = \frac{2}{n} X^{\top} \left(X W - y\right)",
    )
    lines = MODELS["relu_network"].latex()
    assert lines[5] == (
        r"\Delta_{1} = \left(\Delta_{2} W_{2}^{\top}\right) \odot \left[Z_{1} > 0\right]"
    )
    assert lines[7] == (
        r"\frac{\partial L}{\partial b_{1}} = \frac{1}{n} \Delta_{1}^{\top} \mathbf{1}"
    )


def test_what_a_notebook_shows():
    shown = MODELS["linear"]._repr_latex_()
    assert shown.startswith(r"$\displaystyle \begin{aligned} \hat{y} &= X W \\ L &= \frac{1}{n}")


def test_the_form_of_sympy_is_a_matrix_expression_with_symbols_of_explicit_shapes():
    n = sympy.Symbol("n", integer=True, positive=True)
    X, W, y = (sympy.MatrixSymbol(*one) for one in (("X", n, 4), ("W", 4, 2), ("y", n, 2)))
    gradient = MODELS["linear"].gradient["W"]
    assert gradient == sympy.MatMul(2 / n, X.T, sympy.MatAdd(sympy.MatMul(X, W), -y))
    assert sympy.latex(gradient) == r"\frac{2}{n} X^{T} \left(X W - y\right)"
    by_bias = sympy.latex(MODELS["softmax_regression"].gradient["b"])
    assert r"\operatorname{softmax}\left(X W + 1 b^{T}\right)" in by_bias


@pytest.mark.parametrize("name", MODELS)
def test_mathml_is_well_formed(name):
    for line in MODELS[name].closed_form.lines:
        for side in line.written(MathmlNotation("n")):
            ElementTree.fromstring(f"<math>{side}</math>")


def test_mathml_word_for_word():
    line = MODELS["softmax_regression"].closed_form.lines[-1]
    left, right = line.written(MathmlNotation("n"))
    above, below = (f"<mrow><mo>∂</mo><mi>{name}</mi></mrow>" for name in ("L", "b"))
    assert left == f"<mfrac>{above}{below}</mfrac>"
    assert right == (
        "<mrow><mfrac><mn>1</mn><mi>n</mi></mfrac><mo>\u2062</mo>"
        "<msup><mi>Δ</mi><mo>⊤</mo></msup><mo>\u2062</mo><mn>𝟏</mn></mrow>"
    )


def test_the_legend_explains_the_signs_that_are_used_and_no_others():
    assert MODELS["linear"].closed_form.legend == ("n is the number of rows.",)
    assert MODELS["log_determinant"].closed_form.legend == ()
    assert MODELS["relu_network"].closed_form.legend[-2:] == (
        "[ ] is 1 where the condition holds and 0 elsewhere.",
        "Where both sides are equal it is 1/2.",
    )


def test_show_writes_the_closed_form():
    assert list(formulas(MODELS["linear"])) == [
        "linear(X, *, W)",
        "  data        X (rows, 4), y (rows, 2)",
        "  parameters  W (4, 2)",
        "",
        "  ŷ = X W",
        "  L = (1/n) ‖X W − y‖²",
        "  ∂L/∂W = (2/n) Xᵀ (X W − y)",
        "",
        "  n is the number of rows.",
    ]


def test_show_on_the_command_line(tmp_path, capsys):
    (tmp_path / "own.py").write_text(
        "import numpy as np\n"
        "from verifier import model, normal, squared_error\n"
        "@model(loss=squared_error, data={'X': np.ones((5, 3)), 'y': np.ones(5)})\n"
        "def own(X, *, w=normal(3)):\n"
        "    return X @ w\n"
    )
    assert run(["show", f"{tmp_path / 'own.py'}::own"]) == 0
    assert "  ∂L/∂w = (2/n) Xᵀ (X w − y)" in capsys.readouterr().out.splitlines()
    assert run(["show", f"{tmp_path / 'own.py'}::own", "--latex"]) == 0
    assert r"= \frac{2}{n} X^{\top} \left(X w - y\right)" in capsys.readouterr().out


def test_json_has_the_formulas_with_the_names_of_the_model_alone():
    document = model_document(MODELS["softmax_regression"])
    assert document["prediction"] == "X W + 1 bᵀ"
    assert document["gradient"]["W"] == "(1/n) Xᵀ (softmax(X W + 1 bᵀ) − onehot(y))"


_TENSORS = {"x": np.ones((6, 5, 4)), "y": np.ones((6, 5))}


@model(loss=squared_error, data=_TENSORS)
def of_tensors(x, *, w=normal(4)):
    return x @ w


def test_an_array_of_three_axes_is_said_in_one_sentence_everywhere():
    sentence = "the formula has an array of the shape (rows, 5, 4), and a matrix has two axes"
    for shown in (of_tensors.latex, lambda: of_tensors.gradient, lambda: of_tensors.expression):
        with pytest.raises(InputError) as refused:
            shown()
        assert str(refused.value) == sentence
    assert of_tensors._repr_latex_() is None
    assert list(formulas(of_tensors))[-3:] == [
        "  prediction  x @ w",
        "  loss        sum((x @ w - y)**2, axis=1)",
        f"  The gradient is not shown in closed form: {sentence}.",
    ]
    assert model_document(of_tensors)["gradient"] == {"w": None}


def _deep(layers):
    def body(X, *, W):
        hidden = X
        for _ in range(layers):
            hidden = hidden + functions.tanh(hidden @ W)
        return hidden

    data = {"X": np.ones((5, 3)), "y": np.ones((5, 3))}
    return Model(body, inputs=["X"], start={"W": np.eye(3)}, loss=squared_error, data=data)


def test_a_deep_network_is_named_layer_by_layer_and_a_deeper_one_refused_in_one_sentence():
    form = _deep(6).closed_form
    assert max(len(part) for line in form.text() for part in line.splitlines()) <= 80
    with pytest.raises(InputError) as refused:
        _ = _deep(60).closed_form
    assert str(refused.value) == (
        f"the closed form has more than {MOST_LINES} lines: it is not shown"
    )


def test_a_name_of_the_model_is_not_taken_again():
    @model(loss=squared_error, data={"n": np.ones((6, 3)), "y": np.ones((6, 2))})
    def own(n, *, R=normal(3, 2), b=zeros(2)):
        return n @ R + b

    assert own.closed_form.text() == (
        "ŷ = n R + 1 bᵀ",
        "R′ = ŷ − y",
        "L = (1/N) ‖R′‖²",
        "∂L/∂R = (2/N) nᵀ R′",
        "∂L/∂b = (2/N) R′ᵀ 1",
    )
    assert str(own.gradient["R"].args[0]) == "2/N"


def test_a_formula_that_is_too_long_or_too_deep_is_refused_in_one_sentence(monkeypatch):
    with pytest.raises(InputError) as refused:
        _ = _deep(120).closed_form
    assert str(refused.value).endswith("above 1000 its closed form is not shown")
    monkeypatch.setattr("verifier.formula.arrays.closed_form.form.written", _no_end)
    with pytest.raises(InputError) as refused:
        _ = _deep(2).closed_form
    assert str(refused.value) == (
        "the formula has too many operations inside each other, or too large numbers, for a "
        "closed form"
    )


def _no_end(*arguments):
    return _no_end(*arguments)


def page(trained):
    return verifier.train(trained, epochs=1, batch="all", lr=0.01).to_html()


def test_the_page_of_a_training_has_the_closed_form_and_its_legend():
    shown = page(MODELS["linear"])
    left, right = MODELS["linear"].closed_form.lines[-1].written(MathmlNotation("n"))
    assert f"<math>{left}</math> <math><mo>=</mo></math> <math>{right}</math>" in shown
    assert "<code>∂L/∂W = (2/n) Xᵀ (X W − y)</code>" in shown
    assert "n is the number of rows." in shown


def test_a_page_without_a_closed_form_says_why():
    assert (
        "The formulas are not written out: the formula has an array of the shape (rows, 5, 4), and "
        "a matrix has two axes."
    ) in page(of_tensors)
