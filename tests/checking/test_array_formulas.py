"""Checks of code whose inputs are arrays against formulas of whole arrays."""

import pytest
import sympy
import torch

import verifier
from verifier.errors import InputError
from verifier.judging.outcome import Outcome

MATRICES = {
    "a": torch.tensor([[1.0, 2.0, 3.0], [0.5, 1.5, 2.5]]),
    "b": torch.tensor([[1.0, 2.0], [0.5, 1.5], [0.25, 0.75]]),
}


def attention(x, w):
    return torch.softmax(x @ w @ x.T, dim=-1) @ x


class WrongProduct(torch.autograd.Function):
    """a @ b, whose gradient by b is that of a times b.T turned."""

    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a, b)
        return a @ b

    @staticmethod
    def backward(ctx, adjoint):
        a, b = ctx.saved_tensors
        return adjoint @ b.T, 2 * a.T @ adjoint


SQUARE = {
    "x": torch.tensor([[0.5, -1.0], [1.5, 0.25]]),
    "w": torch.tensor([[1.0, 0.5], [0.25, 2.0]]),
}
RIGHT = {
    "a product": (torch.matmul, "a @ b", MATRICES),
    "a part": (lambda a, b: a[:, 1:] @ b[1:], "a[:, 1:] @ b[1:]", MATRICES),
    "a sum": (lambda a, b: (a @ b).sum(0), "sum(a @ b, axis=0)", MATRICES),
    "attention": (attention, "softmax(x @ w @ x.T, axis=-1) @ x", SQUARE),
    "an inverse": (torch.linalg.inv, "inverse(A)", {"A": SQUARE["w"]}),
    "a literal": (lambda a, b: a * torch.tensor([1.0, 2.0, 4.0]), "a * [1, 2, 4]", MATRICES),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_code_agrees(name):
    code, formula, inputs = RIGHT[name]
    report = verifier.check(code, formula=formula, inputs=inputs)
    assert report.outcome is Outcome.AGREES


A, B = sympy.MatrixSymbol("a", 2, 3), sympy.MatrixSymbol("b", 3, 2)


def test_a_formula_of_sympys_matrices():
    right = verifier.check(torch.matmul, formula=A * B, inputs=MATRICES)
    assert right.outcome is Outcome.AGREES
    wrong = verifier.check(torch.matmul, formula=2 * A * B, inputs=MATRICES)
    assert wrong.outcome is Outcome.DISAGREES


def test_a_formula_of_sympys_matrices_with_other_shapes():
    with pytest.raises(InputError, match=r"^b is a matrix of 3 x 2 in the formula"):
        verifier.check(torch.mul, formula=A * B, inputs={"a": MATRICES["a"], "b": MATRICES["a"]})


WRONG = {
    "another function": (torch.matmul, "1.001*(a @ b)", MATRICES),
    "another order": (attention, "softmax(x @ w @ x.T, axis=0) @ x", SQUARE),
    "a gradient of its own": (WrongProduct.apply, "a @ b", MATRICES),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_code_disagrees(name):
    code, formula, inputs = WRONG[name]
    report = verifier.check(code, formula=formula, inputs=inputs)
    assert report.outcome is Outcome.DISAGREES


def test_a_formula_of_arrays_is_checked_itself():
    report = verifier.check(formula="sum(softmax(a, axis=1) * a)", inputs={"a": MATRICES["a"]})
    assert report.outcome is Outcome.AGREES


REFUSED = {
    "a @ a": (
        "(2, 3) @ (2, 3) cannot be multiplied: the last length on the left and the first on the "
        "right differ\n  a @ a\n    ^"
    ),
    "a @ c": "there is no symbol c: there is a, b\n  a @ c\n      ^",
    "sum(a @ b)": "the formula's value is a number, the code's of shape (2, 2)",
    "sum(a @ b, axis=0)": "the formula's value is of shape (2,), the code's of shape (2, 2)",
}


@pytest.mark.parametrize("formula", REFUSED)
def test_what_does_not_fit_is_refused(formula):
    with pytest.raises(InputError) as refusal:
        verifier.check(torch.matmul, formula=formula, inputs=MATRICES)
    assert str(refusal.value) == REFUSED[formula]


def test_inputs_that_do_not_fit_each_other_in_the_formula():
    def both(x, y):
        return x.sum() * y.sum()

    sentence = r"^in the formula the shapes \(3,\) and \(4,\) do not fit at multiply$"
    with pytest.raises(InputError, match=sentence):
        verifier.check(both, formula="x*y", inputs={"x": torch.ones(3), "y": torch.ones(4)})
