"""What all reports have in common: an exit code, and the forms in which they are shown."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions
from rich.text import Text

from verifier.errors import GradientError, printable
from verifier.process.isolation import isolate
from verifier.reporting.content.blocks import Block, Verdict
from verifier.reporting.content.detail import Detail
from verifier.reporting.text.terminal import WIDTH, lines_of

if TYPE_CHECKING:
    from verifier.reporting.html.page import Page


class BaseReport(ABC):
    """A report. `print(report)` shows it; in a rich console it has colour."""

    @property
    @abstractmethod
    def exit_code(self) -> int:
        """0 where all is well; what else there is says the report."""

    @property
    def ok(self) -> bool:
        """Whether everything that was asked for is verified: the exit code is 0."""
        return self.exit_code == 0

    @abstractmethod
    def content(self, detail: Detail = Detail.SHORT) -> Iterable[Block]:
        """What it says, in blocks: the verdict first."""

    @property
    @abstractmethod
    def _summary(self) -> str:
        """What it is about, and what came out, in a few words."""

    def lines(self, width: int, detail: Detail = Detail.SHORT) -> Iterator[Text]:
        """The report, line by line, at most `width` columns wide."""
        blocks = self.content(detail)
        if detail is Detail.QUIET:
            blocks = (block for block in blocks if isinstance(block, Verdict))
        return lines_of(blocks, width)

    @isolate
    def raise_for_failure(self) -> None:
        """Raise GradientError, with the report as its message, unless the report is ok."""
        if not self.ok:
            raise GradientError(f"{printable(self._summary)}\n{self._failures()}")

    def _failures(self) -> str:
        """What the error's message shows."""
        return str(self)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        yield from self.lines(options.max_width)

    @isolate
    def __str__(self) -> str:
        return "\n".join(line.plain.rstrip() for line in self.lines(WIDTH))


class PageReport(BaseReport):
    """A report that can also be a page."""

    @abstractmethod
    def _page(self) -> Page: ...

    def _cell(self) -> Page:
        """What a notebook shows."""
        return self._page()

    @isolate
    def to_html(self) -> str:
        """The report as a page: one HTML file that needs no other, and no network."""
        return self._page().html()

    @isolate
    def _repr_html_(self) -> str:
        return self._cell().fragment()
