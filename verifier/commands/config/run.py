"""The targets of verifier.toml, each checked in a process of its own, several at once where that is
asked for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial

from verifier.commands.config.report import ConfigReport, TargetResult
from verifier.commands.config.schema import AcceptedFailure, Config, ConfiguredTarget
from verifier.commands.unfinished import ending_sentence, exit_code_of
from verifier.process.workers.messages import Rendered
from verifier.process.workers.resource_limits import ResourceLimits
from verifier.process.workers.supervisor import End, Ending, Host, TaskMonitor
from verifier.process.workers.task import Task
from verifier.reporting.rendering import Forms

_OUTCOMES = {
    End.REFUSED: "not usable",
    End.FAILED: "internal error",
    End.DIED: "died",
    End.OUT_OF_TIME: "out of time",
    End.OUT_OF_MEMORY: "out of memory",
}


def ignore_result(_: TargetResult) -> None:
    """Takes no notice of a result."""


@dataclass(frozen=True)
class ConfigRun:
    """How the targets of a file are checked."""

    host: Host
    limits: ResourceLimits
    """For each target; its own time limit takes the place of the one here."""
    forms: Forms
    jobs: int = 1
    """How many are checked at once. The report does not depend on it."""
    on_result: Callable[[TargetResult], None] = ignore_result
    """Called with each result as it comes, one at a time."""

    def report(self, config: Config, monitor: TaskMonitor) -> ConfigReport:
        """Check each target. One that cannot be used does not keep the others from being
        checked.
        """
        count = _TargetCounter(monitor, len(config.targets))
        with _cancelling_pool(self.jobs, count) as pool:
            found = list(pool.map(lambda target: self._result(target, count), config.targets))
        return ConfigReport(config, tuple(result for result in found if result is not None))

    def _result(self, target: ConfiguredTarget, count: _TargetCounter) -> TargetResult | None:
        """What became of a target; None where the run was interrupted before it was reached."""
        if count.interruptions:
            return None
        seconds = target.settings.timeout or self.limits.seconds
        limits = replace(self.limits, seconds=seconds)
        started = time.monotonic()
        ending = self.host.run(task_of(target, self.forms, seconds), limits, count)
        took = time.monotonic() - started
        if exit_code_of(ending) == 130:
            count.is_abandoned = True
        if ending.end is End.INTERRUPTED and ending.report is None:
            count.add()
            return None
        result = replace(result_of(target, ending), seconds=took)
        count.add(partial(self.on_result, result), result.exit_code)
        return result


class _TargetCounter:
    """Watches all targets at once: progress is how many are done, and are not verified."""

    def __init__(self, monitor: TaskMonitor, planned: int) -> None:
        self._monitor, self._planned, self._done = monitor, planned, 0
        self._failing = 0
        self.is_abandoned = False
        self._lock = threading.Lock()

    @property
    def interruptions(self) -> int:
        return 2 if self.is_abandoned else self._monitor.interruptions

    def add(self, tell: Callable[[], None] | None = None, exit_code: int = 0) -> None:
        """One more is done, with that exit code; what is told of it is told before the next one is
        counted.
        """
        with self._lock:
            self._done += 1
            self._failing += exit_code != 0
            self.progress(0, 0)
            if tell is not None:
                tell()

    def progress(self, done: int, planned: int, note: str = "") -> None:
        note = f"not verified so far: {self._failing} of {self._done}" if self._done else ""
        self._monitor.progress(self._done, self._planned, note)

    def tell(self, text: str) -> None:
        self._monitor.tell(text)


@contextmanager
def _cancelling_pool(jobs: int, count: _TargetCounter) -> Iterator[ThreadPoolExecutor]:
    pool = ThreadPoolExecutor(jobs)
    try:
        yield pool
    except BaseException:
        count.is_abandoned = True
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def task_of(target: ConfiguredTarget, forms: Forms, seconds: float | None) -> Task:
    """What a worker is asked for."""
    options = {**asdict(target), "folder": str(target.folder), "inputs": dict(target.inputs)}
    return Task(
        "verifier.commands.tasks:check_target_task",
        {"target": options, "forms": asdict(forms), "seconds": seconds},
    )


def result_of(target: ConfiguredTarget, ending: Ending) -> TargetResult:
    """What became of a target, from how its work ended."""
    report = ending.report or Rendered(0, {})
    nothing = {"outcome": "", "compared": 0, "accepted": [], "stale": [], "unaccepted": []}
    facts = {**nothing, **report.facts}
    is_whole = ending.end in (End.FINISHED, End.INTERRUPTED)
    code = exit_code_of(ending)
    return TargetResult(
        target=target.target,
        outcome=facts["outcome"] if is_whole or code == 1 else _OUTCOMES[ending.end],
        exit_code=code,
        compared=facts["compared"],
        accepted=tuple(AcceptedFailure(**entry) for entry in facts["accepted"]),
        stale=tuple(AcceptedFailure(**entry) for entry in facts["stale"]),
        unaccepted=tuple(AcceptedFailure(**entry) for entry in facts["unaccepted"]),
        sentence=facts.get("sentence", ""),
        reason="" if is_whole else ending_sentence(ending),
        report=ending.report,
        traceback="\n".join([ending.traceback, *facts.get("failed", ())]).strip(),
        is_shown=ending.report is not None and facts.get("is_failing", bool(code)),
    )
