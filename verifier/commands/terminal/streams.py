"""Standard output and standard error, which may be closed, full, or read no further."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import IO

from verifier.errors import InputError, printable, reason_of


class ReaderGoneError(Exception):
    """Whoever read standard output has enough."""


def write_line(text: str) -> None:
    """Write a line to standard output.

    Where standard output is closed nobody wants it. Raises ReaderGoneError where nobody reads any
    more, and InputError where it cannot be written.
    """
    stream = sys.stdout
    if stream is None:
        return
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        stream.flush()
    except BrokenPipeError:
        raise ReaderGoneError from None
    except (OSError, ValueError) as error:
        raise InputError(f"cannot write the report: {reason_of(error)}") from None


def write_message(text: str) -> None:
    """Write to standard error, if that can be written to: no message is worth a verdict."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
        sys.stderr.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stderr.flush()


def settle_streams() -> None:
    """Flush what was written; Python must not try again, and exit with a code of its own."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            try:
                stream.flush()
            except (OSError, ValueError):
                discard_output(stream)


def discard_output(stream: IO[str]) -> None:
    """Let nobody read what is still to be written to the stream."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def print_refusal(sentence: str, excerpt: str = "") -> int:
    """Say on standard error what cannot be used; the exit code."""
    write_message(f"verifier: {printable(sentence)}\n" + (f"{excerpt}\n" if excerpt else ""))
    return 2
