"""Special functions in ball arithmetic, beside their definitions."""

import math
from fractions import Fraction

import mpmath
import pytest
from flint import arb

from verifier import functions
from verifier.operations.elementary import _remainder
from verifier.operations.table import TABLE
from verifier.program.evaluation.arithmetic import precision

log_ndtr = TABLE["log_ndtr"].arb


@pytest.mark.parametrize("number", [-100.0, -100.5, -150.0, -1000.0])
def test_both_ways_to_the_logarithm_of_a_tail_meet(number):
    """On the left of -100 it is taken by another function; the definition still has digits
    there.
    """
    with precision(200):
        defined = ((-arb(number) / arb(2).sqrt()).erfc() / 2).log()
        assert log_ndtr(arb(number)).overlaps(defined)
        assert log_ndtr(arb(number)).rel_accuracy_bits() > 150
        assert not log_ndtr(arb(number)).overlaps(defined * (1 + arb(2) ** -100))


def test_the_logarithm_of_a_tail_far_to_the_left():
    """-x²/2 - log(|x| √(2π)) - 1/x² + ... (DLMF 7.12.1)."""
    with precision(200):
        far = arb(-1e8)
        leading = -far * far / 2 - (abs(far) * (2 * arb.pi()).sqrt()).log()
        assert abs(log_ndtr(far) - leading) < 2 / far**2
        assert log_ndtr(far).rel_accuracy_bits() > 100


def test_a_remainder_is_known_where_the_quotient_has_more_digits_than_the_precision():
    step = 1e-40
    with precision(64):
        remainder = _remainder(arb(1), arb(step))
    exact = Fraction(1) % Fraction(step)
    assert float(remainder.rad()) < 1e-9 * step
    assert float(remainder.mid()) == pytest.approx(float(exact), rel=1e-9)


@pytest.mark.parametrize("number", [-2.5, -0.5, 0.5, 4.0])
def test_compositions_on_both_sides_of_0(number):
    assert float(functions.softsign(number)) == pytest.approx(number / (1 + abs(number)), rel=1e-12)
    assert float(functions.gamma(number)) == pytest.approx(math.gamma(number), rel=1e-9)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("number", [-0.5, -4.8125, -0.015625, -37.25, 0.5])
def test_polygamma_left_of_zero_is_mpmaths(order, number):
    with precision(200), mpmath.workdps(40):
        ball = TABLE["polygamma"].arb(arb(order), arb(number))
        expected = mpmath.polygamma(order, mpmath.mpf(number))
        assert abs(mpmath.mpf(str(ball.mid().str(40, radius=False))) / expected - 1) < 1e-35


@pytest.mark.parametrize("number", [0.0, -1.0, -3.0, -1e9])
def test_polygamma_has_no_value_at_its_poles_and_is_not_known_far_to_the_left(number):
    ball = TABLE["polygamma"].arb(arb(1), arb(number))
    assert not ball.is_finite()


def test_zeta_left_of_zero_is_its_recurrence():
    with precision(200):
        left, right = (TABLE["zeta"].arb(arb(3), arb(number)) for number in (-1.25, -0.25))
        assert left.overlaps(right + arb(-1.25) ** -3)
        assert left.rel_accuracy_bits() > 150
