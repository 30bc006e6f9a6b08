"""Each rule against torch itself: numbers of forward and backward, and the backward as the
forward's derivative.
"""

import pytest
import torch

from tests.helpers.reading import agreeing_digits, largest_error, read
from verifier.capture.joint_graph import NotReadableError
from verifier.capture.lowering import rules
from verifier.operations.formats import FLOAT32
from verifier.program.builder import Builder
from verifier.program.evaluation.stochastic import NoiseArithmetic, arithmetic_for, deviations


def t(*shape, seed=1, low=None):
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(*shape, generator=generator, dtype=torch.float64)
    return values if low is None else values.abs() + low


CASES = {
    "tanh": (torch.tanh, t(3, 4)),
    "linear": (torch.nn.functional.linear, t(4, 5), t(3, 5), t(3)),
    "softmax": (lambda x: x.softmax(-1), t(3, 4)),
    "index": (lambda x: x[[0, 2, 0]][:, 1:].t().exp(), t(3, 4)),
}


@pytest.mark.parametrize("case", CASES)
def test_numbers_of_forward_and_backward(case):
    assert largest_error(*CASES[case]) < 1e-13


@pytest.mark.parametrize("case", CASES)
def test_backward_is_the_derivative_of_forward(case):
    assert agreeing_digits(*CASES[case]) > 30


class Wrong(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.tanh()

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * (1 - x.tanh() ** 2) * (1 + 1e-12)


def test_a_wrong_backward_is_found():
    assert 11 < agreeing_digits(Wrong.apply, t(3)) < 13


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
@pytest.mark.parametrize("layout", [torch.strided, torch.jagged])
def test_nested_tensors_have_a_sentence(layout):
    def code(x):
        parts = torch.nested.as_nested_tensor([x[:1], x[1:]], layout=layout)
        return parts.to_padded_tensor(0.0)

    with pytest.raises(NotReadableError, match="works on nested tensors, and only plain ones are"):
        agreeing_digits(code, t(3, 2))


def test_what_has_no_rule_is_named(monkeypatch):
    monkeypatch.delitem(rules(), "tanh")
    with pytest.raises(NotReadableError, match=r"^aten::tanh has no rule$"):
        agreeing_digits(torch.tanh, t(3))


def test_numbers_as_truth_values():
    """All but 0 is true, as of a mask that was made of ones."""

    def code(x):
        mask = torch.tril(torch.ones(3, 3, dtype=x.dtype)).bool()
        return torch.where(mask & (x * 0 + 1).bool(), x.exp(), 0.0)

    assert agreeing_digits(code, t(3, 3)) > 30


def test_constant_numbers_move_among_given_ones():
    assert agreeing_digits(lambda x: x.masked_select(x > 0).exp(), t(3, 4)) > 30


def test_whole_numbers_are_taken_as_they_come_out():
    low = read(lambda x: x * (x > 0).sum(), t(3))[2]
    assert not low.kept
    assert largest_error(lambda x: x * (x > 0).sum(), t(3)) == 0


def test_true_is_one():
    assert largest_error(lambda x: x * (x > 0).to(x.dtype), t(5)) == 0


def test_infinite_sums_have_no_noise():
    build = Builder()
    with build.rounding(FLOAT32):
        weight = build.apply(
            "exp", build.apply("subtract", build.input("x", (1,)), build.constant(1.0))
        )
    program = build.program(weight)
    noise = NoiseArithmetic(program.positive)
    (spread,) = deviations(program, {"x": [float("-inf")]}, noise)
    assert spread == 0


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
def test_steps_on_tensors_without_numbers_are_left_out():
    assert agreeing_digits(torch.func.hessian(lambda x: x.square().sum().exp()), t(2)) > 30


def test_constants_that_are_written_to_are_copies_in_the_graph():
    weight = torch.tensor([1.0, 2.0])

    def code(x):
        return (
            x
            * weight.gather(0, torch.tensor([1, 0])).masked_fill_(torch.tensor([True, False]), 3.0)
        ).sum()

    assert agreeing_digits(code, torch.tensor([1.0, 2.0])) > 30


def test_equality_is_no_border():
    labels = torch.tensor([1.0, -1.0])

    def code(x):
        return torch.where(labels.to(x.dtype) == 1, x, -3 * x)

    _, _, low, given = read(code, t(2).bfloat16())
    arithmetic = arithmetic_for(program := low.builder.program(*low.results))
    deviations(program, given, arithmetic)
    assert not arithmetic.open and not arithmetic.ties


def test_checks_of_arguments_are_no_branches():
    def likelihood(mean, deviation):
        return torch.distributions.Normal(mean, deviation).log_prob(
            torch.ones(3, dtype=torch.float64)
        )

    assert agreeing_digits(likelihood, t(3), t(3, low=0.4)) > 30


def test_what_no_result_needs_is_not_read():
    assert "neg" not in read(lambda x: (x.neg(), x.exp())[1], t(3))[2].operations
    assert largest_error(lambda x: torch.sgn(x) * x, t(3)) == 0


def test_derivatives_of_polygamma_are_read():
    assert agreeing_digits(lambda x: torch.polygamma(1, x), t(3, low=0.5)) > 30


def test_tensors_that_the_code_closes_over_are_moved_too():
    zeros = torch.zeros(3, dtype=torch.bfloat16)
    assert agreeing_digits(lambda x: zeros.slice_scatter(x, 0, 1, 3).sin(), t(2).bfloat16()) > 30


def test_parameters_that_the_code_closes_over_are_numbers():
    weight = torch.nn.Parameter(t(3, seed=2))
    assert largest_error(lambda x: (x * weight).sin(), t(3)) < 1e-13
