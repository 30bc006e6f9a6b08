"""Defaults: what a check uses where its caller says nothing, and who hears of each report.

A test run sets them from its options. Neither torch nor NumPy is needed for that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

from verifier.errors import InputError
from verifier.operations.formats import CODE_FORMATS


class Reported(Protocol):
    """What is asked of the report of a check."""

    @property
    def outcome(self) -> str: ...

    def to_json(self) -> dict[str, Any]: ...


def unheard(report: Reported) -> None:
    """For nobody."""


@dataclass(frozen=True)
class Defaults:
    """What holds for a check whose caller says nothing else."""

    dtypes: tuple[str, ...] = ()
    """The dtypes tried; none: those of the tensors given, else float32 and float64."""
    points: int = 3
    seed: int = 0
    reports: Callable[[Reported], object] = unheard
    """Called once with the report of each check."""


_CURRENT: ContextVar[Defaults] = ContextVar("defaults", default=Defaults())  # noqa: B039 (frozen)


def current() -> Defaults:
    """The defaults that hold here.

    >>> current().points
    3
    """
    return _CURRENT.get()


@contextmanager
def using(defaults: Defaults) -> Iterator[None]:
    """Let these defaults hold inside a `with`.

    >>> with using(Defaults(points=10)):
    ...     current().points
    10
    """
    before = _CURRENT.set(defaults)
    try:
        yield
    finally:
        _CURRENT.reset(before)


def known_dtypes(names: Iterable[str]) -> tuple[str, ...]:
    """The names, each that of a dtype that is judged, no two alike and at least one. Raises
    InputError.

    >>> known_dtypes(["float32", "bfloat16"])
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
