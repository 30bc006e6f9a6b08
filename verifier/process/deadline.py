"""Deadlines: until when something may go on."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, TypeVar

from verifier.process.timeout import run_with_timeout

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Deadline:
    """So many seconds from the moment on at which it is made; None is without end.

    >>> Deadline(60.0).passed(), Deadline(0.0).passed(), Deadline.NEVER.passed()
    (False, True, False)
    """

    seconds: float | None
    start: float = field(default_factory=lambda: time.monotonic())

    NEVER: ClassVar[Deadline]
    """The deadline that never passes."""

    def passed(self) -> bool:
        """Whether the time is over."""
        return self.left() <= 0.0

    def left(self) -> float:
        """The seconds that are left: negative when they are over, infinite without a deadline."""
        return math.inf if self.seconds is None else self.seconds - self.since()

    def since(self) -> float:
        """The seconds that are over."""
        return time.monotonic() - self.start

    def after(self, share: float) -> Deadline:
        """A deadline of its own, when that `share` of the seconds left is over.

        >>> Deadline.NEVER.after(0.5).seconds is None, Deadline(8.0).after(0.5).seconds <= 4.0
        (True, True)
        """
        return Deadline(None if self.seconds is None else share * max(0.0, self.left()))

    def run(self, work: Callable[[], _Result]) -> _Result:
        """What `work` returns. Raises OutOfTimeError where it does not return in time."""
        return run_with_timeout(None if self.seconds is None else max(self.left(), 0.01), work)


@dataclass(frozen=True)
class SupervisedDeadline(Deadline):
    """Another process ends this one when the time is up; what is reserved is for the report."""

    reserve: float = 0.0

    def left(self) -> float:
        """The seconds that are left for the work, without what is reserved for the report."""
        return super().left() - self.reserve

    def run(self, work: Callable[[], _Result]) -> _Result:
        """What `work` returns: whoever started this process sees to the time."""
        return work()


Deadline.NEVER = Deadline(None, 0.0)
