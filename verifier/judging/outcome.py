"""Outcomes: what came of a comparison, and why where the numbers alone do not say it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum


class Outcome(StrEnum):
    """What the judge found; `severity` orders them from good to bad."""

    AGREES = "agrees"
    UNDECIDED = "undecided"
    DISAGREES = "disagrees"

    @property
    def severity(self) -> int:
        """0 for agrees, 1 for undecided, 2 for disagrees."""
        return list(Outcome).index(self)


class Note(StrEnum):
    """Why an outcome is what it is, where the numbers alone do not say it."""

    NONE = ""
    KINK = "at a kink or border: any value between the one-sided derivatives agrees"
    NOT_FINITE = "a parameter or an input is not finite"
    NO_EXACT_VALUE = "no exact value exists here"
    OVERFLOW = "rounding or overflow on the way can move it anywhere"
    BLIND = "rounding can be as large as the terms it is made of"
    LIMIT = "the exact value is a limit: the formula itself has no value here"
    INFINITE = "the exact value is infinite"
    TOO_LONG = "no exact value exists here, and its limit was not found in time"
    OTHER_FUNCTION = (
        "the code computes another function than the formula, so its gradient is not compared with "
        "it"
    )
    CHANGING = "not deterministic: it comes out differently when the code is run again"
    INACCURATE = (
        "inaccurate: more than half of the digits are lost, and the point itself allows more"
    )
    BEYOND = "the exact value is beyond float64, or needs more than 4,096 bits"
    NO_MEAN = "at a tie: taken together, these derivatives are no mean of the one-sided ones"
    OUT_OF_RANGE = "the code as written overflows or underflows on the way to this edge"
    CANCELS = "kinks cancel here: the function is smooth, and only its derivative agrees"


AT_TIES = frozenset({Note.KINK, Note.NO_MEAN, Note.CANCELS})
"""What is said where comparisons tie."""


def worst_outcome(outcomes: Mapping[Outcome, int]) -> Outcome:
    """The worst outcome that was found; undecided where nothing was compared. `outcomes` has the
    number of comparisons by outcome.

    >>> worst_outcome({Outcome.AGREES: 3, Outcome.DISAGREES: 0}), worst_outcome({})
    (<Outcome.AGREES: 'agrees'>, <Outcome.UNDECIDED: 'undecided'>)
    """
    return worst(outcome for outcome, count in outcomes.items() if count)


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The worst of the `outcomes`; undecided where there is none."""
    return max(outcomes, key=lambda outcome: outcome.severity, default=Outcome.UNDECIDED)
