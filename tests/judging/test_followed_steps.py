"""In 16 bits: numbers that no bound explains are looked at operation by operation."""

import numpy as np
import pytest
import torch

from tests.helpers.own_backward import with_context
from verifier.capture.code_at_point import Subject
from verifier.judging.compared_programs import ComparedPrograms
from verifier.judging.examination import Replayed
from verifier.judging.examine import examine
from verifier.judging.outcome import Outcome

AGREES, UNDECIDED, DISAGREES = Outcome.AGREES, Outcome.UNDECIDED, Outcome.DISAGREES
SIXTEEN = [torch.bfloat16, torch.float16]


def attention(x):
    """Products in the hundreds: most weights underflow, and one is nearly 1."""
    query, key, value = x.reshape(3, 4, 2)
    return torch.softmax(query @ key.T * 40, -1) @ value


CODES = {
    "sinc": (torch.sinc, [-8.5, 2.5, 6.5, 0.25]),
    "ndtr": (torch.special.ndtr, [-8.5, 8.5, 1.0, 5.5]),
    "atanh": (torch.atanh, [-0.99609375, 0.99609375, 0.5, 0.25]),
    "fmod": (lambda x: torch.fmod(3.265625 * torch.ones_like(x), x), [1.203125, 2.125, 0.21875]),
    "logcumsumexp": (lambda x: torch.logcumsumexp(x, 0), [-8.5, 2.5, 6.875, -4.375, 0.5] * 4),
    "attention": (attention, np.linspace(-3, 4, 24).tolist()),
    "margin": (lambda x: torch.relu(0.125 + x.exp() - 8.0), [2.0625, 1.0, 2.5]),
}


def with_factor(code, factor):
    """The code, with a backward that is autograd's own times a factor."""

    def backward(ctx, grad_output, x):
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            return torch.autograd.grad(code(x), x, grad_output)[0] * factor

    return with_context(code, backward)


def examined(name, dtype, factor=None):
    code, numbers = CODES[name]
    x = torch.tensor(numbers, dtype=dtype)
    return examine(Subject(code if factor is None else with_factor(code, factor), {"x": x}))


@pytest.mark.parametrize("dtype", SIXTEEN, ids=str)
@pytest.mark.parametrize("name", CODES)
def test_right_code_agrees(name, dtype):
    found = examined(name, dtype)
    assert isinstance(found.formula, Replayed)
    assert found.outcome is AGREES


@pytest.mark.parametrize("dtype", SIXTEEN, ids=str)
@pytest.mark.parametrize("name", CODES)
def test_a_gradient_off_by_four_detection_limits_is_found(name, dtype):
    right = examined(name, dtype)["x"]
    with np.errstate(all="ignore"):
        limits = right.verdicts.allowed / np.abs(right.verdicts.centre)
    limit = float(np.median(limits[np.isfinite(limits)]))
    assert examined(name, dtype, 1 + 4 * max(limit, 0.01))["x"].outcome is DISAGREES


@pytest.mark.parametrize("name", ["sinc", "logcumsumexp", "atanh"])
def test_a_wrong_number_on_the_way_is_not_followed(name, monkeypatch):
    """As if a kernel were off by four roundings: nothing can be said then, as before."""
    shown = ComparedPrograms.shown.fget
    off = 1 + 4 * 2.0**-8

    def wrong(self):
        return {place: numbers * off for place, numbers in shown(self).items()}

    monkeypatch.setattr(ComparedPrograms, "shown", property(wrong))
    assert examined(name, torch.bfloat16).outcome is UNDECIDED


def test_another_number_than_the_followed_one_is_not_explained():
    part = examined("sinc", torch.bfloat16)["x"]
    assert part.outcome is AGREES
    for factor in (-1.0, 0.0, 1.05):
        again = part.restated(part.case.stated * factor)
        assert again.verdicts.severity[0] == UNDECIDED.severity


def test_in_wider_formats_lost_digits_decide_nothing():
    """There they are a reason to look at the code."""
    x = torch.tensor([0.418], dtype=torch.float64)
    assert examine(Subject(lambda x: (x * 1e15).sin(), {"x": x}))["x"].outcome is UNDECIDED


def large_angle(factor):
    return lambda x: (x * 1e17 * factor).sin() / factor


@pytest.mark.parametrize("factor", [1.0, 1.0 + 2.0**-52])
def test_in_wider_formats_right_code_is_not_called_wrong(factor):
    """The noise of an estimate says too little of a sine whose angle may be any."""
    x = torch.tensor([0.3, 0.7], dtype=torch.float64)
    assert examine(Subject(large_angle(factor), {"x": x})).outcome is AGREES


def test_a_wrong_slope_is_found_there():
    x = torch.tensor([0.3, 0.7], dtype=torch.float64)
    code = with_factor(large_angle(1.0), 1.0 + 1e-9)
    assert examine(Subject(code, {"x": x}))["x"].outcome is DISAGREES


def test_a_gradient_that_is_an_input_of_the_graph():
    """That by y is what multiplies it."""
    given = {name: torch.tensor([2.5, -8.5], dtype=torch.bfloat16) for name in ("x", "y")}
    found = examine(Subject(lambda x, y: torch.sinc(x) + y, given))
    assert found.outcome is AGREES
    given["y"] = torch.ones(2, dtype=torch.bfloat16)
    assert examine(Subject(lambda x, y: torch.sinc(x) - y, given)).outcome is AGREES
