"""Pseudo-inverses whose small singular values are cut off."""

import numpy as np
import pytest
import torch
from flint import arb

from tests.helpers.own_backward import with_context
from verifier.capture.code_at_point import SECOND, Subject
from verifier.judging.examination import Replayed
from verifier.judging.examine import examine
from verifier.judging.outcome import Outcome
from verifier.operations.arrays import Balls
from verifier.program.evaluation.arithmetic import balls, middle, precision, radius
from verifier.program.matrices.truncated_inverse import TruncatedInverse
from verifier.program.program import FrozenArray

AGREES, DISAGREES = Outcome.AGREES, Outcome.DISAGREES
pinv = torch.linalg.pinv


def t(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def cut(x):
    return pinv(x, rtol=0.3)


WIDE_RANGE = torch.diag(torch.tensor([3.0, 1.5, 0.2], dtype=torch.float64)) + 0.01 * t(3, 3)
CASES = {
    "a product of rank 1": (lambda x: pinv(x[:4, :1] @ x[:3, 1:].mT), t(4, 2)),
    "a product of rank 2": (lambda x: pinv(x @ x[:3].mT), t(5, 2)),
    "a wide one": (lambda x: pinv(x[:3] @ x.mT), t(5, 2)),
    "equal columns": (pinv, torch.ones(3, 2, dtype=torch.float64)),
    "zeros": (pinv, torch.zeros(3, 2, dtype=torch.float64)),
    "a tolerance": (cut, WIDE_RANGE),
    "a batch of two ranks": (cut, torch.stack([WIDE_RANGE, torch.eye(3, dtype=torch.float64)])),
    "symmetric": (lambda x: pinv(x @ x.mT, hermitian=True), t(4, 2)),
}


def own(scale, without):
    """The pseudo-inverse with its backward written out, one of the three terms left out."""

    def backward(ctx, g, a):
        x = cut(a)
        terms = {
            "inside": -x.mT @ g @ x.mT,
            "outside": (torch.eye(3, dtype=a.dtype) - a @ x) @ g.mT @ x @ x.mT,
            "beyond": x.mT @ x @ g.mT @ (torch.eye(3, dtype=a.dtype) - x @ a),
        }
        return scale * sum(term for name, term in terms.items() if name != without)

    return with_context(cut, backward)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("case", CASES)
def test_it_agrees(case, dtype):
    code, x = CASES[case]
    found = examine(Subject(code, {"x": x.to(dtype)}))
    assert found.outcome is AGREES
    assert isinstance(found.formula, Replayed) and found.formula.digits > 50


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize(
    ("scale", "without", "outcome"),
    [
        (1.0, None, AGREES),
        (1.0 + 1e-4, None, DISAGREES),
        (1.0, "inside", DISAGREES),
        (1.0, "outside", DISAGREES),
        (1.0, "beyond", DISAGREES),
    ],
)
def test_a_backward_of_ones_own(scale, without, outcome, dtype):
    x = (WIDE_RANGE + 0.1 * t(3, 3, seed=2)).to(dtype)
    assert torch.linalg.matrix_rank(x, rtol=0.3) == 2
    assert examine(Subject(own(scale, without), {"x": x}))["x"].outcome is outcome


def test_the_second_derivative():
    code, x = CASES["a product of rank 1"]
    rows = {"x": (0, 3)}
    assert examine(Subject(code, {"x": x}, quantity=SECOND, rows=rows)).outcome is AGREES
    wrong = with_context(lambda x: x, lambda ctx, g, x: g * (1 + 1e-3 * x))
    found = examine(Subject(lambda x: code(wrong(x)), {"x": x}, quantity=SECOND, rows=rows))
    assert found.outcome is DISAGREES


def inverse(matrix, rank) -> Balls:
    with precision(256):
        return TruncatedInverse(FrozenArray(np.array(rank))).balls(balls(matrix), 0)


def test_the_balls_hold_the_inverse_of_what_is_kept():
    matrix = np.diag([4.0, 2.0, 0.125])
    found = inverse(matrix, 2)
    assert radius(found).max() < 1e-60
    np.testing.assert_array_equal(middle(found), np.diag([0.25, 0.5, 0.0]))
    assert found[0, 0].contains(arb("0.25"))


@pytest.mark.parametrize(("diagonal", "rank"), [((2.0, 2.0), 1), ((2.0, 1.0), 3)])
def test_nothing_is_proved_of_values_that_are_not_apart(diagonal, rank):
    found = inverse(np.diag(diagonal), min(rank, 2)) if rank < 3 else inverse([[np.nan] * 2] * 2, 1)
    assert np.isinf(radius(found)).all()
