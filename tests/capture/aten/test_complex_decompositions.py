"""Decompositions of complex matrices: what is unique is judged, and a wrong backward is found
through each of them.
"""

import pytest
import torch

from verifier.capture.code_at_point import Subject
from verifier.errors import InputError
from verifier.judging.examination import Replayed
from verifier.judging.examine import examine
from verifier.judging.outcome import Outcome

L = torch.linalg
AGREES, DISAGREES = Outcome.AGREES, Outcome.DISAGREES


def parts(z):
    return torch.view_as_real(z) if z.is_complex() else z


def hermitian(z):
    return z + z.mH


def positive(z):
    return z @ z.mH + torch.eye(z.shape[-1])


def exponential_of_hermitian(z):
    values, vectors = L.eigh(hermitian(z))
    return vectors @ torch.diag_embed(values.exp() + 0j) @ vectors.mH


def sine_of_singular_values(z):
    left, values, right = L.svd(z, full_matrices=False)
    return left @ torch.diag_embed(values.sin() + 0j) @ right


def nearest_unitary(z):
    left, _, right = L.svd(z, full_matrices=False)
    return left @ right


def solved_by_cholesky(z, upper=False):
    root = L.cholesky(positive(z), upper=upper)
    return torch.cholesky_solve(torch.ones(3, 2, dtype=z.dtype), root, upper=upper)


CASES = {
    "eigvalsh": (lambda z: L.eigvalsh(hermitian(z)), (2, 2)),
    "eigh": (exponential_of_hermitian, (2, 2)),
    "svdvals": (L.svdvals, (3, 2)),
    "svdvals of a wide one": (L.svdvals, (2, 3)),
    "svd": (nearest_unitary, (3, 2)),
    "svd of a wide one": (sine_of_singular_values, (2, 3)),
    "nuclear norm": (lambda z: L.matrix_norm(z, "nuc"), (2, 2)),
    "spectral norm": (lambda z: L.matrix_norm(z, 2), (2, 2)),
    "R": (lambda z: L.qr(z).R, (4, 3)),
    "Q": (lambda z: L.qr(z).Q, (4, 3)),
    "Q of a square one": (lambda z: L.qr(z).Q, (3, 3)),
    "cholesky": (lambda z: L.cholesky(positive(z)), (3, 3)),
    "upper cholesky": (lambda z: L.cholesky(positive(z), upper=True), (3, 3)),
    "cholesky_solve": (solved_by_cholesky, (3, 3)),
    "upper cholesky_solve": (lambda z: solved_by_cholesky(z, upper=True), (3, 3)),
    "solve_triangular": (
        lambda z: L.solve_triangular(z.triu() + 2 * torch.eye(3), z, upper=True),
        (3, 3),
    ),
    "solve_triangular from the right": (
        lambda z: L.solve_triangular(z.tril() + 2 * torch.eye(3), z, upper=False, left=False),
        (3, 3),
    ),
    "pinv": (L.pinv, (4, 3)),
    "pinv of a wide one": (L.pinv, (2, 3)),
    "inv": (L.inv, (3, 3)),
    "det": (L.det, (3, 3)),
    "solve": (lambda z: L.solve(z, torch.ones(3, 2, dtype=z.dtype)), (3, 3)),
}


class Off(torch.autograd.Function):
    """The identity, with a backward that is off by a part in 1,000."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, g):
        return g * 1.001


def numbers(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def examined(code, shape, dtype, given=lambda a: a):
    inputs = {"a": numbers(*shape).to(dtype), "b": numbers(*shape, seed=1).to(dtype)}
    return examine(Subject(lambda a, b: parts(code(torch.complex(given(a), b))), inputs))


IN_FLOAT32 = ("eigvalsh", "svd of a wide one", "Q", "cholesky", "pinv of a wide one")


@pytest.mark.parametrize(
    ("case", "dtype"),
    [
        *((case, torch.float64) for case in CASES),
        *((case, torch.float32) for case in IN_FLOAT32),
    ],
    ids=str,
)
def test_right_code_agrees_and_wrong_code_does_not(case, dtype):
    code, shape = CASES[case]
    right = examined(code, shape, dtype)
    assert right.outcome is AGREES
    assert isinstance(right.formula, Replayed) and right.formula.digits > 40
    assert examined(code, shape, dtype, Off.apply)["a"].outcome is DISAGREES


@pytest.mark.parametrize(
    "code",
    [lambda z: L.eigh(hermitian(z)).eigenvectors, lambda z: L.svd(z).U],
    ids=["eigh", "svd"],
)
def test_what_depends_on_phases_has_no_gradient(code):
    """torch itself refuses it."""
    with pytest.raises(InputError, match=r"specified up to multiplication by e\^\{i phi\}"):
        examined(code, (3, 3), torch.float64)


@pytest.mark.parametrize(
    ("code", "shape", "sentence"),
    [
        (lambda z: L.svd(z).S, (4, 3), "all vectors of a complex matrix that is not square"),
        (lambda z: L.eigvalsh(0 * z + torch.eye(3)), (3, 3), "a matrix with equal eigenvalues"),
        (lambda z: L.qr(z).R, (2, 3), "mode 'reduced' of a complex 2x3 matrix"),
        (lambda z: L.pinv(z[:, :1] @ z[:1]), (3, 3), "a complex matrix without full rank"),
    ],
)
def test_what_is_not_unique_is_refused(code, shape, sentence):
    with pytest.raises(InputError) as error:
        examined(code, shape, torch.float64)
    assert f"has no rule for {sentence}" in error.value.sentence
