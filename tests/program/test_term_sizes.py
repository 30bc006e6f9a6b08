"""The size of the terms, formulas lifted to arrays, and graphs lowered: what the judge's other
stages rest on.
"""

import numpy as np
import pytest
import torch

from verifier.capture.autograd_derivatives import Joint
from verifier.capture.joint_graph import captured
from verifier.capture.lowering import lowered, plain, rule
from verifier.errors import InputError
from verifier.formula.text.parser import read_text
from verifier.operations.formats import BFLOAT16, FLOAT16, FLOAT32
from verifier.program.builder import Builder, FormulaBuilder
from verifier.program.evaluation.balls import BallArithmetic, replay
from verifier.program.evaluation.term_sizes import term_sizes
from verifier.program.lift import REDUCTIONS, lifted, order_free, rounded_each
from verifier.program.program import NOTHING


def sizes(function, **given):
    build = Builder()
    nodes = [build.input(name, np.shape(value)) for name, value in given.items()]
    given = {name: np.asarray(value) for name, value in given.items()}
    return term_sizes(build.program(function(build, *nodes)), given)[0]


X = np.array([3.0, -2.0, 4.0])


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda b, x: b.sum(x, (0,)), 9.0),
        (lambda b, x: b.apply("subtract", x, x), [6.0, 4.0, 8.0]),
        (lambda b, x: b.apply("multiply", b.apply("subtract", x, x), x), [18.0, 8.0, 32.0]),
        (lambda b, x: b.apply("square", b.apply("add", x, b.constant(1.0))), [16.0, 9.0, 25.0]),
        (lambda b, x: b.apply("divide", b.apply("negative", x), b.constant(-2.0)), [1.5, 1.0, 2.0]),
        (lambda b, x: b.contract(b.reshape(x, (1, 3)), b.reshape(x, (3, 1))), [[29.0]]),
        (lambda b, x: b.pile(x, [0, 0, NOTHING], (2,)), [5.0, 0.0]),
        (lambda b, x: b.take(b.apply("subtract", x, x), [2, NOTHING]), [8.0, 0.0]),
        (lambda b, x: b.join([x, b.sum(x, (0,))]), [3.0, 2.0, 4.0, 9.0]),
        (lambda b, x: b.round(x, FLOAT32), [3.0, 2.0, 4.0]),
        (lambda b, x: b.apply("abs", b.apply("subtract", x, x)), [0.0, 0.0, 0.0]),
        (
            lambda b, x: b.apply(
                "where", b.apply("greater", x, b.constant(0)), b.apply("add", x, x), x
            ),
            [6.0, 2.0, 8.0],
        ),
    ],
)
def test_sizes_are_of_terms_and_not_of_what_is_left(function, expected):
    assert sizes(function, x=X).tolist() == expected


def numbers(build, node, **given):
    (balls,) = replay(
        build.program(node),
        {name: np.asarray(value) for name, value in given.items()},
        BallArithmetic(),
    )
    return np.vectorize(float, otypes=[float])(balls).tolist()


def formula(text, *names):
    builder = FormulaBuilder()
    return builder.program(read_text(text, builder, {name: builder.input(name) for name in names}))


@pytest.mark.parametrize(
    ("reduction", "expected"), [("none", [7.0, 2.0, 9.0]), ("sum", 18.0), ("mean", 6.0)]
)
def test_lifted_formulas(reduction, expected):
    build = Builder()
    x, y = build.input("x", (3,)), build.input("y", ())
    node = lifted(formula("x + 2*y", "x", "y"), build, {"x": x, "y": y})
    assert numbers(build, REDUCTIONS[reduction](build, node), x=[3.0, -2.0, 5.0], y=2.0) == expected


def test_a_symbol_that_is_missing():
    build = Builder()
    sentence = r"^the formula uses y, which is not among the inputs: name it as one of them$"
    with pytest.raises(InputError, match=sentence):
        lifted(formula("x + y", "x", "y"), build, {"x": build.input("x", ())})


def test_order_free_sums_are_the_same_number_and_one_node():
    build = Builder()
    inputs = {name: build.input(name, ()) for name in "abcd"}
    node = lifted(formula("a - (b - c) + d*a", *inputs), build, inputs)
    (free,) = order_free(build, [node])
    given = {"a": 2.0, "b": 3.0, "c": 5.0, "d": 7.0}
    assert numbers(build, free, **given) == numbers(build, node, **given) == 18.0
    kinds = [known.operation for known in build.program(free).nodes]
    assert "subtract" not in kinds
    assert kinds.count("total") == 1


def test_each_operation_is_rounded_once():
    build = Builder()
    x = build.input("x", (2,))
    with build.rounding(FLOAT32):
        node = build.apply("negative", build.apply("exp", build.apply("multiply", x, x)))
    (each,) = rounded_each(build, [node], BFLOAT16)
    kinds = [(known.operation, known.format) for known in build.program(each).nodes]
    assert kinds.count(("round", BFLOAT16)) == 2
    assert kinds[-1][0] == "negative"


def graph_of(code, x):
    seed = torch.ones_like(code(x))
    joint = Joint(code, (0,), 1)
    return lowered(captured(joint, (x, seed)), ["x", "seed"], (x, seed))


@pytest.mark.parametrize(
    ("dtype", "format"), [(torch.bfloat16, BFLOAT16), (torch.float16, FLOAT16)]
)
def test_16_bit_operations_round_once_and_moves_do_not(dtype, format):
    x = torch.ones(2, 3, dtype=dtype)

    def rounds(code):
        low = graph_of(code, x)
        return [
            node.format
            for node in low.builder.program(low.results[0]).nodes
            if node.operation == "round"
        ]

    assert rounds(lambda x: x.t().reshape(6).flip(0).neg().relu()) == []
    assert rounds(lambda x: x.t().exp()) == [format]
    assert rounds(lambda x: (x * x).sum()) == [format, format]
    assert rounds(lambda x: torch.where(x > 0.3, x, 0.5)) == []
    assert rounds(lambda x: torch.where(x > 0.3, x, 0.1)) == []


@pytest.mark.parametrize(
    ("dtype", "format"), [(torch.bfloat16, BFLOAT16), (torch.float16, FLOAT16)]
)
def test_numbers_in_16_bit_code_may_be_rounded_to_it(dtype, format):
    """torch adds the rounded number and multiplies by the one that was written."""
    x = torch.randn(200, generator=torch.Generator().manual_seed(0)).to(dtype)
    narrow = float(torch.tensor(2.81, dtype=dtype))
    assert torch.equal(x + 2.81, (x.double() + narrow).to(dtype))
    assert not torch.equal(x + 2.81, (x.double() + 2.81).to(dtype))
    low = graph_of(lambda x: x + 2.81, x)
    (known,) = [
        node for node in low.builder.program(low.results[0]).nodes if node.operation == "constant"
    ]
    assert (known.number, known.format) == (2.81, format)


def test_numbers_are_exact_as_float64():
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        x = torch.tensor([0.1, -3e-5], dtype=dtype)
        assert plain(x).dtype == np.float64
        assert torch.equal(torch.from_numpy(plain(x)).to(dtype), x)
    assert plain(torch.tensor([True])).dtype == bool


def test_a_second_rule_for_an_operation_is_refused():
    with pytest.raises(ValueError, match=r"^two rules for exp$"):
        rule("exp")(lambda low, self: self.node)


def test_a_function_that_is_a_series_has_the_size_of_its_terms():
    """Between two poles those cancel: polygamma(2, -8.5) is -0.0109."""
    found = sizes(lambda b, x: b.apply("polygamma", b.constant(2.0), x), x=[-8.5, 8.5])
    assert found[0] > 2 / 0.5**3
    assert found[1] == pytest.approx(0.0155, rel=0.02)
