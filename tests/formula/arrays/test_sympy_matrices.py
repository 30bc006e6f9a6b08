"""Models written with SymPy's matrices: what they mean, and what is said of what cannot be read."""

import numpy as np
import pytest
import sympy
from sympy import (
    Adjoint,
    BlockMatrix,
    Determinant,
    HadamardPower,
    HadamardProduct,
    Identity,
    Inverse,
    KroneckerProduct,
    MatPow,
    Matrix,
    MatrixSymbol,
    Max,
    OneMatrix,
    Rational,
    Symbol,
    Trace,
    Transpose,
    ZeroMatrix,
    exp,
    tanh,
)

from verifier import Model, squared_error
from verifier.errors import InputError
from verifier.formula.arrays.sympy_matrices import read_matrices
from verifier.program.builder import FormulaBuilder
from verifier.program.codegen import NUMPY, function
from verifier.program.pretty import readback
from verifier.program.program import ROWS

n, c = sympy.symbols("n c")
X = MatrixSymbol("X", n, 3)
W = MatrixSymbol("W", 3, 2)
A = MatrixSymbol("A", 2, 2)
b = MatrixSymbol("b", 2, 1)
v = MatrixSymbol("v", 3, 1)
SHAPES = {"X": (ROWS, 3), "W": (3, 2), "A": (2, 2), "b": (2,), "v": (3, 1), "c": (), "y": (ROWS,)}
ROW_COUNT = 4


def read(expression, shapes=SHAPES):
    build = FormulaBuilder()
    nodes = {name: build.input(name, shape) for name, shape in shapes.items()}
    return build.program(read_matrices(expression, build, nodes))


def values():
    drawn = np.random.default_rng(5)
    given = {
        name: drawn.uniform(0.5, 1.5, [ROW_COUNT if one == ROWS else one for one in shape])
        for name, shape in SHAPES.items()
    }
    given["A"] += 2 * np.eye(2)
    return given


def explicit(numbers, shape):
    return Matrix(np.reshape(numbers, [int(length) for length in shape]))


def worked_out(expression, given):
    """What SymPy makes of the expression with numbers in place of its symbols."""
    known = {
        MatrixSymbol(symbol.name, *(ROW_COUNT if one == n else one for one in symbol.shape)): (
            explicit(given[symbol.name], symbol.subs(n, ROW_COUNT).shape)
        )
        for symbol in expression.atoms(MatrixSymbol)
    }
    found = expression.subs(n, ROW_COUNT).subs(known).subs(c, given["c"].item()).doit()
    if hasattr(found, "as_explicit"):
        found = found.as_explicit().doit()
    return np.array(found.tolist() if found.is_Matrix else found, dtype=float)


MEANINGS = {
    "X @ W + reshape(b, [2, 1]).T": X * W + OneMatrix(n, 1) * b.T,
    "X @ W - reshape(b, [2, 1]).T": X * W - OneMatrix(n, 1) * b.T,
    "2*(X @ W)": 2 * X * W,
    "-(X @ W)": -X * W,
    "c*(X @ W)": c * X * W,
    "(1 + c)*(X @ W)": (c + 1) * X * W,
    "reshape(X @ v, [-1])": X * v,
    "X.T @ X/X.shape[0]": X.T * X / n,
    "X + 1": X + OneMatrix(n, 3),
    "X": X + ZeroMatrix(n, 3),
    "tanh(X @ W)": (X * W).applyfunc(tanh),
    "maximum(0, X @ W)": (X * W).applyfunc(lambda t: Max(t, 0)),
    "c*(X @ W)**2": (X * W).applyfunc(lambda t: c * t**2),
    "reshape(sum(X, axis=0), [1, 3])": OneMatrix(1, n) * X,
    "reshape(sum(X, axis=1), [-1, 1])*a constant of 1x2": X * OneMatrix(3, 2),
    "reshape(b, [2, 1]).T @ A": b.T * A,
    "reshape(reshape(b, [2, 1]).T @ A @ reshape(b, [2, 1]), [])": b.T * A * b,
    "A @ A @ A": A**3,
    "inverse(A) @ inverse(A)": A**-2,
    "reshape(inverse(A) @ reshape(b, [2, 1]), [2])": A.I * b,
    "inverse(A).T": Transpose(Inverse(A)),
    "c*determinant(A)": c * Determinant(A),
    "exp(trace(A))": exp(Trace(A)),
    "a constant of 2x2 + A": A + Identity(2),
    "A*A.T": HadamardProduct(A, A.T),
    "A**2": HadamardPower(A, 2),
    "A**c": HadamardPower(A, c),
    "A[0, 1] + exp(A[1, 1])": A[0, 1] + exp(A[1, 1]),
    "X[:, 0:2]": X[:, 0:2],
    "A[0:1, :]": A[0:1, :],
    "A @ a constant of 2x2": A * Matrix([[1, 2], [3, 4]]),
    "1/3*A": A / 3,
    "inverse(A + 1)": Inverse(A + OneMatrix(2, 2)),
    "trace(A + 1)": Trace(A + OneMatrix(2, 2)),
    "sum": OneMatrix(1, 2) * A * OneMatrix(2, 3),
    "a number times n": OneMatrix(2, n) * OneMatrix(n, 2) * A + OneMatrix(2, n) * X * W,
}


@pytest.mark.parametrize("text", MEANINGS)
def test_an_expression_means_what_sympy_means(text):
    given, expression = values(), MEANINGS[text]
    program = read(expression)
    compute = function("f", ", ".join(program.inputs), program, NUMPY)
    found = np.asarray(compute(**{name: given[name][()] for name in program.inputs}))
    expected = worked_out(expression, given)
    np.testing.assert_allclose(
        found.ravel(), np.broadcast_to(expected, expected.shape).ravel(), rtol=1e-12
    )
    columns = expected.shape[-1] if expected.ndim else 1
    assert found.shape == (
        expected.shape if columns != 1 else tuple(one for one in expected.shape[:1] if one != 1)
    )


ORDERS = [text for text in MEANINGS if text not in ("sum", "a number times n")]


@pytest.mark.parametrize("text", ORDERS)
def test_the_order_is_that_of_sympy(text):
    found = readback(read(MEANINGS[text]))
    assert found == text


REFUSED = {
    "KroneckerProduct": (
        KroneckerProduct(A, A),
        "KroneckerProduct of SymPy's matrices cannot be read: write the model as a function or as "
        "text",
    ),
    "BlockMatrix": (
        BlockMatrix([[A, A]]),
        "BlockMatrix of SymPy's matrices cannot be read: write the model as a function or as text",
    ),
    "Adjoint": (
        Adjoint(A),
        "Adjoint of SymPy's matrices cannot be read: write the model as a function or as text",
    ),
    "a slice of which SymPy has another shape": (
        W[0:3:2, :],
        "W[::2, :] has the shape (2, 2), and SymPy says 1 x 2: write the model as a function or "
        "as text",
    ),
    "a root": (
        MatPow(A, Rational(1, 2)),
        "A**(1/2) cannot be read: a power of a matrix has a whole exponent of at most 64",
    ),
    "a large power": (
        A**1000,
        "A**1000 cannot be read: a power of a matrix has a whole exponent of at most 64",
    ),
    "a function of a matrix": (
        exp(A),
        "exp(A) cannot be read: for every element write applyfunc(exp)",
    ),
    "entries that are symbols": (
        A * Matrix([[1, 2], [3, c]]),
        "Matrix([[1, 2], [3, c]]) has entries that are no numbers: write the model as a function "
        "or as text",
    ),
    "an unknown matrix": (
        A + MatrixSymbol("Z", 2, 2),
        "the formula uses Z, which is neither an input nor a parameter: name it as one of them",
    ),
    "an unknown number": (
        Symbol("q") * A,
        "the formula uses q, which is neither an input nor a parameter: name it as one of them",
    ),
    "another shape": (
        MatrixSymbol("A", 2, 3) * v,
        "A is a matrix of 2 x 3 in the formula, and has the shape (2, 2)",
    ),
    "a symbolic length that differs": (
        MatrixSymbol("A", n, n) * b + OneMatrix(2, n) * X * v,
        "X is a matrix of n x 3 in the formula, and has the shape (rows, 3): write the number of "
        "rows as a symbol",
    ),
    "a number of rows": (
        MatrixSymbol("X", 10, 3) * v,
        "X is a matrix of 10 x 3 in the formula, and has the shape (rows, 3): write the number of "
        "rows as a symbol",
    ),
    "a column that is a number": (
        Symbol("y") * A,
        "y is a number in the formula, and has the shape (rows,): use a MatrixSymbol",
    ),
    "an index that is a symbol": (
        A[c, 0],
        "A[c, 0] cannot be read: an index must be whole numbers",
    ),
    "a length without a matrix": (
        OneMatrix(n, 1) * b.T + MatrixSymbol("U", n, 2) * 0,
        "how long n is does not follow from the symbols of the formula",
    ),
    "a matrix as large as the batch": (
        (X * X.T + Identity(n)) * MatrixSymbol("y", n, 1),
        "I has as many rows as a batch, which a formula does not know: leave it out",
    ),
    "three axes": (
        MatrixSymbol("t", 2, 2),
        "t has the shape (2, 3, 2), and a matrix of SymPy has two axes: write the model as a "
        "function or as text",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name):
    expression, message = REFUSED[name]
    with pytest.raises(InputError) as refusal:
        read(expression, {**SHAPES, "t": (2, 3, 2)})
    assert str(refusal.value) == message


def test_matrices_without_arrays():
    w = MatrixSymbol("w", 1, 1)
    model = Model(MatrixSymbol("x", n, 1) * w, inputs=["x"], start={w: 2.0}, loss=squared_error)
    with pytest.raises(InputError, match="every start value and every column is a number"):
        _ = model.program


@pytest.mark.parametrize("start", [np.zeros(2), np.zeros((2, 1))])
def test_a_vector_starts_from_a_vector_or_a_column(start):
    data = {"X": np.ones((5, 3)), "y": np.ones((5, 2))}
    model = Model(
        X * W + OneMatrix(n, 1) * b.T,
        inputs=[X],
        start={W: np.ones((3, 2)), b: start},
        loss=squared_error,
        data=data,
    )
    assert model.torch(np.ones((5, 3))).tolist() == [[3.0, 3.0]] * 5
    assert model.shapes == {"W": (3, 2), "b": start.shape}
