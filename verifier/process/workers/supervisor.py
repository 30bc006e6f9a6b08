"""The supervisor: starts a worker process, waits for it, and says how it ended, whatever the worker
does.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import Enum
from functools import cached_property
from typing import IO, TYPE_CHECKING, Protocol

from verifier.errors import reason_of
from verifier.process.values import Facts
from verifier.process.workers.incoming import PipeReader
from verifier.process.workers.messages import (
    INTERRUPT,
    LAST,
    MARK,
    NOT_HEARD,
    NOT_SENT,
    Failed,
    Interrupted,
    Message,
    Progress,
    Published,
    Refused,
    Rendered,
    Stage,
    decode_messages,
    frame_document,
)
from verifier.process.workers.relay import Relay
from verifier.process.workers.resource_limits import ResourceLimits, size_text
from verifier.process.workers.stack import user_place_in
from verifier.process.workers.task import Task, perform_task

if TYPE_CHECKING:
    from verifier.process.workers.family import ProcessFamily

PATIENCE = 10.0
"""Seconds that a worker gets to end after Ctrl-C."""
_POLL = 0.1
"""Seconds between two looks at the clock and at Ctrl-C while no message comes."""
_DRAIN = 2.0
"""Seconds in which what a dead worker sent must have arrived."""


class End(Enum):
    """How the work ended."""

    FINISHED = "finished"
    REFUSED = "refused"
    FAILED = "internal error"
    INTERRUPTED = "interrupted"
    DIED = "died"
    OUT_OF_TIME = "out of time"
    OUT_OF_MEMORY = "out of memory"


@dataclass(frozen=True)
class Ending:
    """What came of a task."""

    end: End
    report: Rendered | None = None
    """The last one that was published."""
    sentence: str = ""
    """Why it did not finish."""
    excerpt: str = ""
    traceback: str = ""
    """Of an internal error."""

    @property
    def is_whole(self) -> bool:
        """Whether the report says everything that was asked for."""
        return self.end is End.FINISHED


class TaskMonitor(Protocol):
    """Who waits for the work."""

    @property
    def interruptions(self) -> int:
        """How often somebody pressed Ctrl-C."""

    def progress(self, done: int, planned: int, note: str = "") -> None:
        """Show how much is done of what is planned, and what came out so far."""

    def tell(self, text: str) -> None:
        """Pass on what the code prints."""


class Host(Protocol):
    """Where a task is done."""

    def run(self, task: Task, limits: ResourceLimits, monitor: TaskMonitor) -> Ending:
        """What came of the task, within the limits."""


@dataclass(frozen=True)
class InThisProcess:
    """For tests and for who calls from Python: no limit holds, and what the code does to the
    process is done.
    """

    def run(self, task: Task, limits: ResourceLimits, monitor: TaskMonitor) -> Ending:
        """What came of the task; no limit holds."""
        known = _Received(monitor)
        perform_task(task, known.receive, _MonitorInterruption(monitor))
        return known.ending


@dataclass(frozen=True)
class _MonitorInterruption:
    monitor: TaskMonitor

    @property
    def wanted(self) -> bool:
        return self.monitor.interruptions > 0


class _Received:
    """What a worker has sent so far."""

    def __init__(self, monitor: TaskMonitor) -> None:
        self.report: Rendered | None = None
        self.last: Message | None = None
        self.stage: Stage | None = None
        self._monitor = monitor

    def receive(self, message: Message) -> None:
        match message:
            case Progress(done, planned, note):
                self._monitor.progress(done, planned, note)
            case Published(report):
                self.report = report
            case Stage():
                self.stage = message
            case _:
                self.last = message

    @property
    def ending(self) -> Ending:
        match self.last:
            case Refused(sentence, excerpt):
                return Ending(End.REFUSED, self.report, sentence, excerpt)
            case Failed(sentence, traceback):
                return Ending(End.FAILED, self.report, sentence, traceback=traceback)
            case Interrupted():
                return Ending(End.INTERRUPTED, self.report)
        return Ending(End.FINISHED, self.report)


@dataclass(frozen=True)
class InWorkers:
    """Each task in a process of its own."""

    def run(self, task: Task, limits: ResourceLimits, monitor: TaskMonitor) -> Ending:
        """What came of the task, within the limits.

        It raises nothing: where no process can be started, the ending says so.
        """
        try:
            worker = _Worker(task, monitor)
        except OSError as error:
            return Ending(End.REFUSED, None, f"verifier cannot start a process: {reason_of(error)}")
        try:
            return _Supervision(worker, limits, monitor).ending()
        finally:
            worker.end()


class _Supervision:
    """One worker, from its start to its end."""

    def __init__(self, worker: _Worker, limits: ResourceLimits, monitor: TaskMonitor) -> None:
        self._worker, self._limits, self._monitor = worker, limits, monitor
        self._known = _Received(monitor)
        self._started = time.monotonic()
        self._stage_began = self._started
        self._interrupted: float | None = None

    def ending(self) -> Ending:
        while True:
            with contextlib.suppress(queue.Empty):
                message = self._worker.messages.get(timeout=_POLL)
                if message is None:
                    return self._ending_after_death()
                self._receive(message)
                if isinstance(message, LAST):
                    return self._known.ending
            ending = self._ending_at_limit() or self._ending_by_interruption()
            if ending is not None:
                return ending
            if not self._worker.is_alive:
                return self._ending_after_death()

    def _receive(self, message: Message) -> None:
        self._known.receive(message)
        if isinstance(message, Stage):
            self._stage_began = time.monotonic()

    def _ending(self, end: End, sentence: str) -> Ending:
        return Ending(end, self._known.report, sentence)

    def _ending_at_limit(self) -> Ending | None:
        """How it ends where a limit is reached."""
        return self._out_of_time() or self._out_of_stage() or self._out_of_memory()

    def _out_of_time(self) -> Ending | None:
        seconds = self._limits.seconds
        if seconds is None or time.monotonic() - self._started <= seconds:
            return None
        after = f"the time ran out after {seconds:g} seconds{self._worker.place()}"
        return self._ending(End.OUT_OF_TIME, f"{after}: --timeout gives it more")

    def _out_of_stage(self) -> Ending | None:
        """The report is whole but for what the stage adds."""
        stage = self._known.stage
        if stage is None or stage.seconds is None:
            return None
        if time.monotonic() - self._stage_began <= stage.seconds:
            return None
        return self._ending(
            End.FINISHED, f"{stage.name} was ended after {stage.seconds:.3g} seconds"
        )

    def _out_of_memory(self) -> Ending | None:
        memory = self._limits.memory
        if memory is None or self._worker.family.memory <= memory:
            return None
        more = f"the code needs more than {size_text(memory)} of memory{self._worker.place()}"
        return self._ending(End.OUT_OF_MEMORY, f"{more}: --memory gives it more")

    def _ending_by_interruption(self) -> Ending | None:
        """Pass the first Ctrl-C on, and end where the worker does not, or at the second."""
        if not self._monitor.interruptions:
            return None
        if self._interrupted is None:
            self._interrupted = time.monotonic()
            self._worker.interrupt()
        late = time.monotonic() - self._interrupted > PATIENCE
        if late or self._monitor.interruptions > 1:
            return self._ending(End.INTERRUPTED, "")
        return None

    def _ending_after_death(self) -> Ending:
        """It ended, or cannot be heard any more, without a last message."""
        for message in self._worker.rest():
            self._receive(message)
            if isinstance(message, LAST):
                return self._known.ending
        return self._ending(End.DIED, self._worker.how_it_ended())


class _Worker:
    """A process that does one task."""

    def __init__(self, task: Task, monitor: TaskMonitor) -> None:
        self._mark = secrets.token_hex(16)
        self._dump, write = _pipe()
        self._process = subprocess.Popen(  # noqa: S603 (this Python itself)
            # -P: what lies in the current folder must not be taken for Python's own json.
            [sys.executable, *_flags(), "-P", "-c", _START, json.dumps(sys.path)],
            env={**os.environ, MARK: self._mark},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # Ctrl-C reaches the supervisor alone, which passes it on.
            start_new_session=os.name == "posix",
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            pass_fds=() if write is None else (write,),
        )
        if write is not None:
            os.close(write)
        self.messages: queue.Queue[Message | None] = queue.Queue()
        self._is_done = False
        self._relay = Relay(_pipe_of(self._process.stderr), monitor.tell)
        self._incoming = PipeReader(_pipe_of(self._process.stdout))
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._request({**asdict(task), "dump": write})

    def _request(self, document: Facts) -> None:
        stream = _pipe_of(self._process.stdin)
        with contextlib.suppress(OSError):  # a worker that is dead already is seen to be
            stream.write(frame_document(document))
            stream.flush()

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            for message in decode_messages(self._incoming):
                self._is_done = isinstance(message, LAST)
                self.messages.put(message)
        self.messages.put(None)

    def rest(self) -> Iterator[Message]:
        """What arrived and was not looked at."""
        end = time.monotonic() + _DRAIN
        while (left := end - time.monotonic()) > 0:
            try:
                message = self.messages.get(timeout=min(left, _POLL))
            except queue.Empty:
                continue
            if message is None:
                return
            yield message

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    @cached_property
    def family(self) -> ProcessFamily:
        """It and what it has started."""
        # psutil costs more than everything else that --help loads.
        from verifier.process.workers.family import ProcessFamily

        return ProcessFamily(self._process.pid, self._mark)

    def interrupt(self) -> None:
        """Ask it to end after its step. No signal: the process may not have started to listen."""
        with contextlib.suppress(OSError):
            _pipe_of(self._process.stdin).write(INTERRUPT)
            _pipe_of(self._process.stdin).flush()

    def place(self) -> str:
        """Where its Python code stands, as a part of a sentence; empty where that is not known."""
        if self._dump is None or not hasattr(signal, "SIGUSR1"):
            return ""
        with contextlib.suppress(OSError):
            self._process.send_signal(signal.SIGUSR1)
            time.sleep(_POLL)
        return self._place()

    def _place(self) -> str:
        if self._dump is None:
            return ""
        with contextlib.suppress(OSError):
            found = user_place_in(os.read(self._dump, 1 << 20).decode("utf-8", "backslashreplace"))
            return f" at {found}" if found else ""
        return ""

    def how_it_ended(self) -> str:
        """A sentence."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_DRAIN)
        code = self._process.returncode
        if code in (None, NOT_HEARD):
            return "the code closed the pipe through which verifier gets its results"
        if code == NOT_SENT:
            return "the code replaced a part of Python that verifier needs to send its results"
        if code >= 0:
            return f"the code ended the process with exit code {code} before a verdict"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return f"{name}{_SIGNALS.get(name, '')} ended the process{self._place()} before a verdict"

    def end(self) -> None:
        """Wait for it where it has ended its work, and leave nothing of it behind."""
        if self._is_done:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_DRAIN)
        self.family.kill_descendants()
        self._kill_group()
        self._process.wait()
        self.family.kill_marked()
        self._incoming.end()
        self._reader.join(_DRAIN)
        with contextlib.suppress(OSError):
            _pipe_of(self._process.stdin).close()
        self._relay.join(_DRAIN)
        for stream in (self._process.stdout, self._process.stderr):
            with contextlib.suppress(OSError):
                _pipe_of(stream).close()
        if self._dump is not None:
            os.close(self._dump)

    def _kill_group(self) -> None:
        with contextlib.suppress(OSError):
            if os.name == "posix":
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()


def _pipe_of(stream: IO[bytes] | None) -> IO[bytes]:
    """A pipe of a process that was started with it."""
    if stream is None:
        raise ValueError("a worker without its pipes")
    return stream


def _pipe() -> tuple[int | None, int | None]:
    """Where a worker writes where it stands, if files can be handed on to it."""
    if os.name != "posix":
        return None, None
    read, write = os.pipe()
    os.set_blocking(read, False)
    os.set_blocking(write, False)
    return read, write


def _flags() -> list[str]:
    """How this Python was started: -W, -X, -I, ..."""
    return list(getattr(subprocess, "_args_from_interpreter_flags", list)())


_SIGNALS = {
    "SIGSEGV": " (a segmentation fault)",
    "SIGKILL": " (the system may have run out of memory)",
    "SIGABRT": " (abort)",
}
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop()); "
    "from verifier.process.workers.worker import main; main()"
)
