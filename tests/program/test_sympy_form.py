"""Programs as SymPy expressions: numbers too long for people are refused wherever they arise."""

import pytest
import sympy

from verifier.errors import InputError
from verifier.program.builder import Builder
from verifier.program.program import evaluate
from verifier.program.sympy_form import SymPyArithmetic

LONG = sympy.Integer(10) ** 2000 + 1
X = sympy.Symbol("x")


def expression(function, *arguments):
    build = Builder()
    nodes = [build.input(f"a{place}", ()) for place in range(len(arguments))]
    program = build.program(function(build, *nodes))
    given = {f"a{place}": value for place, value in enumerate(arguments)}
    return evaluate(program, SymPyArithmetic(), given)[0]


def folded(name):
    """Both numbers are applied to x, one after the other, and SymPy makes one number of them."""
    return lambda b, x, one, other: b.apply(name, b.apply(name, x, one), other)


def test_short_numbers_are_worked_out():
    assert expression(folded("multiply"), X, sympy.Integer(2), sympy.Integer(3)) == 6 * X
    assert expression(folded("add"), X, sympy.Integer(2), sympy.Integer(3)) == X + 5


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [("multiply", LONG, LONG), ("add", 1 / LONG, 1 / (LONG + 1))],
)
def test_a_long_factor_or_term_is_refused(name, one, other):
    with pytest.raises(InputError, match="digits"):
        expression(folded(name), X, one, other)
