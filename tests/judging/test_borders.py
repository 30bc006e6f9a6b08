"""At a border every comparison is decided to the same side: the value is exact, and what lies
between is accepted.
"""

import numpy as np
import pytest

import verifier
from tests.helpers.honest import verdicts
from verifier.formula.text.parser import read_text, symbol_names
from verifier.judging.formulas import Judge
from verifier.judging.verdict import Note, Outcome
from verifier.operations.formats import FLOAT32, FLOAT64
from verifier.program.builder import FormulaBuilder
from verifier.program.gradients.formula_gradient import differentiate
from verifier.program.guards import guarded


def judged(text, stated, format=FLOAT64, **at):
    """The value's verdict and that on a statement of the derivative by the first symbol."""
    builder = FormulaBuilder()
    program = guarded(
        builder.program(
            read_text(text, builder, {name: builder.input(name) for name in symbol_names(text)})
        )
    )
    arguments = {name: np.array([[value]]) for name, value in at.items()}
    sides = [np.array([0.0]), np.array([stated])]
    value, slope = Judge(differentiate(program, program.inputs[:1]), format).verdicts(
        arguments, sides, sides
    )
    return value[0], slope[0]


TIES = {
    # formula at its border: the value, then what the derivative may be and what not
    ("selu(x)", 0.0): (0.0, [1.06, 1.7], [0.0, 3.0]),
    ("leaky_relu(x, 0.5)", 0.0): (0.0, [0.5, 0.75, 1.0], [0.0, 1.5]),
    ("where(x > 1, 3*x, 5*x)", 1.0): (5.0, [3.0, 4.0, 5.0], [0.0, 8.0]),
    ("where(x >= 1, 3*x, 5*x)", 1.0): (3.0, [3.0, 4.0, 5.0], [0.0, 8.0]),
    ("maximum(x, 0)", 0.0): (0.0, [0.0, 0.5, 1.0], [-0.1, 1.1]),
    ("minimum(x, 2*x)", 0.0): (0.0, [1.0, 1.5, 2.0], [0.9, 2.1]),
    ("abs(x)", 0.0): (0.0, [-1.0, 0.0, 1.0], [-1.1, 1.1]),
    ("relu(x)", 0.0): (0.0, [0.0, 1.0], [-0.1, 1.1]),
    ("maximum(-1, minimum(1, x))", 1.0): (1.0, [0.0, 0.5, 1.0], [-0.1, 1.1]),
    ("where(x > 0 and x < 1, x, 0)", 1.0): (0.0, [0.0, 1.0], [-0.1, 1.1]),
}


@pytest.mark.parametrize("format", [FLOAT32, FLOAT64], ids=lambda known: known.name)
@pytest.mark.parametrize(("text", "x"), TIES)
def test_at_a_tie(text, x, format):
    exact, inside, outside = TIES[text, x]
    for stated in inside:
        value, slope = judged(text, stated, format, x=x)
        assert (slope.outcome, slope.note) == (Outcome.AGREES, Note.KINK), stated
        assert float(value.enclosure) == exact
        assert value.note is Note.NONE
    for stated in outside:
        assert judged(text, stated, format, x=x)[1].outcome is Outcome.DISAGREES, stated


@pytest.mark.parametrize("format", [FLOAT32, FLOAT64], ids=lambda known: known.name)
@pytest.mark.parametrize(
    ("text", "x", "right", "wrong"),
    [
        ("elu(x)", 0.0, 1.0, (0.0, 2.0, 1.001)),
        ("where(x > 1, x*x, 2*x - 1)", 1.0, 2.0, (0.0, 4.0, 2.001)),
        ("relu(x) - relu(-x)", 0.0, 1.0, (0.0, 2.0, 1.001)),
        ("relu(x) + log(1 + exp(-abs(x)))", 0.0, 0.5, (0.0, 1.0, 0.501)),
    ],
)
def test_where_kinks_cancel_only_the_derivative_agrees(text, x, right, wrong, format):
    slope = judged(text, right, format, x=x)[1]
    assert (slope.outcome, slope.note) == (Outcome.AGREES, Note.NONE)
    for stated in wrong:
        assert judged(text, stated, format, x=x)[1].outcome is Outcome.DISAGREES, stated


def test_where_rounding_decides_the_branch_the_value_is_open_too():
    """0.1 + 0.2 > 0.3 is true in float64 and false in exact numbers of the same names."""
    value, _ = judged("where(x + y > z, 1.0*x, 3.0*x)", 0.0, x=0.1, y=0.2, z=0.30000000000000004)
    assert value.note is Note.KINK
    value, _ = judged("where(x + y > z, 1.0*x, 3.0*x)", 0.0, x=0.1, y=0.2, z=0.31)
    assert value.note is Note.NONE


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_training_from_zeros(dtype):
    model = verifier.Model.from_text(
        "elu(w*x + b)",
        inputs="x",
        start={"w": 0.0, "b": 0.0},
        loss=verifier.squared_error,
        data={"x": [1.0, 2.0], "y": [1.0, 2.0]},
    )
    report = verifier.train(model, epochs=1, batch="all", lr=0.0, dtype=dtype)
    (step,) = report.steps
    assert float(step.loss.enclosure) == 2.5
    assert {name: float(part.enclosure) for name, part in step.gradient.items()} == {
        "w": -5.0,
        "b": -3.0,
    }
    assert all(part.allowed < 1e-5 for part in step.gradient.values())


def test_a_gradient_where_there_is_no_value_is_undecided():
    value, slope = judged("logit(x)", -0.5, x=2.0)
    assert (value.note, slope.note) == (Note.NO_EXACT_VALUE, Note.NO_EXACT_VALUE)
    assert slope.outcome is Outcome.UNDECIDED


@pytest.mark.parametrize("library", ["torch", "numpy"])
@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("atan2(x, y)", {"x": [-0.0, 0.0], "y": [-8.4, -8.4]}),
        ("atan2(x, y)", {"x": [-0.0, -0.0], "y": [-0.0, 2.0]}),
        ("remainder(x, 0.7)", {"x": [1e300, 4.4942328371557893e307]}),
        ("hardtanh(remainder(x, 0.7))", {"x": [1e300, -4.4942328371557893e307]}),
    ],
)
def test_negative_zeros_and_long_divisions(text, at, library):
    builder = FormulaBuilder()
    program = builder.program(read_text(text, builder, {name: builder.input(name) for name in at}))
    points = {name: np.array(values) for name, values in at.items()}
    for found in verdicts(program, list(at), FLOAT64, library, points):
        assert not (found.failing & np.isfinite(found.stated)).any()


@pytest.mark.parametrize("x", [0.4, 0.5, 0.6])
def test_a_tie_between_data_and_constants_is_no_kink(x):
    """No derivative is taken through such a condition: it is decided as written, and a wrong
    gradient is found.
    """
    model = verifier.Model.from_text(
        "where(x > 0.5, 5*b, b)", inputs="x", start={"b": 1.0}, loss=verifier.squared_error
    )
    report = verifier.train(model, data={"x": [x], "y": [0.0]}, epochs=1, lr=0.0, dtype="float64")
    (step,) = report.steps
    factor = {0.4: 1.0, 0.5: 1.0, 0.6: 5.0}[x]
    assert float(step.gradient["b"].enclosure) == 2 * factor**2
    assert step.gradient["b"].note is Note.NONE
    assert step.gradient["b"].allowed < 1e-12


def test_a_zero_in_the_data_beside_a_logarithm():
    model = verifier.Model.from_text(
        "where(x > 0, w*log(x), b*x)",
        inputs="x",
        start={"w": 1.0, "b": 1.0},
        loss=verifier.squared_error,
    )
    report = verifier.train(model, data={"x": [0.0, 1.0], "y": [0.0, 1.0]}, epochs=2)
    assert all(
        component.outcomes[Outcome.AGREES] == component.compared for component in report.components
    )


def test_ties_of_many():
    names_ = [f"p{place}" for place in range(6)]
    text = f"Max({', '.join(f'{name}*x' for name in names_)})"
    model = verifier.Model.from_text(
        text, inputs="x", start=dict.fromkeys(names_, 1.0), loss=verifier.squared_error
    )
    assert verifier.train(model, data={"x": [1.0, 2.0], "y": [0.0, 1.0]}, epochs=1).ok


UNDERFLOWS = [
    ("csch(x)", {"x": 414.158}),
    ("sech(x)", {"x": 414.158}),
    ("(x*y)/y", {"x": 1e-200, "y": 1e-200}),
    ("x*y*1e300", {"x": 1e-200, "y": 1e-200}),
    ("(x*x)**(1/3)", {"x": 2.3e-308}),
    ("1e-3*hypot(x, y)", {"x": -1.18e-38, "y": 1e-5}),
    ("1e-30*atan2(x, y)", {"x": -1.6e-11, "y": -9.3e-8}),
    ("1e-30*xlogy(x, y)", {"x": 3e-12, "y": 5e-3}),
]


@pytest.mark.parametrize("library", ["torch", "numpy"])
@pytest.mark.parametrize(("text", "at"), UNDERFLOWS, ids=[case[0] for case in UNDERFLOWS])
def test_honest_underflow_is_never_refused(text, at, library):
    builder = FormulaBuilder()
    program = builder.program(read_text(text, builder, {name: builder.input(name) for name in at}))
    for known in (FLOAT32, FLOAT64):
        points = {
            name: np.array([value, 1.5 * value]).astype(known.name) for name, value in at.items()
        }
        for found in verdicts(program, list(at), known, library, points):
            assert not (found.failing & np.isfinite(found.stated)).any(), known.name
