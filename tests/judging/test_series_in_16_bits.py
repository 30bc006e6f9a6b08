"""Functions that torch sums up in 16 bits, or whose terms cancel there."""

import numpy as np
import pytest
import torch

from tests.helpers.own_backward import with_slope
from verifier.capture.code_at_point import Subject
from verifier.judging.examine import examine
from verifier.judging.outcome import Outcome

AGREES, UNDECIDED, DISAGREES = Outcome.AGREES, Outcome.UNDECIDED, Outcome.DISAGREES
SIXTEEN = [torch.bfloat16, torch.float16]
BESSEL = [0.0, -8.5, -1.765625, 0.1171875, 0.2137, -0.03979, 6.72, 20.0]


def part_of(name, code, numbers, dtype):
    return examine(Subject(code, {"x": torch.tensor(numbers, dtype=dtype)}))[name]


@pytest.mark.parametrize("dtype", SIXTEEN, ids=str)
@pytest.mark.parametrize("numbers", [BESSEL, BESSEL * 9], ids=["few", "whole vectors"])
def test_the_scaled_bessel_function_agrees(dtype, numbers):
    """Where there is no whole vector of numbers, each step of its series is rounded to 16 bits."""
    part = part_of("value", torch.special.i0e, numbers, dtype)
    assert part.outcome is AGREES
    limits = part.verdicts.allowed / np.abs(part.verdicts.centre)
    assert limits.max() < 20 * torch.finfo(dtype).eps / 2
    for factor in (1 + 4 * limits.max(), 1 - 4 * limits.max()):
        assert (part.restated(part.case.stated * factor).verdicts.severity == 2).all()


@pytest.mark.parametrize("dtype", [*SIXTEEN, torch.float32], ids=str)
def test_a_wrong_slope_of_it_is_found(dtype):
    def slope(x):
        return torch.special.i1e(x.float()).to(x.dtype) - x.sign() * torch.special.i0e(x) * 1.001

    code = with_slope(torch.special.i0e, slope)
    assert part_of("x", code, BESSEL[1:], dtype).outcome is DISAGREES


def polygamma(n):
    return lambda x: torch.polygamma(n, x)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_polygamma_between_its_poles_is_decided(n):
    """What is left of large terms there is right to an absolute error."""
    part = part_of("x", polygamma(n), [-8.5, -3.5, 2.5, -8.25], torch.bfloat16)
    assert part.outcome is AGREES


@pytest.mark.parametrize("n", [1, 2, 3])
def test_another_order_is_found_there(n):
    code = with_slope(polygamma(n), lambda x: torch.polygamma(n + 1, x) * 1.001)
    assert part_of("x", code, [-8.5, -3.5, 2.5, -8.25], torch.bfloat16).outcome is DISAGREES


@pytest.mark.parametrize("dtype", [*SIXTEEN, torch.float64], ids=str)
def test_below_0_the_entropy_has_no_derivative(dtype):
    """torch states minus infinity there, and NaN for the derivative."""
    below = part_of("x", torch.special.entr, [-0.5, -2.0], dtype)
    assert below.outcome is UNDECIDED
    assert part_of("x", torch.special.entr, [0.5, 2.0, 1e-3], dtype).outcome is AGREES
    wrong = with_slope(torch.special.entr, lambda x: -x.log() - 1.01)
    assert part_of("x", wrong, [0.5, 2.0, 1e-3], dtype).outcome is DISAGREES


@pytest.mark.parametrize("n", [3, 4])
def test_a_factorial_times_a_subnormal_sum(n):
    """The sum is rounded to float16 before the factorial makes its error larger."""
    numbers = np.linspace(6.0, 12.0, 24).tolist()
    part = part_of("value", polygamma(n), numbers, torch.float16)
    assert part.outcome is AGREES
    assert part.restated(part.case.stated * 1.25).outcome is DISAGREES
