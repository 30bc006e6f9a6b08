"""Complex numbers: each rule against torch's own numbers, its backward against the derivative of
its forward, and wrong backwards that are found.
"""

import numpy as np
import pytest
import torch

from tests.helpers.reading import agreeing_digits, largest_error
from verifier.capture.aten.complex_numbers.fourier import DIRECT
from verifier.capture.code_at_point import Subject
from verifier.capture.joint_graph import NotReadableError
from verifier.judging.examination import Replayed
from verifier.judging.examine import examine
from verifier.judging.outcome import Outcome


def t(*shape, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(*shape, generator=generator, dtype=torch.float64) * 2 - 1


def of(function):
    """Code of real and imaginary parts."""
    return lambda real, imag: function(torch.complex(real, imag))


def of_two(function):
    """Code of the parts of two complex tensors."""
    return lambda a, b, c, d: function(torch.complex(a, b), torch.complex(c, d))


ELEMENTARY = [
    "exp",
    "log",
    "sqrt",
    "rsqrt",
    "sin",
    "cos",
    "tan",
    "sinh",
    "cosh",
    "tanh",
    "asin",
    "acos",
    "atan",
    "asinh",
    "acosh",
    "atanh",
    "log1p",
    "expm1",
    "sgn",
    "reciprocal",
    "square",
    "sigmoid",
    "abs",
    "angle",
    "conj",
    "conj_physical",
    "neg",
]
LITERAL = ("log2", "log10", "exp2")
"""Torch's backward has a rounded logarithm in it."""
ONE = {
    "real": torch.real,
    "imag": torch.imag,
    "imag of conj": lambda z: z.conj().imag * 2,
    "view": lambda z: torch.view_as_complex(torch.view_as_real(z) * 3),
    "polar": lambda z: torch.polar(z.real.exp(), z.imag),
    "a complex constant": lambda z: z * (2 - 3j) + 1j,
    "a constant over it": lambda z: (2 - 3j) / z,
    "a constant without it": lambda z: 1j - z,
    "a real tensor": lambda z: z * z.real + z.imag,
    "cube": lambda z: z**3,
    "inverse square": lambda z: z**-2,
    "root": lambda z: z**0.5,
    "power": lambda z: z**1.7,
    "moved": lambda z: z.flip(0)[[0, 2, 1]].reshape(3, 2, 2).transpose(0, 1).cumsum(0),
    "sum and mean": lambda z: z.sum(0) * z.mean(),
    "product": lambda z: z.prod(0),
    "products": lambda z: z.cumprod(0),
    "norm": lambda z: torch.linalg.vector_norm(z),
    "variance": lambda z: z.var(0),
    "where": lambda z: torch.where(z.real > 0, z, z * 2),
    "filled": lambda z: z.masked_fill(z.real > 0, 1 + 2j),
    "in place": lambda z: z.clone().index_put_((torch.tensor([0]),), z[1] * 2),
    "to real": lambda z: z.real.to(torch.complex128) * z,
    "as strided": lambda z: z.as_strided((2, 2), (4, 1), 1) * 2,
    "padded": lambda z: torch.nn.functional.pad(z, (1, 2)),
    "matrix exponential": lambda z: torch.linalg.matrix_exp(z[:2, :2]),
    "inverse": lambda z: torch.linalg.inv(z[:2, :2]),
    "determinant": lambda z: torch.linalg.det(z[:, :3]),
    "determinants": lambda z: torch.linalg.det(torch.stack([z[:2, :2], z[1:, 1:3]])),
    "logarithm of a determinant": lambda z: torch.linalg.slogdet(z[:, :3]),
    "power of a complex number": lambda z: z ** (1.5 + 0.5j),
    "power 0": lambda z: z**0 * z,
    "power 17": lambda z: (z / 2) ** 17,
    "reciprocal root": lambda z: z**-0.5,
    "parts of one tensor": lambda z: z.split(2, 1)[0] * z.split(2, 1)[1],
    "product of all": lambda z: z.prod(),
    "product kept": lambda z: z.prod(1, keepdim=True) * z,
    "deviation": lambda z: z.std(0),
    "norm of all": lambda z: z.norm(),
    "alike": lambda z: z * torch.full_like(z, 1 + 2j),
    "equal": lambda z: torch.where(z == z.conj(), z, 2 * z),
    "different": lambda z: torch.where(z != z.conj(), z, 2 * z),
    "not changed": lambda z: z.to(memory_format=torch.contiguous_format) * z,
    "to complex": lambda z: z.real.to(torch.complex128) * 1j,
    "matrix power": lambda z: torch.linalg.matrix_power(z[:2, :2], -2),
}
TWO = {
    "times": lambda z, w: z * w,
    "over": lambda z, w: z / w,
    "to the power": lambda z, w: z**w,
    "plus": lambda z, w: torch.add(z, w, alpha=2),
    "minus": lambda z, w: torch.sub(z, w, alpha=1 + 2j),
    "addcmul": lambda z, w: torch.addcmul(z, z, w, value=2),
    "addcdiv": lambda z, w: torch.addcdiv(z, z, w, value=2),
    "lerp": lambda z, w: torch.lerp(z, w, 0.25),
    "matmul": lambda z, w: z @ w.mH,
    "batches": lambda z, w: z[None] @ w.mT[None],
    "addmm": lambda z, w: torch.addmm(z[:, :3], z, w.T, beta=2, alpha=1j),
    "dot": lambda z, w: torch.dot(z[0], w[0]),
    "vdot": lambda z, w: torch.vdot(z[0], w[0]),
    "einsum": lambda z, w: torch.einsum("ij,kj->ik", z, w.conj()),
    "solution": lambda z, w: torch.linalg.solve(z[:, :3], w),
    "solution of a vector": lambda z, w: torch.linalg.solve(z[:, :3], w[:, 0]),
    "solution on the left": lambda z, w: torch.linalg.solve(z[:, :3], w.mT, left=False),
    "solutions": lambda z, w: torch.linalg.solve(torch.stack([z[:2, :2], z[1:, 1:3]]), w[:2]),
    "vectors": lambda z, w: torch.linalg.solve(torch.stack([z[:2, :2], z[1:, 1:3]]), w[:2, :2]),
    "convolution": lambda z, w: torch.nn.functional.conv1d(z[None], w[None, :, :2]),
}
CASES = {
    **{name: (of(getattr(torch, name)), t(3, 4), t(3, 4, seed=2)) for name in ELEMENTARY},
    **{name: (of(function), t(3, 4), t(3, 4, seed=2)) for name, function in ONE.items()},
    **{
        name: (of_two(function), *(t(3, 4, seed=seed) for seed in range(1, 5)))
        for name, function in TWO.items()
    },
}
SIGNAL = t(3, 12)
FOURIER = {
    "fft": (of(torch.fft.fft), t(2, 6), t(2, 6, seed=2)),
    "ifft of a prime count": (of(torch.fft.ifft), t(7), t(7, seed=2)),
    "fft2": (of(lambda z: torch.fft.fft2(z, norm="ortho")), t(3, 4), t(3, 4, seed=2)),
    "rfft": (torch.fft.rfft, SIGNAL),
    "rfft of an odd count": (torch.fft.rfft, t(5)),
    "rfftn": (lambda x: torch.fft.rfftn(x, norm="forward"), SIGNAL),
    "irfft": (of(torch.fft.irfft), t(2, 4), t(2, 4, seed=2)),
    "irfft of an odd count": (of(lambda z: torch.fft.irfft(z, n=7)), t(4), t(4, seed=2)),
    "irfft2": (of(torch.fft.irfft2), t(3, 4), t(3, 4, seed=2)),
    "hfft": (of(torch.fft.hfft), t(4), t(4, seed=2)),
    "a long one": (torch.fft.rfft, t(2 * DIRECT)),
    "a long one of odd parts": (of(torch.fft.fft), t(45), t(45, seed=2)),
    "spectrogram": (
        lambda x: torch.stft(x, 8, window=torch.hann_window(8), return_complex=True).abs(),
        t(24),
    ),
    "back from a spectrogram": (
        lambda x: torch.istft(
            torch.stft(x, 8, window=torch.ones(8), return_complex=True) * 2j, 8,
            window=torch.ones(8),
        ),
        t(24),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", [*CASES, *FOURIER])
def test_numbers_of_forward_and_backward(case):
    assert largest_error(*{**CASES, **FOURIER}[case]) < 1e-12


@pytest.mark.parametrize("case", [*CASES, *FOURIER])
def test_backward_is_the_derivative_of_forward(case):
    assert agreeing_digits(*{**CASES, **FOURIER}[case]) > 30


@pytest.mark.parametrize("code", [*(getattr(torch, name) for name in LITERAL), lambda z: 2.0**z])
def test_a_rounded_constant_of_a_backward_is_granted(code):
    examination = examine(Subject(of(code), {"x": t(3), "y": t(3, seed=2)}))
    assert examination.outcome is Outcome.AGREES
    assert examination.formula.literals


def test_roots_of_unity_are_exact():
    """A transform of ones is exactly 0 but for its first number."""
    examination = examine(
        Subject(torch.fft.fft, {"x": torch.ones(12, dtype=torch.float64)}, seeds=(t(12, 2),))
    )
    assert examination.outcome is Outcome.AGREES
    exact = examination["value"].verdicts.centre
    np.testing.assert_allclose(exact, [12, *[0] * 23], atol=1e-50)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "code", [torch.fft.rfft, lambda x: x * (1 + 2j), lambda x: torch.polar(x.exp(), x).log()]
)
def test_complex_results_are_judged(code, dtype):
    examination = examine(Subject(code, {"x": t(6).to(dtype)}))
    assert examination.outcome is Outcome.AGREES
    assert isinstance(examination.formula, Replayed)
    assert examination["value"].shape[-1] == 2


def eigen(matrix):
    """The values, and what does not depend on the phases of the vectors."""
    values, vectors = torch.linalg.eig(matrix)
    return torch.cat([values.real, values.imag, vectors.abs().reshape(-1)])


EIGEN = {
    "real": (eigen, t(4, 4)),
    "batch": (lambda x: torch.view_as_real(torch.linalg.eigvals(x)), t(2, 3, 3)),
    "complex": (of(eigen), t(3, 3), t(3, 3, seed=2)),
}


@pytest.mark.parametrize("case", EIGEN)
def test_eigenvalues_of_any_matrix(case):
    assert largest_error(*EIGEN[case]) < 1e-12
    assert agreeing_digits(*EIGEN[case]) > 30
    code, *matrices = EIGEN[case]
    inputs = {f"x{place}": matrix for place, matrix in enumerate(matrices)}
    assert examine(Subject(code, inputs)).outcome is Outcome.AGREES


class EigenvaluesTwice(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.linalg.eigvals(x).abs()

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        with torch.enable_grad():
            own = x.detach().requires_grad_()
            return torch.autograd.grad(torch.linalg.eigvals(own).abs(), own, 2 * grad_output)


def test_a_wrong_backward_of_eigenvalues_is_found():
    examination = examine(Subject(EigenvaluesTwice.apply, {"x": t(3, 3)}))
    assert examination["value"].outcome is Outcome.AGREES
    assert examination["x"].outcome is Outcome.DISAGREES


def test_equal_eigenvalues_are_refused():
    jordan = torch.tensor([[1.0, 1.0], [0.0, 1.0]], dtype=torch.float64)
    with pytest.raises(NotReadableError, match=r"has no rule for a matrix with equal eigenvalues$"):
        agreeing_digits(torch.linalg.eigvals, jordan)


class WithoutConjugate(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z, w):
        ctx.save_for_backward(z, w)
        return z * w

    @staticmethod
    def backward(ctx, grad_output):
        z, w = ctx.saved_tensors
        return grad_output * w, grad_output * z.conj()


class FourierWithoutScale(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.fft.ifft(x)

    @staticmethod
    def backward(ctx, grad_output):
        return torch.fft.fft(grad_output)


def test_a_missing_conjugate_is_found():
    parts = dict(zip("abcd", (t(3, seed=seed) for seed in range(1, 5)), strict=True))
    examination = examine(Subject(of_two(WithoutConjugate.apply), parts))
    outcomes = [examination[name].outcome for name in parts]
    assert outcomes == [Outcome.DISAGREES] * 2 + [Outcome.AGREES] * 2
    assert examination["a"].wrong_formula.all()


def test_a_missing_scale_of_a_transform_is_found():
    code = of(FourierWithoutScale.apply)
    examination = examine(Subject(code, {"x": t(4), "y": t(4, seed=2)}))
    assert examination["x"].outcome is Outcome.DISAGREES
    assert examination["value"].outcome is Outcome.AGREES


def test_an_operation_without_a_rule_for_complex_numbers():
    with pytest.raises(NotReadableError, match=r"^aten::\w+ has no rule for complex numbers$"):
        agreeing_digits(of(lambda z: torch.linalg.lu(z)[2]), t(2, 2), t(2, 2, seed=2))
