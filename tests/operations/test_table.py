"""Every function of the table against Arb: torch's and NumPy's values and derivatives over its
domain.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import sympy
import torch
from flint import arb

import verifier
from tests.helpers.honest import verdicts
from verifier import functions
from verifier.formula import overloads
from verifier.formula.arrays import functions as array_functions
from verifier.judging.formulas import Judge
from verifier.judging.verdict import Outcome
from verifier.operations.formats import FLOAT32, FLOAT64
from verifier.operations.operation import EXACT, REALS, Absent, Call
from verifier.operations.table import COMPOSITIONS, ROWS, TABLE
from verifier.program.builder import FormulaBuilder
from verifier.program.codegen import NUMPY, TORCH, function
from verifier.program.evaluation.arithmetic import NumPyArithmetic, balls
from verifier.program.evaluation.balls import EnclosingArithmetic
from verifier.program.gradients.formula_gradient import differentiate
from verifier.program.program import evaluate

KNOWN = json.loads((Path(__file__).parents[1] / "known_defects.json").read_text())
CONDITIONS = {"equal", "not_equal"}
NAMES = sorted(overloads.callable_names() - CONDITIONS - {"where"})
POINTS = 300
FLAT = ("sign", "floor", "ceiling", "heaviside")
INSIDE = {"acosh": 1.625, "zeta": 2.625, "asec": 1.625, "acsc": 1.625, "acoth": 1.625}
EDGES = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 3.0, 1e-10, -1e-10, 1e-37, 20.0, -20.0]


@pytest.mark.parametrize("name", ["polygamma", "zeta"])
def test_far_to_the_left_numpy_has_no_value(name):
    """SciPy adds up as many terms as the number is large, which takes minutes."""
    order = {"polygamma": 1, "zeta": 2.0}[name]
    found = TABLE[name].numpy.function(order, np.array([-1e12 - 0.5, -5.5, 2.0]))
    assert np.isnan(found).tolist() == [True, False, False]
    assert found[1:] == pytest.approx([9.7033, 0.644934], rel=1e-5)


def row_of(name):
    return TABLE[name] if name in TABLE else COMPOSITIONS[name]


def torch_call(name):
    """How torch calls it; a composition has no call."""
    return getattr(row_of(name), "torch", None)


def written(name):
    """The function as a program, and the names of the arguments that may vary and that torch
    differentiates.
    """
    row = row_of(name)
    count = max(overloads.argument_count(name)[0], len(row.measured))
    whole, lost = getattr(row, "whole", ()), getattr(row, "lost", ())
    builder = FormulaBuilder()
    names = [f"argument_{place}" for place in range(count)]
    nodes = [
        builder.constant(1) if place in whole else builder.input(part)
        for place, part in enumerate(names)
    ]
    program = builder.program(overloads.write_call(name, builder, nodes))
    varying = [part for place, part in enumerate(names) if place not in whole]
    return (
        program,
        varying,
        [part for place, part in enumerate(names) if place not in lost and part in varying],
    )


def points(name, varying, format):
    row = row_of(name)
    generator = np.random.default_rng(1)
    at = {}
    with np.errstate(over="ignore"):
        for place, part in enumerate(varying):
            interval = row.measured[
                min(place + len(getattr(row, "whole", ())), len(row.measured) - 1)
            ]
            edges = [edge for edge in EDGES if interval.low <= edge <= interval.high]
            drawn = np.concatenate(
                [interval.sample(POINTS, generator), generator.permutation(edges)]
            )
            at[part] = np.resize(drawn, POINTS + len(EDGES) + 2).astype(format.name)
    return at


def judged(name, library, format):
    program, varying, differentiated = written(name)
    at = points(name, varying, format)
    if not differentiated or name in FLAT:
        return {"value": value_alone(program, library, format, at)}
    found = verdicts(program, differentiated, format, library, at)
    return dict(zip(["value", *differentiated], found, strict=True))


def value_alone(program, library, format, at):
    language = {"torch": TORCH, "numpy": NUMPY}[library]
    given = {
        part: torch.tensor(values) if library == "torch" else values for part, values in at.items()
    }
    with np.errstate(all="ignore"):
        stated = np.asarray(
            function("f", ", ".join(given), program, language)(*given.values()), dtype=np.float64
        )
    arguments = {part: values.astype(np.float64)[:, None] for part, values in at.items()}
    return Judge(program, format, library).verdicts(arguments, [stated], [stated])[0]


@pytest.mark.sweep("name", "library")
@pytest.mark.parametrize("format", [FLOAT32, FLOAT64], ids=lambda known: known.name)
@pytest.mark.parametrize("library", ["torch", "numpy"])
@pytest.mark.parametrize("name", NAMES)
def test_values_and_derivatives(name, library, format):
    if library == "torch" and isinstance(torch_call(name), Absent):
        pytest.skip("torch has no such function")
    for component, found in judged(name, library, format).items():
        wrong = found.failing & np.isfinite(found.stated)
        listed = {"case": name, "library": library, "dtype": format.name, "component": component}
        if any(listed.items() <= defect.items() for defect in KNOWN):
            assert wrong.any(), f"{listed} is listed as a known defect, but it agrees now"
        else:
            assert not wrong.any(), listed
        decided = found.severity == Outcome.AGREES.severity
        assert wrong.any() or decided.mean() > 0.5 or name in SATURATED, (component, decided.mean())


# Most of their points lie where the derivative underflows to 0, which is as small as what rounding
# explains.
SATURATED = {"erf", "normal_density"}


def test_every_known_defect_is_a_function_of_the_table_or_a_formula():
    assert all(defect["reason"] for defect in KNOWN)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in FLAT and written(name)[2]])
def test_an_error_of_twice_the_allowance_is_found(name):
    """The companion: what agrees above disagrees once it is moved."""
    program, varying, differentiated = written(name)
    at = points(name, varying, FLOAT64)
    honest = verdicts(program, differentiated, FLOAT64, "numpy", at)
    arguments = {part: values.astype(np.float64)[:, None] for part, values in at.items()}
    judge = Judge(differentiate(program, differentiated), FLOAT64, "numpy")
    with np.errstate(all="ignore"):
        moved = [found.centre + 3 * found.allowed + 4 * found.ulp for found in honest]
    for found, planted, again in zip(
        honest, moved, judge.verdicts(arguments, moved, moved), strict=True
    ):
        agreed = (found.severity == Outcome.AGREES.severity) & np.isfinite(planted)
        assert agreed.any()
        assert again.failing[agreed].all()


def test_functions_where_torch_has_no_derivative_are_refused():
    silent = [name for name in NAMES if getattr(row_of(name), "lost", ())]
    of_torch = [name for name in silent if not isinstance(torch_call(name), Absent)]
    assert of_torch == [
        "chebyshevt", "chebyshevu", "copysign", "gammainc", "gammaincc", "hermite", "j0", "j1",
        "laguerre", "legendre", "lowergamma", "polygamma", "uppergamma", "zeta",
    ]  # fmt: skip
    for name in ("j0", "j1"):
        model = verifier.Model.from_text(
            f"{name}(w*x)", inputs="x", start={"w": 1.0}, loss=verifier.squared_error
        )
        with pytest.raises(verifier.InputError) as error:
            _ = model.gradient_program
        assert str(error.value) == (
            f"model model: torch has no derivative of {name}, here {name}(w * x): "
            f"torch.special.bessel_{name} silently gives a result that has no gradient"
        )
    assert not torch.special.bessel_j0(torch.tensor(1.0, requires_grad=True)).requires_grad
    harmless = verifier.Model.from_text(
        "w*j0(x)", inputs="x", start={"w": 1.0}, loss=verifier.squared_error
    )
    assert verifier.train(harmless, data={"x": [1.0], "y": [2.0]}, epochs=2).ok


@pytest.mark.parametrize("name", NAMES)
def test_numbers_symbols_and_nodes_mean_the_same(name):
    program, varying, _ = written(name)
    at = dict.fromkeys(varying, INSIDE.get(name, 0.625))
    whole = [1] * (
        max(overloads.argument_count(name)[0], len(row_of(name).measured)) - len(varying)
    )
    on_numbers = overloads.apply_function(name, [*whole, *at.values()])
    (exact,) = evaluate(
        program,
        EnclosingArithmetic(),
        {part: balls(np.array([value])) for part, value in at.items()},
    )
    (numeric,) = evaluate(program, NumPyArithmetic("float64"), at)
    expected = float(np.ravel(exact)[0])
    assert on_numbers == pytest.approx(expected, rel=1e-13, abs=1e-13)
    assert float(numeric) == pytest.approx(expected, rel=1e-13, abs=1e-13)
    symbolic = overloads.apply_function(
        name, [*map(sympy.Integer, whole), *map(sympy.Rational, at.values())]
    )
    assert float(symbolic.evalf(25)) == pytest.approx(expected, rel=1e-13, abs=1e-13)


def test_every_row_says_where_and_how_well_it_is_computed():
    for row in ROWS:
        assert row.domain, row.name
        assert len(row.measured) <= row.arguments or row.measured == (REALS,), row.name
        for library in ("torch", "numpy"):
            assert 0 <= row.budget.of(library) <= 512, row.name
        if row.budget is not EXACT and isinstance(row.torch, Call) and row.name != "where":
            assert row.derivatives is not None or isinstance(row.sympy, type), row.name


def test_the_list_of_functions_is_the_table():
    of_numbers = (overloads.callable_names() | {"pi", "e", "piecewise"}) - {"abs"}
    assert set(functions.__all__) == of_numbers | array_functions.FUNCTIONS.keys()
    with pytest.raises(AttributeError, match=r"verifier.functions has no 'nothing': it has acos, "):
        _ = functions.nothing
    with pytest.raises(TypeError, match=r"^atan2 takes 2 arguments, not 1$"):
        functions.atan2(1.0)
    with pytest.raises(TypeError, match=r"^maximum takes 2 arguments or more, not 1$"):
        functions.maximum(1.0)
    with pytest.raises(TypeError, match=r"^elu takes 1 to 2 arguments, not 3$"):
        functions.elu(1.0, 2.0, 3.0)


@pytest.mark.parametrize("far", [1.0, 60.0, 1e5, 3e38])
def test_beside_a_large_number_a_small_one_adds_nothing(far):
    """log(exp(a) + exp(b)) begins from the larger one, whichever stands first."""
    row = TABLE["logaddexp"]
    for one, other in ((-far, 4.25), (4.25, -far)):
        (ball,) = row.arb(*(np.array([arb(number)], dtype=object) for number in (one, other)))
        assert ball > 4.25 - 1e-12 and ball < 4.256
    (wide,) = row.arb(np.array([arb(far, far / 2)]), np.array([arb(far, far / 2)]))
    assert wide.contains(arb(far)) and wide.is_finite()
