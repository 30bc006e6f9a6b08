"""Finding: what one check found at one point, and what explains it, as records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from verifier.judging.examination import Examination, Part
from verifier.judging.verdict import Outcome
from verifier.operations.arrays import Floats

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False)
class CheckPoint:
    """Where the target was tried."""

    number: int
    """From 1 on, over all dtypes."""
    kind: str
    """given, random, edge, or simplified: a simpler point that still fails; step in a
    training.
    """
    dtype: str
    inputs: Mapping[str, torch.Tensor]
    """Every tensor that the code depends on under its flat name: x, w[0], state.h, weight (of a
    module).
    """


@dataclass(frozen=True, eq=False)
class OtherArguments:
    """Arguments that code may take for its own, and what that would be."""

    cause: str
    text: str
    """What a gradient at them is, as in: it is the gradient at the inputs of another call."""
    arguments: Mapping[str, Floats]
    """By the names of inputs, and of what multiplies the results' derivatives."""


@dataclass(frozen=True, eq=False)
class Circumstance:
    """How the code was used, where that differs from a plain call and its backward."""

    text: str = ""
    """As the end of a sentence: in a batch of 67, where y is not contiguous."""
    others: tuple[OtherArguments, ...] = ()
    """Other arguments that are at hand there."""


PLAIN = Circumstance()


@dataclass(frozen=True, eq=False)
class Finding:
    """What one check found at one point, or why it was not made."""

    check: str
    """The check's name, by which it is switched off: value, reverse, forward, ..."""
    dtype: str
    point: CheckPoint | None = None
    parts: tuple[Part, ...] = ()
    """The numbers that were judged."""
    failures: tuple[str, ...] = ()
    """What is wrong apart from numbers, a sentence each: a gradient of another dtype, an input that
    was overwritten.
    """
    absent: str = ""
    """Why the check was not made, in a sentence; nothing is judged then."""
    examination: Examination | None = None
    """Where the parts come from a whole examination, that."""
    circumstance: Circumstance = PLAIN

    @property
    def outcome(self) -> Outcome | None:
        """The worst; None where the check was not made."""
        if self.absent:
            return None
        if self.failures:
            return Outcome.DISAGREES
        return max(
            (part.outcome for part in self.parts),
            key=lambda found: found.severity,
            default=Outcome.AGREES,
        )


@dataclass(frozen=True)
class CheckCause:
    """Why something disagrees."""

    cause: str
    """In a word or two, the same for every occurrence: sign flipped, sum for mean, path
    detached.
    """
    component: str
    """The name of the part that it explains."""
    sentence: str
    evidence: str
    dtype: str = ""
    point: int = 0
    """The number of the point."""
    check: str = ""
    """The name of the check that finds it there."""
    circumstance: str = ""
    """How the code was used there, where that differs from a plain call."""
    predicted: float | None = None
    """What the mistake would have stated where the error is largest; None where it says nothing."""
