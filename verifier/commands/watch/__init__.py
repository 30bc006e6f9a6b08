"""Watch: the gradients of a training loop that verifier does not run, judged as it goes on."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Any

import torch

from verifier.capture.target import name_of
from verifier.checking.check_result import CheckResult, CheckSettings
from verifier.checking.failures import explain_failures
from verifier.commands.watch.loop_call import LoopCall, NotJudgedError, judged_call, observed_call
from verifier.errors import InputError
from verifier.judging.finding import Finding
from verifier.judging.symbolic_limits import limit_search_time
from verifier.process.deadline import Deadline
from verifier.process.internal_errors import InternalErrors
from verifier.process.isolation import isolate
from verifier.process.values import UserFunction
from verifier.reporting.check_report import CheckReport

SECONDS_FOR_CAUSES = 5.0
"""The loop is over then, and its author waits for the report."""


class LoopWatch:
    """A block in which the gradients of a training loop are judged; `verifier.watch` makes one."""

    def __init__(self, module: UserFunction, *, every: int = 100, share: float = 0.1) -> None:
        if not callable(module):
            raise InputError(f"a {type(module).__name__} cannot be watched: give a torch.nn.Module")
        if not isinstance(every, int) or isinstance(every, bool) or every < 1:
            raise InputError(f"every is {every!r}: give a whole number, 1 or more")
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
            raise InputError(f"share is {share!r}: give a fraction above 0, at most 1")
        self._target, self._every, self._share = module, every, share
        self.calls = 0
        """How often the module was called in the block."""
        self._open: LoopCall | None = None
        self._findings: list[Finding] = []
        self._not_judged: Counter[str] = Counter()
        self._errors = InternalErrors()
        self._began = self._spent = 0.0

    def __enter__(self) -> LoopWatch:
        self._began = time.monotonic()
        if isinstance(self._target, torch.nn.Module):
            self._own_forward = self._target.__dict__.get("forward")
            self._patch()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(self._target, torch.nn.Module):
            self._restore()
        self._judge_open()

    @property
    def judged(self) -> int:
        """How many calls were judged."""
        return len(self._findings)

    @property
    def report(self) -> CheckReport:
        """What was found so far: the report of a check whose points are calls in the loop."""
        dtypes = tuple(dict.fromkeys(finding.dtype for finding in self._findings))
        result = CheckResult(
            name_of(self._target),
            "its own forward",
            CheckSettings(dtypes, without=()),
            tuple(self._findings),
            causes_searched=False,
        )
        result = explain_failures(result, (), Deadline(SECONDS_FOR_CAUSES))
        return CheckReport(replace(result, notes=(*self._notes(), *result.notes)))

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """What the watched function or module returns for these arguments; the call is watched."""
        number = self.calls
        self.calls += 1
        self._judge_open()
        if number % self._every or not torch.is_grad_enabled() or not self._has_time:
            return self._target(*args, **kwargs)
        try:
            self._open, returned = observed_call(self._target, number + 1, args, kwargs)
        except NotJudgedError as error:
            self._not_judged[str(error)] += 1
            return self._target(*args, **kwargs)
        return returned

    @property
    def _has_time(self) -> bool:
        elapsed = time.monotonic() - self._began
        return not self._findings or self._spent <= self._share * elapsed

    def _patch(self) -> None:
        def forward(*args: Any, **kwargs: Any) -> Any:
            with self._unpatched():
                return self.call(*args, **kwargs)

        self._target.__dict__["forward"] = forward

    def _restore(self) -> None:
        del self._target.__dict__["forward"]
        if self._own_forward is not None:
            self._target.__dict__["forward"] = self._own_forward

    @contextmanager
    def _unpatched(self) -> Iterator[None]:
        """A block in which the module is as it was."""
        self._restore()
        try:
            yield
        finally:
            self._patch()

    def _judge_open(self) -> None:
        """Judge the call that was copied last, if a backward pass has come to it."""
        call, self._open = self._open, None
        if call is None:
            return
        if not call.has_gradients:
            self._not_judged["no backward pass reached it"] += 1
            return
        began = time.monotonic()
        self._errors.run(f"judging call {call.step}", partial(self._judge, call), None)
        self._spent += time.monotonic() - began

    @isolate
    def _judge(self, call: LoopCall) -> None:
        try:
            with limit_search_time():
                self._findings.append(judged_call(call, call.step))
        except NotJudgedError as error:
            self._not_judged[str(error)] += 1

    def _notes(self) -> Iterator[str]:
        calls = "call" if self.calls == 1 else "calls"
        yield f"{self.judged} of {self.calls:,} {calls} in the loop were judged"
        for reason, count in self._not_judged.items():
            times = "once" if count == 1 else f"{count:,} times"
            yield f"{times} a call was not judged: {reason}"
        yield from self._errors.notes


def watch(module: UserFunction, *, every: int = 100, share: float = 0.1) -> LoopWatch:
    """A block in which the gradients of a module, or of a loss, are judged in your own loop.

    `module` is a `torch.nn.Module`, which works as ever inside the block. Of every `every`-th call
    the inputs, the parameters and the gradients that come back are copied. They are compared with
    the exact gradient of the module's own forward when the module is called again, or when the
    block ends. At most `share` of the time since the block began goes into that, but the first call
    is always judged. A function is watched where the loop calls it as `watch.call`.

    What other parts of the loop add to a gradient, such as a penalty on the weights, has no part in
    it; nor has what an optimizer makes of it. Calls under `torch.autocast`, calls that no backward
    pass reaches, and calls of more than 20 million products are not judged; the report counts them.

    `watch.report` is the report of a check whose points are the calls that were judged.

    Raises InputError where `module` cannot be called, `every` is no whole number from 1 on, or
    `share` is not above 0 and at most 1.

    >>> import torch, verifier
    >>> layer = torch.nn.Linear(3, 1)
    >>> with verifier.watch(layer, every=2) as watch:
    ...     for step in range(4):
    ...         layer(torch.ones(2, 3)).sum().backward()
    >>> watch.report.outcome.value, watch.calls
    ('agrees', 4)
    """
    return LoopWatch(module, every=every, share=share)
