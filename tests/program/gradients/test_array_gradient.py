"""Gradients of array programs: against autograd, against finite differences in Arb, and in dead
branches.
"""

import math

import numpy as np
import pytest
import torch
from flint import arb

from tests.helpers.reading import agreeing_digits
from verifier.program.builder import Builder
from verifier.program.evaluation.arithmetic import middle, precision
from verifier.program.evaluation.balls import BallArithmetic, replay
from verifier.program.gradients.array_gradient import gradients
from verifier.program.matrices.spectra import Singular
from verifier.program.program import NOTHING

GENERATOR = np.random.default_rng(7)
X, Y = GENERATOR.normal(size=(2, 3)), GENERATOR.normal(size=(2, 3))


def replayed(build, nodes, **given):
    return replay(
        build.program(*nodes),
        {name: np.asarray(value, float) for name, value in given.items()},
        BallArithmetic(),
    )


def derivative(function, **given):
    """What a function of nodes has as derivatives by its inputs, times a seed of its own, as
    float64.
    """
    build, by, result, seed = prepared(function, given)
    found = gradients(build, {result: build.input("seed", build.shape(result))}, by)
    return [middle(balls) for balls in replayed(build, found, seed=seed, **given)]


def prepared(function, given):
    build = Builder()
    by = [build.input(name, np.shape(value)) for name, value in given.items()]
    result = function(build, *by)
    return build, by, result, np.random.default_rng(1).normal(size=build.shape(result))


def differences(function, **given):
    """Central differences at 1e-30 with 300 bits: right to 50 digits or so."""
    build, _, result, seed = prepared(function, given)
    program, step, found = build.program(result), arb(10) ** -30, []

    def at(name, place, sign):
        moved = {
            key: np.vectorize(arb, otypes=[object])(np.asarray(value, float))
            for key, value in given.items()
        }
        moved[name].flat[place] = moved[name].flat[place] + sign * step
        (balls,) = evaluated(program, moved)
        return sum(
            (a * arb(float(b)) for a, b in zip(np.ravel(balls), np.ravel(seed), strict=True)),
            arb(0),
        )

    with precision(300):
        for name, value in given.items():
            rows = [
                (at(name, place, 1) - at(name, place, -1)) / (2 * step)
                for place in range(np.size(value))
            ]
            found.append(np.array([float(ball) for ball in rows]).reshape(np.shape(value)))
    return found


class Given(BallArithmetic):
    """Balls that are given as balls."""

    def input(self, value):
        return value


def evaluated(program, given):
    from verifier.program.program import evaluate

    return evaluate(program, Given(), given)


KINDS = {
    "multiply": (lambda b, x, y: b.apply("multiply", x, y), {"x": X, "y": Y}),
    "divide": (lambda b, x, y: b.apply("divide", x, y), {"x": X, "y": Y}),
    "power": (lambda b, x, y: b.apply("power", b.apply("exp", x), y), {"x": X, "y": Y}),
    "broadcast rows": (lambda b, x, y: b.apply("multiply", x, y), {"x": X, "y": Y[0]}),
    "broadcast columns": (lambda b, x, y: b.apply("divide", y, x), {"x": X, "y": Y[:, :1]}),
    "broadcast both": (lambda b, x, y: b.apply("multiply", x, y), {"x": X[:1].T, "y": Y[:1]}),
    "broadcast a number": (
        lambda b, x, y: b.apply("subtract", b.apply("square", y), x),
        {"x": X, "y": 0.3},
    ),
    "used twice": (
        lambda b, x: b.apply("multiply", b.apply("sin", x), b.apply("exp", x)),
        {"x": X},
    ),
    "reshape": (lambda b, x: b.apply("sin", b.reshape(b.apply("exp", x), (3, 2))), {"x": X}),
    "permute": (lambda b, x: b.apply("sin", b.permute(x, (1, 0))), {"x": X}),
    "take": (lambda b, x: b.apply("exp", b.take(x, [0, 5, 0, NOTHING])), {"x": X}),
    "take once": (lambda b, x: b.apply("exp", b.take(x, [[5, NOTHING], [1, 3]])), {"x": X}),
    "pile": (lambda b, x: b.apply("exp", b.pile(x, [[0, 0, 2], [1, NOTHING, 2]], (4,))), {"x": X}),
    "join": (lambda b, x, y: b.apply("exp", b.join([y, x, y])), {"x": X, "y": Y[0]}),
    "sum": (lambda b, x: b.apply("exp", b.sum(x, (0,))), {"x": X}),
    "sum of all": (lambda b, x: b.apply("exp", b.sum(b.apply("square", x), (0, 1))), {"x": X}),
    "contract": (
        lambda b, x, y: b.apply("tanh", b.contract(x, b.permute(y, (1, 0)))),
        {"x": X, "y": Y},
    ),
    "contract many": (
        lambda b, x, y: b.contract(b.reshape(x, (2, 1, 3)), b.reshape(y, (2, 3, 1))),
        {"x": X, "y": Y},
    ),
    "where": (
        lambda b, x, y: b.apply("where", b.apply("greater", x, y), b.apply("exp", x), y),
        {"x": X, "y": Y},
    ),
    "where of a number": (
        lambda b, x, y: b.apply(
            "where", b.apply("greater", x, b.constant(0)), b.apply("multiply", y, y), x
        ),
        {"x": X, "y": 0.7},
    ),
    "maximum": (lambda b, x, y: b.apply("maximum", x, y), {"x": X, "y": Y}),
    "singular values": (lambda b, x: b.matrix(Singular(None), x), {"x": X}),
    "abs": (lambda b, x: b.apply("abs", x), {"x": X}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_against_finite_differences(kind):
    function, given = KINDS[kind]
    for one, other, value in zip(
        derivative(function, **given), differences(function, **given), given.values(), strict=True
    ):
        assert one.shape == np.shape(value)
        np.testing.assert_allclose(one, other, rtol=1e-14, atol=1e-25)


def test_a_wrong_derivative_would_be_seen():
    function, given = KINDS["sum"]
    (one,), (other,) = derivative(function, **given), differences(function, **given)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(one * (1 + 1e-13), other, rtol=1e-14, atol=1e-25)


AUTOGRAD = {
    "products": lambda x, y: (x * y / (1 + y * y)).exp().sum(0),
    "matrices": lambda x, y: (x @ y.t()).tanh(),
    "views": lambda x, y: torch.cat([x.t(), y.reshape(3, 2)], 1)[1:, ::2].flip(0) ** 3,
    "broadcast": lambda x, y: x[:, :1] * y[0] + y.mean(),
    "softmax": lambda x, y: x.softmax(1) * y.log_softmax(0),
    "in place": lambda x, y: x.mul(y).add_(1).exp_(),
}


@pytest.mark.parametrize("name", AUTOGRAD)
def test_against_autograd(name):
    x, y = torch.tensor(X), torch.tensor(Y)
    assert agreeing_digits(AUTOGRAD[name], x, y) > 30


def test_what_no_result_depends_on_is_zero():
    build = Builder()
    x, y = build.input("x", (2,)), build.input("y", (3,))
    result = build.apply("sin", x)
    _, dy = gradients(build, {result: build.constant(1)}, [x, y])
    assert build.shape(dy) == (3,)
    assert [float(part) for part in replayed(build, [dy], x=[1.0, 2.0])[0]] == [0.0, 0.0, 0.0]


def test_steps_are_flat():
    (dx,) = derivative(lambda b, x: b.apply("floor", b.apply("multiply", x, b.constant(3))), x=X)
    assert (dx == 0).all()


def test_an_input_that_is_the_result():
    build = Builder()
    x, seed = build.input("x", (2,)), build.input("seed", (2,))
    assert gradients(build, {x: seed}, [x]) == [seed]


def test_several_results_add_up():
    build = Builder()
    x = build.input("x", ())
    seeds = {
        build.apply("sin", x): build.constant(2),
        build.apply("exp", x): build.constant(3),
        x: build.constant(5),
    }
    (dx,) = gradients(build, seeds, [x])
    assert float(replayed(build, [dx], x=0.0)[0]) == 2.0 + 3.0 + 5.0


def guarded(build, x):
    """where(x == 0, x/2, sqrt(x) + 1)"""
    root = build.apply("add", build.apply("sqrt", x), build.constant(1))
    return build.apply(
        "where",
        build.apply("equal", x, build.constant(0)),
        build.apply("divide", x, build.constant(2)),
        root,
    )


def normalised(build, x):
    """x / |x|, and 0 where |x| is 0."""
    norm = build.apply("sqrt", build.sum(build.apply("square", x), (0,)))
    condition = build.apply("greater", norm, build.constant(0))
    return build.apply("where", condition, build.apply("divide", x, norm), build.constant(0.0))


def nested(build, x):
    """where(x > 0, where(x > 1, sqrt(x - 1), x), 0): at 0 and 1 the inner derivatives do not
    exist.
    """
    one = build.constant(1)
    inner = build.apply(
        "where",
        build.apply("greater", x, one),
        build.apply("sqrt", build.apply("subtract", x, one)),
        x,
    )
    return build.apply(
        "where", build.apply("greater", x, build.constant(0)), inner, build.constant(0)
    )


@pytest.mark.parametrize(
    ("function", "x", "expected"),
    [
        (guarded, [0.0, 4.0], [0.5, 0.25]),
        (normalised, [0.0, 0.0], [0.0, 0.0]),
        (nested, [0.0, 1.0, 2.0, -3.0], [0.0, 1.0, 0.5, 0.0]),
    ],
)
def test_dead_branches_pass_nothing_back(function, x, expected):
    build = Builder()
    node = build.input("x", (len(x),))
    result = function(build, node)
    (dx,) = gradients(build, {result: build.expand(build.constant(1), (len(x),))}, [node])
    assert middle(replayed(build, [dx], x=x)[0]).tolist() == expected


def test_dead_branches_pass_nothing_back_a_second_time():
    build = Builder()
    x = build.input("x", ())
    (first,) = gradients(build, {guarded(build, x): build.constant(1)}, [x])
    (second,) = gradients(build, {first: build.constant(1)}, [x])
    assert [float(ball) for ball in replayed(build, [first, second], x=0.0)] == [0.5, 0.0]
    assert [float(ball) for ball in replayed(build, [first, second], x=4.0)] == [0.25, -1 / 32]


def test_a_dead_branch_through_everything_that_moves():
    """Masks go along through take, pile, join, reshape, sums and broadcasting."""
    build = Builder()
    x = build.input("x", (3,))
    roots = build.apply("sqrt", build.join([x, build.take(x, [2, 1])]))
    table = build.apply(
        "add", build.reshape(roots, (5, 1)), build.expand(build.constant(0), (5, 2))
    )
    piled = build.pile(build.take(table, [[0, 9], [1, 2]]), [[0, 1], [1, 0]], (2,))
    alive = build.apply("where", build.constant([True, False]), piled, build.constant(1.0))
    (dx,) = gradients(build, {alive: build.constant([1.0, 1.0])}, [x])
    assert middle(replayed(build, [dx], x=[4.0, 1.0, 0.0])[0]).tolist() == [0.25, 0.5, 0.0]


def test_a_live_branch_keeps_its_undefined_derivative():
    build = Builder()
    x = build.input("x", ())
    (dx,) = gradients(build, {build.apply("sqrt", x): build.constant(1)}, [x])
    assert math.isnan(float(replayed(build, [dx], x=0.0)[0]))


def test_second_derivatives_against_autograd():
    torch.manual_seed(0)
    w = torch.randn(3, dtype=torch.float64)

    def code(x):
        return ((x @ w).tanh() * x.exp()).sum()

    x = torch.randn(3, dtype=torch.float64)
    build = Builder()
    node = build.input("x", (3,))
    product = build.sum(build.apply("multiply", node, build.constant(w.numpy())), (0,))
    value = build.sum(
        build.apply("multiply", build.apply("tanh", product), build.apply("exp", node)), (0,)
    )
    (first,) = gradients(build, {value: build.constant(1)}, [node])
    rows = [
        gradients(build, {build.take(first, np.asarray(place)): build.constant(1)}, [node])[0]
        for place in range(3)
    ]
    found = np.array([middle(row) for row in replayed(build, rows, x=x.numpy())])
    np.testing.assert_allclose(
        found, torch.autograd.functional.hessian(code, x).numpy(), rtol=1e-13
    )


def test_what_nobody_takes_passes_nothing_back_though_it_has_no_derivative():
    """The root of 0 is not taken: its derivative is infinite, and 0 times it is nothing."""
    x = np.array([0.0, 4.0, 0.0, 9.0])

    def taken(build, node):
        return build.take(build.apply("sqrt", node), np.array([1, 3]))

    def piled(build, node):
        index = np.array([NOTHING, 0, NOTHING, 0])
        return build.pile(build.apply("sqrt", node), index, (1,))

    def taken_twice(build, node):
        return build.take(build.apply("sqrt", node), np.array([1, 3, 3]))

    for function in (taken, piled, taken_twice):
        (found,) = derivative(function, x=x)
        assert found[[0, 2]].tolist() == [0.0, 0.0]
        assert np.isfinite(found).all()
        assert (found[[1, 3]] != 0.0).all()
    (at_zero,) = derivative(lambda build, node: build.apply("sqrt", node), x=x)
    assert not np.isfinite(at_zero[0])
