"""Counting: the worst of many statements, and how small an error would be found."""

from dataclasses import dataclass

import numpy as np
import pytest

from verifier.judging.conditioning import detection_limits, ratios, worst_place
from verifier.judging.outcome import Outcome, worst_outcome

NAN, INF = float("nan"), float("inf")


@dataclass(frozen=True, eq=False)
class Judged:
    error: np.ndarray
    allowed: np.ndarray
    centre: np.ndarray
    severity: np.ndarray


def judged(error, allowed, centre=None, severity=None):
    count = len(error)
    arrays = error, allowed, centre or [1.0] * count, severity or [0] * count
    return Judged(*map(np.asarray, arrays))


def test_ratios():
    found = ratios(judged([0.0, 1.0, 1.0, NAN, 0.0, INF, 1.0], [0.0, 4.0, 0.0, 1.0, NAN, INF, INF]))
    assert found.tolist() == [0.0, 0.25, INF, INF, 0.0, INF, 0.0]


@pytest.mark.parametrize(
    ("severity", "place"), [([0, 0, 0], 1), ([2, 0, 0], 0), ([1, 0, 2], 2), ([2, 2, 0], 1)]
)
def test_the_worst_outcome_first_and_then_the_largest_error(severity, place):
    assert worst_place(judged([1.0, 3.0, 2.0], [1.0, 1.0, 1.0], severity=severity)) == place


def test_what_is_no_number_is_the_worst():
    assert worst_place(judged([1e300, NAN], [1e-300, 1.0])) == 1


def test_detection_limits_are_known_where_the_exact_value_is():
    found = detection_limits(
        judged([0.0] * 5, [1.0, 1.0, 1.0, INF, 2.0], [2.0, 0.0, NAN, 1.0, -4.0])
    )
    assert found.tolist() == [0.5, 0.5]


def test_the_worst_of_counts():
    assert worst_outcome({Outcome.AGREES: 5, Outcome.UNDECIDED: 1}) is Outcome.UNDECIDED
    assert worst_outcome(dict.fromkeys(Outcome, 1)) is Outcome.DISAGREES
    assert worst_outcome({Outcome.DISAGREES: 0}) is Outcome.UNDECIDED
