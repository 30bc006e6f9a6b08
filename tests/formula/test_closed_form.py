"""Closed forms: what is shown is what is computed, whatever form it has."""

from __future__ import annotations

import re

import numpy as np
import pytest
import sympy
from scipy import special
from sympy.matrices.expressions.diagonal import DiagMatrix

from tests.formula.closed_form_models import MODELS
from verifier import InputError, functions, model, normal, squared_error
from verifier.formula.arrays.closed_form.notation import SIGNS, written
from verifier.formula.arrays.closed_form.to_sympy import MatrixFunction
from verifier.operations.table import TABLE
from verifier.program.builder import FormulaBuilder
from verifier.program.codegen import NUMPY, function

ROWS = 3


def drawn(model_of_arrays):
    """Values of all symbols, with a batch of three rows."""
    random = np.random.default_rng(7)
    values = {}
    for name, shape in model_of_arrays.row_shapes.items():
        values[name] = random.normal(size=(ROWS, *shape))
    for name, shape in model_of_arrays.shapes.items():
        is_square = len(shape) == 2 and shape[0] == shape[1]
        values[name] = random.normal(size=shape) + (3 * np.eye(shape[0]) if is_square else 0.0)
    if "cross_entropy" == getattr(model_of_arrays.loss, "__name__", ""):
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


ON_ROWS = {
    "softmax": lambda z: special.softmax(z, axis=int(z.shape[1] > 1)),
    "logsumexp": lambda z: special.logsumexp(z, axis=int(z.shape[1] > 1), keepdims=True),
}


def numeric(tree, values):
    """The value of a SymPy expression with arrays for its matrix symbols, by NumPy alone."""
    if isinstance(tree, sympy.BlockMatrix):
        blocks = tree.blocks
        across, down = range(blocks.cols), range(blocks.rows)
        return np.block([[numeric(blocks[i, j], values) for j in across] for i in down])
    inner = [numeric(one, values) for one in tree.args if isinstance(one, sympy.Expr)]
    match tree:
        case sympy.MatrixSymbol():
            return values[tree.name].reshape(sized(tree.shape))
        case sympy.Symbol():
            return float(ROWS) if tree.name == "n" else float(values[tree.name])
        case sympy.OneMatrix():
            return np.ones(sized(tree.shape))
        case sympy.Identity():
            return np.eye(*sized(tree.shape))
        case sympy.ImmutableDenseMatrix():
            entries = [float(numeric(one, values)) for one in tree]
            return np.array(entries).reshape(tree.shape)
        case sympy.MatAdd() | sympy.Add():
            return sum(inner)
        case sympy.MatMul():
            product = np.eye(1)
            for factor in inner:
                scalar = np.ndim(factor) == 0 or np.ndim(product) == 0 or product.shape == (1, 1)
                product = product * factor if scalar else product @ factor
            return product
        case sympy.Mul():
            return np.prod(inner)
        case sympy.HadamardProduct():
            return np.prod(inner, axis=0)
        case sympy.HadamardPower() | sympy.Pow() if not isinstance(tree, sympy.Inverse):
            return inner[0] ** inner[1]
        case sympy.Transpose():
            return inner[0].T
        case sympy.Inverse():
            return np.linalg.inv(inner[0])
        case DiagMatrix():
            return np.diag(inner[0].ravel())
        case sympy.Trace():
            return np.trace(inner[0])
        case sympy.Determinant():
            return np.linalg.det(inner[0])
        case sympy.matrices.expressions.matexpr.MatrixElement():
            whole = numeric(tree.args[0], values)
            return whole[int(tree.args[1]), int(tree.args[2])]
        case MatrixFunction():
            return entrywise(tree, [numeric(one, values) for one in tree.arguments])
    if tree.is_number:
        return float(tree)
    return float(sympy.lambdify([], tree.func(*map(sympy.Float, inner)), "numpy")())


def sized(shape):
    return tuple(ROWS if one == sympy.Symbol("n", integer=True, positive=True) else int(one)
                 for one in shape)  # fmt: skip


def entrywise(tree, given):
    """What a function of matrices gives, by SciPy and by SymPy's own functions of numbers."""
    if tree.name in ON_ROWS:
        return ON_ROWS[tree.name](*given)
    if tree.name == "onehot":
        return (given[0] == np.arange(int(tree.shape[1]))).astype(float)
    arrays = np.broadcast_arrays(*given, np.zeros(sized(tree.shape)))[:-1]
    if tree.name == "where":
        return np.where(arrays[0] == 1, arrays[1], arrays[2])
    if tree.name in SIGNS:
        left, right = arrays[:2]
        assert not (left == right).any()
        holds = TABLE[tree.name].sympy
        return np.vectorize(lambda a, b: float(bool(holds(a, b))))(left, right)
    return row_on_arrays(tree.name, arrays)


def row_on_arrays(name, arrays):
    """A row of the operations table by its NumPy code."""
    build = FormulaBuilder()
    inputs = [build.input(f"a{place}", np.shape(array)) for place, array in enumerate(arrays)]
    program = build.program(build.apply(name, *inputs))
    compute = function("row", ", ".join(program.inputs), program, NUMPY)
    return np.asarray(compute(*arrays)) + 0.0


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


class Matrix:
    """A matrix with the operations that a closed form is written with."""

    def __init__(self, array):
        array = np.asarray(array, dtype=np.float64)
        self.array = array.reshape(-1, 1) if array.ndim == 1 else array

    @property
    def is_number(self):
        return self.array.size == 1

    def __mul__(self, other):
        if isinstance(other, Ones):
            return other.behind(self)
        other = as_matrix(other)
        scaled = self.is_number or other.is_number
        if scaled:
            number, matrix = (self, other) if self.is_number else (other, self)
            return Matrix(number.array.item() * matrix.array)
        return Matrix(self.array @ other.array)

    def __rmul__(self, other):
        return as_matrix(other) * self

    def __add__(self, other):
        return Matrix(self.array + as_matrix(other).array)

    def __radd__(self, other):
        return self + other

    def __sub__(self, other):
        return self + -as_matrix(other)

    def __rsub__(self, other):
        return as_matrix(other) + -self

    def __neg__(self):
        return Matrix(-self.array)

    def __mod__(self, other):
        return Matrix(self.array * as_matrix(other).array)

    def __truediv__(self, other):
        return Matrix(self.array / as_matrix(other).array)

    def __rtruediv__(self, other):
        return as_matrix(other) / self

    def power(self, exponent):
        return Matrix(self.array**exponent)

    @property
    def T(self):  # noqa: N802
        return Matrix(self.array.T)

    @property
    def inverse(self):
        return Matrix(np.linalg.inv(self.array))


class Ones:
    """Ones as a column or as a row; next to a matrix they have the length that it needs, and alone
    they are broadcast.
    """

    def __init__(self, scale=1.0, is_row=False):
        self.scale, self.is_row = scale, is_row

    @property
    def T(self):  # noqa: N802
        return Ones(self.scale, not self.is_row)

    def __mul__(self, other):
        if self.is_row:
            return Matrix(self.scale * other.array.sum(axis=0, keepdims=True))
        assert other.array.shape[0] == 1
        return Matrix(self.scale * other.array)

    def __rmul__(self, number):
        return Ones(self.scale * number, self.is_row)

    def behind(self, matrix):
        """A matrix times these."""
        if matrix.is_number:
            return Ones(self.scale * matrix.array.item(), self.is_row)
        if self.is_row:
            assert matrix.array.shape[1] == 1
            return Matrix(self.scale * matrix.array)
        return Matrix(self.scale * matrix.array.sum(axis=1, keepdims=True))


def as_matrix(value):
    return value if isinstance(value, Matrix) else Matrix(np.array([[value]]))


class Code:
    """A notation that Python can run; brackets stand where the closed form has them."""

    def symbol(self, name):
        return f"symbols[{name!r}]"

    def named(self, letter, index):
        return f"{letter}{'' if index is None else index}".replace("′", "_")

    def derivative(self, by):
        return f"d_{by}"

    def number(self, value):
        return repr(float(value))

    def rows(self):
        return "n"

    def bracketed(self, inner):
        return f"({inner})"

    def fraction(self, over, under):
        return f"(({over})/({under}))"

    def beside(self, parts):
        return " * ".join(parts)

    def entrywise(self, parts):
        return " % ".join(parts)

    def divided(self, over, under):
        return f"{over} / {under}"

    def added(self, first, rest):
        return first + "".join(f" {sign} {text}" for sign, text in rest)

    def negative(self, part):
        return f"-{part}"

    def raised(self, base, mark):
        return base + {"T": ".T", "-1": ".inverse", "-T": ".inverse.T"}[mark]

    def power(self, base, exponent, of_entries):
        return f"as_matrix({base}).power({exponent})"

    def call(self, name, arguments):
        return f"call({name!r}, {', '.join(arguments)})"

    def norm(self, inner):
        return f"Matrix([[(({inner}).array ** 2).sum()]])"

    def absolute(self, inner):
        return f"call('abs', {inner})"

    def root(self, inner):
        return f"as_matrix({inner}).power(0.5)"

    def indicator(self, left, sign, right):
        return f"holds({sign!r}, {left}, {right})"

    def column(self, entries):
        return f"Matrix(np.vstack([as_matrix(one).array for one in [{', '.join(entries)}]]))"

    def line(self, entries):
        return f"Matrix(np.hstack([as_matrix(one).array for one in [{', '.join(entries)}]]))"

    def part(self, base, key):
        return f"part({base}, {key!r})"

    def placed(self, inner, key, dimensions):
        return f"placed({inner}, {key!r}, {dimensions})"

    def constant(self, term):
        return f"Matrix({np.asarray(term.array.array).tolist()})"

    def identity(self):
        return "identity"

    def ones(self):
        return "ones"


def call(name, *given):
    arrays = [one.array if isinstance(one, Matrix) else np.float64(one) for one in given]
    if name == "diag":
        return Matrix(np.diag(arrays[0].ravel()))
    if name in ("det", "tr"):
        return as_matrix({"det": np.linalg.det, "tr": np.trace}[name](arrays[0]))
    if name in ON_ROWS:
        return Matrix(ON_ROWS[name](*arrays))
    if name == "onehot":
        return Matrix((arrays[0] == np.arange(3)).astype(float))
    row = {"max": "maximum", "min": "minimum", "σ": "sigmoid"}.get(name, name)
    if row == "where":
        return Matrix(np.where(arrays[0] == 1, arrays[1], arrays[2]))
    return Matrix(row_on_arrays(row, np.broadcast_arrays(*arrays)))


def holds(sign, left, right):
    row = {shown: row for row, shown in SIGNS.items()}[sign]
    compute = {"greater": np.greater, "greater_equal": np.greater_equal, "less": np.less,
               "less_equal": np.less_equal}[row]  # fmt: skip
    return Matrix(compute(as_matrix(left).array, as_matrix(right).array).astype(float))


def part(whole, key):
    array = squeezed(whole.array)
    chosen = eval(f"array[{key}]", {"array": array})
    is_row = array.ndim == 2 and re.match(r"\d+(,|$)", key)
    return Matrix(chosen.reshape(1, -1) if is_row else np.atleast_1d(chosen))


def placed(inner, key, dimensions):
    zeros = np.zeros([ROWS if length == -1 else length for length in dimensions])
    target = eval(f"array[{key}]", {"array": squeezed(np.arange(zeros.size).reshape(zeros.shape))})
    np.add.at(zeros.ravel(), np.ravel(target), as_matrix(inner).array.ravel())
    return Matrix(zeros)


def squeezed(array):
    return array.ravel() if array.shape[1] == 1 else array


def lines_run(tried, values):
    """The names of a closed form and what Python computes for them, line by line."""
    form = tried.closed_form
    scope = {
        "symbols": {name: Matrix(value) if np.ndim(value) else as_matrix(float(value))
                    for name, value in values.items()},
        "n": as_matrix(float(ROWS)), "np": np, "Matrix": Matrix, "as_matrix": as_matrix,
        "call": call, "holds": holds, "part": part, "placed": placed, "ones": Ones(), "identity": Matrix(np.eye(3)),
    }  # fmt: skip
    for line in form.lines:
        left, right = line.written(Code())
        scope[left] = eval(right, scope)
    return scope


@pytest.mark.parametrize("name", MODELS)
def test_the_lines_computed_one_by_one_have_the_numbers_of_the_gradient_program(name):
    tried = MODELS[name]
    values = drawn(tried)
    scope = lines_run(tried, values)
    names = ["L", *(f"d_{name}" for name in tried.parameters)]
    for name, expected in zip(names, by_program(tried, values), strict=True):
        assert_same(as_matrix(scope[name]).array, expected)


def test_a_bracket_that_is_missing_in_a_line_is_found(monkeypatch):
    values = drawn(MODELS["tanh_network"])
    monkeypatch.setattr(Code, "bracketed", lambda self, inner: inner)
    with pytest.raises((AssertionError, ValueError)):
        scope = lines_run(MODELS["tanh_network"], values)
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
