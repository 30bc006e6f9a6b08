"""Examine: what is said of code at one point, outcome by outcome and word for word."""

import math

import numpy as np
import pytest
import torch
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as some

from tests.helpers.own_backward import OnceDifferentiable, with_slope
from tests.helpers.rewriting import Case as Random
from verifier.capture.code_at_point import FORWARD, SECOND, Subject
from verifier.errors import InputError
from verifier.formula.text.parser import read_text
from verifier.judging import array_verdicts
from verifier.judging.examination import NotReplayed, Replayed
from verifier.judging.examine import examine
from verifier.judging.reference import Formula, Reference
from verifier.judging.verdict import Case, Note, Outcome
from verifier.operations.formats import BFLOAT16, CODE_FORMATS, FLOAT16, FLOAT32, FLOAT64
from verifier.program.builder import FormulaBuilder
from verifier.program.evaluation.balls import LAST_BITS
from verifier.program.lift import REDUCTIONS

X = torch.tensor([0.5, -1.5], dtype=torch.float64)
AGREES, UNDECIDED, DISAGREES = Outcome.AGREES, Outcome.UNDECIDED, Outcome.DISAGREES


def formula(text, *names, reduction="none"):
    builder = FormulaBuilder()
    return Formula(
        builder.program(read_text(text, builder, {name: builder.input(name) for name in names})),
        REDUCTIONS[reduction],
    )


def unreadable(forward, slope):
    """The same as a kernel: numbers leave torch on the way."""
    inner = with_slope(lambda x: forward(torch.from_numpy(x.detach().numpy())), slope)
    return lambda x, *others: inner(x)


def examined(code, given=None, **inputs):
    return examine(Subject(code, inputs), given)


def outcomes(examination):
    return {part.name: part.outcome for part in examination.parts}


def notes(part):
    return [list(Note)[place] for place in part.verdicts.note]


# The comparator: one statement, an exact value, an allowance.


def judged(
    stated, exact, allowed=1e-12, format=FLOAT64, terms=None, kink=False, known=True, usable=True
):
    one = np.ones(1)
    case = Case(
        format, one * stated, one * 0, np.array([arb(exact)], dtype=object), np.array([known]),
        one * allowed, one * (abs(exact) if terms is None else terms), np.array([kink]),
        np.array([usable]),
    )  # fmt: skip
    comparison = case.verdicts()[0]
    return comparison.outcome, comparison.note


@pytest.mark.parametrize(
    ("stated", "exact", "allowed", "expected"),
    [
        (1.0, 1.0, 0.0, (AGREES, Note.NONE)),
        (1.0 + 1e-13, 1.0, 1e-12, (AGREES, Note.NONE)),
        (1.0 + 2e-12, 1.0, 1e-12, (DISAGREES, Note.NONE)),
        (math.nan, 1.0, 1e-12, (DISAGREES, Note.NONE)),
        (math.nan, 1.0, math.inf, (DISAGREES, Note.OVERFLOW)),
        (math.inf, 1.0, math.inf, (DISAGREES, Note.OVERFLOW)),
        (-math.inf, 1.0, math.nan, (DISAGREES, Note.OVERFLOW)),
        (1.0, 1.0, math.inf, (UNDECIDED, Note.OVERFLOW)),
        (1.0, 1.0, math.nan, (UNDECIDED, Note.OVERFLOW)),
        (0.0, 0.0, 0.0, (AGREES, Note.NONE)),
        (-0.0, 0.0, 0.0, (AGREES, Note.NONE)),
        (5e-324, 0.0, 0.0, (DISAGREES, Note.NONE)),
        (1e-320, 1e-320, 0.0, (AGREES, Note.NONE)),
        (1e-320, 1.1e-320, 0.0, (DISAGREES, Note.NONE)),
        (FLOAT64.largest, FLOAT64.largest, 0.0, (AGREES, Note.NONE)),
        (math.inf, FLOAT64.largest, 1e300, (DISAGREES, Note.NONE)),
        (0.9, 1.0, 1.0, (UNDECIDED, Note.BLIND)),
        (2.5, 1.0, 1.0, (DISAGREES, Note.NONE)),
    ],
)  # fmt: skip
def test_the_comparator(stated, exact, allowed, expected):
    assert judged(stated, exact, allowed) == expected


def test_without_an_exact_value_nothing_is_decided():
    for stated in (1.0, math.nan, math.inf):
        assert judged(stated, math.nan, known=False) == (UNDECIDED, Note.NO_EXACT_VALUE)
        assert judged(stated, 1.0, known=False, usable=False) == (UNDECIDED, Note.NOT_FINITE)


def test_an_infinite_exact_value_is_never_agreed_with():
    assert judged(math.inf, math.inf)[0] is UNDECIDED
    assert judged(1.0, math.inf)[0] is UNDECIDED


@pytest.mark.parametrize("format", CODE_FORMATS.values(), ids=lambda known: known.name)
def test_what_is_beyond_the_format_is_not_decided(format):
    assert judged(format.largest, format.largest, 0.0, format)[0] is AGREES
    assert judged(math.inf, format.largest * 1.1, math.inf, format) == (UNDECIDED, Note.OVERFLOW)


def test_at_a_kink_the_allowance_is_no_blindness():
    assert judged(0.9, 0.5, 0.5, terms=0.1, kink=True) == (AGREES, Note.KINK)
    assert judged(1.1, 0.5, 0.5, terms=0.1, kink=True) == (DISAGREES, Note.KINK)


def test_nothing_to_compare():
    empty = np.zeros(0)
    none = np.zeros(0, dtype=bool)
    verdicts = Case(
        FLOAT32, empty, empty, empty.astype(object), none, empty, empty, none, none
    ).verdicts()
    assert verdicts.severity.shape == (0,)


def test_notes_word_for_word():
    assert [str(note) for note in Note] == [
        "",
        "at a kink or border: any value between the one-sided derivatives agrees",
        "a parameter or an input is not finite",
        "no exact value exists here",
        "rounding or overflow on the way can move it anywhere",
        "rounding can be as large as the terms it is made of",
        "the exact value is a limit: the formula itself has no value here",
        "the exact value is infinite",
        "no exact value exists here, and its limit was not found in time",
        "the code computes another function than the formula, so its gradient is not compared with "
        "it",
        "not deterministic: it comes out differently when the code is run again",
        "inaccurate: more than half of the digits are lost, and the point itself allows more",
        f"the exact value is beyond float64, or needs more than {LAST_BITS:,} bits",
        "at a tie: taken together, these derivatives are no mean of the one-sided ones",
        "the code as written overflows or underflows on the way to this edge",
        "kinks cancel here: the function is smooth, and only its derivative agrees",
    ]


# Code without a formula.


@pytest.mark.parametrize("stated", [math.nan, math.inf, -math.inf])
def test_a_gradient_that_is_not_finite_disagrees(stated):
    code = with_slope(torch.sin, lambda x: torch.full_like(x, stated))
    assert outcomes(examined(code, x=X)) == {"value": AGREES, "x": DISAGREES}


def test_a_negative_zero_is_a_zero():
    assert examined(with_slope(lambda x: 0.0 * x, lambda x: -0.0 * x), x=X).outcome is AGREES


def test_an_exact_zero_allows_nothing():
    tiny = with_slope(torch.floor, lambda x: torch.full_like(x, 5e-324))
    assert examined(tiny, x=X)["x"].outcome is DISAGREES
    assert (examined(torch.floor, x=X)["x"].verdicts.allowed == 0).all()


@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0)])
def test_tensors_without_elements(shape):
    examination = examined(lambda x: x.exp().sum(-1), x=torch.zeros(shape, dtype=torch.float64))
    assert examination["x"].outcome is AGREES
    assert examination["x"].count(AGREES) == 0


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("shape", [(), (1,), (2, 3)])
def test_every_dtype_and_shape(dtype, shape):
    x = (
        torch.linspace(0.5, 2, max(1, math.prod(shape)), dtype=torch.float64)
        .reshape(shape)
        .to(dtype)
    )
    examination = examined(lambda x: x * x.exp() + x, x=x)
    assert examination.outcome is AGREES
    assert examination["x"].dtype == str(dtype).removeprefix("torch.")
    assert examination["x"].shape == shape
    wrong = with_slope(torch.sin, lambda x: x.cos() * (1 + 64 * torch.finfo(dtype).eps))
    assert examined(wrong, x=x)["x"].outcome is DISAGREES


def test_subnormals_and_the_largest_float():
    for dtype in (torch.float64, torch.float32):
        limits = torch.finfo(dtype)
        x = torch.tensor([limits.smallest_normal / 8, limits.max], dtype=dtype)
        assert examined(lambda x: x * 0.25, x=x)["x"].outcome is AGREES
        value = examined(lambda x: x * 0.25, x=x)["value"]
        assert value.outcome is AGREES
        assert examined(lambda x: x * 4, x=x)["value"].outcome is UNDECIDED


def test_a_wrong_shape_is_refused_by_torch():
    class Wrong(torch.autograd.Function):
        forward = staticmethod(lambda ctx, x: x.sin())
        backward = staticmethod(lambda ctx, g: g.new_ones(5))

    told = (
        "the code's backward cannot be run: RuntimeError: Function WrongBackward returned an "
        "invalid gradient"
    )
    with pytest.raises(InputError, match=told):
        examined(Wrong.apply, x=X)
    summed = with_slope(torch.sin, lambda x: torch.ones(3, 1, dtype=x.dtype))
    assert examined(summed, x=X)["x"].outcome is DISAGREES


def test_what_is_not_deterministic_disagrees_however_small_it_is():
    calls = iter(range(10))
    racy = with_slope(torch.sin, lambda x: torch.nextafter(x.cos(), x.cos() + next(calls) % 2))
    part = examined(racy, x=X)["x"]
    assert part.outcome is DISAGREES
    assert part.verdicts[0].note is Note.CHANGING
    assert (part.verdicts.error <= part.verdicts.allowed).all()


def test_a_backward_without_a_graph_is_held_against_the_forwards():
    def without_a_rule(x):
        return x.cos() + torch.special.spherical_bessel_j0(x) * 0

    examination = examined(with_slope(torch.sin, without_a_rule), x=X)
    assert examination.outcome is AGREES
    assert examination.formula.reason == "aten::special_spherical_bessel_j0 has no rule"
    wrong = with_slope(torch.sin, lambda x: without_a_rule(x) * 1.5)
    assert examined(wrong, x=X)["x"].outcome is DISAGREES


def test_what_a_backward_draws_is_a_constant():
    def noisy(x):
        return x.cos() + torch.rand_like(x) * 0

    assert examined(with_slope(torch.sin, noisy), x=X).outcome is AGREES
    assert examined(with_slope(torch.sin, lambda x: noisy(x) * 1.5), x=X)["x"].outcome is DISAGREES


def test_a_backward_in_a_narrower_dtype_disagrees():
    wrong = with_slope(torch.sin, lambda x: x.float().cos().double())
    assert examined(wrong, x=X)["x"].outcome is DISAGREES
    assert (
        examined(with_slope(torch.sin, lambda x: x.bfloat16().cos().float()), x=X.float())[
            "x"
        ].outcome
        is DISAGREES
    )


def test_code_of_mixed_precision_agrees_as_far_as_it_goes():
    """Its forward is in the narrower format as well."""
    part = examined(lambda x: (x.float() * 1.1).sin().double() * x, x=X)["x"]
    assert part.outcome is AGREES
    assert part.verdicts.allowed.min() > 1e-9


def test_results_without_a_gradient():
    with pytest.raises(
        InputError, match=r"^the code returns numbers of dtype int64, which have no gradient$"
    ):
        examined(lambda x: x.long(), x=X)
    with pytest.raises(TypeError, match=r"^the code does not return tensors$"):
        examined(lambda x: 3.0, x=X)


def test_what_the_code_raises_is_raised():
    def broken(x):
        raise ZeroDivisionError("in the code of a user")

    with pytest.raises(ZeroDivisionError, match=r"^in the code of a user$"):
        examined(broken, x=X)


def test_code_that_cannot_be_read_needs_a_formula():
    with pytest.raises(
        InputError,
        match=r"^the code's forward cannot be read: the code leaves torch for NumPy; give its "
        r"formula or a plain "
        r"version$",
    ):
        examined(unreadable(torch.sin, torch.cos), x=X)


def test_inputs_that_are_not_finite():
    x = torch.tensor([math.nan, 1.0, -math.inf], dtype=torch.float64)
    part = examined(torch.exp, x=x)["x"]
    assert [tuple(Outcome)[place] for place in part.verdicts.severity] == [
        UNDECIDED,
        AGREES,
        AGREES,
    ]
    assert notes(part) == [Note.NOT_FINITE, Note.NONE, Note.NONE]


def test_many_inputs_and_results():
    inputs = {f"x{place}": X + place for place in range(12)}

    def code(*arguments):
        return torch.stack(arguments).exp().sum(0), sum(arguments).sin(), arguments[3]

    found = outcomes(examined(code, **inputs))
    assert list(found) == ["value 0", "value 1", "value 2", *inputs]
    assert set(found.values()) == {AGREES}


def test_only_what_is_wanted():
    examination = examine(Subject(lambda x, y: x * y, {"x": X, "y": X}, wanted=("y",)))
    assert list(outcomes(examination)) == ["value", "y"]


def test_integer_inputs_are_data():
    examination = examined(lambda x, index: x[index].exp(), x=X, index=torch.tensor([1, 1]))
    assert outcomes(examination) == {"value": AGREES, "x": AGREES}


def test_a_gradient_that_is_missing():
    assert outcomes(examined(lambda x, y: x.sin(), x=X, y=X)) == {
        "value": AGREES,
        "x": AGREES,
        "y": AGREES,
    }
    assert outcomes(examined(lambda x: x.detach() * 2.5, x=X)) == {"value": AGREES, "x": DISAGREES}


def test_an_input_may_have_any_name():
    wrong = with_slope(torch.sin, lambda x: x.cos() * (1 + 1e-9))
    examination = examined(wrong, formula("sin(value_of_x)", "value_of_x"), value_of_x=X)
    assert examination.same_function
    assert examination.formula.wrong == ("value_of_x",)


def test_a_wrong_formula_is_found_however_small():
    wrong = with_slope(torch.sin, lambda x: x.cos() * (1 + 2.0**-50))
    examination = examined(wrong, x=X)
    assert examination["x"].outcome is DISAGREES
    assert examination["x"].wrong_formula.all()
    assert 14 < examination.formula.digits < 16


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_relative_error_of_1e_20(dtype):
    """Two factors that float cannot tell from 1, and their product can."""
    wrong = with_slope(torch.sin, lambda x: x.cos() + x.cos() * 1e-20)
    assert examined(wrong, x=X.to(dtype))["x"].outcome is DISAGREES
    assert 19 < examined(wrong, x=X.to(dtype)).formula.digits < 21


def test_the_allowance_is_not_the_error_of_a_wrong_formula():
    part = examined(with_slope(torch.sin, lambda x: x.cos() * 2), x=X)["x"]
    assert (part.verdicts.allowed < 1e-14).all()
    assert (part.verdicts.error > 0.05).all()


# A formula beside the code.


def test_a_formula_that_is_the_codes_own():
    examination = examined(lambda x: x.sin() ** 2 + x.cos() ** 2 + x, formula("1 + x", "x"), x=X)
    assert examination.outcome is AGREES
    assert examination.same_function
    assert examination.formula.digits > 70


def test_another_function_is_said_and_the_gradient_not_blamed():
    examination = examined(torch.sin, formula("cos(x)", "x"), x=X)
    assert outcomes(examination) == {"value": DISAGREES, "x": AGREES}
    assert not examination.same_function


def test_another_function_with_a_wrong_gradient_is_blamed_for_its_own():
    examination = examined(
        with_slope(torch.sin, lambda x: x.cos() * 2), formula("cos(x)", "x"), x=X
    )
    assert outcomes(examination) == {"value": DISAGREES, "x": DISAGREES}


def test_a_function_that_differs_by_less_than_rounding():
    examination = examined(lambda x: x.sin() + 1e-20 * x, formula("sin(x)", "x"), x=X)
    assert not examination.same_function


@pytest.mark.parametrize(
    ("reduction", "code"), [("sum", torch.sum), ("mean", torch.mean), ("none", torch.clone)]
)
def test_reductions(reduction, code):
    given = formula("x*x", "x", reduction=reduction)
    assert examined(lambda x: code(x * x), given, x=X).outcome is AGREES
    if reduction != "none":
        other = formula("x*x", "x", reduction={"sum": "mean", "mean": "sum"}[reduction])
        assert not examined(lambda x: code(x * x), other, x=X).same_function


def test_a_reduction_that_is_missing():
    with pytest.raises(
        InputError,
        match=r"^the formula's value has the shape \(2,\), the code's has \(\): say the reduction$",
    ):
        examined(lambda x: x.sum(), formula("x", "x"), x=X)


def test_a_symbol_that_is_no_input():
    with pytest.raises(
        InputError,
        match=r"^the formula uses y, which is not among the inputs: name it as one of them$",
    ):
        examined(torch.sin, formula("sin(x) + y", "x", "y"), x=X)


def test_hardsigmoid_in_float64_is_off_by_what_its_kernel_is():
    """It multiplies by a float32 sixth: the formula replays, the numbers are off by 5e-9."""
    part = examined(torch.nn.functional.hardsigmoid, x=X)["x"]
    assert part.outcome is DISAGREES
    assert (part.verdicts.error / np.abs(part.verdicts.centre) < 1e-7).all()


def test_a_formula_describes_one_result():
    with pytest.raises(
        InputError, match=r"^the code returns 2 tensors, the formula describes one$"
    ):
        examined(lambda x: (x, x), formula("x", "x"), x=X)


# Literals.

GELU = "0.5*x*(1 + tanh(sqrt(2/pi)*(x + 0.044715*x**3)))"


def gelu(x):
    return 0.5 * x * (1 + torch.tanh(0.7978845608 * (x + 0.044715 * x**3)))


def test_a_rounded_decimal_is_granted_half_a_unit_and_named():
    examination = examined(gelu, formula(GELU, "x"), x=X)
    assert examination.outcome is AGREES
    assert examination.formula.literals == (0.7978845608,)
    assert 11 < examination.formula.digits < 13


def test_a_rounded_decimal_does_not_excuse_more():
    def wrong(x):
        return 0.5 * x * (1 + torch.tanh(0.7978845618 * (x + 0.044715 * x**3)))

    examination = examined(wrong, formula(GELU, "x"), x=X)
    assert not examination.same_function
    assert examination.formula.literals == ()


def test_a_literal_of_the_formula_itself_is_exact():
    examination = examined(lambda x: x * 0.7978845608, x=X)
    assert examination.formula == Replayed(77.0)


def test_a_sixth_of_float64_is_granted_its_last_digit():
    examination = examined(lambda x: x * (1 / 6), formula("x/6", "x"), x=X)
    assert examination.outcome is AGREES
    assert examination.formula.literals == (1 / 6,)


def test_a_sixth_of_float32():
    sixth = float(np.float32(1 / 6))
    single = examined(lambda x: x * torch.tensor(1 / 6), formula("x/6", "x"), x=X.float())
    assert single.outcome is AGREES
    assert single.formula.literals == (sixth,)
    double = examined(lambda x: x * sixth, formula("x/6", "x"), x=X)
    assert outcomes(double) == {"value": DISAGREES, "x": DISAGREES}
    assert double.formula.literals == ()
    assert double.formula.narrow == (sixth,)
    assert double.formula.wrong == ()  # the formula is right, and the numbers are not
    assert double.same_function


def test_a_backward_with_a_sixth_of_float32_is_wrong_and_explained():
    sixth = float(np.float32(1 / 6))
    examination = examined(with_slope(lambda x: x / 6, lambda x: sixth), x=X)
    assert examination["x"].outcome is DISAGREES
    assert examination.formula.narrow == (sixth,)
    assert examination.formula.wrong == ()
    other = examined(with_slope(lambda x: x / 6, lambda x: 0.1666), x=X)
    assert other["x"].outcome is DISAGREES
    assert other.formula.narrow == ()
    assert other.formula.wrong == ("x",)


# Kinks.

ZERO = torch.zeros(2, dtype=torch.float64)


@pytest.mark.parametrize(
    ("forward", "inside", "outside"),
    [
        (torch.relu, (0.0, 0.3, 1.0), (-1e-9, 1 + 1e-9, 7.0)),
        (torch.abs, (-1.0, 0.0, 0.5, 1.0), (-1 - 1e-9, 1.1)),
        (lambda x: torch.maximum(2 * x, -3 * x), (-3.0, 0.0, 2.0), (-3.1, 2.1)),
        (lambda x: torch.where(x > 0, 2 * x, x), (1.0, 1.5, 2.0), (0.9, 2.1)),
    ],
)
def test_at_a_kink_anything_between_the_one_sided_derivatives(forward, inside, outside):
    for slope in inside:
        examination = examined(
            with_slope(forward, lambda x, slope=slope: torch.full_like(x, slope)), x=ZERO
        )
        assert examination["x"].outcome is AGREES, slope
        assert notes(examination["x"]) == [Note.KINK, Note.KINK]
        assert examination.formula.wrong == ()
    for slope in outside:
        examination = examined(
            with_slope(forward, lambda x, slope=slope: torch.full_like(x, slope)), x=ZERO
        )
        assert examination["x"].outcome is DISAGREES, slope


def test_beside_a_kink_there_is_none():
    x = torch.tensor([0.0, 1e-300, 1.5], dtype=torch.float64)
    part = examined(with_slope(torch.relu, lambda x: torch.full_like(x, 1.0)), x=x)["x"]
    assert part.outcome is AGREES
    assert notes(part) == [Note.KINK, Note.NONE, Note.NONE]
    wrong = examined(with_slope(torch.relu, lambda x: torch.full_like(x, 1 - 1e-15)), x=x)["x"]
    assert wrong.wrong_formula.tolist() == [False, True, True]


def test_two_conventions_at_a_tie_are_no_wrong_formula():
    examination = examined(torch.relu, formula("max(x, 0)", "x"), x=ZERO)
    assert examination.outcome is AGREES
    assert examination.formula.wrong == ()


def test_guards_whose_other_half_has_no_value():
    x = torch.tensor([0.0, 2.0], dtype=torch.float64)

    def safe(x):
        return torch.where(x > 0, x * torch.where(x > 0, x, 1.0).log(), 0.0)

    assert examined(safe, x=x).outcome is AGREES


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("border", [0.3, 0.1, 1.7])
def test_at_a_border_that_is_no_number_of_the_format(dtype, border):
    """torch compares with the border as its format has it; an exact replay takes the branch that
    the code took.
    """
    x = torch.tensor([border, border * 1.5], dtype=dtype)
    code = lambda x: torch.where(x > border, x * x, -x)  # noqa: E731
    assert examined(code, x=x).outcome is AGREES
    assert examined(code, formula(f"where(x > {border}, x*x, -x)", "x"), x=x)["x"].outcome is AGREES


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_number_that_16_bits_round(dtype):
    """cos' at 2.81 + y near pi: the rounding of 2.81 is a percent of the gradient."""
    y = torch.linspace(0.2, 0.45, 200, dtype=torch.float64).to(dtype)
    assert (
        examined(lambda y: (y + 2.81).cos(), formula("cos(y + 2.81)", "y"), y=y).outcome
        is not DISAGREES
    )


# Limits.


@pytest.mark.parametrize(
    ("code", "at", "limit"),
    [
        (lambda x: (x**4).sqrt().sum(), [0.0, 0.0], 0.0),
        (lambda x: x.acos().square().sum(), [1.0], -2.0),
        (lambda x: (x * x * x.log()).sum(), [0.0], 0.0),
        (lambda x: (x * x).sum().sqrt() ** 2, [0.0, 0.0], 0.0),
        (lambda x: (x.sin() / x).sum(), [0.0], 0.0),
    ],
)
def test_the_exact_value_may_be_a_limit(code, at, limit):
    x = torch.tensor(at, dtype=torch.float64)
    examination = examine(Subject(code, {"x": x}, seeds=(torch.ones((), dtype=torch.float64),)))
    part = examination["x"]
    assert part.outcome is DISAGREES
    assert notes(part) == [Note.LIMIT] * len(at)
    assert part.verdicts.centre.tolist() == [limit] * len(at)
    assert np.isnan(part.verdicts.stated).all()


@pytest.mark.parametrize(
    ("code", "at", "note"),
    [
        (lambda x: x.sqrt(), [0.0], Note.INFINITE),
        (lambda x: (x - 1).sqrt(), [0.0], Note.NO_EXACT_VALUE),
    ],
)
def test_where_there_is_no_limit_nothing_is_decided(code, at, note):
    part = examined(code, x=torch.tensor(at, dtype=torch.float64))["x"]
    assert part.outcome is UNDECIDED
    assert notes(part) == [note] * len(at)


@pytest.mark.parametrize(
    ("code", "at", "note"),
    [
        (torch.log1p, -1.0, Note.INFINITE),
        (torch.logit, 1.0, Note.INFINITE),
        (lambda x: torch.special.xlog1py(x, x), -1.0, Note.INFINITE),
        (torch.lgamma, -1.0, Note.INFINITE),
    ],
)
def test_a_function_that_sympy_lacks_has_its_limits_too(code, at, note):
    """log1p(-1) is no number, whatever SymPy takes it for."""
    part = examined(code, x=torch.tensor([at, 0.25], dtype=torch.float64))["value"]
    assert part.outcome is UNDECIDED
    assert notes(part) == [note, Note.NONE]


TRUTHS = {
    "fill": lambda x: torch.fill(x, True),
    "fill with a tensor": lambda x: torch.fill(x, torch.tensor(True)),
    "masked_fill": lambda x: x.masked_fill(x > 0, True),
    "clamp": lambda x: x.clamp(min=False, max=True),
    "clamp by a tensor": lambda x: x.clamp(min=torch.tensor(False)),
    "celu": lambda x: torch.nn.functional.celu(x, True),
    "maximum": lambda x: torch.maximum(x, x > 0),
    "cat": lambda x: torch.cat([x, x > 0]),
    "mixed where": lambda x: torch.where(x > 0, x > 1, x),
    "added": lambda x: x + True + (x > 0),
    "power": lambda x: x**True,
    "less": lambda x: x * ((x > 0) < (x > 1)),
    "less_equal": lambda x: x * ((x > 0) <= (x > 1)),
    "greater": lambda x: x * ((x > 0) > (x > 1)),
    "greater_equal": lambda x: x * ((x > 0) >= (x > 1)),
    "equal": lambda x: x * ((x > 0) == (x > 1)),
}
"""Truth values where torch takes numbers."""


@pytest.mark.parametrize("name", TRUTHS)
def test_truth_values_count_as_numbers(name):
    x = torch.tensor([-1.5, 0.25, 2.0], dtype=torch.float64)
    assert examined(TRUTHS[name], x=x).outcome is AGREES
    wrong = examined(lambda x: TRUTHS[name](x) + (x - x.detach()).sum(), x=x)
    assert (wrong["value"].outcome, wrong["x"].outcome) == (AGREES, DISAGREES)


ZEROS_NEVER_WRITTEN = {
    "abs": torch.abs,
    "l1_loss": lambda x: torch.nn.functional.l1_loss(x, torch.zeros_like(x)),
    "largest size": lambda x: torch.linalg.vector_norm(x, math.inf),
    "slogdet": lambda x: torch.linalg.slogdet(x.reshape(2, 2)),
    "p = 1": lambda x: torch.norm(x, 1.0),
}
"""Functions whose second derivative torch states as zeros that are not in memory."""


@pytest.mark.parametrize("name", ZEROS_NEVER_WRITTEN)
def test_second_derivatives_that_torch_never_wrote(name):
    code, x = ZEROS_NEVER_WRITTEN[name], torch.tensor([-1.5, 0.25, 2.0, 1.0], dtype=torch.float64)
    assert examine(Subject(code, {"x": x}, quantity=SECOND)).outcome is AGREES
    wrong = examine(Subject(lambda x: code(x * (x / x.detach())), {"x": x}, quantity=SECOND))
    assert wrong.outcome is DISAGREES


def test_safe_code_agrees_with_the_limit_and_unsafe_slopes_do_not():
    def safe(x):
        return torch.where(x > 0, x * x * torch.where(x > 0, x, 1.0).log(), 0.0)

    x = torch.tensor([0.0, 2.0], dtype=torch.float64)
    examination = examined(safe, formula("x*x*log(x)", "x"), x=x)
    assert examination.outcome is AGREES
    assert notes(examination["x"]) == [Note.LIMIT, Note.NONE]
    wrong = examined(
        lambda x: safe(x) + torch.where(x > 0, 0.0, 1e-9 * x), formula("x*x*log(x)", "x"), x=x
    )
    assert wrong["x"].outcome is DISAGREES


# No graph.


def test_a_kernel_without_a_graph_is_judged_by_its_formula():
    examination = examined(unreadable(torch.sin, torch.cos), formula("sin(x)", "x"), x=X)
    assert examination.formula == NotReplayed("the code leaves torch for NumPy")
    assert outcomes(examination) == {"value": AGREES, "x": AGREES}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_wrong_kernel_is_found(dtype):
    wrong = unreadable(torch.sin, lambda x: x.cos() * (1 + 64 * torch.finfo(dtype).eps))
    examination = examined(wrong, formula("sin(x)", "x"), x=X.to(dtype))
    assert outcomes(examination) == {"value": AGREES, "x": DISAGREES}


def test_a_kernel_of_another_function_is_not_blamed_for_its_gradient():
    examination = examined(unreadable(torch.sin, torch.cos), formula("cos(x)", "x"), x=X)
    assert outcomes(examination) == {"value": DISAGREES, "x": UNDECIDED}
    assert notes(examination["x"]) == [Note.OTHER_FUNCTION] * 2
    assert not examination.same_function


@pytest.mark.parametrize("format", [BFLOAT16, FLOAT16], ids=lambda known: known.name)
def test_a_kernel_may_round_each_operation(format):
    """Without a graph it is not known what is fused: torch's own operations one after another are
    honest.
    """
    x = torch.linspace(-2, 2, 50).to(getattr(torch, format.name))
    code = lambda x: ((x * 1.3 + 0.7).exp() * x).tanh() * x  # noqa: E731
    given = formula("tanh(exp(x*1.3 + 0.7)*x)*x", "x")
    opaque = lambda x: code(x) + 0 * x.detach().untyped_storage().nbytes()  # noqa: E731
    part = examined(opaque, given, x=x)
    assert isinstance(part.formula, NotReplayed)
    assert part.outcome is not DISAGREES


# Second order.


def test_hessians():
    def code(x, y):
        return (x * y.exp()).sum() + (x**3).sum() ** 2

    examination = examine(Subject(code, {"x": X, "y": X + 1}, quantity=SECOND))
    assert {part.name for part in examination.parts if part.quantity == "second"} == {
        f"{one}[{place}] {other}"
        for one in "xy"
        for place in (0, 1)
        for other in ("x", "y", "grad_output")
    }
    assert examination.outcome is AGREES


def test_a_wrong_second_derivative_is_found():
    """A backward that is right and whose own derivative is not."""
    code = with_slope(torch.sin, with_slope(torch.cos, lambda x: -x.sin() * (1 + 1e-10)))
    assert examined(code, x=X).outcome is AGREES
    examination = examine(Subject(lambda x: code(x).sum(), {"x": X}, quantity=SECOND))
    assert examination["x"].outcome is AGREES
    assert examination["x[0] x"].outcome is DISAGREES


# Accuracy.


def tanhshrink(x):
    return x - x.tanh()


def detaching(x):
    kept = x.detach() * x
    with torch.no_grad():
        wave = x.sin()
    return kept + wave * x


def test_what_is_taken_out_of_autograd_is_named():
    examination = examined(detaching, x=X)
    assert examination["x"].outcome is DISAGREES
    first = detaching.__code__.co_firstlineno
    assert examination.detached == (
        f"detach in test_examine.py, line {first + 1}",
        f"torch.no_grad() in test_examine.py, line {first + 3}",
    )


def test_what_is_taken_out_of_autograd_may_be_meant():
    examination = examine(Subject(detaching, {"x": X}, honour_detach=True))
    assert examination.outcome is AGREES
    assert examination.formula.digits > 70
    wrong = examine(
        Subject(with_slope(detaching, lambda x: x + x.sin() + 1e-9), {"x": X}, honour_detach=True)
    )
    assert wrong["x"].outcome is DISAGREES


def test_a_backward_may_detach():
    assert examined(with_slope(torch.sin, lambda x: x.detach().cos()), x=X).detached == ()


def test_a_reference_says_what_is_right():
    twin = Reference(lambda x: x * x + x.sin() * x)
    assert examine(Subject(lambda x: x * (x + x.sin()), {"x": X}), twin).outcome is AGREES
    wrong = with_slope(lambda x: x * (x + x.sin()), lambda x: 2 * x + x.sin())
    assert outcomes(examine(Subject(wrong, {"x": X}), twin)) == {"value": AGREES, "x": DISAGREES}


def test_a_reference_of_another_function_or_shape():
    examination = examine(Subject(lambda x: x * x, {"x": X}), Reference(lambda x: x * x + 1))
    assert outcomes(examination) == {"value": DISAGREES, "x": AGREES}
    with pytest.raises(
        InputError, match=r"^the reference returns the shapes a number, the code returns 2$"
    ):
        examine(Subject(lambda x: x * x, {"x": X}), Reference(lambda x: (x * x).sum()))
    with pytest.raises(
        InputError,
        match=r"^the reference's forward cannot be read: the code reads the memory of a tensor",
    ):
        opaque = Reference(lambda x: x * x.untyped_storage().nbytes())
        examine(Subject(lambda x: x * x, {"x": X}), opaque)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_forward_mode(dtype):
    def code(x, y):
        return x.sin() * y, (x * y).sum()

    examination = examine(Subject(code, {"x": X.to(dtype), "y": X.to(dtype) + 1}, quantity=FORWARD))
    assert [(part.name, part.quantity) for part in examination.parts] == [
        ("value 0", "value"), ("value 1", "value"), ("value 0", "forward"), ("value 1", "forward"),
    ]  # fmt: skip
    assert examination.outcome is AGREES
    assert examination.formula.digits > 70


@pytest.mark.parametrize(
    "code",
    [
        lambda x: torch.addcmul(x, torch.ones_like(x), torch.ones_like(x), value=2.5),
        lambda x: torch.addr(torch.ones(2, 2, dtype=x.dtype), x, x, beta=0.5, alpha=2.5),
        lambda x: torch.ldexp(x, torch.tensor([1.0, 2.0], dtype=x.dtype)),
    ],
)
def test_tangents_that_torch_never_wrote(code):
    """Zeros times a number: torch crashed where it was traced."""
    x = torch.tensor([0.5, -1.5], dtype=torch.float64)
    examination = examine(Subject(code, {"x": x}, quantity=FORWARD))
    assert isinstance(examination.formula, Replayed)
    assert examination.outcome is AGREES


def test_a_wrong_forward_mode():
    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_forward(x)
            return x.sin()

        @staticmethod
        def backward(ctx, g):
            raise NotImplementedError

        @staticmethod
        def jvp(ctx, t):
            return -t * ctx.saved_tensors[0].cos()

    value, tangent = examine(Subject(Wrong.apply, {"x": X}, quantity=FORWARD)).parts
    assert (value.outcome, tangent.outcome) == (AGREES, DISAGREES)


def test_no_forward_mode():
    with pytest.raises(
        InputError, match=r"^the code's forward mode cannot be run: NotImplementedError: You must"
    ):
        examine(Subject(with_slope(torch.sin, torch.cos), {"x": X}, quantity=FORWARD))


def test_no_second_derivative():
    with pytest.raises(
        InputError, match=r"^the code's backward cannot be run: RuntimeError: a backward is marked"
    ):
        examine(Subject(lambda x: OnceDifferentiable.apply(x) * x, {"x": X}, quantity=SECOND))


def test_some_rows_of_the_hessian():
    examination = examine(Subject(lambda x: x**3, {"x": X}, quantity=SECOND, rows={"x": (1,)}))
    assert [part.name for part in examination.parts] == ["value", "x", "x[1] x", "x[1] grad_output"]
    assert examination.outcome is AGREES


def test_digits_of_a_gradient_that_cancels_to_nothing():
    assert examined(lambda x: x.sin() ** 2 + x.cos() ** 2, x=X).formula.digits > 70
    wrong = with_slope(lambda x: x.sin() ** 2 + x.cos() ** 2, lambda x: 1e-30 * x)
    assert 25 < examined(wrong, x=X).formula.digits < 35


def test_digits_that_are_gone_needlessly():
    part = examined(tanhshrink, x=torch.tensor([1e-6], dtype=torch.float64))["x"]
    assert part.outcome is AGREES
    assert notes(part) == [Note.INACCURATE]


def test_no_digits_are_missed_where_the_point_allows_none():
    """(x - y)² at two neighbours: nobody can do better."""
    x = torch.tensor(1.0, dtype=torch.float64)
    examination = examined(lambda x, y: (x - y + 1e-20) ** 2, x=x, y=x + 1e-13)
    assert {note for part in examination.parts for note in notes(part)} == {Note.NONE}


def test_digits_are_counted_against_the_whole_tensor():
    part = examined(tanhshrink, x=torch.tensor([1e-6, 1.0], dtype=torch.float64))["x"]
    assert notes(part) == [Note.NONE, Note.NONE]


def test_an_exact_zero_is_never_inaccurate():
    part = examined(lambda x: ((x + 1) - 1 - x) * 1.0, x=torch.tensor([1e-9], dtype=torch.float64))[
        "x"
    ]
    assert notes(part) == [Note.NONE]


def test_accuracy_on_demand():
    found = examined(tanhshrink, x=torch.tensor([1e-6], dtype=torch.float64)).accuracy["x"]
    assert found.agreeing[0] < 8
    assert found.possible[0] > 15
    assert found.is_needless.tolist() == [True]
    point = torch.tensor(1.0, dtype=torch.float64)
    cancelling = examined(lambda x, y: (x - y) ** 2, x=point, y=point + 1e-12).accuracy["x"]
    assert 2 < cancelling.possible[0] < 6
    assert not cancelling.is_needless.any()
    zero = examined(torch.floor, x=X).accuracy["x"]
    assert np.isnan(zero.agreeing).all()


# Tiers.


def test_the_tier_is_the_one_with_the_smaller_allowance(monkeypatch):
    short = examined(lambda x: (x * x).sin(), x=X)["x"]
    assert short.tier == "proved"
    monkeypatch.setattr(array_verdicts, "PROVABLE", 0)
    estimated = examined(lambda x: (x * x).sin(), x=X)["x"]
    assert estimated.tier == "estimated"
    assert (short.verdicts.allowed < estimated.verdicts.allowed).all()


def test_long_programs_are_estimated():
    def code(x):
        for _ in range(60):
            x = (x * 1.1).sin() + x / 3
        return x

    part = examined(code, x=X)["x"]
    assert part.tier == "estimated"
    assert part.outcome is AGREES


WIDE = torch.linspace(-5, 5, 400).to(torch.bfloat16)


def exp_of_square(slope):
    return with_slope(lambda x: torch.exp(-x.pow(2)), slope)


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (exp_of_square(lambda x: -2 * x * torch.exp(-x.pow(2))), AGREES),
        (exp_of_square(lambda x: -2.5 * x * torch.exp(-x.pow(2))), DISAGREES),
    ],
    ids=["right", "wrong"],
)
def test_where_the_estimate_is_blind_there_is_a_proof(code, outcome):
    """In 16 bits one rounding of a square of 25 is a tenth: 32 deviations of it are everything."""
    part = examined(code, x=WIDE)["x"]
    assert part.outcome is outcome
    assert part.count(UNDECIDED) == 0


def test_without_that_proof_it_is_blind(monkeypatch):
    monkeypatch.setattr(array_verdicts, "PROVABLE_IF_BLIND", 0)
    code = exp_of_square(lambda x: -2 * x * torch.exp(-x.pow(2)))
    assert examined(code, x=WIDE)["x"].count(UNDECIDED) > 100


@pytest.mark.parametrize(("factor", "outcome"), [(1.0, AGREES), (1.02, DISAGREES)])
def test_a_kernel_of_several_operations_is_decided_there_as_well(factor, outcome):
    x = torch.tensor([8.0, 6.0, 4.0, -4.0, -7.9375], dtype=torch.bfloat16)
    target = torch.full((5,), 6.25, dtype=torch.bfloat16)

    class Margin(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return torch.nn.functional.soft_margin_loss(x, target, reduction="none")

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return torch.ops.aten.soft_margin_loss_backward(g, x, target, 0) * factor

    part = examined(Margin.apply, x=x)["x"]
    assert part.count(outcome) == 5
    assert part.tier == "estimated"


@pytest.mark.parametrize(
    ("code", "numbers"),
    [
        (torch.round, [8.5, 6.5, -2.5, 7.0]),
        (lambda x: torch.div(x, 0.375, rounding_mode="floor"), [0.75, 1.125, 3.0, -3.375]),
        (lambda x: torch.div(x, 0.375, rounding_mode="floor"), [0.75, 1.13, 3.02, -3.4]),
    ],
    ids=["round at halves", "floor of whole quotients", "floor beside them"],
)
def test_whole_numbers_are_decided_where_torch_computes_them_exactly(code, numbers):
    assert examined(code, x=torch.tensor(numbers, dtype=torch.bfloat16))["value"].outcome is AGREES


def to_centre(factor):
    """Distances of rows among themselves, whose diagonal is 0."""

    def code(x, scale):
        rows = factor_of_backward(x / scale, factor)
        apart = torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist")
        return ((1 + apart) * torch.exp(-apart)).sum()

    return code


def factor_of_backward(x, factor):
    return with_slope(lambda x: x * 1.0, lambda x: torch.full_like(x, factor))(x)


@pytest.mark.parametrize(("factor", "outcome"), [(1.0, AGREES), (1.001, DISAGREES)])
def test_a_number_less_itself_is_0_whatever_was_rounded_before(factor, outcome):
    rows = torch.tensor([[0.3, 1.0], [-0.2, 0.7], [1.5, 0.1]], dtype=torch.float64)
    scale = torch.tensor([0.7], dtype=torch.float64)
    found = examined(to_centre(factor), x=rows, scale=scale)
    assert found["value"].outcome is AGREES
    assert found["x"].outcome is outcome
    assert found["scale"].outcome is outcome


def spectrum(factor):
    """The sizes of a spectrum whose upper bins are empty but for rounding of the window."""

    def code(x):
        window = torch.hann_window(16, dtype=x.dtype)
        whole = torch.fft.rfft(factor_of_backward(x, factor) * window)
        return whole.abs()

    return code


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("number", [-0.8, 0.3, 1.7])
def test_an_empty_bin_of_a_spectrum_points_anywhere(dtype, number):
    found = examined(spectrum(1.0), x=torch.full((16,), number, dtype=dtype))
    assert found.outcome is not DISAGREES
    wrong = examined(spectrum(1.001), x=torch.full((16,), number, dtype=dtype))
    assert wrong["x"].outcome is DISAGREES


def test_a_backward_that_takes_another_branch_than_the_forward_is_wrong():
    """The comparison lies far from its border: no rounding decides it."""
    code = with_slope(torch.nn.functional.relu, lambda x: torch.where(x > 1, 1.0, 0.0))
    assert examined(code, x=X)["x"].outcome is DISAGREES


# Honest code.


@settings(max_examples=40, derandomize=True, deadline=None)
@given(
    seed=some.integers(0, 2**31),
    dtype=some.sampled_from([torch.float64, torch.float32, torch.bfloat16, torch.float16]),
    shape=some.sampled_from([(1,), (4,), (2, 3), (0,)]),
    provable=some.sampled_from([0, 2_000]),
)
def test_honest_code_is_accepted(seed, dtype, shape, provable):
    """Whatever the order of summation, expanded or factored."""
    case = Random(seed)
    if shape == (0,) and case.reduction != "none":
        return
    before, array_verdicts.PROVABLE = array_verdicts.PROVABLE, provable
    try:
        examination = examine(Subject(case.code(), case.inputs(dtype, shape)), case.formula())
    finally:
        array_verdicts.PROVABLE = before
    assert examination.outcome is not DISAGREES
    assert examination.same_function


@settings(max_examples=15, derandomize=True, deadline=None)
@given(
    seed=some.integers(0, 2**31),
    dtype=some.sampled_from([torch.float32, torch.bfloat16, torch.float16]),
)
def test_honest_fused_code_is_accepted(seed, dtype):
    """A kernel that computes in float64 and rounds once, forward and backward."""
    case = Random(seed)
    case.reduction = "none"
    examination = examine(Subject(case.fused(), case.inputs(dtype, (4,))), case.formula())
    assert examination.outcome is not DISAGREES
    assert examination.same_function


def test_the_kernel_is_named_where_its_formula_replays():
    """The kernel of hardsigmoid multiplies by the float32 number nearest a sixth, in float64
    too.
    """
    examination = examined(
        torch.nn.functional.hardsigmoid, x=torch.linspace(-2.5, 2.5, 7, dtype=torch.float64)
    )
    assert examination.outcome is DISAGREES
    assert examination.causes == (
        "x: the formula replays, the kernel, which has 0.1666666716337204, a number of float32, is "
        "off by 3e-08",
    )
    assert examined(torch.nn.functional.hardsigmoid, x=torch.linspace(-2.5, 2.5, 7)).causes == ()


def test_other_causes():
    wrong = examined(with_slope(torch.sin, lambda x: x.cos() * (1 + 2.0**-30)), x=X)
    assert wrong.causes == ("x: the formula is wrong, by 9e-10 at most",)
    other = examined(lambda x: 2 * x.sin(), formula("sin(x)", "x"), x=X)
    assert other.causes == ("value: code and formula are different functions",)


@pytest.mark.parametrize("border", [-3.0, 3.0])
@pytest.mark.parametrize("code", [torch.nn.functional.hardsigmoid, lambda x: (x + 3).clamp(0, 6)])
def test_a_border_that_is_reached_by_an_addition(code, border):
    x = torch.tensor([border, 0.5])
    assert examined(code, x=x)["x"].outcome is AGREES
    assert (
        examined(with_slope(code, lambda x: torch.full_like(x, 2.0)), x=x)["x"].outcome is DISAGREES
    )


@pytest.mark.parametrize(
    "code", [torch.mean, lambda x: torch.nn.functional.layer_norm(x, (2,)).square()]
)
def test_second_derivatives_through_a_division_by_a_count(code):
    x = torch.tensor([[0.5, -1.5], [0.25, 0.75], [2.0, 1.0]])
    examination = examine(Subject(lambda x: code(x * x), {"x": x}, quantity=SECOND))
    assert examination.outcome is AGREES
    assert examination.formula.digits > 60


def test_a_border_within_rounding_that_the_code_finds_equal():
    """The exact value is below the border by a part of an ulp, and torch's is on it."""
    x = torch.tensor([0.1, 0.2, -0.3], dtype=torch.float64)
    assert float(x.sum()) > 0
    code = lambda x: (x.sum() - 5.551115123125783e-17).clamp(min=0)  # noqa: E731
    assert examined(code, x=x)["x"].outcome is AGREES
    assert (
        examined(with_slope(code, lambda x: torch.full_like(x, 2.0)), x=x)["x"].outcome is DISAGREES
    )


def test_what_is_written_to_arguments_is_not_part_of_the_graph():
    buffer = torch.zeros(2, dtype=torch.float64)

    def code(x):
        buffer.add_(x.detach())
        return x.sin()

    assert examined(code, x=X).outcome is AGREES
    assert isinstance(examined(code, x=X).formula, Replayed)


def test_a_backward_that_writes_to_its_grad_output():
    def slope(x):
        return x.cos()

    class Writing(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.sin()

        @staticmethod
        def backward(ctx, g):
            gradient = g * slope(*ctx.saved_tensors)
            g.data.zero_()
            return gradient

    assert examined(Writing.apply, x=X).outcome is AGREES


def test_a_number_that_is_compared_is_rounded_as_the_tensor_is():
    """The norm is 1e-12 as a float32, which is not 1e-12."""
    x = torch.full((2, 3), -5.7735023e-13)
    assert examined(lambda x: torch.nn.functional.normalize(x, dim=-1), x=x).outcome is AGREES


def test_a_reference_may_detach():
    twin = Reference(lambda x: x.sin() * x.detach())
    code = with_slope(lambda x: x.sin() * x, lambda x: x.cos() * x)
    assert examine(Subject(code, {"x": X}, honour_detach=True), twin).outcome is AGREES
    assert examine(Subject(code, {"x": X}), twin)["x"].outcome is DISAGREES


def test_nan_beside_a_result_that_does_not_exist():
    """The second derivative is that of a sum, of which one term is the root of -0.5."""
    x = torch.tensor([-0.5, 0.5])
    examination = examine(Subject(torch.sqrt, {"x": x}, quantity=SECOND))
    assert examination.outcome is UNDECIDED
    apart = examine(Subject(with_slope(torch.sqrt, lambda x: x * float("nan")), {"x": x.abs()}))
    assert apart["x"].outcome is DISAGREES
