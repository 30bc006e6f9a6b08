"""Bodies with arrays of their own, whose parameters and data are numbers: formulas of arrays."""

import numpy as np
import pytest
import torch

import verifier
from verifier import model, normal, squared_error
from verifier.functions import determinant, exp, log, mean, piecewise, solve, where

POINTS = np.linspace(0, 1, 6)[:, None]
SQUARES = (POINTS - POINTS.T) ** 2
VALUES = np.sin(6 * POINTS[:, 0])


@model(train={"epochs": 3, "lr": 0.05})
def gaussian_process(*, length=-1.0, noise=-2.0):
    kernel = exp(-SQUARES / exp(length)) + exp(noise) * np.eye(6)
    return (VALUES @ solve(kernel, VALUES) + log(determinant(kernel))) / 2


@model(loss=squared_error, data={"x": [1.0, 2.0, 4.0], "y": [0.0, 1.0, 2.0]}, train={"lr": 0.1})
def centred(x, *, w=0.5):
    return w * (x - mean(x))


@model(loss=squared_error)
def line(x, *, w=0.5):
    return w * x


@model(loss=squared_error)
def branching(x, *, w=0.5):
    return w * x if x > 0 else w


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_kernel_of_constant_points(dtype):
    assert not gaussian_process.is_scalar
    report = verifier.train(gaussian_process, dtype=dtype)
    assert (report.outcome, report.exit_code) == (verifier.Outcome.AGREES, 0)
    losses = [step.loss.stated for step in report.steps]
    assert losses[2] < losses[0]
    kernel = np.exp(-SQUARES / np.exp(-1.0)) + np.exp(-2.0) * np.eye(6)
    expected = (VALUES @ np.linalg.solve(kernel, VALUES) + np.linalg.slogdet(kernel)[1]) / 2
    assert losses[0] == pytest.approx(expected, rel=1e-5)


def test_a_mean_over_the_rows_of_a_batch():
    report = verifier.train(centred, batch="all", epochs=3)
    assert report.exit_code == 0
    assert report.steps[0].loss.stated == pytest.approx(
        np.mean((0.5 * np.array([-4 / 3, -1 / 3, 5 / 3]) - [0.0, 1.0, 2.0]) ** 2)
    )


def test_other_models_stay_as_they_were():
    assert line.is_scalar
    assert branching.is_scalar
    with pytest.raises(verifier.InputError, match="decides a branch, but a formula has no value"):
        _ = branching.program


X = np.random.default_rng(0).normal(size=(6, 3))
DATA = {"x": X, "y": X[:, 0]}
MASK = np.array([True, False, True])


def masked(x, *, w=normal(3)):
    return where(MASK, x, 0) @ w


def in_pieces(x, *, w=normal(3)):
    return piecewise((x, x > 0), (2 * x, x > -1), (0, True)) @ w


def in_a_band(x, *, w=normal(3)):
    return where((x > 0) & (x < 1), x, 2 * x) @ w


EXPECTED = {
    masked: X * MASK,
    in_pieces: np.where(X > 0, X, np.where(X > -1, 2 * X, 0)),
    in_a_band: np.where((X > 0) & (X < 1), X, 2 * X),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("body", EXPECTED)
def test_branches_of_arrays(body, dtype):
    branches = model(loss=squared_error, data=DATA)(body)
    report = verifier.train(branches, batch="all", epochs=2, dtype=dtype)
    assert (report.outcome, report.exit_code) == (verifier.Outcome.AGREES, 0)
    expected = EXPECTED[body] @ branches.start["w"]
    assert branches.numpy(X, **branches.start).tolist() == pytest.approx(expected.tolist())
    in_torch = branches.torch(torch.tensor(X), **branches.start)
    assert in_torch.tolist() == pytest.approx(expected.tolist())


def test_a_condition_that_is_a_number():
    def condition(x, *, w=normal(3)):
        return where(x, x, 0) @ w

    with pytest.raises(verifier.InputError) as error:
        verifier.train(model(loss=squared_error, data=DATA)(condition))
    assert str(error.value).endswith(
        "condition cannot be run on arrays: TypeError: where takes a condition first, such as x > 0"
    )
