"""Defaults: what a check uses where its caller says nothing, and who hears of each report.

A test run sets them from its options. Neither torch nor NumPy is needed for that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from verifier.errors import InputError
from verifier.operations.formats import CODE_FORMATS
from verifier.process.values import Facts


class FinishedCheck(Protocol):
    """What is asked of the report of a check."""

    @property
    def outcome(self) -> str:
        """The verdict in a word, as in JSON."""

    def to_json(self) -> Facts:
        """The report as a JSON object."""


def ignore_report(report: FinishedCheck) -> None:
    """Do nothing with a report."""


@dataclass(frozen=True)
class Defaults:
    """What holds for a check whose caller says nothing else."""

    dtypes: tuple[str, ...] = ()
    """The dtypes tried; none: those of the tensors given, else float32 and float64."""
    points: int = 3
    seed: int = 0
    reports: Callable[[FinishedCheck], object] = ignore_report
    """Called once with the report of each check."""


_CURRENT: ContextVar[Defaults] = ContextVar("defaults", default=Defaults())  # noqa: B039 (frozen)


def current_defaults() -> Defaults:
    """The defaults that hold here.

    >>> current_defaults().points
    3
    """
    return _CURRENT.get()


@contextmanager
def use_defaults(defaults: Defaults) -> Iterator[None]:
    """A block in which these `defaults` hold.

    >>> with use_defaults(Defaults(points=10)):
    ...     current_defaults().points
    10
    """
    before = _CURRENT.set(defaults)
    try:
        yield
    finally:
        _CURRENT.reset(before)


def check_dtypes(names: Iterable[str]) -> tuple[str, ...]:
    """The same `names`, if each is that of a dtype that is judged, and no two are alike.

    Raises InputError otherwise, and where there is none.

    >>> check_dtypes(["float32", "bfloat16"])
    ('float32', 'bfloat16')
    """
    *others, last = CODE_FORMATS
    known = tuple(names)
    for place, name in enumerate(known):
        if name not in CODE_FORMATS:
            raise InputError(
                f"there is no dtype {name!r} to check in: use {', '.join(others)} or {last}"
            )
        if name in known[:place]:
            raise InputError(f"the dtype {name} is given twice: give it once")
    if not known:
        raise InputError(f"no dtype is given: use {', '.join(others)} or {last}")
    return known
