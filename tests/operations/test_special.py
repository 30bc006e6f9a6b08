"""Special functions in ball arithmetic, beside their definitions."""

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import scipy.special
import sympy
import torch
from flint import arb

import verifier
from verifier import functions
from verifier.operations.elementary import _remainder
from verifier.operations.table import TABLE
from verifier.program.evaluation.arithmetic import balls, precision
from verifier.program.evaluation.balls import EnclosingArithmetic
from verifier.program.gradients.formula_gradient import differentiate
from verifier.program.program import evaluate

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


ORDERS = {
    "besselj": 2.5, "bessely": 1.0, "besseli": 3.0, "besselk": 0.5, "polylog": 2.0, "expint": 2.0,
    "legendre": 4, "chebyshevt": 5, "chebyshevu": 4, "hermite": 3, "laguerre": 4,
    "lowergamma": 2.5, "uppergamma": 2.5, "gammainc": 2.5, "gammaincc": 2.5,
}  # fmt: skip
OF_ONE = ("airyai", "airybi", "airyaiprime", "airybiprime", "elliptic_e", "elliptic_k", "lambertw")
MPMATH = {
    "polylog": mpmath.polylog, "expint": mpmath.expint, "legendre": mpmath.legendre,
    "chebyshevt": mpmath.chebyt, "chebyshevu": mpmath.chebyu, "hermite": mpmath.hermite,
    "laguerre": lambda n, x: mpmath.laguerre(n, 0, x),
    "lowergamma": lambda s, x: mpmath.gammainc(s, 0, x), "uppergamma": mpmath.gammainc,
    "gammainc": lambda s, x: mpmath.gammainc(s, 0, x, regularized=True),
    "gammaincc": lambda s, x: mpmath.gammainc(s, x, regularized=True),
    "airyai": mpmath.airyai, "airybi": mpmath.airybi,
    "airyaiprime": lambda x: mpmath.airyai(x, derivative=1),
    "airybiprime": lambda x: mpmath.airybi(x, derivative=1),
    "elliptic_e": mpmath.ellipe, "elliptic_k": mpmath.ellipk, "lambertw": mpmath.lambertw,
    "besselj": mpmath.besselj, "bessely": mpmath.bessely, "besseli": mpmath.besseli,
    "besselk": mpmath.besselk,
}  # fmt: skip


def model_of(name):
    order = f"{ORDERS[name]}, " if name in ORDERS else ""
    return verifier.Model.from_text(f"{name}({order}w)", start={"w": 0.625})


@pytest.mark.parametrize("name", [*ORDERS, *OF_ONE])
def test_value_and_derivative_are_mpmaths(name):
    orders = (ORDERS[name],) if name in ORDERS else ()
    program = differentiate(model_of(name).program, ["w"])
    value, slope = evaluate(program, EnclosingArithmetic(), {"w": balls(np.array([0.625]))})
    with mpmath.workdps(40):
        exact = [
            mpmath.re(MPMATH[name](*orders, mpmath.mpf("0.625"))),
            mpmath.re(mpmath.diff(lambda x: MPMATH[name](*orders, x), mpmath.mpf("0.625"))),
        ]
    for ball, number in zip((value, slope), exact, strict=True):
        (found,) = np.ravel(ball)
        assert float(found.mid()) == pytest.approx(float(number), rel=1e-13)
        assert float(found.rad()) < 1e-12


def test_a_function_that_torch_lacks():
    """Its formula says what is right about somebody's code, and is no code itself."""
    with pytest.raises(verifier.InputError, match=r"^torch has no airybi, so that there is no "):
        verifier.train(model_of("airybi"), epochs=1)


class ExponentialIntegral(torch.autograd.Function):
    """E1 by SciPy."""

    factor = 1.0

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.from_numpy(scipy.special.exp1(x.detach().numpy()))

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return -ExponentialIntegral.factor * grad_output * torch.exp(-x) / x


@pytest.mark.parametrize(("factor", "outcome"), [(1.0, "agrees"), (1.0 + 1e-9, "disagrees")])
def test_code_is_compared_with_a_function_that_torch_lacks(factor, outcome, monkeypatch):
    monkeypatch.setattr(ExponentialIntegral, "factor", factor)
    report = verifier.check(
        ExponentialIntegral.apply,
        formula="expint(1, x)",
        inputs={"x": verifier.between(0.5, 3, shape=(4,))},
        dtypes=["float64"],
        without=("second",),
    )
    assert report.outcome == outcome


@pytest.mark.parametrize(("a", "b"), [(5.5, 2.0), (-5.5, 2.0), (5.5, -2.0), (-0.5, -3.0)])
def test_copysign_and_fmod_are_pythons(a, b):
    assert functions.copysign(a, b) == math.copysign(a, b)
    assert functions.fmod(a, b) == math.fmod(a, b)


def test_a_function_with_another_count_of_arguments():
    w = sympy.Symbol("w", real=True)
    model = verifier.Model(sympy.LambertW(w, -1), start={w: -0.2})
    with pytest.raises(verifier.InputError) as error:
        _ = model.expression
    assert str(error.value) == "LambertW is known with 1 argument, not with 2"


def test_no_derivative_by_the_order():
    model = verifier.Model.from_text("besselj(w, 2)", start={"w": 0.5})
    with pytest.raises(verifier.InputError) as error:
        _ = model.gradient
    assert str(error.value) == (
        "model model: torch has no derivative of besselj, here besselj(w, 2): it has no such "
        "function"
    )
