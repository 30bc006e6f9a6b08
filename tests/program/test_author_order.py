"""The order of an author: in text, in LaTeX and in MathML, and nothing but the order."""

import pytest
import sympy

import verifier
from tests.helpers.gallery_names import OF_NUMBERS
from verifier.formula.text.parser import read_text, symbol_names
from verifier.program.author_order import AuthorOrder
from verifier.program.builder import FormulaBuilder
from verifier.program.sympy_form import expressions
from verifier.reporting.html.mathml import mathml


def ordered(formula):
    build = FormulaBuilder()
    symbols = {name: build.input(name) for name in sorted(symbol_names(formula))}
    program = build.program(read_text(formula, build, symbols))
    return expressions(program)[0], AuthorOrder(program)


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        ("w1*x**2 + w2*x + b", "w1*x**2 + w2*x + b"),
        ("c - a - b", "c - a - b"),
        ("x**2 + y - 11", "x**2 + y - 11"),
        ("exp(z + a*(y + x))", "exp(z + a*(y + x))"),
        ("5 - x", "5 - x"),
    ],
)
def test_terms_stand_as_they_were_written(formula, text):
    expression, order = ordered(formula)
    assert order.text(expression) == text


def test_sympy_alone_has_another_order():
    expression, order = ordered("w1*x**2 + w2*x + b")
    assert str(expression) == "b + w1*x**2 + w2*x"
    assert order.latex(expression) == "w_{1} x^{2} + w_{2} x + b"
    assert mathml(expression, order).endswith("<mo>+</mo><mi>b</mi></mrow></math>")
    assert mathml(expression).startswith("<math><mrow><mi>b</mi><mo>+</mo>")


def test_what_is_not_in_the_formula_stands_where_its_names_are():
    _, order = ordered("b*y + a*x")
    x, y = (sympy.Symbol(name, real=True) for name in "xy")
    assert order.text(1 + x**3 + y**3) == "1 + y**3 + x**3"


@pytest.mark.parametrize("name", OF_NUMBERS)
def test_nothing_but_the_order_changes(name):
    model = verifier.load(name)
    for expression in (model.expression, model.loss_expression, *model.gradient.values()):
        names = {str(symbol): symbol for symbol in expression.free_symbols}
        functions = {part.func.__name__: part.func for part in expression.atoms(sympy.Function)}
        read = sympy.parse_expr(model.order.text(expression), local_dict=functions | names)
        point = {symbol: 0.3 + place / 7 for place, symbol in enumerate(names.values())}
        assert abs(sympy.N(read.subs(point) - expression.subs(point))) < 1e-9


def test_a_formula_that_is_too_long_has_sympys_order(monkeypatch):
    monkeypatch.setattr("verifier.program.sympy_form.TREE_LIMIT", 1)
    with pytest.raises(verifier.InputError):
        ordered("w*x + b")
    build = FormulaBuilder()
    program = build.program(build.apply("add", build.input("x"), build.input("a")))
    a, x = (sympy.Symbol(name, real=True) for name in "ax")
    assert AuthorOrder(program).text(x + a) == "a + x"
