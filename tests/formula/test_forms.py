"""Text, function and expression of the same formula are the same program, where the order is the
same.
"""

import pytest
import sympy
from sympy.codegen import cfunctions

import verifier
from verifier import functions
from verifier.functions import (
    atan2,
    e,
    elu,
    equal,
    exp,
    floor,
    gamma,
    gelu_tanh,
    heaviside,
    log,
    logsumexp,
    maximum,
    minimum,
    pi,
    piecewise,
    remainder,
    sigmoid,
    sinc,
    softmax,
    softplus,
    sqrt,
    tan,
    where,
)  # fmt: skip

FORMS = {
    "w*x": lambda x, w: w * x,
    "exp(-x)*w": lambda x, w: exp(-x) * w,
    "w*x**2 - 3*x": lambda x, w: w * x**2 - 3 * x,
    "1/(1 + exp(-w*x))": lambda x, w: 1 / (1 + exp(-w * x)),
    "x**-1*w": lambda x, w: x**-1 * w,
    "w*x**-2": lambda x, w: w * x**-2,
    "sqrt(2)*x + pi*w": lambda x, w: sqrt(2) * x + pi * w,
    "e**x*w": lambda x, w: e**x * w,
    "sigmoid(w*x)": lambda x, w: sigmoid(w * x),
    "softplus(x)*gamma(w)": lambda x, w: softplus(x) * gamma(w),
    "gelu_tanh(where(x < w, x, w))": lambda x, w: gelu_tanh(where(x < w, x, w)),
    "where(x > 0 and x < w, x, w)": lambda x, w: where((x > 0) & (x < w), x, w),
    "where(not x > 0, x, w)": lambda x, w: where(~(x > 0), x, w),
    "where(x == w, x, w)": lambda x, w: where(equal(x, w), x, w),
    "Piecewise((x, x > 1), (w, x > 0), (0, True))": lambda x, w: piecewise(
        (x, x > 1), (w, x > 0), (0, True)
    ),
    "maximum(w, x, 0)": lambda x, w: maximum(w, x, 0),
    "minimum(elu(x), w)": lambda x, w: minimum(elu(x), w),
    "where(where(x > 0, x, w) > 1, x, 2)": lambda x, w: where(where(x > 0, x, w) > 1, x, 2),
    "atan2(w, x) + remainder(x, w)": lambda x, w: atan2(w, x) + remainder(x, w),
    "softmax(x, w, 1) + logsumexp(x, w)": lambda x, w: softmax(x, w, 1) + logsumexp(x, w),
    "sinc(x)*heaviside(w) + floor(x)": lambda x, w: sinc(x) * heaviside(w) + floor(x),
    "log(x)/log(2)*tan(w)": lambda x, w: log(x) / log(2) * tan(w),
}


def from_text(text):
    return verifier.Model.from_text(
        text, inputs="x", start={"w": 0.5}, loss=verifier.squared_error
    ).program


def from_function(body):
    def named(x, *, w=0.5):
        return body(x, w)

    return verifier.Model(
        named, inputs=["x"], start={"w": 0.5}, loss=verifier.squared_error
    ).program


def graph(program, index):
    node = program.nodes[index]
    return (
        node.operation,
        repr(node.payload),
        *(graph(program, argument) for argument in node.arguments),
    )


@pytest.mark.parametrize("text", FORMS)
def test_text_and_function(text):
    one, other = from_text(text), from_function(FORMS[text])
    assert [graph(one, output) for output in one.outputs] == [
        graph(other, output) for output in other.outputs
    ]


X, W = sympy.symbols("x w", real=True)
EXPRESSIONS = {
    "w*x": W * X,
    "exp(x)": sympy.exp(X) + 0 * W,
    "sqrt(x)": sympy.sqrt(X),
    "x**2": X**2,
    "1/x": 1 / X,
    "1/x**2": X**-2,
    "gamma(x)": sympy.gamma(X),
    "1/cos(x)": sympy.sec(X),
    "remainder(x, 3)": sympy.Mod(X, 3),
    "erf(x)": sympy.erf(X),
    "i0(x)": sympy.besseli(0, X),
    "where(x > 1, x, 0)": sympy.Piecewise((X, X > 1), (0, True)),
    "where(x > 1 and x < 3, x, 0)": sympy.Piecewise((X, sympy.And(X > 1, X < 3)), (0, True)),
    "sinc(x)": sympy.sinc(X),
    "heaviside(x)": sympy.Heaviside(X),
    "beta(x, 3)": sympy.beta(X, 3),
    "frac(x)": sympy.frac(X),
    "polygamma(1, x)": sympy.polygamma(1, X),
    "expm1(x)": cfunctions.expm1(X),
    "zeta(x, 1)": sympy.zeta(X),
}


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_text_and_expression(text):
    from verifier.formula.text.parser import read_text
    from verifier.program.builder import FormulaBuilder
    from verifier.program.sympy_form import read, symbol

    builder = FormulaBuilder()
    places = {"x": builder.input("x"), "w": builder.input("w")}
    tree = EXPRESSIONS[text]
    assert read(
        tree, builder, {symbol(name): place for name, place in places.items()}
    ) == read_text(text, builder, places)


def test_every_function_can_be_imported():
    for name in functions.__all__:
        assert getattr(functions, name) is not None
