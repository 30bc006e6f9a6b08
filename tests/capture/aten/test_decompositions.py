"""Decompositions and functions of matrices: factors, pseudo-inverses, spectra."""

import pytest
import torch

from tests.helpers.reading import agreeing_digits, deviations_off, largest_error
from verifier.capture.joint_graph import NotReadableError
from verifier.capture.statements import Subject
from verifier.judging.examine import examine
from verifier.judging.outcome import Outcome
from verifier.program.evaluation.stochastic import DEVIATIONS

pytestmark = pytest.mark.filterwarnings("ignore")
L = torch.linalg


def t(*shape, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


# The default driver, gelsy, gives other last digits for the same numbers from run to run: torch
# hands it pivots that nobody wrote.
REFLECTIONS = {
    "qr of a tall matrix": (L.qr, t(4, 3)),
    "qr of a wide matrix": (lambda x: L.qr(x), t(2, 3)),
    "qr of several": (L.qr, t(2, 3, 3)),
    "qr complete": (lambda x: L.qr(x, mode="complete"), t(3, 3)),
    "qr of a triangle": (lambda x: L.qr(x.triu() + x.mean()), t(3, 3)),
    "qr of a row": (L.qr, t(1, 3)),
    "qr of a column": (L.qr, t(3, 1)),
    "orthogonal": (lambda x: L.householder_product(x.tril(-1), 2 / (1 + x[0] ** 2)), t(4, 3)),
    "fewer reflections": (lambda x, s: L.householder_product(x, s), t(4, 3), t(2, seed=2)),
    "ormqr": (torch.ormqr, t(4, 3), t(3, seed=2), t(4, 2, seed=3)),
    "ormqr transposed": (
        lambda a, s, c: torch.ormqr(a, s, c, transpose=True),
        t(4, 3),
        t(3, seed=2),
        t(4, 2, seed=3),
    ),
    "ormqr from the right": (
        lambda a, s, c: torch.ormqr(a, s, c, left=False),
        t(4, 3),
        t(3, seed=2),
        t(2, 4, seed=3),
    ),
    "ormqr from the right transposed": (
        lambda a, s, c: torch.ormqr(a, s, c, left=False, transpose=True),
        t(4, 3),
        t(3, seed=2),
        t(2, 4, seed=3),
    ),
    "pinv of a tall matrix": (L.pinv, t(4, 2)),
    "pinv of a wide matrix": (L.pinv, t(2, 4)),
    "pinv of several": (L.pinv, t(2, 3, 3)),
    "pinv of a symmetric matrix": (lambda x: L.pinv(x + x.mT, hermitian=True), t(3, 3)),
    "lstsq": (lambda a, b: L.lstsq(a, b, driver="gels")[0], t(4, 2), t(4, 3, seed=2)),
    "lstsq of the shortest": (
        lambda a, b: L.lstsq(a, b, driver="gels")[0],
        t(2, 4),
        t(2, 3, seed=2),
    ),
    "lstsq with what is left": (
        lambda a, b: L.lstsq(a, b, driver="gels")[:2],
        t(4, 2),
        t(4, 3, seed=2),
    ),
}
CASES = {**REFLECTIONS}


@pytest.mark.parametrize("case", CASES)
def test_numbers_derivative_and_noise(case):
    assert largest_error(*CASES[case]) < 1e-11
    assert deviations_off(*CASES[case]) <= DEVIATIONS
    assert agreeing_digits(*CASES[case]) > 30


class Scaled(torch.autograd.Function):
    """Itself, with a gradient that is a little too large."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        return grad * (1 + 2.0**-40)


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_backward_is_found(case):
    code, *inputs = CASES[case]
    given = {f"x{place}": value for place, value in enumerate(inputs)}
    found = examine(Subject(lambda x, *rest: code(Scaled.apply(x), *rest), given))
    assert found["x0"].outcome is Outcome.DISAGREES
    assert found["x0"].wrong_formula.any()


@pytest.mark.parametrize("code", [L.qr, L.pinv, lambda x: L.lstsq(x, x)[0]])
def test_a_matrix_without_full_rank_is_refused(code):
    with pytest.raises(NotReadableError, match="full rank|a rank that is decided"):
        agreeing_digits(code, torch.ones(3, 2, dtype=torch.float64))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("case", REFLECTIONS)
def test_rounding_explains_the_numbers(case, dtype):
    code, *inputs = CASES[case]
    given = {f"x{place}": value.to(dtype) for place, value in enumerate(inputs)}
    assert examine(Subject(code, given)).outcome is Outcome.AGREES
