"""Watcher: who waits for a check, hears of what is found, and may end it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from verifier.judging.outcome import Outcome
from verifier.process.deadline import Deadline

if TYPE_CHECKING:
    from verifier.reporting.check_report import CheckReport


class Watcher(Protocol):
    """Who waits for a check."""

    @property
    def deadline(self) -> Deadline:
        """When the check must have ended."""

    def keep_going(self, done: int, planned: int) -> bool:
        """Asked before each step, of which so many are `done` and so many are `planned`."""

    def publish(self, outcome: Outcome, report: Callable[[], CheckReport]) -> None:
        """What is known so far: the worst outcome, and the report, in which stands what was not
        reached.
        """

    def begin(self, stage: str, seconds: float) -> None:
        """The verdict stands; what comes now may take so long at most."""


@dataclass(frozen=True)
class Unwatched:
    """Nobody waits, or somebody who only wants to be asked."""

    asked: Callable[[int, int], bool]
    deadline: Deadline = Deadline.NEVER

    def keep_going(self, done: int, planned: int) -> bool:
        """Whether nobody has asked to end the check."""
        return self.asked(done, planned)

    def publish(self, outcome: Outcome, report: Callable[[], CheckReport]) -> None:
        """Nobody waits for the report so far, so that it is not made."""

    def begin(self, stage: str, seconds: float) -> None:
        """Nobody needs to know that the next stage may take so many seconds."""
