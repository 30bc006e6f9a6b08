"""The formulas of three real collections: read from text, differentiated, and held against SymPy,
Arb and torch.
"""

import json
import random
import warnings
from pathlib import Path

import numpy as np
import pytest
import sympy
import torch

from tests.helpers.honest import verdicts
from verifier import functions
from verifier.formula.text.parser import read_text
from verifier.formula.text.unparse import write_text
from verifier.judging.verdict import Outcome
from verifier.operations.formats import FLOAT32, FLOAT64
from verifier.operations.table import TABLE
from verifier.program.builder import FormulaBuilder
from verifier.program.codegen import TORCH, function
from verifier.program.gradients.formula_gradient import differentiate
from verifier.program.guards import guarded
from verifier.program.program import evaluate
from verifier.program.sympy_form import SymPyArithmetic, expressions, read, symbol

DATA = Path(__file__).parents[1] / "data"
KNOWN = json.loads((Path(__file__).parents[1] / "known_defects.json").read_text())
POINTS = 1000


def cases():
    for case in json.loads((DATA / "feynman.json").read_text()):
        yield (
            case["id"],
            case["formula"],
            {part["name"]: (part["low"], part["high"]) for part in case["variables"]},
        )
    for case in json.loads((DATA / "fpbench.json").read_text()):
        yield case["id"], case["formula"], {name: tuple(box) for name, box in case["box"].items()}
    for case in json.loads((DATA / "torch_functions.json").read_text()):
        yield (
            case["name"],
            case["formula"],
            {name: tuple(case["box"][name]) for name in case["variables"]},
        )


CASES = list(cases())
each_formula = pytest.mark.parametrize(
    ("name", "formula", "box"), CASES, ids=[case[0] for case in CASES]
)


def program_of(formula, box):
    builder = FormulaBuilder()
    return builder.program(read_text(formula, builder, {name: builder.input(name) for name in box}))


def points(box, count, dtype):
    generator = np.random.default_rng(0)
    with np.errstate(over="ignore"):
        return {
            name: generator.uniform(low, high, count).astype(dtype)
            for name, (low, high) in box.items()
        }


def test_all_of_the_collections_are_here():
    assert len(CASES) == 70 + 60 + 40


KAHAN = "bench/numerics/great-debate.fpcore#Kahan's Monster"
ROOTS = "bench/hamming/rearrangement.fpcore#2isqrt (example 3.6)"
UNDECIDED = {
    # Its condition asks whether a difference is 0 that is 0, which no enclosure can prove.
    (KAHAN, "float32"): {"value", "y"},
    (KAHAN, "float64"): {"value", "y"},
    # Its box goes to 1e308: beyond float32, and in float64 the derivative is smaller than any
    # float.
    (ROOTS, "float32"): {"value", "x"},
    (ROOTS, "float64"): {"x"},
    # Its box goes to 1e100, beyond float32.
    ("bench/hamming/trigonometry.fpcore#2atan (example 3.5)", "float32"): {"value", "N"},
    # 1.7e308*t overflows: in float32 everywhere, in float64 from t = 1.06 on.
    ("bench/numerics/fma.fpcore#fma_test2", "float32"): {"value", "t"},
    ("bench/numerics/fma.fpcore#fma_test2", "float64"): {"value"},
}
"""Formulas of which no point at all can be decided in a format, and why."""


@pytest.mark.parametrize("library", ["torch", "numpy"])
@pytest.mark.parametrize("format", [FLOAT32, FLOAT64], ids=lambda known: known.name)
@each_formula
@pytest.mark.sweep("name")
def test_value_and_gradient_agree_with_arb(name, formula, box, format, library):
    """No statement may disagree and some must be decided, but for those listed with their reason; a
    listed one must.
    """
    program = guarded(program_of(formula, box))
    names = [part for part in box if part in program.inputs]
    at = {
        part: values for part, values in points(box, POINTS, format.name).items() if part in names
    }
    found = dict(zip(["value", *names], verdicts(program, names, format, library, at), strict=True))
    failing = {component for component, judged in found.items() if judged.failing.any()}
    listed = {
        defect["component"]
        for defect in KNOWN
        if (defect["case"], defect["dtype"]) == (name, format.name)
        and defect["library"] in (library, "both")
    }
    assert failing == listed
    undecided = {
        part
        for part, judged in found.items()
        if not (judged.severity == Outcome.AGREES.severity).any()
    }
    assert undecided == UNDECIDED.get((name, format.name), set())


def test_the_list_of_known_defects_names_what_there_is():
    known = {name for name, _, _ in CASES} | TABLE.keys()
    assert {defect["case"] for defect in KNOWN} <= known


class Rationals(SymPyArithmetic):
    """SymPy rounds what it works out with its own floats; a float is a rational number."""

    def constant(self, place, node):
        return sympy.Rational(node.payload)


def has_value(expression):
    return (
        expression.is_number
        and expression.is_finite is not False
        and not expression.has(sympy.nan, sympy.zoo)
    )


@each_formula
def test_gradient_is_that_of_sympy(name, formula, box):
    program = program_of(formula, box)
    names = [part for part in box if part in program.inputs]
    symbols = {part: symbol(part) for part in program.inputs}
    plain, *derivatives = evaluate(differentiate(program, names), Rationals(), symbols)
    random.seed(name)
    at = {symbol(part): sympy.Rational(str(round(random.uniform(*box[part]), 6))) for part in names}  # noqa: S311
    if name == KAHAN:
        pytest.skip(
            "its condition is a difference that is 0, which SymPy tries to prove for minutes"
        )
    for part, derivative in zip(names, derivatives, strict=True):
        expected = plain.diff(symbol(part)).evalf(40, subs=at)
        found = derivative.evalf(40, subs=at)
        assert abs(found - expected) <= 1e-25 * (1 + abs(expected)), part


@each_formula
def test_printed_and_read_again_it_is_the_same(name, formula, box):
    program = program_of(formula, box)
    assert program_of(write_text(program), box) == program


def traced(formula, box):
    """The formula as the body of a Python function, traced."""
    scope = {
        **{
            part: getattr(functions, part)
            for part in ("exp", "log", "sqrt", "sin", "cos", "tan", "tanh", "pi", "erf")
        },
        "acos": functions.acos,
        "arccos": functions.acos,
        "arcsin": functions.asin,
        "atan": functions.atan,
        "Abs": abs,
        "Max": functions.maximum,
        "Piecewise": lambda *pairs: functions.piecewise(*pairs),
        "Rational": sympy.Rational,
        "Eq": functions.equal,
        "True": True,
        **{part: symbol(part) for part in box},
    }
    with sympy.evaluate(False):
        tree = sympy.sympify(eval(compile(formula.replace("~", "-"), "formula", "eval"), {}, scope))  # noqa: S307
    builder = FormulaBuilder()
    return builder.program(read(tree, builder, {symbol(part): builder.input(part) for part in box}))


def as_text(program):
    return write_text(program)


@each_formula
def test_text_and_function_are_the_same_program(name, formula, box):
    """The same graph, written out in the same order; but for what Python or SymPy regroup before
    anyone sees it.
    """
    same = as_text(traced(formula, box)) == as_text(program_of(formula, box))
    assert same == (name not in REGROUPED)


# Python folds 1/2, 180.0/3.14 and 1000*42.7e-6 to one number; SymPy takes -(x*y) as (-x)*y and
# x*(1/y) as x/y.
REGROUPED = {
    "I.13.4",
    "I.24.6",
    "I.39.1",
    "II.8.7",
    "test_5",
    "test_9",
    "benchmarks/daisy.fpcore#polarToCarthesian, x",
    "benchmarks/daisy.fpcore#polarToCarthesian, y",
    "benchmarks/daisy.fpcore#carthesianToPolar, theta",
    "bench/graphics/pbrt.fpcore#Curve intersection, scale width based on ribbon orientation",
    "bench/libraries/mathjs/probability.fpcore#normal distribution",
    "benchmarks/rosa.fpcore#rigidBody1",
    "benchmarks/rosa.fpcore#carbonGas",
    "sigmoid_focal gamma=2 alpha=1/4, y=1",
    "sigmoid_focal gamma=2 alpha=1/4, y=0",
}


def by_sympy(expression, names, at):
    """Value and gradient by SymPy's own torch printer."""
    tensors = [at[part].clone().requires_grad_() for part in names]
    value = sympy.lambdify([symbol(part) for part in names], expression, modules="torch")(*tensors)
    value.sum().backward()
    return [value, *(tensor.grad for tensor in tensors)]


@pytest.mark.skipif(
    sympy.__version__ < "1.14", reason="an older printer of SymPy fails at most of them"
)
def test_sympys_own_torch_printer_beside_ours():
    """Formulas that SymPy's printer cannot turn into a differentiable torch function; ours turns
    all.
    """
    failed = set()
    for name, formula, box in CASES:
        program = program_of(formula, box)
        names = list(program.inputs)
        at = {part: torch.tensor(values) for part, values in points(box, 10, "float64").items()}
        ours = function("f", ", ".join(names), guarded(program), TORCH)
        tensors = [at[part].clone().requires_grad_() for part in names]
        ours(*tensors).sum().backward()
        assert all(tensor.grad is not None for tensor in tensors), name
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                stated = by_sympy(expressions(program)[0], names, at)
            if any(part is None for part in stated):
                failed.add(name)
        except Exception:
            failed.add(name)
    assert len(failed) == SYMPY_FAILS, sorted(failed)


SYMPY_FAILS = 7


def test_every_row_can_be_called_and_written():
    for row in TABLE.values():
        for notation in (row.torch, row.numpy, row.python):
            assert callable(notation.function), row.name
