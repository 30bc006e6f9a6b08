"""A rule: a kind of mistake that is looked for, and what it says where it is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from verifier.judging.causes.suspect import Suspect
from verifier.operations.arrays import Balls, Floats


@dataclass(frozen=True, eq=False)
class Mistake:
    """A mistake that explains a part."""

    cause: str
    sentence: str
    predicted: Balls | Floats | None = None
    """What it would have stated, as balls or float64; None where it does not say a number."""


@dataclass(frozen=True)
class Rule:
    """A kind of mistake, or several that are looked for together.

    `explain` takes what disagrees and returns the mistake that explains all of it, or None.
    """

    names: tuple[str, ...]
    explain: Callable[[Suspect], Mistake | None]
