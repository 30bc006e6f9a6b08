"""Decompositions and functions of matrices: factors, pseudo-inverses, spectra."""

import pytest
import torch

from tests.helpers.reading import Scaled, agreeing_digits, deviations_off, largest_error
from verifier.capture.code_at_point import Subject
from verifier.capture.joint_graph import NotReadableError
from verifier.judging.examine import examine
from verifier.judging.outcome import Outcome
from verifier.program.evaluation.stochastic import DEVIATIONS

pytestmark = pytest.mark.filterwarnings("ignore")
L = torch.linalg


def t(*shape, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


# The default driver, gelsy, gives other last digits for the same numbers from run to run.
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


def symmetric(x):
    return x + x.mT


SPECTRA = {
    "matrix_exp": (torch.matrix_exp, t(3, 3)),
    "matrix_exp of several": (lambda x: torch.matrix_exp(x), t(2, 2, 2)),
    "matrix_exp of a large matrix": (lambda x: torch.matrix_exp(4 * x), t(3, 3)),
    "matrix_exp of a skew matrix": (lambda x: torch.matrix_exp(x - x.mT), t(3, 3)),
    "eigvalsh": (lambda x: L.eigvalsh(symmetric(x)), t(4, 4)),
    "eigvalsh of several": (lambda x: L.eigvalsh(symmetric(x)), t(2, 3, 3)),
    "eigh": (lambda x: L.eigh(symmetric(x)), t(3, 3)),
    "eigh of a matrix that is given": (L.eigh, symmetric(t(3, 3))),
    "eigh, upper triangle": (lambda x: L.eigh(symmetric(x), UPLO="U"), t(3, 3)),
    "eigh of several": (lambda x: L.eigh(symmetric(x))[1], t(2, 3, 3)),
    "root of a matrix": (
        lambda x: (lambda w, v: v * w.sqrt() @ v.mT)(*L.eigh(x @ x.mT)),
        t(3, 4),
    ),
    "svdvals": (L.svdvals, t(4, 3)),
    "svd with all vectors": (lambda x: (lambda u, s, v: (u[:, :2], s, v))(*L.svd(x)), t(4, 2)),
    "svd": (lambda x: L.svd(x, full_matrices=False), t(3, 3)),
    "svd of a tall matrix": (lambda x: L.svd(x, full_matrices=False), t(4, 2)),
    "svd of a wide matrix": (lambda x: L.svd(x, full_matrices=False), t(2, 2, 4)),
    "low rank": (
        lambda x: (lambda u, s, v: u[:, :2] * s[:2] @ v[:2])(*L.svd(x, full_matrices=False)),
        t(4, 3),
    ),
    "nuclear norm": (lambda x: L.matrix_norm(x, "nuc"), t(3, 2)),
    "spectral norm": (lambda x: L.matrix_norm(x, 2), t(3, 2)),
    "condition": (lambda x: L.cond(x), t(3, 3)),
    "matrix_power -2": (lambda x: L.matrix_power(x, -2), t(3, 3)),
}
CASES = {**REFLECTIONS, **SPECTRA}


@pytest.mark.parametrize("case", CASES)
def test_numbers_derivative_and_noise(case):
    assert largest_error(*CASES[case]) < 1e-11
    assert deviations_off(*CASES[case]) <= DEVIATIONS
    assert agreeing_digits(*CASES[case]) > 30


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_backward_is_found(case):
    code, *inputs = CASES[case]
    given = {f"x{place}": value for place, value in enumerate(inputs)}
    found = examine(Subject(lambda x, *rest: code(Scaled.apply(x), *rest), given))
    assert found["x0"].outcome is Outcome.DISAGREES
    assert found["x0"].wrong_formula.any()


@pytest.mark.parametrize("code", [L.qr, lambda x: L.lstsq(x, x)[0]])
def test_a_matrix_without_full_rank_is_refused(code):
    with pytest.raises(NotReadableError, match=r"full rank"):
        agreeing_digits(code, torch.ones(3, 2, dtype=torch.float64))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("case", CASES)
def test_rounding_explains_the_numbers(case, dtype):
    code, *inputs = CASES[case]
    given = {f"x{place}": value.to(dtype) for place, value in enumerate(inputs)}
    assert examine(Subject(code, given)).outcome is Outcome.AGREES


@pytest.mark.parametrize("code", [torch.matrix_exp, L.svdvals, lambda x: L.eigh(symmetric(x))])
@pytest.mark.parametrize("quantity", ["forward", "second"])
def test_forward_mode_and_second_derivatives(code, quantity):
    found = examine(Subject(code, {"x": t(2, 2)}, quantity=quantity))
    assert found.outcome is Outcome.AGREES


class ByOtherEigenvalue(torch.autograd.Function):
    """The largest eigenvalue, with the gradient of the smallest one."""

    @staticmethod
    def forward(ctx, x):
        values, vectors = L.eigh(x)
        ctx.save_for_backward(vectors)
        return values[-1]

    @staticmethod
    def backward(ctx, grad):
        (vectors,) = ctx.saved_tensors
        return grad * torch.outer(vectors[:, 0], vectors[:, 0])


def test_a_gradient_by_another_eigenvalue_is_found():
    found = examine(Subject(lambda x: ByOtherEigenvalue.apply(symmetric(x)), {"x": t(3, 3)}))
    assert found["x"].outcome is Outcome.DISAGREES


def test_eigenvalues_that_are_equal_have_values_but_no_gradient():
    found = examine(Subject(L.eigvalsh, {"x": torch.eye(3, dtype=torch.float64)}))
    assert found["value"].outcome is Outcome.AGREES
    assert found["x"].outcome is Outcome.UNDECIDED


@pytest.mark.parametrize("code", [lambda x: L.eigh(x)[1], lambda x: L.svd(x)[0]])
def test_vectors_of_equal_values_are_undecided(code):
    found = examine(Subject(code, {"x": torch.diag(torch.tensor([1.0, 1.0, 3.0]).double())}))
    assert found["x"].outcome is Outcome.UNDECIDED


@pytest.mark.parametrize("apart", [2.0**-52, 1e-13, 1e-8])
@pytest.mark.parametrize("code", [lambda x: L.eigh(x)[1], lambda x: L.svd(x)[0]])
def test_vectors_of_values_near_each_other_are_never_called_wrong(code, apart):
    turn, _ = L.qr(t(3, 3))
    nearly = turn * torch.tensor([1.0, 1.0 + apart, 3.0], dtype=torch.float64) @ turn.mT
    found = examine(Subject(code, {"x": (nearly + nearly.mT) / 2}))
    assert found.outcome is not Outcome.DISAGREES


def test_what_depends_on_the_further_vectors_of_a_full_svd_is_undecided():
    found = examine(Subject(lambda x: L.svd(x)[0].sum(0), {"x": t(4, 2)}))
    assert [found[name].outcome for name in ("value", "x")] == [Outcome.UNDECIDED] * 2
    assert found["value"].count(Outcome.UNDECIDED) == 2
    unique = examine(Subject(lambda x: L.svd(x)[0][:, :2].sum(0), {"x": t(4, 2)}))
    assert unique.outcome is Outcome.AGREES


def test_a_matrix_that_is_not_symmetric_has_no_eigh():
    with pytest.raises(NotReadableError, match="not symmetric"):
        agreeing_digits(L.eigvalsh, t(3, 3))
