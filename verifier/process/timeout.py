"""Time limits: code that may not return, for so many seconds at most, and the lines of it that an
error came through.

The code works in a thread that is stopped by an asynchronous exception when its time is up. That
reaches it between two steps of Python: `while True: pass` ends at once; `time.sleep`, a lock, or a
long operation of a library in C is left behind in its thread, which ends when it comes back to
Python or with the program, and so is code that catches every exception over and over. Only what
holds Python's global lock for ever, such as a power of huge whole numbers, holds up the caller too.
In Python 3.11 so does code that blocks, if coverage or a debugger traces the caller: while an
exception is pending for one thread, that Python starts no traced function in another.
"""

from __future__ import annotations

import ctypes
import sys
import sysconfig
import threading
import traceback
from collections.abc import Callable, Iterator
from contextvars import copy_context
from pathlib import Path
from typing import Generic, TypeVar

_Result = TypeVar("_Result")
LINES = 20
"""Of a traceback at most so many are shown."""
_PACKAGE = Path(__file__).resolve().parents[1]


class OutOfTimeError(Exception):
    """The time was up before the work was done."""


def run_with_timeout(seconds: float | None, work: Callable[[], _Result]) -> _Result:
    """What `work` returns, if it takes no longer than `seconds`; None sets no limit.

    Raises OutOfTimeError where it takes longer, and whatever the work raises.

    >>> run_with_timeout(5.0, lambda: 6 * 7)
    42
    """
    if seconds is None:
        return work()
    return _StoppableThread(work).run(seconds)


class _TimeIsUp(BaseException):
    """Time is up; no Exception, so that the work does not catch it."""


class _StoppableThread(Generic[_Result]):
    """Work in a thread that can be stopped."""

    def __init__(self, work: Callable[[], _Result]) -> None:
        self._work = work
        self._results: list[_Result] = []
        self._error: BaseException | None = None
        # What is known of the library call that it belongs to goes with it.
        self._thread = threading.Thread(
            target=copy_context().run, args=(self._run_work,), daemon=True
        )

    def run(self, seconds: float) -> _Result:
        self._thread.start()
        try:
            self._thread.join(seconds)
        finally:
            # Also where the wait is interrupted.
            late = self._thread.is_alive()
            self._stop()
        if late:
            # Code that catches every exception may have gone on from the stop to a result.
            raise OutOfTimeError
        if self._error is not None:
            raise self._error
        return self._results[0]

    def _stop(self) -> None:
        for _ in range(20):
            if not self._thread.is_alive():
                break
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(self._thread.ident or 0), ctypes.py_object(_TimeIsUp)
            )
            self._thread.join(0.05)

    def _run_work(self) -> None:
        try:
            self._results.append(self._work())
        except _TimeIsUp:
            pass
        except BaseException as error:
            self._error = error


def user_frames(error: BaseException) -> list[traceback.FrameSummary]:
    """The frames that `error` came through in the user's code, the outermost first.

    Those of verifier, of Python and of the libraries that verifier computes with are left out.
    """
    houses = list(_folders_of_libraries())
    return [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not _lies_in(houses, frame.filename)
    ]


def place_of(error: BaseException) -> str:
    """Where in the user's code `error` was raised, as a part of a sentence: ` at losses.py:12`.

    It is empty where the error came through no code of the user's.
    """
    frames = user_frames(error)
    return f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


def user_traceback(error: BaseException) -> str:
    """The lines of the user's code that `error` came through, the last one first.

    At most LINES lines, one text; empty where there are none.
    """
    lines = [line for frame in reversed(user_frames(error)) for line in _frame_lines(frame)]
    more = len(lines) - LINES
    return "\n".join(lines if more <= 0 else [*lines[:LINES], f"  and {more:,} lines more"])


def _frame_lines(frame: traceback.FrameSummary) -> list[str]:
    return [
        f"  {frame.filename}:{frame.lineno}, in {frame.name}",
        *([f"    {frame.line}"] if frame.line else []),
    ]


_LIBRARIES = ("torch", "numpy", "scipy", "sympy", "mpmath", "flint", "rich")


def _folders_of_libraries() -> Iterator[Path]:
    """Where code lies that is nobody's of those who use verifier."""
    yield _PACKAGE
    yield from (Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib"))
    for name in _LIBRARIES:
        file = getattr(sys.modules.get(name), "__file__", None)
        if file is not None:
            yield Path(file).resolve().parent


def _lies_in(houses: list[Path], file: str) -> bool:
    # Code without a file, a graph of torch.fx or Python's own start, is nobody's.
    if file.startswith(("<frozen ", "<eval_with_key>")):
        return True
    parents = Path(file).parents
    is_installed = any(part.name in ("site-packages", "dist-packages") for part in parents)
    # Packages are installed below Python's own library.
    own = [
        house
        for house in houses
        if not is_installed or house.parent.name in ("site-packages", "dist-packages")
    ]
    return any(house in parents for house in own)
