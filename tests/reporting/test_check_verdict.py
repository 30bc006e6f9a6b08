"""The first sentence of a report, for each kind of thing that is wrong."""

from dataclasses import replace

import pytest
import torch

import verifier
from verifier.judging.outcome import Outcome
from verifier.reporting.check_report import CheckReport

X = torch.tensor([0.5, -1.5, 2.0], dtype=torch.float64)


class Forward(torch.autograd.Function):
    """The cube, whose forward mode lacks a factor."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return x**3

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * 3 * x**2

    @staticmethod
    def jvp(ctx, tangent):
        (x,) = ctx.saved_tensors
        return tangent * 2 * x**2


class Second(torch.autograd.Function):
    """The cube, whose backward saves a number that depends on x."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x**2)
        return x**3

    @staticmethod
    def backward(ctx, g):
        (square,) = ctx.saved_tensors
        return g * 3 * square


def first_line(report):
    return " ".join(str(report).split("\n\n")[0].split())


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (Forward, "DISAGREES The derivative of Forward in forward mode is wrong."),
        (Second, "DISAGREES The second derivative of Second by x then x is "
         "wrong."),
    ],
)  # fmt: skip
def test_what_is_wrong_beside_the_gradient(code, sentence):
    report = verifier.check(code, inputs={"x": X})
    assert first_line(report) == sentence


def with_other_numbers(report, check):
    """The same report with the findings of one check alone, whose numbers are others."""
    findings = [
        replace(
            finding,
            parts=tuple(part.restated(part.case.stated + 1.0) for part in finding.parts),
            examination=None,
        )
        for finding in report.checked.judged
        if finding.check == check
    ]
    return CheckReport(replace(report.checked, findings=tuple(findings)))


@pytest.mark.parametrize(
    ("check", "sentence"),
    [
        ("value", "DISAGREES The value of sin is wrong."),
        ("both", "DISAGREES Reverse mode and forward mode of sin state different derivatives."),
        ("reverse", "DISAGREES The gradient of sin by input is wrong."),
    ],
)
def test_numbers_that_a_kernel_states(check, sentence):
    report = with_other_numbers(verifier.check("torch:sin", inputs={"input": X}), check)
    assert report.outcome is Outcome.DISAGREES
    assert first_line(report) == sentence


def test_right_code_has_another_sentence():
    report = verifier.check("torch:sin", inputs={"input": X})
    assert first_line(report).startswith("AGREES The gradient of sin by input is right: ")
