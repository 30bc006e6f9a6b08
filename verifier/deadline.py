"""Deadlines: until when something may go on that is of use, but not needed."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import ClassVar


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
        return self.left() <= 0.0

    def left(self) -> float:
        """The seconds that are left: negative when they are over, infinite without a deadline."""
        return math.inf if self.seconds is None else self.seconds - self.since()

    def since(self) -> float:
        """The seconds that are over."""
        return time.monotonic() - self.start

    def after(self, share: float) -> Deadline:
        """A deadline of its own, when that share of the seconds left is over.

        >>> Deadline.NEVER.after(0.5).seconds is None, Deadline(8.0).after(0.5).seconds <= 4.0
        (True, True)
        """
        return Deadline(None if self.seconds is None else share * max(0.0, self.left()))


Deadline.NEVER = Deadline(None, 0.0)
