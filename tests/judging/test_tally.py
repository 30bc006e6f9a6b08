"""Counting: the worst of many statements, and how small an error would be found."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from flint import arb

from verifier.judging.conditioning import detection_limits, ratios, worst_place
from verifier.judging.outcome import Outcome, worst_outcome
from verifier.program.evaluation.arithmetic import balls

NAN, INF = float("nan"), float("inf")


@dataclass(frozen=True, eq=False)
class Judged:
    error: np.ndarray
    allowed: np.ndarray
    centre: np.ndarray
    severity: np.ndarray
    around: np.ndarray | None = None

    @property
    def enclosure(self):
        exact = balls(np.where(np.isfinite(self.centre), self.centre, 0.0))
        return exact if self.around is None else self.around


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


def test_a_ball_around_zero_has_no_detection_limit():
    """A sum whose terms cancel exactly is a ball around 0, whose middle is tiny and not 0."""
    blurred = judged([0.0, 0.0], [1.0, 1.0], [1e-70, 2.0])
    around = balls(np.array([1e-70, 2.0])) + arb(0, 1e-69)
    assert detection_limits(replace(blurred, around=around)).tolist() == [0.5]
    assert len(detection_limits(blurred)) == 2


def test_the_worst_of_counts():
    assert worst_outcome({Outcome.AGREES: 5, Outcome.UNDECIDED: 1}) is Outcome.UNDECIDED
    assert worst_outcome(dict.fromkeys(Outcome, 1)) is Outcome.DISAGREES
    assert worst_outcome({Outcome.DISAGREES: 0}) is Outcome.UNDECIDED
