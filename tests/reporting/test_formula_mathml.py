"""Formulas in MathML as they were written: brackets where they matter, and no markup from names."""

import re

import pytest

from tests.helpers.gallery_names import OF_NUMBERS
from tests.reporting.test_training_page import CORE, Reader
from verifier import InputError
from verifier.formula.gallery import load
from verifier.formula.text.parser import read_text, symbol_names
from verifier.program.builder import FormulaBuilder
from verifier.reporting.html.formula_mathml import DEEPEST, mathml_as_written


def written(formula):
    build = FormulaBuilder()
    symbols = {name: build.input(name) for name in symbol_names(formula)}
    return mathml_as_written(build.program(read_text(formula, build, symbols)))


def line(markup):
    """The formula on one line: fractions and powers in brackets of their own."""
    markup = re.sub(r"</?math>|</?mrow>|</?mi>|</?mn>|</?mo>|</?mtext>", "", markup)
    return markup.replace("\u2062", "*")


@pytest.mark.parametrize(
    ("formula", "shown"),
    [
        ("x*w + b", "x*w+b"),
        ("-(x + y)", "−(x+y)"),
        ("x - (y - z)", "x−(y−z)"),
        ("x - y - z", "x−y−z"),
        ("a*(b + c)", "a*(b+c)"),
        ("(a*b)*c", "a*b*c"),
        ("3*x*2", "3*x·2"),
        ("a*(-b)", "a*(−b)"),
        ("x/y*z", "<mfrac>xy</mfrac>*z"),
        ("(x/y)**2", "<msup>(<mfrac>xy</mfrac>)2</msup>"),
        ("(x**2)**y", "<msup>(<msup>x2</msup>)y</msup>"),
        ("x**(y + 1)", "<msup>xy+1</msup>"),
        ("-x**2", "−<msup>x2</msup>"),
        ("sqrt(x + 1)", "<msqrt>x+1</msqrt>"),
        ("exp(-x)**2", "<msup>(<msup>e−x</msup>)2</msup>"),
        ("abs(x)", "|x|"),
        ("log2(x)", "log2(x)"),
    ],
)
def test_as_it_was_written(formula, shown):
    assert line(written(formula)) == shown


def test_a_choice_has_a_brace():
    markup = written("where(x > 0, -x, x)")
    assert markup.count("<mtr>") == 2
    assert "<mo>{</mo><mtable>" in markup
    assert "<mo>&gt;</mo>" in markup


def test_a_digit_at_the_end_of_a_name_is_a_subscript():
    assert "<msub><mi>w</mi><mi>1</mi></msub>" in written("w1*x")
    assert "<msub>" not in written("w*x")


@pytest.mark.parametrize("name", OF_NUMBERS)
def test_every_formula_of_the_gallery(name):
    model = load(name)
    for output in model.program.outputs:
        reader = Reader(mathml_as_written(model.program.only(output)))
        assert not reader.open
        assert {tag for tag, _ in reader.elements} <= CORE


def test_what_is_too_deep_is_refused():
    assert written("-" * (DEEPEST - 2) + "x")
    with pytest.raises(InputError, match=f"more than {DEEPEST} operations inside each other"):
        written("sin(" * DEEPEST + "x" + ")" * DEEPEST)
