"""Atomic writes: files written beside their place and renamed, so that nobody ever finds half of
one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from pathlib import Path

from verifier.errors import InputError, reason_of, too_long

_OPENED = "/proc/self/fd"
"""Where Linux has the files that a process has opened."""


def check_writable(path: Path) -> None:
    """Raise InputError now if a file could not be written at that path later."""
    place = _place(path)
    folder = place.parent
    try:
        if not folder.is_dir():
            raise InputError(f"cannot write {str(path)!r}: there is no folder {str(folder)!r}")
        if place.is_dir():
            raise InputError(f"cannot write {str(path)!r}: it is a folder")
        if place.exists() and not place.is_file():
            raise InputError(
                f"cannot write {str(path)!r}: it is not a regular file (- is standard output)"
            )
        handle, name = _beside(place)
        os.close(handle)
        if name is not None:
            name.unlink()
    except OSError as error:
        raise _refused(path, error) from error


def write(path: Path, data: bytes) -> None:
    """Put a file with the bytes `data` at `path`, in the place of one that is there. Raises
    InputError where the system refuses.

    A link is followed. Where the program is killed meanwhile, the file that was there stays.
    """
    place = _place(path)
    try:
        handle, name = _beside(place)
        try:
            with os.fdopen(handle, "wb", closefd=False) as stream:
                stream.write(data)
            name = name or _named(handle, place)
            name.replace(place)
        except OSError:
            if name is not None:
                name.unlink(missing_ok=True)
            raise
        finally:
            os.close(handle)
    except OSError as error:
        raise _refused(path, error) from error


def _place(path: Path) -> Path:
    """Where the file is that the path leads to."""
    try:
        return path.resolve()
    except FileNotFoundError:
        reason = "the current folder does not exist any more"
    except (OSError, RuntimeError):
        reason = "it is a link to itself"
    raise InputError(f"cannot write {str(path)!r}: {reason}")


def _refused(path: Path, error: OSError) -> InputError:
    return InputError(too_long(error) or f"cannot write {str(path)!r}: {reason_of(error)}")


def _beside(place: Path) -> tuple[int, Path | None]:
    """A new, empty file in that folder with ordinary permissions: without a name where the system
    can do that, so that nothing is left of it when the program is killed.
    """
    nameless = getattr(os, "O_TMPFILE", None)
    if nameless is not None and Path(_OPENED).is_dir():
        with contextlib.suppress(OSError):
            return os.open(place.parent, nameless | os.O_RDWR, 0o666), None
    handle, name = tempfile.mkstemp(prefix=f".{place.stem}-", suffix=place.suffix, dir=place.parent)
    mask = os.umask(0)
    os.umask(mask)
    Path(name).chmod(0o666 & ~mask)
    return handle, Path(name)


def _named(handle: int, place: Path) -> Path:
    """The file with a name beside its place."""
    opened = os.open(_OPENED, os.O_RDONLY)
    try:
        for number in range(1000):
            name = place.parent / f".{place.stem}-{os.getpid()}-{number}{place.suffix}"
            with contextlib.suppress(FileExistsError):
                # Only with a folder of its own does Python let the system follow the link.
                os.link(str(handle), name, src_dir_fd=opened, follow_symlinks=True)
                return name
    finally:
        os.close(opened)
    raise FileExistsError(errno.EEXIST, "too many files are left in its folder")
