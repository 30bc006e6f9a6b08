"""The judge: honest numbers are never refused, planted ones are found, and nothing slips
through.
"""

import math

import numpy as np
import pytest
import sympy
import torch

import verifier
from verifier.functions import exp, log, maximum, minimum, sin, sqrt, where
from verifier.judging.formulas import Judge
from verifier.judging.verdict import Note, Outcome
from verifier.operations.formats import FLOAT32, FLOAT64
from verifier.program.builder import FormulaBuilder
from verifier.program.codegen import TORCH, function
from verifier.program.evaluation.arithmetic import balls
from verifier.program.gradients.formula_gradient import differentiate
from verifier.program.sympy_form import read, symbol
from verifier.witnesses import enclose, finite_differences

STARTS = 100_000


def draw(names, count, dtype, spread):
    generator = np.random.default_rng(len(names) + count)
    return {
        name: (
            generator.choice([-1.0, 1.0], count) * np.exp(spread * generator.normal(size=count))
        ).astype(dtype)
        for name in names
    }


def judged(model, format, at):
    """Autograd's loss and gradients at many starts at once, judged."""
    tensors = {
        name: torch.tensor(values, requires_grad=name in model.parameters)
        for name, values in at.items()
    }
    loss = function("loss", ", ".join(at), model.program.only_last, TORCH)(*tensors.values())
    loss.sum().backward()
    stated = [
        loss.detach().double().numpy(),
        *(tensors[name].grad.double().numpy() for name in model.parameters),
    ]
    arguments = {name: values.astype(np.float64)[:, None] for name, values in at.items()}
    return stated, Judge(model.gradient_program, format).verdicts(arguments, stated, stated)


@pytest.mark.parametrize("name", ["linear", "quadratic"])
@pytest.mark.parametrize("format", [FLOAT32, FLOAT64], ids=lambda known: known.name)
def test_no_correct_result_is_refused(name, format):
    model = verifier.load(name)
    undecided = 0
    for spread in (1.0, 4.0):
        at = draw([*model.columns, *model.start], STARTS // 2, format.name, spread)
        _, components = judged(model, format, at)
        for verdicts in components:
            assert not verdicts.failing.any()
            undecided += int((verdicts.severity == Outcome.UNDECIDED.severity).sum())
    assert undecided <= STARTS // 1000


@pytest.mark.parametrize("name", ["linear", "quadratic"])
def test_at_the_ends_of_the_range_only_overflow_is_refused(name):
    """Where an operation on the way overflows, NaN or infinity stands for an ordinary number: that
    is reported.
    """
    model = verifier.load(name)
    stated, components = judged(
        model, FLOAT32, draw([*model.columns, *model.start], 20_000, "float32", 20.0)
    )
    for side, verdicts in zip(stated, components, strict=True):
        assert not (verdicts.failing & np.isfinite(side)).any()


@pytest.mark.parametrize("name", ["linear", "quadratic"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sign", [1, -1])
def test_planted_errors_around_the_allowance(name, dtype, sign):
    """exact ± 2 allowed is never accepted, exact ± 0.9 allowed always is, wherever 10 ulps are
    allowed.
    """
    model = verifier.load(name)
    report = verifier.train(model, dtype=dtype)
    judge = Judge(model.gradient_program, report.findings.settings.format)
    arguments = {
        **{
            part: np.array([[step.inputs[part]] for step in report.steps]) for part in model.columns
        },
        **{
            part: np.array([[step.parameters[part]] for step in report.steps])
            for part in model.parameters
        },
    }
    columns = [[step.loss for step in report.steps]]
    columns += [[step.gradient[part] for step in report.steps] for part in model.parameters]
    centres = [np.array([float(item.enclosure) for item in column]) for column in columns]
    allowed = [np.array([item.allowed for item in column]) for column in columns]
    room = [np.array([item.allowed_ulps > 10 for item in column]) for column in columns]
    assert sum(int(chosen.sum()) for chosen in room) > (20 if name == "linear" else 600)
    for factor, expected in ((2.0, False), (0.9, True)):
        stated = [
            (centre + sign * factor * width).astype(dtype).astype(np.float64)
            for centre, width in zip(centres, allowed, strict=True)
        ]
        for verdicts, chosen in zip(judge.verdicts(arguments, stated, stated), room, strict=True):
            accepted = verdicts.severity[chosen] == Outcome.AGREES.severity
            assert (accepted == expected).all()


def one(formula, names, stated, format=FLOAT64, **at):
    """A formula's derivative by its first name, stated at one point."""
    with sympy.evaluate(False):
        tree = formula(*map(symbol, names))
    builder = FormulaBuilder()
    node = read(tree, builder, {symbol(name): builder.input(name) for name in names})
    gradient = differentiate(builder.program(node), names[:1])
    arguments = {name: np.array([[value]]) for name, value in at.items()}
    sides = [np.array([0.0]), np.array([stated])]
    return Judge(gradient, format).verdicts(arguments, sides, sides)[1][0]


def square(x):
    return x**2


@pytest.mark.parametrize("stated", [math.nan, math.inf, -math.inf])
def test_nan_and_infinity_never_agree(stated):
    assert one(square, ["x"], stated, x=3.0).outcome is Outcome.DISAGREES


def test_exact_zero():
    assert one(square, ["x"], 0.0, x=0.0).outcome is Outcome.AGREES
    assert one(square, ["x"], -0.0, x=0.0).outcome is Outcome.AGREES
    wrong = one(square, ["x"], 5e-324, x=0.0)
    assert wrong.outcome is Outcome.DISAGREES
    assert wrong.allowed == 0.0
    assert wrong.exact == "0"


def test_a_single_rounding_must_be_right_to_the_last_bit():
    assert one(square, ["x"], 6.0, x=3.0).outcome is Outcome.AGREES
    assert one(square, ["x"], np.nextafter(6.0, 7.0), x=3.0).outcome is Outcome.DISAGREES


def test_a_chain_of_roundings_may_be_off_by_their_number():
    found = one(lambda x, y: x * y * y * y, ["x", "y"], 0.1 * 0.1 * 0.1, x=1.0, y=0.1)
    assert found.outcome is Outcome.AGREES
    assert 1.0 < found.allowed_ulps < 4.0


def test_parameters_that_are_not_finite():
    found = one(square, ["x"], math.nan, x=math.nan)
    assert (found.outcome, found.note) == (Outcome.UNDECIDED, Note.NOT_FINITE)


def test_outside_the_domain():
    found = one(lambda x: log(x) * x, ["x"], 1.0, x=-1.0)
    assert (found.outcome, found.note) == (Outcome.UNDECIDED, Note.NO_EXACT_VALUE)


def test_infinite_derivative():
    assert one(sqrt, ["x"], math.inf, x=0.0).outcome is Outcome.UNDECIDED


def test_blind_where_rounding_is_as_large_as_the_terms():
    found = one(exp, ["x"], 0.0, format=FLOAT32, x=-95.0)
    assert (found.outcome, found.note) == (Outcome.UNDECIDED, Note.BLIND)
    assert (
        one(lambda x, y: x * y * y, ["x", "y"], 1.0, format=FLOAT32, x=1.0, y=1e-30).outcome
        is Outcome.DISAGREES
    )


@pytest.mark.parametrize("format", [FLOAT32, FLOAT64], ids=lambda known: known.name)
def test_below_the_smallest_number_only_its_neighbours_agree(format):
    smallest, y = format.smallest_subnormal, 2.0 ** (format.smallest_exponent * 0.75 // 1)

    def outcome(stated):
        return one(lambda x, y: x * y * y, ["x", "y"], stated, format=format, x=1.0, y=y).outcome

    assert outcome(0.0) is outcome(smallest) is Outcome.AGREES
    for wrong in (-smallest, 3 * smallest, 1.0, math.nan):
        assert outcome(wrong) is not Outcome.AGREES


def test_an_exact_zero_has_no_neighbours():
    found = one(lambda x, y: x * y, ["x", "y"], FLOAT32.smallest_subnormal, FLOAT32, x=1.0, y=0.0)
    assert found.outcome is Outcome.DISAGREES


def test_overflow_on_the_way():
    found = one(lambda x: 1 / (1 + exp(-x)), ["x"], 0.0, x=-720.0)
    assert (found.outcome, found.note) == (Outcome.UNDECIDED, Note.OVERFLOW)


@pytest.mark.parametrize(
    ("formula", "inside", "outside"),
    [
        (lambda x: maximum(x, 0), (0.0, 0.5, 1.0), (-0.1, 1.1)),
        (abs, (-1.0, 0.0, 1.0), (-1.1, 1.1)),
        (lambda x: where(x > 0, 2 * x, -x), (-1.0, 0.3, 2.0), (-1.1, 2.1)),
    ],
)
def test_at_a_kink_anything_between_the_one_sided_derivatives(formula, inside, outside):
    for stated in inside:
        found = one(formula, ["x"], stated, x=0.0)
        assert (found.outcome, found.note) == (Outcome.AGREES, Note.KINK)
    for stated in outside:
        assert one(formula, ["x"], stated, x=0.0).outcome is Outcome.DISAGREES
    assert one(formula, ["x"], 0.3, x=1.0).outcome is Outcome.DISAGREES


def test_the_exact_value_survives_cancellation_that_costs_every_digit():
    """(x + 1e16) - 1e16: torch has no digit left, Arb all; the allowance says so."""
    found = one(lambda x: ((x + 1e16) - 1e16) ** 2, ["x"], 0.0, x=0.25)
    assert found.exact == "0.500000000000000000000000000000"
    assert found.outcome is Outcome.AGREES
    assert found.allowed > 1.0


def test_precision_is_raised_until_the_enclosure_is_narrow():
    with sympy.evaluate(False):
        tree = (exp(symbol("x")) - 1) ** 2
    builder = FormulaBuilder()
    program = builder.program(read(tree, builder, {symbol("x"): builder.input("x")}))
    at = {"x": balls(np.array([[1e-60]]))}
    (coarse,), (fine,) = (enclose(program, at, [np.array([within])]) for within in (1.0, 1e-150))
    assert coarse.radius[0] > 1e-140
    assert fine.radius[0] < 1e-150
    assert fine.ball[0].str(10, radius=False).startswith("1.0000000")


def test_narrower_dtype_has_the_larger_allowance():
    wide, narrow = (
        one(square, ["x"], 6.0, format=known, x=3.0).allowed for known in (FLOAT64, FLOAT32)
    )
    assert narrow > 1e8 * wide


def test_finite_differences_are_a_third_opinion():
    model = verifier.load("quadratic")
    at = {"x": 3.0, "y": 6.0, "w1": 0.5, "w2": -1.0, "b": 2.0}
    found = finite_differences(
        model.gradient_program,
        model.parameters,
        {name: np.array([[value]]) for name, value in at.items()},
    )
    residual = 0.5 * 9 - 3 + 2 - 6
    expected = {"w1": 18 * residual, "w2": 6 * residual, "b": 2 * residual}
    assert {name: float(value[0]) for name, value in found.items()} == pytest.approx(
        expected, rel=1e-9
    )


def test_outcomes_are_words():
    assert [str(outcome) for outcome in Outcome] == ["agrees", "undecided", "disagrees"]


def test_overflow_beyond_arbs_own_range_is_not_forgotten():
    """exp(1e194) is a ball of infinite radius to Arb, whose sine would be a harmless [-1, 1]; torch
    has NaN there.
    """
    found = one(lambda w, b: minimum(sin(exp(b)), w * 1000), ["w", "b"], 1000.0, w=1.0, b=1e194)
    assert found.outcome is not Outcome.DISAGREES


def test_what_is_wrong_by_more_than_itself_has_no_digit():
    model = verifier.load("linear")
    at = {name: np.array([1.5, -2.0], dtype="float32") for name in (*model.columns, *model.start)}
    stated, honest = judged(model, FLOAT32, at)
    arguments = {name: values.astype(np.float64)[:, None] for name, values in at.items()}
    far = [10.0 * numbers for numbers in stated]
    wrong = Judge(model.gradient_program, FLOAT32).verdicts(arguments, far, stated)
    assert [one.digits.tolist() for one in wrong] == [[0.0, 0.0]] * len(wrong)
    assert all((one.digits > 6).all() for one in honest)
