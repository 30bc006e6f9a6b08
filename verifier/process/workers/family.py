"""A worker and the processes that its code has started: what they hold, and their end."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

import psutil

from verifier.process.workers.messages import MARK

_LOOK_AGAIN = 1.0
"""Seconds after which the children are looked up again, which costs some milliseconds."""


class ProcessFamily:
    """The process of that number with all its descendants, and with all processes of that mark."""

    def __init__(self, number: int, mark: str) -> None:
        self._number, self._mark = number, mark
        self._next_look = 0.0
        self._children: list[psutil.Process] = []

    @property
    def memory(self) -> int:
        """Bytes that they hold; 0 where that cannot be known."""
        try:
            process = psutil.Process(self._number)
            if time.monotonic() > self._next_look:
                self._next_look = time.monotonic() + _LOOK_AGAIN
                self._children = process.children(recursive=True)
        except psutil.Error:
            return 0
        # Copies of a process share most of its memory with it.
        size = _proportional_bytes if self._children else _resident_bytes
        return sum(_size_of(one, size) for one in (process, *self._children))

    def kill_descendants(self) -> None:
        """Also those that have left the worker's group."""
        with suppress(psutil.Error):
            for child in psutil.Process(self._number).children(recursive=True):
                _kill(child)

    def kill_marked(self) -> None:
        """Also those whose parents have ended."""
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if process.environ().get(MARK) == self._mark:
                    _kill(process)


def _kill(process: psutil.Process) -> None:
    with suppress(psutil.Error):
        process.kill()


def _size_of(process: psutil.Process, size: Callable[[psutil.Process], int]) -> int:
    """The size of a process; 0 for one that is gone."""
    try:
        return size(process)
    except psutil.Error:
        return 0


def _resident_bytes(process: psutil.Process) -> int:
    """Bytes in memory."""
    return int(process.memory_info().rss)


def _proportional_bytes(process: psutil.Process) -> int:
    """Bytes in memory; on Linux those that several processes share are divided among them."""
    found = process.memory_full_info()
    return int(getattr(found, "pss", found.rss))
