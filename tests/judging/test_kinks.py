"""Kinks: the convex hull of the limits agrees, taken together, and nothing else does."""

import numpy as np
import pytest
import torch

from verifier.capture.code_at_point import Subject
from verifier.judging.examine import examine
from verifier.judging.kinks.hull import is_mean, on_affine_hull
from verifier.judging.verdict import Note, Outcome

AGREES, DISAGREES, UNDECIDED = Outcome.AGREES, Outcome.DISAGREES, Outcome.UNDECIDED
ONE = (torch.tensor(1.0, dtype=torch.float64),)


def tensor(*numbers):
    return torch.tensor(numbers, dtype=torch.float64)


def stating(forward, gradient):
    """Code of that forward whose backward states this gradient."""

    class Stating(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return forward(x)

        @staticmethod
        def backward(ctx, grad_output):
            return grad_output * tensor(*gradient)

    return Stating.apply


def judged(forward, at, gradient):
    """The outcome and the notes of a gradient that is stated for a sum there."""
    part = examine(Subject(stating(forward, gradient), {"x": tensor(*at)}, seeds=ONE))["x"]
    return part.outcome, {list(Note)[place] for place in part.verdicts.note}


def amax(x):
    return x.amax()


def spread(x):
    return x.amax() - x.amin()


def norm(x):
    return (x * x).sum().sqrt()


def softplus(x):
    return (torch.relu(x) + torch.log1p(torch.exp(-x.abs()))).sum()


def straight(x):
    return (torch.relu(x) - torch.relu(-x)).sum()


@pytest.mark.parametrize(
    ("forward", "at", "gradient"),
    [
        (amax, [1, 1, 1], [1 / 3, 1 / 3, 1 / 3]),
        (amax, [1, 1, 1], [0, 1, 0]),
        (amax, [1, 1, 1], [0.2, 0.3, 0.5]),
        (amax, [1, 1, 0.5], [0.5, 0.5, 0]),
        (amax, [1.0], [1]),
        (spread, [1, 1, 1], [0, 0, 0]),
        (spread, [1, 1, 1], [1, 0, -1]),
        (lambda x: torch.relu(x).sum(), [0, 0, 1], [0, 1, 1]),
        (lambda x: x.abs().sum(), [0, -0.0, 2], [0, -1, 1]),
        (lambda x: x.clamp(-1, 1).sum(), [-1, 1, 0], [1, 0, 1]),
        (norm, [0, 0], [0, 0]),
        (norm, [0, 0], [1, 0]),
    ],
)
def test_a_mean_of_the_limits_agrees(forward, at, gradient):
    assert judged(forward, at, gradient) in (
        (AGREES, {Note.KINK}),
        (AGREES, {Note.KINK, Note.NONE}),
        (AGREES, {Note.NONE}),
    )


@pytest.mark.parametrize(
    ("forward", "at", "gradient"),
    [
        (amax, [1, 1], [0, 0]),
        (amax, [1, 1, 1], [1, 1, 1]),
        (amax, [1, 1, 1], [0.5, 0.5, 0.5]),
        (amax, [1, 1, 0.5], [0.4, 0.4, 0]),
        (spread, [1, 1, 1], [0, 0, 1]),
    ],
)
def test_weights_at_a_tie_must_add_up(forward, at, gradient):
    outcome, notes = judged(forward, at, gradient)
    assert outcome is DISAGREES and Note.NO_MEAN in notes


@pytest.mark.parametrize(
    ("forward", "at", "gradient"),
    [
        (amax, [1, 1, 1], [2, -0.5, -0.5]),
        (amax, [1, 1, 0.5], [0.5, 0.4, 0.1]),
        (lambda x: torch.relu(x).sum(), [0, 0, 1], [0, 1.1, 1]),
        (lambda x: x.abs().sum(), [0, 2], [-1.01, 1]),
        (norm, [0, 0], [1.1, 0]),
        (norm, [0, 0], [float("nan"), 0]),
    ],
)
def test_what_lies_outside_disagrees(forward, at, gradient):
    assert judged(forward, at, gradient)[0] is DISAGREES


@pytest.mark.parametrize(("forward", "right"), [(softplus, 0.5), (straight, 1.0)])
def test_kinks_that_cancel_are_none(forward, right):
    assert judged(forward, [0.0, 0.0], [right, right]) == (AGREES, {Note.NONE})
    assert judged(forward, [0.0, 0.0], [0.0, right]) == (DISAGREES, {Note.CANCELS, Note.NONE})


def test_torch_keeps_its_convention_where_the_whole_is_smooth():
    part = examine(Subject(straight, {"x": tensor(0.0, 1.0)}, seeds=ONE))["x"]
    assert part.verdicts.stated.tolist() == [0.0, 1.0]
    assert part.outcome is DISAGREES


@pytest.mark.parametrize("number", [2, 40, 400])
def test_ties_of_many(number):
    ones = [1.0] * number
    assert judged(amax, ones, [1 / number] * number)[0] is AGREES


def test_ties_of_too_many_to_try_each_are_bounded_by_the_ends():
    ones = [1.0] * 400
    assert judged(amax, ones, [2.0] + [0.0] * 399)[0] is DISAGREES
    assert judged(amax, ones, [0.5] * 399 + [-0.1])[0] is DISAGREES


def test_weights_of_too_many_ties_sum_to_one_all_the_same():
    ones = [1.0] * 400
    outcome, notes = judged(amax, ones, [0.0] * 400)
    assert outcome is DISAGREES and Note.NO_MEAN in notes
    assert judged(amax, ones, [1.0] * 400)[0] is DISAGREES
    assert judged(amax, ones, [1.0] + [0.0] * 399)[0] is AGREES
    relus = [0.5] * 300 + [0.0] * 100
    assert judged(lambda x: torch.relu(x).sum(), [0.0] * 400, relus)[0] is AGREES


def test_a_search_for_a_mean_that_does_not_end_is_no_error(monkeypatch):
    def endless(*_):
        raise RuntimeError("too many iterations")

    monkeypatch.setattr("scipy.optimize.nnls", endless)
    assert judged(amax, [1, 1, 1], [0.2, 0.3, 0.5])[0] is AGREES
    assert judged(amax, [1, 1], [0, 0])[0] is DISAGREES


def test_a_function_without_limits_beside_the_point_is_undecided():
    assert judged(lambda x: x.log().sum(), [0.0], [1.0])[0] is UNDECIDED


def test_rounding_of_one_entry_is_not_seen_in_another():
    """The limits are apart along the first entry; the second one is the same in all but for a
    rounding.
    """
    limits = np.array([[way, 1e-9 * way] for way in np.linspace(0.0, 1.0, 12)])
    stated = np.array([0.25, 3e-9])
    rounding = np.array([1e-8, 1e-8])
    assert np.isnan(on_affine_hull(limits, stated, rounding)).all()
    assert np.isfinite(on_affine_hull(limits, stated, np.zeros(2))).any()
    assert np.isfinite(on_affine_hull(limits, stated + np.array([0.0, 1e-4]), rounding)).all()


def test_a_mean_of_limits_is_one():
    limits = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    assert is_mean(limits, np.array([0.25, 0.25]))
    assert not is_mean(limits, np.array([0.6, 0.6]))


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_what_is_no_number_is_no_mean(number):
    limits = np.array([[0.0, 0.0], [1.0, 1.0]])
    assert not is_mean(limits, np.array([0.5, number]))
    assert not is_mean(np.vstack([limits, [number, 0.0]]), np.array([0.5, 0.5]))


def test_where_the_means_are_not_found_nothing_is_one(monkeypatch):
    def too_many_iterations(*_):
        raise RuntimeError("Maximum number of iterations reached.")

    monkeypatch.setattr("scipy.optimize.nnls", too_many_iterations)
    assert not is_mean(np.array([[0.0], [1.0]]), np.array([0.5]))
