"""A rule: a kind of mistake that is looked for, and what it says where it is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from verifier.judging.causes.suspect import Told


@dataclass(frozen=True, eq=False)
class Found:
    """A mistake that explains a part."""

    cause: str
    sentence: str
    predicted: Any = None
    """What it would have stated, as balls or float64; None where it does not say a number."""


@dataclass(frozen=True)
class Rule:
    """A kind of mistake, or several that are looked for together."""

    names: tuple[str, ...]
    explain: Callable[[Told], Found | None]
