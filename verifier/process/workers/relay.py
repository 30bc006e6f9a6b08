"""What the code that is checked prints: passed on to standard error, escaped, and cut when it is
long.
"""

from __future__ import annotations

import codecs
import threading
from collections.abc import Callable
from typing import IO

from verifier.errors import printable
from verifier.process.workers.incoming import PipeReader

MOST = 64 * 1024
"""Characters that are passed on."""
_BLOCK = 64 * 1024


class Relay:
    """Reads a stream to its end in a thread of its own, so that who writes to it never waits."""

    def __init__(self, stream: IO[bytes], tell: Callable[[str], None]) -> None:
        self._incoming, self._tell = PipeReader(stream), tell
        self._left = MOST
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def join(self, seconds: float) -> None:
        """Wait until everything that is there is passed on, at most so long."""
        self._incoming.end()
        self._thread.join(seconds)

    def _read(self) -> None:
        while block := self._next():
            self._pass_on(self._decoder.decode(block))
        self._pass_on(self._decoder.decode(b"", final=True))

    def _next(self) -> bytes:
        try:
            return self._incoming.some(_BLOCK)
        except (OSError, ValueError):
            return b""

    def _pass_on(self, text: str) -> None:
        if not text or self._left <= 0:
            return
        self._tell(escape_control_characters(text[: self._left]))
        self._left -= len(text)
        if self._left <= 0:
            self._tell(
                f"\nverifier: the code prints more than {MOST:,} characters; the rest is left out\n"
            )


def escape_control_characters(text: str) -> str:
    """The text with its lines kept and every other control character shown as its escape.

    >>> escape_control_characters("a\\x1b[2Jb\\r\\nc")
    'a\\\\x1b[2Jb\\nc'
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join("\t".join(map(printable, line.split("\t"))) for line in lines)
