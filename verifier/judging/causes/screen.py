"""Screening: which of many predictions float64 does not rule out, many of them evaluated at
once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from verifier.judging.causes.suspect import Told
from verifier.program.program import Program

AT_ONCE = 64
"""Predictions that are evaluated together at most."""
NUMBERS = 2_000_000
"""So many numbers are in memory for them at most, about."""
_Prediction = TypeVar("_Prediction")


def screened(
    told: Told,
    program: Program,
    predictions: Iterable[_Prediction],
    possible: Callable[[Sequence[_Prediction]], Any],
) -> Iterator[_Prediction]:
    """Those predictions by variants of a program that are possible, in their order.

    `possible` says it of several at once (array of bool). Raises EndedError where the time is over.
    """
    count = max(1, min(AT_ONCE, NUMBERS // max(program.elements, 1)))
    waiting = iter(predictions)
    while batch := list(islice(waiting, count)):
        told.go_on()
        for prediction, is_possible in zip(batch, possible(batch), strict=True):
            if is_possible:
                yield prediction
