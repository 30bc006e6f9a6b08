"""Formulas as text: what they mean, what is written back, and what is said of those that cannot be
read.
"""

import json
import math
import operator
import re
import sys
from fractions import Fraction
from pathlib import Path

import pytest
import sympy
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from verifier.errors import InputError
from verifier.formula import overloads
from verifier.formula.text.parser import DEEPEST, LONGEST, read_text, symbol_names
from verifier.formula.text.unparse import write_text
from verifier.operations.table import TABLE
from verifier.program.builder import FormulaBuilder
from verifier.program.program import BATCH, CONSTANT, INPUT, evaluate
from verifier.program.sympy_form import read, symbol

NAMES = ("x", "y", "z")
SHARED = Path(__file__).parents[3] / "shared" / "data"
# Times depend on the machine: what has to be fast is asserted once, for the worst that is known.
RELAXED = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)

LISTED = f": verifier.functions lists {len(overloads.callable_names())}"


def program_of(text, symbols=NAMES):
    builder = FormulaBuilder()
    places = {name: builder.input(name) for name in symbols}
    return builder.program(read_text(text, builder, places))


def rows(program):
    """The program's only result, each operation by the name of its row."""
    texts = []
    for node in program.nodes:
        if node.operation in (INPUT, CONSTANT):
            texts.append(str(node.payload))
        else:
            inside = ", ".join(texts[argument] for argument in node.arguments)
            texts.append(f"{node.operation}({inside})" if node.arguments else node.operation)
    return texts[program.outputs[0]]


CANONICAL = {
    "x**2": "square(x)",
    "x**-1": "divide(1, x)",
    "x**-2": "divide(1, square(x))",
    "x**(-2)": "divide(1, square(x))",
    "x**2.0": "power(x, 2.0)",
    "x**3": "power(x, 3)",
    "x**(1/2)": "power(x, divide(1, 2))",
    "x**-y": "power(x, negative(y))",
    "e**x": "exp(x)",
    "E**2": "square(e)",
    "pi*E": "multiply(pi, e)",
    "-x": "negative(x)",
    "+x": "x",
    "--x": "negative(negative(x))",
    "-3": "-3",
    "- 3.5": "-3.5",
    "-0.0": "-0.0",
    "-(3)": "negative(3)",
    "-3**2": "negative(square(3))",
    "(-3)**2": "square(-3)",
    "--3": "negative(-3)",
    "-1*x": "negative(x)",
    "(-1)*x": "negative(x)",
    "x*-1": "multiply(x, -1)",
    "-1.0*x": "multiply(-1.0, x)",
    "-2*x": "multiply(-2, x)",
    "x - y": "subtract(x, y)",
    "x + -y": "subtract(x, y)",
    "x + (-y)": "subtract(x, y)",
    "x - -y": "add(x, y)",
    "x + (-3)": "subtract(x, 3)",
    "x - (-3)": "add(x, 3)",
    "-x + y": "add(negative(x), y)",
    "-x*y": "multiply(negative(x), y)",
    "-(x*y)": "negative(multiply(x, y))",
    "x/y/z": "divide(divide(x, y), z)",
    "x/(y/z)": "divide(x, divide(y, z))",
    "x-(y-z)": "subtract(x, subtract(y, z))",
    "x+(y+z)": "add(x, add(y, z))",
    "x**y**z": "power(x, power(y, z))",
    "2**-x**y": "power(2, negative(power(x, y)))",
    "2**-x*y": "multiply(power(2, negative(x)), y)",
    "1.": "1.0",
    ".5": "0.5",
    "1e-3": "0.001",
    "1E2": "100.0",
    "0.1": "0.1",
    "00": "0",
    "9007199254740993": "9007199254740993",
    "Rational(1, 100)*x": "multiply(divide(1, 100), x)",
    "Rational(2, -4)": "divide(-1, 2)",
    "Rational(6, 3)": "2",
    "power(x, 2)": "power(x, 2)",
    "add(x, -y)": "add(x, negative(y))",
    "sin(x)": "sin(x)",
    "arcsin(x)": "asin(x)",
    "Abs(x) + abs(x)": "add(abs(x), abs(x))",
    "Max(x, y, z)": "maximum(maximum(x, y), z)",
    "sin (x)": "sin(x)",
    "where(x < y, 1, 2)": "where(less(x, y), 1, 2)",
    "where(x < y <= z, 1, 2)": "where(and(less(x, y), less_equal(y, z)), 1, 2)",
    "where(x < y < z != 1, 1, 2)": "where(and(and(less(x, y), less(y, z)), not_equal(z, 1)), 1, 2)",
    "where(not x > y and z >= 1 or x == 2, 1, 2)": (
        "where(or(and(not(greater(x, y)), greater_equal(z, 1)), equal(x, 2)), 1, 2)"
    ),
    "where(x < 1 or y < 1 and z < 1, 1, 2)": (
        "where(or(less(x, 1), and(less(y, 1), less(z, 1))), 1, 2)"
    ),
    "where(And(Lt(x, y), Or(Le(x, 1), Not(Ne(x, 2))), Ge(z, x)), 1, 2)": (
        "where(and(and(less(x, y), or(less_equal(x, 1), not(not_equal(x, 2)))), greater_equal(z, "
        "x)), 1, 2)"
    ),
    "where(Or(Gt(x, 1), Eq(x, y)), 1, 2)": "where(or(greater(x, 1), equal(x, y)), 1, 2)",
    "Piecewise((x, True))": "x",
    "Piecewise((x, x > 0), (y, x < -1), (2, True))": (
        "where(greater(x, 0), x, where(less(x, -1), y, 2))"
    ),
    "Piecewise(((x + 1)*2, (x > 0) and (y > 0)), ((2), (True)))": (
        "where(and(greater(x, 0), greater(y, 0)), multiply(add(x, 1), 2), 2)"
    ),
    "\tx\n+ y \r\n": "add(x, y)",
}


@pytest.mark.parametrize("text", CANONICAL)
def test_what_a_formula_means(text):
    assert rows(program_of(text)) == CANONICAL[text]


def traced(text, builder, places):
    scope = {name: symbol(name) for name in NAMES} | {"pi": sympy.pi, "e": sympy.E}
    scope |= {"sin": sympy.sin, "exp": sympy.exp, "sqrt": sympy.sqrt, "Rational": sympy.Rational}
    with sympy.evaluate(False):
        tree = sympy.sympify(eval(text, scope))  # noqa: S307
        return read(tree, builder, {symbol(name): place for name, place in places.items()})


@pytest.mark.parametrize(
    "text",
    [
        "x**2", "x**-1", "x**-2", "x**2.0", "x**3", "x**0.5", "x**-y", "x**y**z", "e**x", "e**2",
        "2**x", "-x", "-3", "-3*x", "-1*x", "-2*x", "x*-1", "x - y", "x + -y", "x - -y", "x + (-3)",
        "x - (-3)", "x + -3", "-x + y", "-x*y", "-x/y", "x*-y", "x/-y", "1/x", "3/x", "1/x**2",
        "(1/x)**2", "(x**-1)**-1", "x/y/z", "x/(y/z)", "x/(y*z)", "x*(y*z)", "x-(y-z)", "x+(y+z)",
        "-x**2", "-(x + y)", "x + -x*y", "Rational(1, 100)*x", "Rational(-2, 4)*x", "pi*x",
        "sin(x)*exp(-x)", "sqrt(x**2 + y**2)", "(x + y)/(x - y)", "x**-3", "x + 1e-3", "-2.5*x",
        "0.5*x",
    ],
)  # fmt: skip
def test_the_same_formula_in_a_model_file_is_the_same_node(text):
    builder = FormulaBuilder()
    places = {name: builder.input(name) for name in NAMES}
    assert read_text(text, builder, places) == traced(text, builder, places)


def test_a_declared_name_comes_before_a_constant():
    assert rows(program_of("e*x", ("e", "x"))) == "multiply(e, x)"
    assert rows(program_of("gamma(x)*gamma", ("gamma", "x"))).endswith(", gamma)")
    assert rows(program_of("E*pi", ("pi",))) == "multiply(e, pi)"


def test_a_symbol_may_stand_for_any_node_and_have_rows():
    builder = FormulaBuilder()
    x = builder.input("x", BATCH)
    squared = builder.apply("square", x)
    node = read_text("p + 1", builder, {"p": squared})
    assert builder[node].arguments[0] == squared
    assert builder[node].shape == BATCH


def test_nothing_is_left_in_the_builder_that_the_formula_does_not_need():
    builder = FormulaBuilder()
    x = builder.input("x")
    read_text("x**-2", builder, {"x": x})
    assert len(builder) == 4


@pytest.mark.parametrize(
    ("text", "found"),
    {
        "1 + 2": (),
        "b*x + a*x": ("b", "x", "a"),
        "e + E + pi + sin(t)": ("t",),
        "gamma(x)*gamma*beta": ("x", "gamma", "beta"),
        "Piecewise((v, u > 0), (w, True))": ("v", "u", "w"),
        "sin": ("sin",),
    }.items(),
)
def test_names(text, found):
    assert symbol_names(text) == found


def test_names_refuses_what_reading_refuses():
    for text in ("2x", "f(x)", "(x", "x > 0", "1/0", "lambda", "x*x(1)", ""):
        with pytest.raises(InputError):
            symbol_names(text)


REFUSED = {
    "": ("the formula is empty",),
    " \n\t": ("the formula is empty",),
    "x ^ 2": ("^ has no meaning in a formula: write ** for a power", "  x ^ 2", "    ^"),
    "x // 2": ("// has no meaning in a formula: write / to divide", "  x // 2", "    ^"),
    "x = 2": ("= has no meaning in a formula: write == to compare", "  x = 2", "    ^"),
    "where(x = 2, 1, 2)": (
        "= has no meaning in a formula: write == to compare",
        "  where(x = 2, 1, 2)",
        "          ^",
    ),
    "x := 2": (": has no meaning in a formula", "  x := 2", "    ^"),
    "x % 2": ("% has no meaning in a formula", "  x % 2", "    ^"),
    "x.__class__": (
        ". has no meaning in a formula: a formula has no attributes",
        "  x.__class__",
        "   ^",
    ),
    "().__class__": ("nothing stands between ( and )", "  ().__class__", "   ^"),
    "x[0]": ("[ has no meaning in a formula: group with ( and )", "  x[0]", "   ^"),
    "{x}": ("{ has no meaning in a formula: group with ( and )", "  {x}", "  ^"),
    "'x'": ("' has no meaning in a formula: a formula has no strings", "  'x'", "  ^"),
    '"x"': ('" has no meaning in a formula: a formula has no strings', '  "x"', "  ^"),
    "where(x > 1 & y > 1, 1, 2)": (
        "& has no meaning in a formula: write and",
        "  where(x > 1 & y > 1, 1, 2)",
        "              ^",
    ),
    "where(x > 1 | y > 1, 1, 2)": (
        "| has no meaning in a formula: write or",
        "  where(x > 1 | y > 1, 1, 2)",
        "              ^",
    ),
    "!x": ("! has no meaning in a formula: write not", "  !x", "  ^"),
    "lambda x: x": ("lambda has no meaning in a formula", "  lambda x: x", "  ^"),
    "x if x > 0 else 0": (
        "if has no meaning in a formula: write where(condition, a, b)",
        "  x if x > 0 else 0",
        "    ^",
    ),
    "None": ("None has no meaning in a formula", "  None", "  ^"),
    "import os": ("import has no meaning in a formula", "  import os", "  ^"),
    '__import__("os")': (f"there is no function __import__{LISTED}", '  __import__("os")', "  ^"),
    "eval(x)": (f"there is no function eval{LISTED}", "  eval(x)", "  ^"),
    "x \u2212 y": (
        "the character U+2212 MINUS SIGN has no meaning in a formula: write -",
        "  x ? y",
        "    ^",
    ),
    "x×y": (
        "the character U+00D7 MULTIPLICATION SIGN has no meaning in a formula: write *",
        "  x?y",
        "   ^",
    ),
    "x²": (
        "the character U+00B2 SUPERSCRIPT TWO has no meaning in a formula: write **2",
        "  x?",
        "   ^",
    ),
    "2*π": (
        "the character U+03C0 GREEK SMALL LETTER PI has no meaning in a formula: write pi",
        "  2*?",
        "    ^",
    ),
    "x\u00a0+ y": (
        "the character U+00A0 NO-BREAK SPACE has no meaning in a formula: write a space",
        "  x?+ y",
        "   ^",
    ),
    "\u0445": (
        "the character U+0445 CYRILLIC SMALL LETTER HA has no meaning in a formula: write plain "
        "ASCII",
        "  ?",
        "  ^",
    ),
    "x + α": (
        "the character U+03B1 GREEK SMALL LETTER ALPHA has no meaning in a formula: write plain "
        "ASCII",
        "  x + ?",
        "      ^",
    ),
    "x\u0301": (
        "the character U+0301 COMBINING ACUTE ACCENT has no meaning in a formula: write plain "
        "ASCII",
        "  x?",
        "   ^",
    ),
    "x\0": ("the character U+0000 has no meaning in a formula: write plain ASCII", "  x?", "   ^"),
    "x\x1b[2J": (
        "the character U+001B has no meaning in a formula: write plain ASCII",
        "  x?[2J",
        "   ^",
    ),
    "x\x0c": (
        "the character U+000C has no meaning in a formula: write plain ASCII",
        "  x?",
        "   ^",
    ),
    "2x": ("write * between 2 and x", "  2x", "   ^"),
    "2.5 x": ("write * between 2.5 and x", "  2.5 x", "      ^"),
    "2(x)": ("write * between 2 and (...)", "  2(x)", "   ^"),
    "(x)(y)": ("write * between (...) and (...)", "  (x)(y)", "     ^"),
    "(x)y": ("write * between (...) and y", "  (x)y", "     ^"),
    "x y": ("write * between x and y", "  x y", "    ^"),
    "x 2": ("write * between x and 2", "  x 2", "    ^"),
    "2sin(x)": ("write * between 2 and sin(...)", "  2sin(x)", "   ^"),
    "x not y": ("not stands where an operator has to stand", "  x not y", "    ^"),
    "x(y)": ("x is not a function: write * between x and (...)", "  x(y)", "  ^"),
    "pi(x)": ("pi is not a function: write * between pi and (...)", "  pi(x)", "  ^"),
    "ln(x)": ("there is no function ln: write log", "  ln(x)", "  ^"),
    "sqr(x)": ("there is no function sqr: did you mean sqrt?", "  sqr(x)", "  ^"),
    "frobnicate(x)": (f"there is no function frobnicate{LISTED}", "  frobnicate(x)", "  ^"),
    "sin + 1": ("sin is a function: write sin(...)", "  sin + 1", "  ^"),
    "sin x": ("sin is a function: write sin(...)", "  sin x", "  ^"),
    "x + w": ("there is no symbol w: there is x, y, z", "  x + w", "      ^"),
    "(x": ("this ( is never closed", "  (x", "  ^"),
    "2*(x + (y)": ("this ( is never closed", "  2*(x + (y)", "    ^"),
    "2*(": ("this ( is never closed", "  2*(", "    ^"),
    "x)": ("this ) closes nothing", "  x)", "   ^"),
    ")": ("this ) closes nothing", "  )", "  ^"),
    "x + )": ("this ) closes nothing", "  x + )", "      ^"),
    "()": ("nothing stands between ( and )", "  ()", "   ^"),
    "x +": ("nothing stands behind +", "  x +", "    ^"),
    "x > 0 and not": ("nothing stands behind not", "  x > 0 and not", "            ^"),
    "-": ("nothing stands behind -", "  -", "  ^"),
    "* x": ("nothing stands before *", "  * x", "  ^"),
    "x + * y": ("nothing stands between + and *", "  x + * y", "      ^"),
    "(x +) y": ("nothing stands between + and )", "  (x +) y", "      ^"),
    "Max(x,)": ("nothing stands between , and )", "  Max(x,)", "        ^"),
    "Max(,x)": ("nothing stands between ( and ,", "  Max(,x)", "      ^"),
    "x*,": ("nothing stands between * and ,", "  x*,", "    ^"),
    "1,5": ("this comma separates no arguments: write a decimal point as .", "  1,5", "   ^"),
    "(x, y)": (
        "this comma separates no arguments: write a decimal point as .",
        "  (x, y)",
        "    ^",
    ),
    "atan2(x)": ("atan2 takes 2 arguments, here it has 1", "  atan2(x)", "  ^"),
    "sin()": ("sin takes 1 argument, here it has 0", "  sin()", "  ^"),
    "sin(cos())": ("cos takes 1 argument, here it has 0", "  sin(cos())", "      ^"),
    "sin(x, y)": ("sin takes 1 argument, here it has 2", "  sin(x, y)", "  ^"),
    "Max(x)": ("Max takes at least 2 arguments, here it has 1", "  Max(x)", "  ^"),
    "Piecewise()": ("Piecewise takes at least 1 argument, here it has 0", "  Piecewise()", "  ^"),
    "heaviside()": ("heaviside takes 1 to 2 arguments, here it has 0", "  heaviside()", "  ^"),
    "polygamma(x, y)": (
        "the first argument of polygamma must be a whole number, written out, such as polygamma(1, "
        "x)",
        "  polygamma(x, y)",
        "  ^",
    ),
    "x > 0": ("x > 0 is a condition where a number is needed", "  x > 0", "  ^"),
    "1 + sin(x > 0)": (
        "x > 0 is a condition where a number is needed",
        "  1 + sin(x > 0)",
        "          ^",
    ),
    "(x > 0)*y": ("(x > 0) is a condition where a number is needed", "  (x > 0)*y", "  ^"),
    "-(x > 0)": ("(x > 0) is a condition where a number is needed", "  -(x > 0)", "   ^"),
    "(x < y) < z": ("(x < y) is a condition where a number is needed", "  (x < y) < z", "  ^"),
    "x < (y < z)": ("(y < z) is a condition where a number is needed", "  x < (y < z)", "      ^"),
    "where(x, 1, 2)": (
        "x is a number where a condition is needed",
        "  where(x, 1, 2)",
        "        ^",
    ),
    "where(x and y > 1, 1, 2)": (
        "x is a number where a condition is needed",
        "  where(x and y > 1, 1, 2)",
        "        ^",
    ),
    "where(not x, 1, 2)": (
        "x is a number where a condition is needed",
        "  where(not x, 1, 2)",
        "            ^",
    ),
    "1 + not x": ("+ binds before not: write (not ...)", "  1 + not x", "      ^"),
    "True": ("True stands only in the last pair of Piecewise", "  True", "  ^"),
    "where(True, x, y)": (
        "True stands only in the last pair of Piecewise",
        "  where(True, x, y)",
        "        ^",
    ),
    "False": ("False has no meaning in a formula", "  False", "  ^"),
    "Piecewise(x)": ("Piecewise takes pairs (value, condition)", "  Piecewise(x)", "            ^"),
    "Piecewise((x), (y, True))": (
        "Piecewise takes pairs (value, condition)",
        "  Piecewise((x), (y, True))",
        "            ^",
    ),
    "Piecewise((x, y > 0, z), (y, True))": (
        "Piecewise takes pairs (value, condition)",
        "  Piecewise((x, y > 0, z), (y, True))",
        "            ^",
    ),
    "Piecewise((x, True) + 1)": (
        "Piecewise takes pairs (value, condition)",
        "  Piecewise((x, True) + 1)",
        "            ^",
    ),
    "Piecewise((x, x > 0))": (
        "Piecewise has to say what holds when none of its conditions does: end it with (value, "
        "True)",
        "  Piecewise((x, x > 0))",
        "            ^",
    ),
    "Piecewise((x, True), (y, True))": (
        "True stands only in the last pair of Piecewise",
        "  Piecewise((x, True), (y, True))",
        "                ^",
    ),
    "Rational(x, 2)": ("Rational takes two whole numbers", "  Rational(x, 2)", "  ^"),
    "Rational(1.5, 2)": ("Rational takes two whole numbers", "  Rational(1.5, 2)", "  ^"),
    "Rational(1, 0)": ("Rational(1, 0) has no finite value in float64", "  Rational(1, 0)", "  ^"),
    "9**9**9**9": ("9**9**9 has no finite value in float64", "  9**9**9**9", "     ^"),
    "1e999": ("1e999 has no finite value in float64", "  1e999", "  ^"),
    "x + 10**400": ("10**400 has no finite value in float64", "  x + 10**400", "      ^"),
    "x*(1/0)": ("1/0 has no finite value in float64", "  x*(1/0)", "     ^"),
    "log(-1)": ("log(-1) has no finite value in float64", "  log(-1)", "  ^"),
    "1_000": (
        "1_000 is not a number: write digits, a point and an exponent, as in 1.5e-3",
        "  1_000",
        "  ^",
    ),
    "x + 0x1F": (
        "0x1F is not a number: write digits, a point and an exponent, as in 1.5e-3",
        "  x + 0x1F",
        "      ^",
    ),
    "1.2.3": (
        "1.2.3 is not a number: write digits, a point and an exponent, as in 1.5e-3",
        "  1.2.3",
        "  ^",
    ),
    "007": ("007 begins with 0: write 7", "  007", "  ^"),
    "1" + 309 * "0": (
        "this whole number has 310 digits: 309 is the most",
        f"  1{59 * '0'}…",
        "  ^",
    ),
    "9" * 309: (f"{39 * '9'}… has no finite value in float64", f"  {60 * '9'}…", "  ^"),
    "(" * 101: ("the formula nests more than 100 deep", f"  …{60 * '('}", f"  {60 * ' '}^"),
    "x + " * 5000 + "y": ("the formula has 20001 characters: 20000 is the most",),
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: repr(text[:30]))
def test_what_is_said(text):
    with pytest.raises(InputError) as refusal:
        program_of(text)
    assert str(refusal.value) == "\n".join(REFUSED[text])


def test_no_symbol_is_declared():
    with pytest.raises(InputError, match=r"^there is no symbol x: none is declared\n"):
        program_of("x", ())


def test_many_symbols_are_not_all_listed():
    with pytest.raises(InputError, match=r"x0, x1, x2, .*, x19 and 5 more\n"):
        program_of("y", [f"x{place}" for place in range(25)])


def test_a_long_formula_is_shown_around_the_place():
    text = "x + " * 100 + "w" + " + y" * 100
    with pytest.raises(InputError) as refusal:
        program_of(text)
    _, shown, caret = str(refusal.value).split("\n")
    assert shown == "  …+ x + x + x + x + x + x + x + w + y + y + y + y + y + y + y …"
    assert shown[caret.index("^")] == "w"


@pytest.mark.parametrize("place", [0, 1, 29, 30, 31, 59, 60, 61, 100, 169, 170, 171, 199])
def test_the_caret_stands_under_the_place(place):
    text = f"{' ' * place}@{' ' * (199 - place)}"
    with pytest.raises(InputError) as refusal:
        program_of(text)
    _, shown, caret = str(refusal.value).split("\n")
    assert shown[caret.index("^")] == "@"
    assert len(shown) <= 64


def nested(opening, closing="", depth=DEEPEST):
    return opening * depth + "x" + closing * depth


@pytest.mark.parametrize(
    ("opening", "closing"),
    [("(", ")"), ("sin(", ")"), ("-", ""), ("+", ""), ("x**", ""), ("x + (", ")"), ("2*(", ")")],
)
def test_nesting(opening, closing):
    program_of(nested(opening, closing))
    with pytest.raises(InputError, match=f"^the formula nests more than {DEEPEST} deep\n"):
        program_of(nested(opening, closing, DEEPEST + 1))


HOSTILE = {
    "brackets": "(" * 20000,
    "closed brackets": "(" * 9999 + "x" + ")" * 9999,
    "signs": "-" * 20000,
    "denials": "not " * 5000,
    "powers": "2**" * 6666 + "2",
    "all that binds": "x or x and x<x+x*(" * 1100,
    "calls": "sin(" * 5000,
    "a sum": "x+" * 9999 + "x",
    "a sum of numbers": "1+" * 9999 + "1",
    "a chain": "where(" + "x<" * 9000 + "x,1,2)",
    "many arguments": "Max(" + "x," * 9990 + "x)",
    "log of many": "logsumexp(" + "x," * 9000 + "x)",
    "compositions": "gelu(1)+" * 2400 + "1",
    "a long name": "a" * 20000,
    "a long function": "a" * 19990 + "(x)",
    "digits": "9" * 20000,
    "decimals": "1." + "9" * 19990,
    "an exponent": "1e" + "9" * 19990,
    "large numbers": "*".join(["9" * 308] * 60),
    "large fractions": "+".join(f"Rational({'9' * 308},{'7' * 308})" for _ in range(30)),
    "powers of powers": "(" * 90 + "x" + ")**2" * 90,
    "points": "." * 20000,
    "commas": "," * 20000,
    "spaces": " " * 20000,
    "pairs": "Piecewise(" + "(x,x>1)," * 2200 + "(1,True))",
    "open pairs": "Piecewise((1,x>0),(" * 1000,
    "zero bytes": "\0" * 20000,
    "a megabyte": "x" * 1_000_000,
}


MOST_CALLS = 20_000_000
"""Of functions. The longest of these texts takes 5 million; the square of its length is 100
million.
"""


def read_and_write(text):
    try:
        write_text(program_of(text))
    except InputError as error:
        assert len(str(error)) < 500


@pytest.mark.sweep(one_in=3)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_take_bounded_work(name):
    assert calls_of(lambda: read_and_write(HOSTILE[name]), MOST_CALLS) < MOST_CALLS


def test_unbounded_work_would_be_noticed():
    assert calls_of(lambda: [len("") for _ in range(1000)], 100) == 100


def calls_of(work, most):
    """How often a function is called or returns; the work is ended when it is that often."""
    calls = 0

    class Enough(BaseException):
        pass

    def count(*_):
        nonlocal calls
        calls += 1
        if calls >= most:
            raise Enough

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    except Enough:
        pass
    finally:
        sys.setprofile(before)
    return calls


def test_reading_needs_no_depth_of_python():
    def deep(levels):
        return deep(levels - 1) if levels else program_of(nested("x + x*(", ")"))

    assert deep(sys.getrecursionlimit() - 250).nodes


# Precedence, against Python's own.


class Exact:
    """Fractions: no rounding hides a wrong order."""

    rows = {
        "add": operator.add, "subtract": operator.sub, "multiply": operator.mul,
        "divide": operator.truediv, "negative": operator.neg, "square": lambda a: a * a,
        "power": operator.pow, "less": operator.lt, "less_equal": operator.le,
        "greater": operator.gt, "greater_equal": operator.ge, "equal": operator.eq,
        "not_equal": operator.ne, "and": operator.and_, "or": operator.or_, "not": operator.not_,
        "where": lambda condition, a, b: a if condition else b,
    }  # fmt: skip

    def input(self, value):
        return value

    def constant(self, place, node):
        return Fraction(node.payload)

    def row(self, place, node, *arguments):
        return self.rows[node.operation](*arguments)


VALUES = {"x": Fraction(3, 2), "y": Fraction(-2), "z": Fraction(5, 7)}

ATOMS = st.sampled_from([*NAMES, "1", "2", "3", "0.5", "7.", ".25"])
EXPONENTS = st.sampled_from(
    ["**2", "**-1", "**3", "**-2", "**0", "** - 3", "**+2", "**2**2", "**-1**2", "**(-2)"]
)


SUMS = st.sampled_from(["+", "-", "*", "/"])
ORDERS = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
FORMS = st.sampled_from(
    ["{0} {1} {2}", "{0} {1} {2}", "{0} {1} {2}", "({0})", "-{0}", "+{0}", "{0}{3}", "where"]
)
CONDITIONS = st.sampled_from(["{0} and {1}", "{0} or {1}", "not {0}", "({0})", "not ({0} and {1})"])


@st.composite
def formulas(draw, depth=4):
    """Formulas of formulas, put together without brackets, so that only precedence holds them
    apart.
    """
    if depth == 0:
        return draw(ATOMS)
    form = draw(FORMS)
    parts = [draw(formulas(draw(st.integers(0, depth - 1)))) for _ in range(2)]
    if form == "where":
        return f"where({draw(conditions(depth - 1))}, {parts[0]}, {parts[1]})"
    return form.format(parts[0], draw(SUMS), parts[1], draw(EXPONENTS))


@st.composite
def conditions(draw, depth):
    if depth > 0 and draw(st.booleans()):
        return draw(CONDITIONS).format(draw(conditions(depth - 1)), draw(conditions(depth - 1)))
    first, *rest = [
        draw(formulas(draw(st.integers(0, depth)))) for _ in range(draw(st.integers(2, 3)))
    ]
    return first + "".join(f" {draw(ORDERS)} {part}" for part in rest)


def in_python(text):
    """What Python makes of it, in exact fractions."""
    numbers = re.sub(r"(?<![\w.])(\d+\.?\d*|\.\d+)", r"Fraction('\1')", text).replace(".')", ".0')")
    scope = {**VALUES, "Fraction": Fraction, "where": lambda condition, a, b: a if condition else b}
    return eval(numbers, scope)  # noqa: S307


@RELAXED
@given(formulas())
@example("-2**2")
@example("2**-1**2")
@example("x - y - z")
@example("x / y / z * x")
@example("where(not x < y < z or z == 1 and x > 0, 1, 2)")
def test_precedence_is_that_of_python(text):
    assume(text.count("**") <= 4)
    try:
        expected = in_python(text)
    except ZeroDivisionError:
        assume(False)
    try:
        program = program_of(text)
    except InputError as error:
        # What Python does not compute, since where leaves a branch out, or what only fractions can
        # hold.
        assert "has no finite value" in str(error)
        return
    try:
        (value,) = evaluate(program, Exact(), VALUES)
    except ZeroDivisionError:
        assert "where" in text
    else:
        assert value == expected


# There and back.


def there_and_back(program):
    """The text, after making sure that it is read as the same program."""
    text = write_text(program)
    assert program_of(text, program.inputs) == program_of(text, program.inputs)
    builder = FormulaBuilder()
    places = {name: builder.input(name) for name in program.inputs}
    assert read_text(text, builder, places) == builder.copy(program, program.outputs[0])
    return text


WRITTEN = {
    "x**-2": "1 / x**2",
    "((x + y)) + (z)": "x + y + z",
    "x + (y + z)": "x + (y + z)",
    "x - (y - z)": "x - (y - z)",
    "x*(y/z)": "x * (y / z)",
    "(x*y)/z": "x * y / z",
    "-(x*y)": "-(x * y)",
    "(-x)*y": "-x * y",
    "x*(-y)": "x * -y",
    "(-x)**2": "(-x)**2",
    "-(x**2)": "-x**2",
    "(x**y)**z": "(x**y)**z",
    "x**(y**z)": "x**y**z",
    "x**(-y)": "x**-y",
    "(-3)**2": "(-3)**2",
    "-(3)": "-(3)",
    "-3*x": "-3 * x",
    "1e-3 + 1e30*x": "0.001 + 1e+30 * x",
    "where((x < y) and (not (y < z)), 1, 2)": "where(x < y and not y < z, 1, 2)",
    "where(not (x < y and y < z), 1, 2)": "where(not (x < y and y < z), 1, 2)",
    "where((x < y or y < z) and z < 1, 1, 2)": "where((x < y or y < z) and z < 1, 1, 2)",
    "Piecewise((x, x > 0), (y, True))": "where(x > 0, x, y)",
    "add(x, -y) - power(x, 2)": "add(x, -y) - power(x, 2)",
    "multiply(-1, x)": "multiply(-1, x)",
    "Max(x, y, 0)": "maximum(maximum(x, y), 0)",
    "e*pi": "e * pi",
}


@pytest.mark.parametrize("text", WRITTEN)
def test_what_is_written(text):
    assert there_and_back(program_of(text)) == WRITTEN[text]


@RELAXED
@given(formulas())
def test_text_to_program_and_back(text):
    try:
        program = program_of(text)
    except InputError:
        assume(False)
    again = program_of(write_text(program))
    assert again.only_last == program.only_last
    there_and_back(program)


@RELAXED
@given(formulas())
def test_traced_formulas_there_and_back(text):
    assume("where" not in text and text.count("**") <= 3)
    builder = FormulaBuilder()
    places = {name: builder.input(name) for name in NAMES}
    try:
        program = builder.program(traced(text, builder, places))
    except (ZeroDivisionError, OverflowError, InputError):
        assume(False)
    try:
        there_and_back(program)
    except InputError as error:
        assert "has no finite value" in str(error)


NUMBER_ROWS = sorted(
    name
    for name, row in TABLE.items()
    if name in overloads.callable_names() and not row.whole and name not in ("equal", "not_equal")
)
ARITHMETIC = ["add", "subtract", "multiply", "divide", "power", "negative", "square"]


@st.composite
def programs(draw):
    """Any nodes at all, also those that reading would have written otherwise."""
    builder = FormulaBuilder()
    numbers = [builder.input(name) for name in NAMES]
    values = st.one_of(st.integers(-3, 10**20), st.floats(allow_nan=False, allow_infinity=False))
    numbers += [builder.constant(draw(values)) for _ in range(draw(st.integers(0, 3)))]
    numbers += [builder.apply("pi"), builder.apply("e"), builder.constant(2), builder.constant(-1)]
    conditions = [builder.apply("less", numbers[0], numbers[1])]
    for _ in range(draw(st.integers(1, 12))):
        row = draw(
            st.sampled_from(
                [
                    *ARITHMETIC,
                    *ARITHMETIC,
                    *NUMBER_ROWS,
                    "where",
                    "less",
                    "equal",
                    "and",
                    "or",
                    "not",
                ]
            )
        )
        if row in ("and", "or", "not"):
            conditions.append(builder.apply(row, *draw(some(conditions, 1 if row == "not" else 2))))
        elif row in ("less", "equal"):
            conditions.append(builder.apply(row, *draw(some(numbers, 2))))
        elif row == "where":
            numbers.append(builder.apply(row, *draw(some(conditions, 1)), *draw(some(numbers, 2))))
        else:
            numbers.append(builder.apply(row, *draw(some(numbers, TABLE[row].arguments))))
    return builder.program(numbers[-1])


def some(nodes, count):
    return st.lists(st.sampled_from(nodes), min_size=count, max_size=count)


@RELAXED
@given(programs())
def test_any_program_there_and_back(program):
    try:
        there_and_back(program)
    except InputError as error:
        assert re.search(
            "has no finite value in float64$|^the formula has more than 20000 characters",
            str(error),
        )


@pytest.mark.parametrize("name", sorted(overloads.callable_names() | set(overloads.ALIASES)))
def test_every_function_there_and_back(name):
    least, most = overloads.argument_count(overloads.ALIASES.get(name, name))
    for count in {least, least + 1 if most is None else most}:
        arguments = ["x", "y", "z", "x", "y"][:count]
        row = TABLE.get(overloads.ALIASES.get(name, name))
        if row is not None and row.whole:
            arguments[0] = "1"
        if name == "where":
            arguments[0] = "x < y"
        text = f"{name}({', '.join(arguments)})"
        if name in ("equal", "not_equal"):
            text = f"where({text}, 1, 2)"
        there_and_back(program_of(text))


def test_shared_nodes_are_not_written_without_end():
    builder = FormulaBuilder()
    node = builder.input("x")
    for _ in range(200):
        node = builder.apply("multiply", node, node)
    with pytest.raises(
        InputError, match=f"^the formula has more than {LONGEST} characters: it is not written out$"
    ):
        write_text(builder.program(node))


def not_written(build):
    builder = FormulaBuilder()
    with pytest.raises(InputError) as refusal:
        write_text(builder.program(build(builder)))
    return str(refusal.value)


def test_what_cannot_be_written():
    reason = "the formula cannot be written as text: "
    assert (
        not_written(lambda build: build.input("lambda"))
        == f"{reason}lambda has no meaning in a formula"
    )
    assert not_written(lambda build: build.apply("sum", build.input("x"))) == (
        f"{reason}sum is a function of arrays, and every symbol of this formula is a number"
    )
    assert not_written(lambda build: build.apply("add", build.input("pi"), build.apply("pi"))) == (
        f"{reason}it would be read as another one"
    )
    assert (
        not_written(lambda build: build.constant(math.inf))
        == f"{reason}there is no symbol inf: none is declared"
    )


def test_a_symbol_named_e_beside_the_constant():
    builder = FormulaBuilder()
    program = builder.program(builder.apply("add", builder.input("e"), builder.apply("e")))
    assert there_and_back(program) == "e + E"


# Anything at all.

PIECES = st.sampled_from(
    [
        *NAMES, "1", "2.5", "1e9", "999", ".", "(", ")", "(", ")", ",", " ", "+", "-", "*", "**",
        "/", "//", "<", "==", "=", "and ", "or ", "not ", "sin", "sin(", "Piecewise((", "True",
        "where(", "Rational(", "gamma(", "e", "pi", "!", "\n", "é", "\0", "[", "'", "_", "lambda ",
        "polygamma(", "zeta(",
    ]
)  # fmt: skip


@RELAXED
@given(st.text() | st.text("xyz12.()+-*/<>=!, e\n_") | st.lists(PIECES, max_size=40).map("".join))
def test_any_text_is_read_or_refused(text):
    for work in (program_of, symbol_names):
        try:
            work(text)
        except InputError as error:
            sentence, *excerpt = str(error).split("\n")
            assert sentence.isprintable()
            assert len(excerpt) in (0, 2)
            assert all(
                line.replace("…", "").isascii() and line.isprintable() and len(line) <= 80
                for line in excerpt
            )


# Collections.


def collection(name):
    path = SHARED / f"{name}.json"
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    return json.loads(path.read_text(encoding="utf-8"))


DECLARED = {
    "feynman": lambda entry: [variable["name"] for variable in entry["variables"]],
    "fpbench": lambda entry: list(entry["box"]),
    "torch_functions": lambda entry: entry["variables"],
}


@pytest.mark.parametrize("name", DECLARED)
def test_published_formulas(name):
    for entry in collection(name):
        declared = DECLARED[name](entry)
        texts = [entry["formula"]]
        if entry.get("formula_alt"):
            texts.append(entry["formula_alt"])
        if entry.get("precondition"):
            texts.append(f"where({entry['precondition']}, 1, 0)")
        for text in texts:
            assert set(symbol_names(text)) <= set(declared) | {"e", "E", "pi"}
            there_and_back(program_of(text, declared))
