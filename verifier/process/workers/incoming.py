"""The bytes that a worker sends, read without waiting for ever: what the code under test has
started may keep a pipe open long after the worker has ended."""

from __future__ import annotations

import os
import selectors
import threading
from typing import IO

_POLL = 0.1
"""Seconds after which a pipe without news looks whether it was told to end."""
_AT_ONCE = 1 << 20
"""Bytes; a worker that sends without end fills no more memory at once."""


class PipeReader:
    """A pipe that is read until it ends, or until `end` is called."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._number = stream.fileno()
        self._ended = threading.Event()

    def end(self) -> None:
        """Let a reader that waits come back with what there is."""
        self._ended.set()

    def read(self, count: int) -> bytes:
        """So many bytes, or fewer at the end."""
        data = bytearray()
        while len(data) < count:
            piece = self.some(count - len(data))
            if not piece:
                break
            data += piece
        return bytes(data)

    def some(self, most: int) -> bytes:
        """At most so many bytes, as soon as there are some; none at the end."""
        return os.read(self._number, min(most, _AT_ONCE)) if self._is_ready() else b""

    def _is_ready(self) -> bool:
        if os.name != "posix":
            return True  # Windows waits for no pipe; there a read returns when all writers are gone
        with selectors.DefaultSelector() as selector:
            selector.register(self._number, selectors.EVENT_READ)
            while not selector.select(_POLL):
                if self._ended.is_set():
                    return False
        return True
