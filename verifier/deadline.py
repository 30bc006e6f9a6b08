"""Deadline: when something must have ended."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from verifier.running import within

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Deadline:
    """So many seconds from now on; None is for ever.

    >>> Deadline(None).passed(), Deadline(0.0).passed()
    (False, True)
    """

    seconds: float | None
    started: float = field(default_factory=time.monotonic)

    def left(self) -> float:
        """Seconds, 0 where none are left, infinite where there is no end."""
        if self.seconds is None:
            return math.inf
        return max(0.0, self.started + self.seconds - time.monotonic())

    def passed(self) -> bool:
        return self.left() <= 0.0

    def run(self, work: Callable[[], _Result]) -> _Result:
        """What the work returns. Raises OutOfTimeError where it does not return in time."""
        return within(None if self.seconds is None else max(self.left(), 0.01), work)


@dataclass(frozen=True)
class SupervisedDeadline(Deadline):
    """Another process ends this one when the time is up; what is reserved is for the report."""

    reserve: float = 0.0

    def left(self) -> float:
        return max(0.0, super().left() - self.reserve)

    def run(self, work: Callable[[], _Result]) -> _Result:
        """What the work returns: whoever started this process sees to the time."""
        return work()


NEVER = Deadline(None)
