"""Resource limits of a worker process: seconds and bytes, and how people write them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from verifier.errors import InputError

SECONDS = 600.0
"""What a check from the command line may take, where nothing else is said."""
MOST_JOBS = 256
LONGEST = 10_000_000.0
"""Seconds; about four months."""
LEAST_MEMORY, MOST_MEMORY = 1 << 20, 1 << 50
_SIZE = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)\s*([kmgt]?)i?b?", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


@dataclass(frozen=True)
class ResourceLimits:
    """What a worker process may use."""

    seconds: float | None = None
    """From its start to its last message; None sets no limit."""
    memory: int | None = None
    """Bytes that it and the processes that it starts hold at once; None sets no limit."""


def check_seconds(value: float, name: str = "--timeout") -> float:
    """The same number, if it can be a time limit: `value` is in seconds.

    `name` is the option for the message. Raises InputError for 0 and below, for what is not finite
    and for more than four months.

    >>> check_seconds(2.5)
    2.5
    """
    if not (math.isfinite(value) and 0 < value <= LONGEST):
        raise InputError(
            f"{name} is {value:g}: give seconds, a number above 0 and at most {LONGEST:,.0f}"
        )
    return float(value)


def parse_size(text: str) -> int:
    """The bytes of a size, written in `text` as 4G, 512M or 2000000; the units are powers of 1024.

    Raises InputError for what is no size, and for less than 1M.

    >>> parse_size("4G"), parse_size("512 MiB"), parse_size("2000000")
    (4294967296, 536870912, 2000000)
    """
    found = _SIZE.fullmatch(text.strip())
    size = float(found[1]) * 1024 ** _POWERS[found[2].lower()] if found else 0.0
    if not LEAST_MEMORY <= size <= MOST_MEMORY:
        raise InputError(f"--memory is {text!r}: give a size from 1M on, as in --memory 4G")
    return int(size)


def size_text(size: int) -> str:
    """A size as people write it.

    >>> size_text(4 << 30), size_text(1_500_000)
    ('4 GiB', '1.43 MiB')
    """
    for power, unit in ((5, "PiB"), (4, "TiB"), (3, "GiB"), (2, "MiB")):
        if size >= 1024**power:
            return f"{size / 1024**power:.3g} {unit}"
    return f"{size:,} bytes"
