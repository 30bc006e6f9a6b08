"""Components as rows of tables: how often each was compared, and how it came out.

A training and a check count the same things, so that both have the same columns.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

from verifier.judging.outcome import Outcome
from verifier.reporting.content.fields import Field, numbers, words

CAPTION = (
    "What was compared, and how it came out. The detection limit is the relative error that would "
    "have been flagged."
)
DASH = "–"
"""Stands for what is not known, and for none."""


class Counted(Protocol):
    """All comparisons of one quantity."""

    @property
    def outcomes(self) -> Mapping[Outcome, int]:
        """How many comparisons have each outcome."""

    @property
    def outcome(self) -> Outcome:
        """The worst of them."""

    @property
    def compared(self) -> int:
        """How many numbers were judged."""

    @property
    def least_digits(self) -> float:
        """NaN where no digits are known."""

    @property
    def worst_ratio(self) -> float:
        """The worst error as a fraction of its allowance; NaN where that says nothing."""

    @property
    def worst_at(self) -> int | None:
        """The number of the step or the point of the worst error."""

    @property
    def limit_median(self) -> float:
        """The median of the detection limits, relative to the exact values; NaN where none is
        known.
        """

    @property
    def limit_max(self) -> float:
        """The largest of the detection limits, relative to the exact values; NaN where none is
        known.
        """


def known_or_dash(value: float, form: str) -> str:
    """`value` written as the format specification `form` says; a dash for NaN.

    >>> known_or_dash(0.25, ".1e"), known_or_dash(float("nan"), ".1e")
    ('2.5e-01', '–')
    """
    return DASH if math.isnan(value) else f"{value:{form}}"


def ratio(component: Counted) -> str:
    """The worst error of `component` as a fraction of its allowance."""
    return known_or_dash(component.worst_ratio, ".2g")


def _count(outcome: Outcome) -> Field[Counted]:
    return numbers(outcome.value, lambda one: f"{one.outcomes[outcome]:,}")


def _other(component: Counted) -> str:
    others = component.compared - component.outcomes[Outcome.AGREES]
    return f"{others:,}" if others else DASH


COMPARED: Field[Counted] = numbers("compared", lambda one: f"{one.compared:,}")
AGREES, UNDECIDED, DISAGREES = map(_count, Outcome)
OTHER: Field[Counted] = numbers("other", _other)
DIGITS: Field[Counted] = numbers(
    "fewest digits", lambda one: known_or_dash(one.least_digits, ".1f"), "digits\nleast"
)
RATIO: Field[Counted] = numbers("worst error / allowed", ratio, "error/\nallowed")
LIMIT_MEDIAN: Field[Counted] = numbers(
    "detection limit, median",
    lambda one: known_or_dash(one.limit_median, ".1e"),
    "detection\nmedian",
)
LIMIT_WORST: Field[Counted] = numbers(
    "detection limit, worst", lambda one: known_or_dash(one.limit_max, ".1e"), "limit\nworst"
)
OUTCOME: Field[Counted] = words("outcome", lambda one: one.outcome.value)


def worst_at(unit: str) -> Field[Counted]:
    """Where the worst error stands: at a step or at a point."""
    return numbers(
        f"at {unit}",
        lambda one: DASH if one.worst_at is None else str(one.worst_at),
        f"at\n{unit}",
    )


def short_fields(unit: str) -> tuple[Field[Counted], ...]:
    """The columns that a terminal of 80 columns has room for, behind the name."""
    return (COMPARED, AGREES, OTHER, DIGITS, RATIO, worst_at(unit), LIMIT_MEDIAN, LIMIT_WORST)


def full_fields(unit: str) -> tuple[Field[Counted], ...]:
    """The columns of a page, behind the name."""
    counts = (COMPARED, AGREES, UNDECIDED, DISAGREES)
    return (*counts, DIGITS, RATIO, worst_at(unit), LIMIT_MEDIAN, LIMIT_WORST, OUTCOME)
