"""Code place: which line of somebody's code asked torch for something."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from types import FrameType

import torch

_TORCH = str(Path(torch.__file__).parent) + os.sep
_OWN = str(Path(__file__).parent.parent) + os.sep
_MACHINERY = tuple(f"{_OWN}{stage}{os.sep}" for stage in ("capture", "judging", "checking"))
_WRAPPER = re.compile(
    r"torch[/\\](_compile\.py|overrides\.py|_dynamo[/\\]|_ops\.py|utils[/\\]_python_dispatch\.py)"
)


def frames_outwards() -> Iterator[FrameType]:
    """The Python code that runs, from the one that asks torch for something outwards, without what
    torch and we put around it.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if not _is_around(frame.f_code.co_filename):
            yield frame
        frame = frame.f_back


def place_among(frames: Iterable[FrameType]) -> str:
    """The line of the user's code among those, as "solver.py, line 12"; empty where torch asks by
    itself.
    """
    for frame in frames:
        file = frame.f_code.co_filename
        if file.startswith(_MACHINERY):
            return ""
        if not is_of_torch(file):
            return f"{Path(file).name}, line {frame.f_lineno}"
    return ""


@cache
def is_of_torch(file: str) -> bool:
    """Whether a file is torch's own."""
    return file.startswith(_TORCH)


@cache
def _is_around(file: str) -> bool:
    return file in _EVENTS or bool(_WRAPPER.search(file))


_EVENTS = frozenset(
    str(Path(__file__).with_name(name))
    for name in (
        "code_place.py",
        "trace_events.py",
        "detached_paths.py",
        "python_scalars.py",
        "recorder.py",
    )
)
