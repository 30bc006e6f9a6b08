"""A worker process: gets one task on standard input, and sends what comes of it on standard output.

The code under test gets neither: its standard input is empty, and what it prints goes to standard
error. When the supervisor is gone, the worker ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import signal
import sys
import threading
from dataclasses import dataclass, field
from typing import BinaryIO

from verifier.process.workers.messages import (
    INTERRUPT,
    NOT_HEARD,
    NOT_SENT,
    Message,
    encode_message,
    read_document,
)
from verifier.process.workers.task import SupervisorGoneError, Task, perform_task

_PARENT_DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG of prctl(2)."""


def main() -> None:
    """Do the task that stands on standard input. Does not return."""
    _end_with_supervisor()
    request, channel = _own_streams()
    interruption = _Interruption()
    document = read_document(request)
    if document is None:
        os._exit(1)
    threading.Thread(target=_listen, args=(request, interruption), daemon=True).start()
    _prepare_for_death(document.pop("dump"))
    try:
        perform_task(Task(**document), _open_channel(channel).send, interruption)
    except SupervisorGoneError:
        os._exit(NOT_HEARD)
    except BaseException:
        # The code has replaced what messages are made with: json, len, ...
        os._exit(NOT_SENT)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    # Threads and exit handlers of the code under test have no say any more.
    os._exit(0)


@dataclass
class _Interruption:
    """Whether the supervisor has asked for an end."""

    wanted: bool = False


@dataclass(frozen=True)
class _Channel:
    stream: BinaryIO
    process: int
    file: tuple[int, int]
    """What the descriptor must stand for: the code may have closed it and opened another file."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, message: Message) -> None:
        """Send it, unless this is a copy of the process that the code under test made."""
        if os.getpid() != self.process:
            os._exit(0)
        with self.lock:
            try:
                if _file_of(self.stream) != self.file:
                    raise SupervisorGoneError
                self.stream.write(encode_message(message))
                self.stream.flush()
            except (OSError, ValueError):
                raise SupervisorGoneError from None


def _open_channel(stream: BinaryIO) -> _Channel:
    return _Channel(stream, os.getpid(), _file_of(stream))


def _file_of(stream: BinaryIO) -> tuple[int, int]:
    found = os.fstat(stream.fileno())
    return found.st_dev, found.st_ino


def _end_with_supervisor() -> None:
    """Let Linux end this process with the one that started it, even while code holds
    Python's lock.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)


def _own_streams() -> tuple[BinaryIO, BinaryIO]:
    """Where the task comes from and where messages go, for nobody else in this process."""
    request = os.fdopen(os.dup(0), "rb", buffering=0)
    channel = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(  # type: ignore[union-attr]
            encoding="utf-8", errors="backslashreplace", line_buffering=True
        )
    return request, channel


def _listen(request: BinaryIO, interruption: _Interruption) -> None:
    """Hear of an interruption; end this process, and what it started, with its supervisor."""
    try:
        while request.read(len(INTERRUPT)):
            interruption.wanted = True
    except (OSError, ValueError):
        return  # the code under test closed it
    if os.name == "posix":
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _prepare_for_death(dump: int | None) -> None:
    """Let the supervisor see where this process stands when it dies or is asked."""
    if dump is None:
        return
    faulthandler.enable(dump)
    faulthandler.register(signal.SIGUSR1, dump, all_threads=True)
