"""Progress bar: how far a run is, how fast it goes, how long it may still take, and what came out
so far.
"""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from verifier.errors import printable

_ROOMY = 70
"""From so many columns on there is room for the counts and for a bar."""
_BESIDE = 54
"""How much of a line stands beside the bar, where each count has six digits."""


class ProgressBar:
    """A bar on standard error, gone when it is stopped. What came out so far stands below it."""

    def __init__(self, what: str, planned: int, console: Console | None = None) -> None:
        console = console or Console(stderr=True)
        self._progress = _NotedProgress(*_columns(console.width), console=console, transient=True)
        self._task = self._progress.add_task(what, total=planned)
        self._progress.start()

    def update(self, done: int, planned: int, note: str = "") -> None:
        """Show how much is done of what is planned, and a `note` on what came out so far."""
        self._progress.note = note
        self._progress.update(self._task, completed=done, total=planned)

    def stop(self) -> None:
        """Take the bar off the screen."""
        self._progress.stop()


class _NotedProgress(Progress):
    """A bar with a line below it."""

    note = ""

    def get_renderables(self) -> Iterator[RenderableType]:
        yield self.make_tasks_table(self.tasks)
        if self.note:
            yield Text(printable(self.note), "dim")


class _Rate(ProgressColumn):
    """Steps a second."""

    def render(self, task: Task) -> Text:
        if task.speed is None:
            return Text()
        return Text(f"{task.speed:,.0f}/s" if task.speed >= 10 else f"{task.speed:.1f}/s")


class _Count(ProgressColumn):
    """How many are done, and of how many."""

    def render(self, task: Task) -> Text:
        return Text(f"{int(task.completed):,} of {int(task.total or 0):,}")


def _columns(width: int) -> Iterator[ProgressColumn]:
    yield TextColumn("{task.description}", markup=False)
    if width >= _ROOMY:
        yield BarColumn(bar_width=min(40, width - _BESIDE))
        yield _Count()
    else:
        yield TaskProgressColumn()
    yield _Rate()
    yield TimeRemainingColumn()
