"""Prediction filter: which of many predictions float64 does not rule out, many of them evaluated at
once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from verifier.judging.causes.suspect import Suspect
from verifier.operations.arrays import Truths
from verifier.program.program import Program

AT_ONCE = 64
"""Predictions that are evaluated together at most."""
NUMBERS = 2_000_000
"""So many numbers are in memory for them at most, about."""
_Prediction = TypeVar("_Prediction")


def possible_predictions(
    suspect: Suspect,
    program: Program,
    predictions: Iterable[_Prediction],
    possible: Callable[[Sequence[_Prediction]], Truths],
) -> Iterator[_Prediction]:
    """Those predictions that float64 leaves open, in their order.

    `possible` takes several of them, which are variants of `program`, and returns a truth value for
    each. Raises SearchEndedError where the time is over.
    """
    count = max(1, min(AT_ONCE, NUMBERS // max(program.elements, 1)))
    waiting = iter(predictions)
    while batch := list(islice(waiting, count)):
        suspect.check_deadline()
        for prediction, is_possible in zip(batch, possible(batch), strict=True):
            if is_possible:
                yield prediction
