"""Internal errors beside a verdict: a report names each in a line, keeps its traceback, and the
verdict stands.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from verifier.errors import message_of, printable, traceback_of

_Result = TypeVar("_Result")


class InternalErrors:
    """The errors that were raised in work that a verdict does not need."""

    def __init__(self) -> None:
        self._notes: dict[str, None] = {}
        self._tracebacks: dict[str, None] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """A line for each kind of error."""
        return tuple(self._notes)

    @property
    def tracebacks(self) -> tuple[str, ...]:
        """The whole traceback of each."""
        return tuple(self._tracebacks)

    def run(self, what: str, work: Callable[[], _Result], otherwise: _Result) -> _Result:
        """What `work` returns; where it raises an error, the error is added and `otherwise`
        returned.

        `what` names the work in a sentence.

        >>> errors = InternalErrors()
        >>> errors.run("the division", lambda: 1 / 0, otherwise=0.0), errors.notes
        (0.0, ('the division failed: ZeroDivisionError: division by zero; the verdict stands',))
        """
        try:
            return work()
        except Exception as error:
            self.add(what, error)
            return otherwise

    def add(self, what: str, error: Exception) -> None:
        """Add an `error` that the work named by `what` raised."""
        raised = f"{type(error).__name__}: {message_of(error)}"
        self._notes[printable(f"{what} failed: {raised}; the verdict stands")] = None
        self._tracebacks[traceback_of(error)] = None
