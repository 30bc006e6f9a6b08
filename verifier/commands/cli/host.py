"""Where the tasks of commands are done."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from verifier.process.workers.supervisor import Host

HOST: ContextVar[Callable[[], Host]] = ContextVar("host")
"""Makes where they are done."""


def in_workers() -> Host:
    """Each task in a process of its own."""
    from verifier.process.workers.supervisor import InWorkers

    return InWorkers()


def in_this_process() -> Host:
    """Each task in this process."""
    from verifier.process.workers.supervisor import InThisProcess

    return InThisProcess()
