"""Proved allowances hold whatever honest code states, and what lies outside them is seen."""

import numpy as np
import pytest
import torch
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as some

from tests.helpers.rewriting import Case as Random
from verifier.capture.autograd_derivatives import Joint
from verifier.capture.joint_graph import captured
from verifier.capture.lowering import lowered, plain
from verifier.operations.formats import BFLOAT16, FLOAT16, FLOAT32, FLOAT64
from verifier.program.builder import Builder
from verifier.program.evaluation.balls import BallArithmetic, replay
from verifier.program.evaluation.proved_allowance import BITS, proved
from verifier.program.program import NOTHING

DTYPES = {
    torch.float64: FLOAT64,
    torch.float32: FLOAT32,
    torch.bfloat16: BFLOAT16,
    torch.float16: FLOAT16,
}


def one(function, format, *values):
    build = Builder()
    nodes = [build.input(f"x{place}", np.shape(value)) for place, value in enumerate(values)]
    with build.rounding(format):
        program = build.program(function(build, *nodes))
    return proved(
        program, {f"x{place}": np.asarray(value, float) for place, value in enumerate(values)}
    )[0]


def joint_program(code, inputs):
    tensors = [*inputs.values()]
    result = code(*tensors)
    seed = torch.linspace(-1, 1.5, max(1, result.numel())).to(result.dtype).reshape(result.shape)
    joint = Joint(code, tuple(range(len(tensors))), 1)
    arguments = [*tensors, seed]
    names = [*inputs, "seed"]
    low = lowered(captured(joint, arguments), names, arguments)
    kept = [
        (node, value)
        for node, value in zip(low.results, joint(*arguments), strict=True)
        if node is not None
    ]
    program = low.builder.program(*(node for node, _ in kept))
    return (
        program,
        {name: plain(value) for name, value in zip(names, arguments, strict=True)},
        [plain(value) for _, value in kept],
    )


@settings(max_examples=40, derandomize=True, deadline=None)
@given(seed=some.integers(0, 2**31), dtype=some.sampled_from(list(DTYPES)))
def test_what_torch_states_is_inside(seed, dtype):
    case = Random(seed)
    inputs = case.inputs(dtype, (3,))
    tree = case.tree
    from tests.helpers.rewriting import computed

    program, arguments, stated = joint_program(
        lambda x, y: computed(tree, {"x": x, "y": y}), inputs
    )
    for balls, numbers in zip(proved(program, arguments), stated, strict=True):
        for ball, number in zip(np.ravel(balls), np.ravel(numbers), strict=True):
            # What overflows is not finite, and its ball says nothing.
            assert not ball.is_finite() or arb(float(number)) in ball


@settings(max_examples=25, derandomize=True, deadline=None)
@given(seed=some.integers(0, 2**31))
def test_it_holds_the_exact_value_and_not_much_more(seed):
    """The radius is a number of units of roundoff of the largest number on the way, not a number of
    percent.
    """
    case = Random(seed)
    inputs = case.inputs(torch.float64, (3,))
    from tests.helpers.rewriting import computed

    program, arguments, _ = joint_program(
        lambda x, y: computed(case.tree, {"x": x, "y": y}), inputs
    )
    for balls, exact in zip(
        proved(program, arguments), replay(program, arguments, BallArithmetic()), strict=True
    ):
        for ball, value in zip(np.ravel(balls), np.ravel(exact), strict=True):
            assert ball.overlaps(value)


def test_a_violation_is_found_when_the_budget_is_cut(monkeypatch):
    """With a unit roundoff of 2**-30 for float32's 2**-24, what torch states falls outside."""
    from dataclasses import replace

    inputs = {"x": torch.linspace(0.1, 2, 20)}
    program, arguments, (stated, _) = joint_program(lambda x: (x * x).exp().sin(), inputs)
    cut = replace(FLOAT32, precision=30)

    def outside(program):
        balls = proved(program, arguments)[0]
        return sum(
            arb(float(number)) not in ball for ball, number in zip(balls, stated, strict=True)
        )

    assert outside(program) == 0
    nodes = tuple(
        replace(node, format=cut if node.format is FLOAT32 else node.format)
        for node in program.nodes
    )
    assert outside(replace(program, nodes=nodes)) > 10


@pytest.mark.parametrize("format", DTYPES.values(), ids=lambda known: known.name)
def test_single_roundings(format):
    """Products round once, quotients and square roots twice, negation never."""
    u = format.unit_roundoff
    for function, values, exact, units in (
        (lambda b, x, y: b.apply("multiply", x, y), (1.5, 1.25), 1.875, 1),
        (lambda b, x, y: b.apply("divide", x, y), (1.5, 1.25), 1.2, 2),
        (lambda b, x: b.apply("sqrt", x), (2.25,), 1.5, 2),
        (lambda b, x: b.apply("negative", x), (1.5,), -1.5, 0),
    ):
        radius = float(one(function, format, *values)[()].rad())
        assert radius <= 1.01 * units * u * abs(exact)
        assert radius >= 0.99 * units * u * abs(exact)


@pytest.mark.parametrize(
    "order", [np.arange(100), np.arange(100)[::-1], np.random.default_rng(0).permutation(100)]
)
def test_sums_in_any_order(order):
    values = (
        np.random.default_rng(1).normal(size=100)
        * 10.0 ** np.random.default_rng(2).integers(-3, 4, 100)
    ).astype("f4")
    ball = one(lambda b, x: b.sum(x, (0,)), FLOAT32, values)[()]
    total = np.float32(0)
    for value in values[order]:
        total = np.float32(total + value)
    assert arb(float(total)) in ball
    assert ball.rad() <= 100 * 2.0**-24 * float(np.abs(values).sum())


def test_an_exact_sum_has_no_radius_of_its_own_but_an_allowance():
    assert one(lambda b, x: b.sum(x, (0,)), FLOAT32, [1.0, 2.0, 3.0])[()].rad() > 0
    assert one(lambda b, x: b.sum(x, (0,)), FLOAT32, [1.0])[()].rad() == 0
    assert one(lambda b, x: b.sum(x, (0,)), FLOAT32, [0.0, 0.0])[()] == 0
    assert one(lambda b, x: b.sum(x, (0,)), None, [1.0, 2.0, 3.0])[()].rad() == 0


def test_piles_and_products_of_matrices():
    piled = one(lambda b, x: b.pile(x, [0, 0, 1, NOTHING], (3,)), FLOAT32, [1.0, 2.0, 3.0, 4.0])
    assert [float(ball.mid()) for ball in piled] == [3.0, 3.0, 0.0]
    product = one(lambda b, x, y: b.contract(x, y), FLOAT32, np.ones((2, 3)), np.ones((3, 1)))
    assert product.shape == (2, 1)
    assert 0 < product[0, 0].rad() <= 3 * 3 * 2.0**-24 * 1.01


@pytest.mark.parametrize("shape", [(), (1,), (2, 2)])
@pytest.mark.parametrize("value", [1e-30, 1e30, 0.0])
def test_underflow_and_overflow_in_every_shape(shape, value):
    balls = one(lambda b, x: b.apply("multiply", x, x), FLOAT32, np.full(shape, value))
    assert balls.shape == shape
    for ball in np.ravel(balls):
        assert (
            (ball == 0)
            if value == 0
            else (arb(0) in ball and ball.rad() < 1e-44)
            if value < 1
            else not ball.is_finite()
        )


def test_an_open_comparison_gives_no_bound():
    build = Builder()
    x = build.input("x", ())
    with build.rounding(FLOAT32):
        product = build.apply("multiply", x, build.constant(0.1))
        result = build.apply(
            "where", build.apply("greater", product, build.constant(0.03)), x, product
        )
    program = build.program(result, product)
    open_, around = proved(program, {"x": np.asarray(0.3)})
    assert not open_[()].is_finite()
    assert around[()].is_finite()
    assert all(ball[()].is_finite() for ball in proved(program, {"x": np.asarray(0.5)}))


def test_a_sign_on_rounded_numbers_is_open_as_well():
    """A ball around 0 has both signs; a derivative that multiplies by it is not bounded by one of
    them.
    """
    ball = one(
        lambda b, x: b.apply(
            "sign", b.apply("subtract", b.apply("multiply", x, b.constant(0.1)), b.constant(0.03))
        ),
        FLOAT32,
        0.3,
    )
    assert ball is None or (arb(1) in ball[()] and arb(-1) in ball[()])


def test_constants_that_the_format_does_not_hold():
    build = Builder()
    with build.rounding(FLOAT32):
        tenth, half = build.constant(0.1), build.constant(0.5)
    table = build.constant([0.1, 0.2])
    found = proved(build.program(tenth, half, table), {})
    assert arb(float(np.float32(0.1))) in found[0][()]
    assert found[1][()] == arb(0.5)
    assert found[2][0] == arb(0.1)
    for name in ("float16", "bfloat16"):
        with build.rounding({"float16": FLOAT16, "bfloat16": BFLOAT16}[name]):
            (narrow,) = proved(build.program(build.constant(0.1)), {})
        assert arb(float(torch.tensor(0.1, dtype=getattr(torch, name)))) in narrow[()]


def test_the_precision_is_its_own():
    import flint

    before = flint.ctx.prec
    one(lambda b, x: b.apply("exp", x), FLOAT32, 1.0)
    assert flint.ctx.prec == before
    assert FLOAT64.precision < BITS
