"""Each rule against torch itself: the numbers of forward and backward, and the backward as the derivative of the forward."""

import pytest
import torch
from reading import agreeing_digits, largest_error

from verifier.capture import NotReadableError


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


def test_what_has_no_rule_is_named():
    with pytest.raises(NotReadableError, match="aten::bernoulli is random"):
        agreeing_digits(torch.nn.functional.dropout, t(3))


def test_tensors_that_the_code_closes_over_are_moved_too():
    zeros = torch.zeros(3, dtype=torch.bfloat16)
    assert agreeing_digits(lambda x: zeros.slice_scatter(x, 0, 1, 3).sin(), t(2).bfloat16()) > 30


def test_parameters_that_the_code_closes_over_are_numbers():
    weight = torch.nn.Parameter(t(3, seed=2))
    assert largest_error(lambda x: (x * weight).sin(), t(3)) < 1e-13
