"""Formulas of arrays as text: what they mean, what is written back, and what is said of those that
cannot be read.
"""

import time

import numpy as np
import pytest

from tests.program.array_operations.entry_by_entry import Compared
from tests.program.array_operations.random_formulas import random_case
from verifier.errors import InputError
from verifier.formula.text.array_operations import MOST_AXES
from verifier.formula.text.parser import LONGEST, read_text, symbol_names, uses_arrays
from verifier.formula.text.unparse import write_text
from verifier.functions import (
    concatenate,
    determinant,
    inverse,
    log_softmax,
    logsumexp,
    maximum,
    mean,
    one_hot,
    reshape,
    softmax,
    solve,
    stack,
    tanh,
    trace,
    transpose,
    where,
)
from verifier.functions import sum as total
from verifier.program.builder import FormulaBuilder
from verifier.program.codegen import NUMPY, function
from verifier.program.program import ARRAY, ROWS

SHAPES = {
    "x": (ROWS, 3),
    "w": (3, 2),
    "b": (2,),
    "a": (2, 2),
    "t": (2, 3, 2),
    "c": (),
}


def program_of(text, shapes=SHAPES):
    build = FormulaBuilder()
    symbols = {name: build.input(name, shape) for name, shape in shapes.items()}
    return build.program(read_text(text, build, symbols))


def values():
    drawn = np.random.default_rng(3)
    return {
        name: drawn.uniform(0.5, 1.5, [4 if length == ROWS else length for length in shape])
        for name, shape in SHAPES.items()
    }


MEANINGS = {
    "maximum(x @ w + b, 0) @ a": lambda x, w, b, a, t, c: maximum(x @ w + b, 0) @ a,
    "x @ w * 2": lambda x, w, b, a, t, c: (x @ w) * 2,
    "2 * x @ w": lambda x, w, b, a, t, c: (2 * x) @ w,
    "x @ w @ a": lambda x, w, b, a, t, c: (x @ w) @ a,
    "x @ (w @ a)": lambda x, w, b, a, t, c: x @ (w @ a),
    "x @ w**2": lambda x, w, b, a, t, c: x @ (w**2),
    "-x @ w": lambda x, w, b, a, t, c: (-x) @ w,
    "w.T @ w": lambda x, w, b, a, t, c: w.T @ w,
    "t.T": lambda x, w, b, a, t, c: t.T,
    "x[:, 0:2]": lambda x, w, b, a, t, c: x[:, 0:2],
    "a[0]": lambda x, w, b, a, t, c: a[0],
    "a[-1, 0]": lambda x, w, b, a, t, c: a[-1, 0],
    "-a[0]**2": lambda x, w, b, a, t, c: -(a[0] ** 2),
    "b[:, None] * b": lambda x, w, b, a, t, c: b[:, None] * b,
    "t[..., 1]": lambda x, w, b, a, t, c: t[..., 1],
    "w[::2, [1, 1, 0]]": lambda x, w, b, a, t, c: w[::2, [1, 1, 0]],
    "w[:-1]": lambda x, w, b, a, t, c: w[:-1],
    "sum(x, axis=1)": lambda x, w, b, a, t, c: x.sum(axis=1),
    "sum(t, axis=[0, -1])": lambda x, w, b, a, t, c: t.sum(axis=(0, -1)),
    "sum(t)": lambda x, w, b, a, t, c: total(t),
    "mean(x, 0)": lambda x, w, b, a, t, c: mean(x, 0),
    "softmax(x, axis=-1)": lambda x, w, b, a, t, c: softmax(x, axis=-1),
    "softmax(x)": lambda x, w, b, a, t, c: softmax(x),
    "logsumexp(x, axis=1)": lambda x, w, b, a, t, c: logsumexp(x, axis=1),
    "log_softmax(x, axis=1)": lambda x, w, b, a, t, c: log_softmax(x, axis=1),
    "reshape(w, [2, 3])": lambda x, w, b, a, t, c: reshape(w, (2, 3)),
    "reshape(w, [-1])": lambda x, w, b, a, t, c: reshape(w, (-1,)),
    "reshape(x, shape=[-1, 1, 3])": lambda x, w, b, a, t, c: reshape(x, (-1, 1, 3)),
    "transpose(t, [0, 2, 1])": lambda x, w, b, a, t, c: transpose(t, (0, 2, 1)),
    "transpose(t, axes=[1, 0, -1])": lambda x, w, b, a, t, c: transpose(t, (1, 0, -1)),
    "concatenate([a, w], axis=0)": lambda x, w, b, a, t, c: concatenate([a, w], axis=0),
    "concatenate([x, x @ w], axis=1)": lambda x, w, b, a, t, c: concatenate([x, x @ w], axis=1),
    "stack([b, 2*b], axis=1)": lambda x, w, b, a, t, c: stack([b, 2 * b], axis=1),
    "stack([c, 1]) * b": lambda x, w, b, a, t, c: stack([c, 1]) * b,
    "a @ [[1.0, 2.0], [3.0, -4.0]]": lambda x, w, b, a, t, c: a @ np.array([[1.0, 2], [3, -4]]),
    "b + [1, -2]": lambda x, w, b, a, t, c: b + np.array([1, -2]),
    "exp([0.5, 1]) * b": lambda x, w, b, a, t, c: np.exp(np.array([0.5, 1])) * b,
    "inverse(a) @ b": lambda x, w, b, a, t, c: inverse(a) @ b,
    "solve(a, b)": lambda x, w, b, a, t, c: solve(a, b),
    "determinant(a) * trace(a)": lambda x, w, b, a, t, c: determinant(a) * trace(a),
    "one_hot([0, 1, 1], 2)*b": lambda x, w, b, a, t, c: one_hot(np.array([0.0, 1, 1]), 2) * b,
    "where(a > 1 and a < 1.3, a, b)": lambda x, w, b, a, t, c: where((a > 1) & (a < 1.3), a, b),
    "c*a - pi": lambda x, w, b, a, t, c: c * a - np.pi,
    "max(a, b, c)": lambda x, w, b, a, t, c: maximum(a, b, c),
    "tanh(x - mean(x, axis=0))": lambda x, w, b, a, t, c: tanh(x - mean(x, axis=0)),
}


@pytest.mark.parametrize("text", MEANINGS)
def test_a_text_means_what_numpy_means(text):
    given = values()
    program = program_of(text)
    compute = function("f", ", ".join(program.inputs), program, NUMPY)
    found = compute(**{name: given[name] for name in program.inputs})
    expected = np.asarray(MEANINGS[text](**given))
    assert np.shape(found) == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-13)


@pytest.mark.parametrize("text", MEANINGS)
def test_what_is_written_is_read_as_the_same(text):
    program = program_of(text)
    assert program_of(write_text(program)) == program_of(text)


def of_numbers(shapes):
    return all(shape in ((), (ROWS,)) for shape in shapes.values())


@pytest.mark.sweep(one_in=4)
@pytest.mark.parametrize("seed", range(200, 320))
def test_random_programs_are_written_and_read_as_the_same(seed):
    case = random_case(seed)
    compared = Compared(case)
    program = compared.build.program(compared.result.node)
    used = {name: case.shapes[name] for name in program.inputs}
    has_arrays = any(node.operation == ARRAY for node in program.nodes)
    if of_numbers(used) and has_arrays:
        with pytest.raises(InputError, match="every symbol of this formula is a number"):
            write_text(program)
        return
    again = FormulaBuilder()
    symbols = {name: again.input(name, shape) for name, shape in used.items()}
    read = read_text(write_text(program), again, symbols)
    assert again.copy(program, program.outputs[0]) == read


def test_the_random_programs_have_operations_on_arrays():
    cases = [random_case(seed) for seed in range(200, 320)]
    assert sum(not of_numbers(case.shapes) for case in cases) > 90
    programs = [Compared(case).program for case in cases[:20]]
    counts = [sum(node.operation == ARRAY for node in one.nodes) for one in programs]
    assert min(counts) >= 1
    assert max(counts) >= 5


WRITTEN = {
    "maximum(x@w+b,0)@a": "maximum(x @ w + b, 0) @ a",
    "(x@w)*2": "x @ w * 2",
    "x@(w@a)": "x @ (w @ a)",
    "(a+a).T[0:1]": "(a + a).T[0:1]",
    "sum(x,1)": "sum(x, axis=1)",
    "sum(t)": "sum(t, axis=[0, 1, 2])",
    "b[:,None]": "reshape(b, [2, 1])",
    "-[1,2]*b": "-[1.0, 2.0] * b",
    "mean(-(a),0)": "mean(-a, axis=0)",
    "concatenate([a,a+1])": "concatenate([a, a + 1], axis=0)",
    "transpose(t,[0,2,1])": "transpose(t, [0, 2, 1])",
}


@pytest.mark.parametrize("text", WRITTEN)
def test_how_it_is_written(text):
    assert write_text(program_of(text)) == WRITTEN[text]


REFUSED = {
    "x @ a": (
        "(rows, 3) @ (2, 2) cannot be multiplied: the last length on the left and the first on the "
        "right differ",
        "  x @ a",
        "    ^",
    ),
    "x @ w + a[0, :1] + t": (
        "the shapes (rows, 2) and (2, 3, 2) do not fit",
        "  x @ w + a[0, :1] + t",
        "                   ^",
    ),
    "c @ b": ("@ multiplies arrays, and one of these is a number: use *", "  c @ b", "    ^"),
    "x[0]": (
        "take of x with shape (rows, 3): the rows of a batch cannot be chosen by index: use : for "
        "them",
        "  x[0]",
        "   ^",
    ),
    "a[2]": (
        "take of a with shape (2, 2): index 2 is out of bounds for axis 0 with size 2; the shape "
        "is (2, 2)",
        "  a[2]",
        "   ^",
    ),
    "a[0, 0, 0]": (
        "take of a with shape (2, 2): 3 indices are too many for the shape (2, 2)",
        "  a[0, 0, 0]",
        "   ^",
    ),
    "a[c]": (
        "c is no index: write whole numbers, slices such as 0:3, lists of whole numbers, or None "
        "for an axis more",
        "  a[c]",
        "    ^",
    ),
    "a[::0]": ("a slice cannot have steps of 0", "  a[::0]", "    ^"),
    "a[]": ("an index has a place between its commas", "  a[]", "   ^"),
    "a[0,,1]": ("an index has a place between its commas", "  a[0,,1]", "   ^"),
    "a[0": ("this [ is never closed", "  a[0", "   ^"),
    "[a": ("this [ is never closed", "  [a", "  ^"),
    "[a)": ("this [ is never closed", "  [a)", "  ^"),
    "(a]": ("this ( is never closed", "  (a]", "  ^"),
    "a]": ("this ] closes nothing", "  a]", "   ^"),
    "a + ]": ("this ] closes nothing", "  a + ]", "      ^"),
    "[]": ("nothing stands between [ and ]", "  []", "   ^"),
    "[1, [2]]*b": ("the rows of an array have one length", "  [1, [2]]*b", "  ^"),
    "[a, a]": (
        "a is no number: concatenate and stack take lists of arrays",
        "  [a, a]",
        "   ^",
    ),
    "sum(a, axis=2)": ("a: there is no axis 2 in the shape (2, 2)", "  sum(a, axis=2)", "  ^"),
    "sum(a, dim=1)": ("sum takes no dim: it takes x, axis", "  sum(a, dim=1)", "         ^"),
    "sum(a, axis=0.5)": (
        "axis=0.5 is no setting: write a whole number, or a list of them as in axis=[0, 1]",
        "  sum(a, axis=0.5)",
        "             ^",
    ),
    "sum(a, axis=c)": (
        "axis=c is no setting: write a whole number, or a list of them as in axis=[0, 1]",
        "  sum(a, axis=c)",
        "             ^",
    ),
    "sum(a, c)": ("c stands where a whole number is needed", "  sum(a, c)", "         ^"),
    "sum(a, axis=0, axis=1)": (
        "sum has axis twice",
        "  sum(a, axis=0, axis=1)",
        "                 ^",
    ),
    "sum(a, axis=0 + 1)": (
        "axis= stands alone between the commas of a call",
        "  sum(a, axis=0 + 1)",
        "         ^",
    ),
    "sum()": ("sum needs x", "  sum()", "  ^"),
    "sum(a, 0, 1)": ("sum takes x, axis, here it has 3 arguments", "  sum(a, 0, 1)", "  ^"),
    "softmax(a, axis=[0])": (
        "axis=[0] stands where a whole number is needed",
        "  softmax(a, axis=[0])",
        "             ^",
    ),
    "reshape(a, 4)": (
        "4 stands where a list of whole numbers is needed",
        "  reshape(a, 4)",
        "             ^",
    ),
    "reshape(a, [3, -1])": (
        "(2, 2) cannot be reshaped to (3, -1)",
        "  reshape(a, [3, -1])",
        "  ^",
    ),
    "concatenate(a, a)": (
        "a list of arrays stands here, as in [a, b]",
        "  concatenate(a, a)",
        "              ^",
    ),
    "concatenate([a, b])": (
        "concatenate of a with shape (2, 2), b with shape (2,): the shapes (2, 2) and (2,) do not "
        "fit behind one another",
        "  concatenate([a, b])",
        "  ^",
    ),
    "inverse(w)": (
        "inverse of w with shape (3, 2): inverse takes a square matrix, and this one has (3, 2)",
        "  inverse(w)",
        "  ^",
    ),
    "exp(a, axis=0)": (
        "= has no meaning in a formula: write == to compare",
        "  exp(a, axis=0)",
        "             ^",
    ),
    "a = 1": ("= has no meaning in a formula: write == to compare", "  a = 1", "    ^"),
    "a : 1": (": has no meaning in a formula", "  a : 1", "    ^"),
    "a.shape": (". has no meaning in a formula: a formula has no attributes", "  a.shape", "   ^"),
    "a.T(1)": ("write * between .T and (...)", "  a.T(1)", "     ^"),
    "a*None": ("None has no meaning in a formula", "  a*None", "    ^"),
    "maximum(a, w)": ("the shapes (2, 2) and (3, 2) do not fit", "  maximum(a, w)", "  ^"),
    "a < w": ("the shapes (2, 2) and (3, 2) do not fit", "  a < w", "    ^"),
    "where(a > w, a, b)": (
        "the shapes (2, 2) and (3, 2) do not fit",
        "  where(a > w, a, b)",
        "          ^",
    ),
    "a > b": ("a > b is a condition where a number is needed", "  a > b", "  ^"),
    "(a > b)[0]": ("(a > b) is a condition where a number is needed", "  (a > b)[0]", "  ^"),
    "invers(a)": ("there is no function invers: did you mean inverse?", "  invers(a)", "  ^"),
    "one_hot(b, 1000000000)": (
        "one_hot takes from 1 to 100,000 classes, not 1,000,000,000",
        "  one_hot(b, 1000000000)",
        "  ^",
    ),
    "t[None][None][None][None][None][None][None][None][None][None][None][None][None][None]": (
        f"the array has {MOST_AXES + 1} axes: {MOST_AXES} is the most",
        "  …[None][None][None][None][None][None][None][None][None][None]",
        "                                                         ^",
    ),
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_refused_and_where(text):
    with pytest.raises(InputError) as refusal:
        program_of(text)
    assert str(refusal.value).split("\n") == list(REFUSED[text])


NUMBERS_ONLY = {
    "x @ y": "@ multiplies arrays, and every symbol of this formula is a number: write *",
    "sum(x)": "sum is a function of arrays, and every symbol of this formula is a number",
    "sum(x, axis=0)": "sum is a function of arrays, and every symbol of this formula is a number",
    "softmax(x, axis=0)": "axis is that of an array, and every symbol of this formula is a number",
    "x[0]": "[ has no meaning in a formula: group with ( and )",
    "x.T": ". has no meaning in a formula: a formula has no attributes",
}


@pytest.mark.parametrize("text", NUMBERS_ONLY)
def test_what_a_formula_of_numbers_is_told(text):
    with pytest.raises(InputError) as refusal:
        program_of(text, {"x": (), "y": (ROWS,)})
    assert str(refusal.value).split("\n")[0] == NUMBERS_ONLY[text]


def test_names_without_shapes():
    assert symbol_names("maximum(x @ W1 + b1, 0) @ W2[0:3, None] + b2.T") == (
        "x", "W1", "b1", "W2", "b2"
    )  # fmt: skip
    assert symbol_names("concatenate([a, [1.0, 2.0], sum(b, axis=0)], axis=0)") == ("a", "b")
    assert uses_arrays("x @ y")
    assert uses_arrays("[1, 2]*x")
    assert not uses_arrays("maximum(x*y, 0) + exp(y)")
    for text in ("x @", "x[", "x[y]", "sum(x, dim=0)", "[x", "x = 3", "None"):
        with pytest.raises(InputError):
            symbol_names(text)


HOSTILE = {
    "products": "a@" * 9999 + "a",
    "transposes": "a" + ".T" * 9999,
    "indices": "a" + "[:]" * 6600,
    "axes": "a" + "[None]" * 3000,
    "open lists": "[" * 20000,
    "open indices": "a" + "[" * 19999,
    "lists": "[" * 9999 + "1" + "]" * 9999,
    "a long list": "[" + "1," * 9990 + "1]*c",
    "a long index": "a[[" + "0," * 9990 + "0]]",
    "a long key": "a[" + "0," * 9990 + "0]",
    "a long setting": "sum(a, axis=[" + "0," * 9980 + "0])",
    "settings": "sum(a" + ",axis=0" * 2800 + ")",
    "equal signs": "axis=" * 4000,
    "colons": "a[" + ":" * 19990 + "]",
    "large arrays": "b" + "[:,None]*b" * 1900,
    "outer products": "*".join("b[" + "None," * place + ":]" for place in range(70)),
    "large reshape": "reshape(a, [" + "1," * 9000 + "4])",
    "negative reshape": "reshape(a, [-9, -9])",
    "a reshape to nothing": "reshape(a, [0, 0])",
    "stacks": "stack([" * 1000 + "a" + "])" * 1000,
    "many arrays": "concatenate([" + "a," * 9000 + "a])",
    "large classes": "one_hot(b, " + "9" * 300 + ")",
    "large steps": "a[::" + "9" * 300 + "]",
    "large places": "a[" + "9" * 300 + "]",
    "functions": "inverse(" * 2000 + "a" + ")" * 2000,
    "sums of sums": "sum(" * 90 + "a" + ")" * 90,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_take_bounded_time(name):
    before = time.process_time()
    for work in (program_of, symbol_names):
        try:
            work(HOSTILE[name])
        except InputError as error:
            assert len(str(error)) < 600
    assert len(HOSTILE[name]) <= LONGEST + 100
    assert time.process_time() - before < 3
