"""Parts: pieces of a formula's text that have been read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

QUANTITY = "a number"
CONDITION = "a condition"
TRUE = "True"
PAIR = "a pair"
LIST = "a list"
SETTING = "a setting"
"""The kinds of parts."""

Whole: TypeAlias = int | tuple[int, ...]
"""What a setting may be: a whole number, or a list of them."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the formula that has been read: its node, and where it stands."""

    node: int
    start: int
    end: int
    kind: str = QUANTITY
    literal: bool = False
    """A number as it stands, so that a minus before it belongs to it."""
    compared: Part | None = None
    """What a comparison without brackets has last, so that a < b < c can go on from b."""
    inside: tuple[Part, ...] = ()
    """What a pair or a list has."""
    setting: tuple[str, Whole] | None = None
    """The name and the value of a setting."""
