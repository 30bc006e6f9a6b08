"""The worst step of each stretch of a run, however the steps arrive."""

from types import SimpleNamespace

import numpy as np
import pytest

from verifier.training.reservoir import WorstSteps

ERRORS = np.array([1.0, 5.0, 6.0, 3.0, 4.0, 9.0])


class Judged:
    """Steps of one parameter that are off by the errors of their numbers."""

    def __init__(self, first, count):
        error = ERRORS[first - 1 : first - 1 + count]
        self.numbers = np.arange(first, first + count)
        self.verdicts = [SimpleNamespace(severity=0 * error, error=error, allowed=1 + 0 * error)]

    def __len__(self):
        return len(self.numbers)

    def step(self, place):
        return int(self.numbers[place])


@pytest.mark.parametrize("parts", [[(1, 6)], [(1, 2), (3, 2), (5, 2)], [(1, 1), (2, 4), (6, 1)]])
@pytest.mark.parametrize(("most", "shown"), [(3, (2, 3, 6)), (2, (3, 6)), (1, (6,))])
def test_six_steps_in_so_many_stretches(parts, most, shown, monkeypatch):
    monkeypatch.setattr("verifier.training.reservoir.SHOWN_STEPS", most)
    worst = WorstSteps()
    for part in parts:
        worst.add(Judged(*part))
    assert worst.steps() == shown


def test_every_step_of_a_short_run():
    worst = WorstSteps()
    worst.add(Judged(1, 6))
    assert worst.steps() == (1, 2, 3, 4, 5, 6)
