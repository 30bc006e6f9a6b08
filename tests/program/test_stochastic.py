"""Noisy replays: each operation is moved by about its own rounding, equal numbers alike; what is
open is said.
"""

import numpy as np
import pytest
import torch

from verifier.operations.formats import BFLOAT16, CODE_FORMATS, FLOAT16, FLOAT32, FLOAT64
from verifier.program.builder import Builder
from verifier.program.evaluation.stochastic import (
    DEVIATIONS,
    GAIN,
    NoiseArithmetic,
    arithmetic_for,
    deviations,
)
from verifier.program.program import evaluate

FORMATS = tuple(CODE_FORMATS.values())
X, Y = (np.random.default_rng(seed).uniform(1, 2, 500) for seed in (0, 1))


def prepared(function, format, given):
    build = Builder()
    nodes = [build.input(name, np.shape(value)) for name, value in given.items()]
    with build.rounding(format):
        result = function(build, *nodes)
    return build.program(result)


def deviation(function, format, **given):
    program = prepared(function, format, given)
    given = {name: np.asarray(value, float) for name, value in given.items()}
    return deviations(program, given, arithmetic_for(program))[0]


OPERATIONS = {
    "add": (lambda b, x, y: b.apply("add", x, y), np.add, 1.0),
    "multiply": (lambda b, x, y: b.apply("multiply", x, y), np.multiply, 1.0),
    "divide": (lambda b, x, y: b.apply("divide", x, y), np.divide, 2.0),
    "exp": (lambda b, x, y: b.apply("exp", x), lambda x, y: np.exp(x), 2.0),
    "round": (lambda b, x, y: b.round(x, b._format), lambda x, y: x, 1.0),
}


@pytest.mark.parametrize("format", FORMATS, ids=lambda known: known.name)
@pytest.mark.parametrize("name", OPERATIONS)
def test_single_operations_are_moved_by_their_rounding(name, format):
    """Evenly between plus and minus so many units of roundoff: the deviation is 0.58 of that."""
    function, exact, units = OPERATIONS[name]
    found = (
        deviation(function, format, x=X, y=Y) / np.abs(exact(X, Y)) / (units * format.unit_roundoff)
    )
    assert 0.5 < np.median(found) < 0.65
    assert 0.1 < found.min() < found.max() < 1.0


@pytest.mark.parametrize("format", (FLOAT32, BFLOAT16, FLOAT16), ids=lambda known: known.name)
def test_true_roundings_are_within_a_factor(format):
    """A product rounded by torch is off by at most two deviations in the median, and never
    by 32.
    """
    dtype = getattr(torch, format.name)
    x, y = (torch.tensor(part).to(dtype) for part in (X, Y))
    exact = x.double() * y.double()
    error = ((x * y).double() - exact).abs().numpy()
    found = deviation(OPERATIONS["multiply"][0], format, x=x.double().numpy(), y=y.double().numpy())
    assert 0.3 < np.median(error) / np.median(found) < 3.0
    assert (error <= DEVIATIONS * found).all()


@pytest.mark.parametrize("name", ["negative", "abs", "floor", "maximum", "sign", "where"])
def test_exact_operations_are_not_moved(name):
    def function(build, x):
        conditions = (build.apply("less", x, build.constant(5.0)),) if name == "where" else ()
        return build.apply(
            name, *conditions, *(x for _ in range(2 if name in ("maximum", "where") else 1))
        )

    assert (deviation(function, FLOAT32, x=X) == 0).all()


def test_what_is_not_rounded_is_not_moved():
    assert (deviation(OPERATIONS["multiply"][0], None, x=X, y=Y) == 0).all()


@pytest.mark.parametrize("format", [FLOAT64, FLOAT32])
def test_equal_products_are_moved_alike(format):
    """The roundings of 10,000 identical products add up; those of different ones cancel."""

    def products_summed_exactly(build, x, y):
        product = build.apply("multiply", x, y)
        with build.rounding(None):
            return build.sum(product, (0,))

    same = deviation(
        products_summed_exactly, format, x=np.full(10_000, 0.1), y=np.full(10_000, 0.3)
    )
    apart = deviation(
        products_summed_exactly, format, x=0.1 + np.arange(10_000) * 1e-9, y=np.full(10_000, 0.3)
    )
    assert 0.2 < same / (300 * format.unit_roundoff) < 1.0
    assert apart < 0.05 * same


def test_a_sum_of_identical_products_is_allowed_what_torch_does():
    x, y = torch.full((10_000,), 0.1), torch.full((10_000,), 0.3)
    exact = 10_000 * float(x[0].double() * y[0].double())
    stated = [float(total) for total in ((x * y).sum(), x @ y, torch.cumsum(x * y, 0)[-1])]
    found = deviation(
        lambda b, x, y: b.sum(b.apply("multiply", x, y), (0,)), FLOAT32, x=x.numpy(), y=y.numpy()
    )
    assert max(abs(number - exact) for number in stated) <= DEVIATIONS * found
    assert DEVIATIONS * found < 1000 * exact * FLOAT32.unit_roundoff


def test_gain_is_taken_back():
    program = prepared(OPERATIONS["multiply"][0], FLOAT32, {"x": X, "y": Y})
    given = {"x": X, "y": Y}
    plain, loud = (
        deviations(program, given, NoiseArithmetic(program.positive, gain))[0]
        for gain in (1.0, GAIN)
    )
    np.testing.assert_allclose(np.median(plain), np.median(loud), rtol=0.1)


def test_float64_needs_the_gain():
    """A single rounding of float64's own size is not seen in float64: some deviations would
    be 0.
    """
    program = prepared(OPERATIONS["multiply"][0], FLOAT64, {"x": X, "y": Y})
    given = {"x": X, "y": Y}
    assert (deviations(program, given, NoiseArithmetic(program.positive, 1.0))[0] == 0).any()
    assert (deviations(program, given, arithmetic_for(program))[0] > 0).all()


def test_float64_beside_float32_is_seen_too():
    build = Builder()
    x = build.input("x", X.shape)
    with build.rounding(FLOAT32):
        single = build.apply("multiply", x, x)
    with build.rounding(FLOAT64):
        double = build.apply("multiply", x, x)
    program = build.program(single, double, build.apply("subtract", single, double))
    found = deviations(program, {"x": X}, arithmetic_for(program))
    for values, known in zip(found, (FLOAT32, FLOAT64, FLOAT32), strict=True):
        assert 0.5 < np.median(values / X**2) / known.unit_roundoff < 0.65
        assert (values > 0).all()


@pytest.mark.parametrize("format", FORMATS, ids=lambda known: known.name)
def test_underflow_may_lose_half_a_subnormal(format):
    x = np.sqrt(format.smallest_normal) * np.array([0.5, 0.01])
    found = deviation(lambda b, x: b.apply("multiply", x, x), format, x=x)
    assert (found > 0.1 * format.smallest_subnormal).all()
    assert (found <= format.smallest_subnormal).all()


def test_a_function_may_flush_to_zero():
    x = np.array([-88.0, -100.0, -103.0])
    found = deviation(lambda b, x: b.apply("exp", x), FLOAT32, x=x)
    assert (DEVIATIONS * found > np.exp(x)).all()
    assert deviation(lambda b, x: b.apply("exp", x), FLOAT32, x=-80.0) < 1e-6 * np.exp(-80.0)


def product(format, *rows):
    return deviation(lambda b, x, y: b.contract(x, y), format, x=[rows], y=[[0.5], [0.5]])[0, 0]


@pytest.mark.parametrize("format", (FLOAT32, BFLOAT16), ids=lambda known: known.name)
def test_a_product_of_matrices_may_take_subnormals_for_zero(format):
    small = 0.75 * format.smallest_normal
    assert DEVIATIONS * product(format, small, 0.0) > 0.5 * small
    assert DEVIATIONS * product(format, small, 1.0) < 4 * DEVIATIONS * format.unit_roundoff


@pytest.mark.parametrize("format", (FLOAT16, FLOAT64), ids=lambda known: known.name)
def test_others_have_subnormals_in_products_too(format):
    small = 0.75 * format.smallest_normal
    assert product(format, small, 0.0) < 2 * format.smallest_subnormal


def test_sizes_whose_squares_leave_float64():
    x = np.array([1e-120, 1e-150, 1e120, 1e150])
    found = (
        deviation(lambda b, x: b.apply("multiply", x, x), FLOAT64, x=x)
        / x**2
        / FLOAT64.unit_roundoff
    )
    assert (found[[0, 2, 3]] > 0.1).all()
    assert (found < 1.0).all()


@pytest.mark.parametrize(
    ("format", "x"), [(FLOAT16, 300.0), (BFLOAT16, 2e19), (FLOAT32, 2e19), (FLOAT64, 1.4e154)]
)
def test_overflow_is_not_finite(format, x):
    assert not np.isfinite(deviation(lambda b, x: b.apply("multiply", x, x), format, x=x))


def opened(function, format=FLOAT32, **given):
    program = prepared(function, format, given)
    arithmetic = arithmetic_for(program)
    evaluate(program, arithmetic, {name: np.asarray(value, float) for name, value in given.items()})
    return [
        {program.nodes[place].operation: mask.tolist() for place, mask in found.items()}
        for found in (arithmetic.open, arithmetic.ties)
    ]


def test_ties_are_kinks_and_stay_together():
    assert opened(lambda b, x: b.apply("greater", x, b.constant(0)), x=[0.0, 1.0]) == [
        {"greater": [True, False]}, {"greater": [True, False]},
    ]  # fmt: skip
    assert opened(lambda b, x: b.apply("sign", x), x=[0.0, -0.0, 1e-300]) == [
        {"sign": [True, True, False]}, {"sign": [True, True, False]},
    ]  # fmt: skip
    assert opened(lambda b, x: b.apply("greater", x, b.constant(0)), x=[0.1, 1.0]) == [{}, {}]


def test_at_a_tie_the_sides_do_not_widen_the_allowance():
    """A third of the replays takes each side; within a side nothing moves."""
    assert (
        deviation(
            lambda b, x: b.apply(
                "where", b.apply("greater", x, b.constant(0)), b.constant(1.0), b.constant(0.0)
            ),
            FLOAT32,
            x=0.0,
        )
        == 0.0
    )


def test_near_ties_are_open_but_no_kinks():
    def near(build, x, y):
        return build.apply("greater", build.apply("multiply", x, y), build.constant(0.03))

    third = float(np.float32(0.3))
    assert opened(near, x=[0.1, 0.1], y=[third, 0.4]) == [{"greater": [True, False]}, {}]
    assert opened(near, FLOAT64, x=[0.1, 0.1], y=[third, 0.4]) == [{}, {}]


def test_the_same_seed_gives_the_same_noise():
    program = prepared(OPERATIONS["exp"][0], FLOAT32, {"x": X, "y": Y})
    one, two, other = (
        deviations(program, {"x": X}, arithmetic_for(program, seed))[0] for seed in (0, 0, 1)
    )
    assert (one == two).all()
    assert (one != other).any()


def test_arrays_without_elements():
    assert deviation(lambda b, x: b.sum(x, (0,)), FLOAT32, x=np.zeros((0, 2))).tolist() == [
        0.0,
        0.0,
    ]
    assert deviation(lambda b, x: b.apply("exp", x), FLOAT32, x=np.zeros((0, 2))).shape == (0, 2)


def test_a_comparison_of_a_number_that_rounding_moves_anywhere_is_open():
    def chosen(b, x, y, z):
        quotient = b.apply("divide", y, b.apply("subtract", b.apply("add", x, y), x))
        return b.apply("where", b.apply("greater", quotient, b.constant(0)), z, b.constant(0))

    given = {"x": [1.0, 1.0], "y": [2.0**-9, 1.0], "z": [3.0, 3.0]}
    program = prepared(chosen, BFLOAT16, given)
    noise = arithmetic_for(program)
    deviations(program, {name: np.array(value) for name, value in given.items()}, noise)
    (open_,) = noise.open.values()
    assert open_.tolist() == [True, False]
    assert deviation(chosen, BFLOAT16, **given)[0] > 1
    assert deviation(chosen, BFLOAT16, **given)[1] == 0


@pytest.mark.parametrize(("row", "decided"), [("exp", True), ("sinh", False)])
def test_rounding_makes_no_sum_of_exponentials_zero(row, decided):
    # In 16 bits 32 standard deviations reach further than the sum is large.
    build = Builder()
    x = build.input("x", (8,))
    with build.rounding(BFLOAT16):
        total = build.sum(build.apply(row, build.apply("multiply", x, build.constant(1.1))), (0,))
        inverse = build.apply("divide", build.constant(1.0), total)
    program = build.program(inverse)
    given = {"x": np.linspace(-3.0, 3.01, 8)}
    (deviation,) = deviations(program, given, arithmetic_for(program))
    assert bool(np.isfinite(deviation).all()) is decided
