"""Files: written beside their place and renamed, so that nobody ever finds half of one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from verifier.errors import InputError, reason_of


def check_writable(path: Path) -> None:
    """Raise InputError now if a file could not be written at that path later."""
    folder = path.absolute().parent
    if not folder.is_dir():
        raise InputError(f"cannot write {str(path)!r}: there is no folder {str(folder)!r}")
    if path.is_dir():
        raise InputError(f"cannot write {str(path)!r}: it is a folder")
    if path.exists() and not path.is_file():
        raise InputError(f"cannot write {str(path)!r}: it is not a regular file (- is standard output)")
    _beside(path).unlink()


def write(path: Path, fill: Callable[[Path], object]) -> None:
    """Let `fill` write a new file in the same folder, then put it in place. Raises InputError."""
    place = path.resolve()
    beside = _beside(place)
    try:
        fill(beside)
        beside.replace(place)
    except OSError as error:
        raise InputError(f"cannot write {str(path)!r}: {reason_of(error)}") from error
    finally:
        beside.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    """A new, empty file in the folder of that path, with the same suffix and with ordinary permissions."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.absolute().parent)
    except OSError as error:
        raise InputError(f"cannot write {str(path)!r}: {reason_of(error)}") from error
    os.close(handle)
    mask = os.umask(0)
    os.umask(mask)
    Path(name).chmod(0o666 & ~mask)
    return Path(name)
