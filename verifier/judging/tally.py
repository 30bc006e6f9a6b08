"""Tally: how many statements came out how, which is the worst, and how small an error would be
found.

A training counts as it goes and forgets its steps; a check keeps all that it judged. Both count by
these rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, TypeAlias

import numpy as np

from verifier.judging.outcome import Outcome

Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]


class Judged(Protocol):
    """Statements that were judged together: arrays with an entry each."""

    @property
    def error(self) -> Any: ...

    @property
    def allowed(self) -> Any: ...

    @property
    def centre(self) -> Any: ...

    @property
    def severity(self) -> Any: ...


def ratios(judged: Judged) -> Floats:
    """The errors as fractions of what is allowed; infinite where they are no numbers."""
    with np.errstate(all="ignore"):
        found = np.where(judged.error == 0, 0.0, judged.error / judged.allowed)
    return np.where(np.isnan(found), np.inf, found)


def worst_place(judged: Judged) -> int:
    """Where the worst outcome is, and within it the largest error for its allowance."""
    return int(np.lexsort((ratios(judged), judged.severity))[-1])


def detection_limits(judged: Judged) -> Floats:
    """The allowances relative to the exact values, where those are known and not 0."""
    with np.errstate(all="ignore"):
        found = judged.allowed / np.abs(judged.centre)
    limits: Floats = found[np.isfinite(found)]
    return limits


def worst_outcome(outcomes: Mapping[Outcome, int]) -> Outcome:
    """The worst outcome that was found; undecided where nothing was compared.

    >>> worst_outcome({Outcome.AGREES: 3, Outcome.DISAGREES: 0}), worst_outcome({})
    (<Outcome.AGREES: 'agrees'>, <Outcome.UNDECIDED: 'undecided'>)
    """
    return worst(outcome for outcome, count in outcomes.items() if count)


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The worst of the outcomes; undecided where there is none."""
    return max(outcomes, key=lambda outcome: outcome.severity, default=Outcome.UNDECIDED)
