"""Isolation: a library call judges in a state of its own, runs code under test in the caller's, and
leaves no trace.

While verifier judges, the process has the state that `verifier.process.global_state` says for that.
Code under test finds what the caller has (`user_code_state`), or what loading its file left
(`user_file_state`): a default dtype, an error handling, a folder. What would change a verdict
without being part of the code is the same for both: no autocast, no inference mode, no flushing of
tiny numbers. When the call ends, the caller has all of it back.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from threading import Lock, Thread, current_thread
from typing import ParamSpec, TypeVar

import torch

from verifier.process.global_state import (
    DETERMINISTIC,
    DEVICE,
    DTYPE,
    ERRORS,
    FLUSHING,
    FOLDER,
    KINDS,
    PRECISION,
    RECURSION,
    THREADS,
    WARNINGS,
    Frequency,
    Kind,
    StateValue,
    device_of,
    filters_without_errors,
)

_P = ParamSpec("_P")
_R = TypeVar("_R")


def isolate(call: Callable[_P, _R]) -> Callable[_P, _R]:
    """The function `call` as a library call: it leaves all state of the process as it was."""

    @wraps(call)
    def alone(*arguments: _P.args, **keywords: _P.kwargs) -> _R:
        __tracebackhide__ = True
        with library_call():
            return call(*arguments, **keywords)

    return alone


@contextmanager
def library_call() -> Iterator[None]:
    """A block in the state of judging, which the caller does not see. A block inside another one
    adds nothing.
    """
    outer = _CALL.get()
    if outer is not None and outer.run is None:
        yield
        return
    with _LOCK:
        # What it finds is not the caller's where another thread judges.
        call = _Call(_OPEN[0] if _OPEN and outer is None else None)
        _OPEN.append(call)
    token = _CALL.set(call)
    try:
        # What it finds comes back when it is left, whatever is done to it meanwhile.
        with torch.inference_mode(False):
            call.enter_judging(call.caller)
            yield
    finally:
        _CALL.reset(token)
        with _LOCK:
            _OPEN.remove(call)
            call.restore(alone=not _OPEN or outer is not None)


def user_code_state(tensors: Sequence[torch.Tensor]) -> AbstractContextManager[None]:
    """A block in which code under test runs on these `tensors`, in its own state.

    What the code changes is named and undone. A run inside another, such as a forward whose
    backward is to follow, is part of it. Outside a library call the block only ignores warnings.
    """
    call = _CALL.get()
    if call is None:
        return _warnings_ignored()
    if call.run is not None or call.has_ended_here:
        return _NOTHING
    run = _UserCodeRun(call)
    if call.device is None or all(tensor.device.type != call.device.type for tensor in tensors):
        return run
    return _on_device(run, call.device)


@contextmanager
def user_file_state(package: str = "") -> Iterator[None]:
    """A block in which code under test is loaded. What that leaves is the code's state until the
    library call ends.

    A `package`, by its dotted name, is loaded once in the life of a process: what it left is there
    again the next time. Empty stands for a file, which is loaded each time. Warnings are treated as
    the caller says, but none of them is an error.
    """
    call = _CALL.get()
    if call is None or call.run is not None:
        yield
        return
    run = call.open(package)
    try:
        yield
    finally:
        call.take_over(package, run)


def changed_state_names() -> tuple[str, ...]:
    """The kinds of state that code under test has changed since the library call began, by name."""
    call = _CALL.get()
    return () if call is None else tuple(kind.name for kind in KINDS if kind in call.changed)


def abandon_user_code() -> None:
    """Go on without code under test that did not return.

    The state of judging is in force again. Nothing is put back for that code any more, should it
    end after all.
    """
    call = _CALL.get()
    if call is not None:
        call.abandon_run()


@contextmanager
def _warnings_ignored() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _on_device(run: _UserCodeRun, device: torch.device) -> Iterator[None]:
    with run, device:
        yield


class _UserCodeRun:
    """Code under test while it runs. It does hundreds of times, and a generator would be slower."""

    def __init__(self, call: _Call) -> None:
        self._call = call

    def __enter__(self) -> None:
        self._run = self._call.begin()

    def __exit__(self, *_: object) -> None:
        if os.getpid() != self._call.process:
            # The code made a copy of the process (os.fork), which must not judge as well.
            os._exit(0)
        self._call.end(self._run)


_NOTHING = nullcontext()
_NOT_KNOWN: Mapping[Kind, StateValue] = {}
_CHEAP = tuple(kind for kind in KINDS if kind.compared is Frequency.EACH_RUN)
_STILL = tuple(kind for kind in KINDS if kind.compared is not Frequency.NEVER)
"""What does not change by itself."""
_REMEMBERED = (DTYPE, DETERMINISTIC, PRECISION, ERRORS, RECURSION)
"""What packages set when they are loaded, and their code relies on."""


@dataclass(frozen=True, eq=False, slots=True)
class _Run:
    """One run of code under test: what was there before, and what it began with."""

    kinds: tuple[Kind, ...]
    before: list[StateValue]
    began: list[StateValue]
    thread: Thread


class _Call:
    """A library call: what the caller has, what judging has, and what code under test has."""

    def __init__(self, other: _Call | None) -> None:
        self.caller = {kind: kind.read() for kind in KINDS}
        if other is not None:
            self.caller |= {kind: other.caller[kind] for kind in KINDS if not kind.of_thread}
        self.device = device_of(self.caller[DEVICE])
        """The code's default device, for tensors that lie there; what is drawn lies on the CPU."""
        self.changed: set[Kind] = set()
        """What code under test has changed."""
        self.process = os.getpid()
        self.run: _Run | None = None
        """The run of code under test that goes on."""
        self._lost: set[Thread] = set()
        """Those of code that did not return."""
        self._is_over = False
        self._code = dict(self.caller)
        self._judging = {kind: kind.judging(self.caller[kind]) for kind in _STILL}
        if self.caller[FLUSHING]:
            # The threads that torch shares its work with may do so as well, and cannot be asked.
            self._judging[THREADS] = 1
        self._runs, self._due = 0, 1
        self._watched = _CHEAP
        """What is compared in each run."""
        self._seen: set[Kind] = set()

    @property
    def has_ended_here(self) -> bool:
        """Whether it goes on without this thread, if at all."""
        return self._is_over or (bool(self._lost) and current_thread() in self._lost)

    def enter_judging(self, known: Mapping[Kind, StateValue] = _NOT_KNOWN) -> None:
        """Put the state of judging in force; what is known to be there already is not looked at."""
        for kind, value in self._judging.items():
            if kind not in known or known[kind] is not value:
                _write_if_other(kind, value)
        if self._code[FOLDER] != self._judging[FOLDER]:
            self._watch(FOLDER)

    def restore(self, alone: bool) -> None:
        """Put back what the caller has; what threads share only where no other one judges."""
        self._is_over = True
        for kind, value in self.caller.items():
            if alone or kind.of_thread:
                _write_if_other(kind, value)

    def begin(self) -> _Run:
        self._runs += 1
        kinds = self._watched
        if self._runs == self._due:
            kinds, self._due = _STILL, 16 * self._due
        before = [kind.read() for kind in kinds]
        own = self._values_of_code(kinds, before)
        for kind, value in own:
            kind.write(value)
        began = [kind.read() for kind in kinds] if own else before
        self.run = _Run(kinds, before, began, current_thread())
        return self.run

    def _values_of_code(
        self, kinds: tuple[Kind, ...], now: list[StateValue]
    ) -> list[tuple[Kind, StateValue]]:
        """What code has of its own, where that is not in force now."""
        found = []
        for kind, there in zip(kinds, now, strict=True):
            if kind.running:
                value = kind.running(self._code[kind], there)
                if value != there:
                    found.append((kind, value))
        return found

    def end(self, run: _Run) -> None:
        if self.run is not run:
            return
        self.run = None
        now = [kind.read() for kind in run.kinds]
        if now != run.before or now != run.began:
            parts = zip(run.kinds, now, run.before, run.began, strict=True)
            for kind, value, before, began in parts:
                if value != began:
                    self._note_change(kind)
                if value != before:
                    kind.write(before)

    def _note_change(self, kind: Kind) -> None:
        """Code has changed it."""
        self._watch(kind)
        if kind in self._seen or not kind.by_libraries:
            self.changed.add(kind)
        self._seen.add(kind)

    def _watch(self, kind: Kind) -> None:
        if kind not in self._watched:
            self._watched = tuple(one for one in _STILL if one is kind or one in self._watched)

    def abandon_run(self) -> None:
        """The run does not end."""
        if self.run is not None:
            self._lost.add(self.run.thread)
        self.run = None
        self.enter_judging()

    def open(self, package: str) -> _Run:
        """Begin to load."""
        WARNINGS.write(filters_without_errors(self.caller[WARNINGS]))
        for kind in (DEVICE, ERRORS):
            kind.write(self._code[kind])
        before = [kind.read() for kind in _STILL]
        for kind, value in _LEFT_BY_PACKAGE.get(package, {}).items():
            kind.write(value)
        self.run = _Run(_STILL, before, before, current_thread())
        return self.run

    def take_over(self, package: str, run: _Run) -> None:
        """Take what loading left for the state of the code."""
        self.run = None
        now = {kind: kind.read() for kind in run.kinds}
        before = dict(zip(run.kinds, run.before, strict=True))
        left = {kind: value for kind, value in now.items() if value != before[kind]}
        if package:
            kept = {kind: value for kind, value in left.items() if kind in _REMEMBERED}
            _LEFT_BY_PACKAGE.setdefault(package, {}).update(kept)
        self._code |= left
        common = [kind for kind in left if kind.running is None]
        self._judging |= {kind: kind.judging(left[kind]) for kind in common}
        self.device = device_of(self._code[DEVICE])
        self.enter_judging()


def _write_if_other(kind: Kind, value: StateValue) -> None:
    if kind.compared is Frequency.NEVER or kind.read() != value:
        kind.write(value)


_CALL: ContextVar[_Call | None] = ContextVar("library_call", default=None)
"""The library call in this thread, which threads that it starts share."""
_OPEN: list[_Call] = []
"""The library calls of all threads."""
_LOCK = Lock()
_LEFT_BY_PACKAGE: dict[str, dict[Kind, StateValue]] = {}
"""What was left when a package was loaded."""
