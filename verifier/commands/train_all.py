"""Summary: the reports of several models in one table, with one verdict."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from rich.text import Text

from verifier.commands.train import train
from verifier.errors import InputError
from verifier.formula.model import Model
from verifier.judging.verdict import Outcome
from verifier.process.isolation import isolate
from verifier.reporting.data.training_json import FORMAT, versions
from verifier.reporting.html.page import Page, Table
from verifier.reporting.html.training import parameter_table
from verifier.reporting.text.layout import (
    STYLES,
    UNBROKEN,
    WIDTH,
    Column,
    Layout,
    Stacked,
    layout_for,
)
from verifier.reporting.text.training import ratio
from verifier.reporting.training_report import Report
from verifier.training.runner import always

_COLUMNS = (
    Column("model", "", ("model",)),
    Column("steps", "", ("steps",)),
    Column("agrees", "", ("agrees",)),
    Column("other", "", ("other",)),
    Column("digits", "least", ("digits, least",)),
    Column("error/allowed", "worst", ("error/allowed",)),
    Column("outcome", "", ("outcome",)),
)


@dataclass(frozen=True, repr=False, eq=False)
class Summary:
    """The reports of several models. `print(summary)` shows a row for each."""

    reports: tuple[Report, ...]
    planned: int
    """How many models were to be trained."""

    @property
    def outcome(self) -> Outcome:
        """The worst outcome of all reports."""
        return max(
            (report.outcome for report in self.reports), key=lambda outcome: outcome.severity
        )

    @property
    def ok(self) -> bool:
        return self.exit_code == 0

    @property
    def exit_code(self) -> int:
        """130 where a training was interrupted, else 1 where anything disagrees, 3 where anything
        is undecided, 0.
        """
        codes = {report.exit_code for report in self.reports}
        if len(self.reports) < self.planned:
            return 130
        return next((code for code in (130, 1, 3) if code in codes), 0)

    @isolate
    def to_json(self) -> dict[str, Any]:
        """All reports in one document of the format `verifier/1`."""
        return {
            "format": FORMAT,
            "command": "train",
            "versions": versions(),
            "outcome": self.outcome.value,
            "ok": self.ok,
            "reports": [report.to_json() for report in self.reports],
        }

    @isolate
    def to_html(self) -> str:
        """The summary as a page: one HTML file that needs no other, and no network."""
        return self._page().html()

    @isolate
    def _repr_html_(self) -> str:
        return self._page().fragment()

    def _page(self) -> Page:
        headline, *more = [line.plain for line in reversed(list(self._verdict(Stacked(UNBROKEN))))]
        return Page(
            title=f"verifier: {self.planned} models",
            outcome=self.outcome,
            verdict=headline,
            sentences=list(reversed(more)),
            sections=[self._table(), *(_section(report) for report in self.reports)],
        )

    def _table(self) -> Table:
        return Table(
            title="Models",
            caption="The worst of each model's losses and gradients.",
            columns=tuple(
                " ".join(filter(None, (column.top, column.bottom))) for column in _COLUMNS
            ),
            rows=[[cell for (cell,) in _row(report)] for report in self.reports],
            outcomes=[report.outcome for report in self.reports],
            words=frozenset((len(_COLUMNS) - 1,)),
        )

    def lines(self, width: int) -> Iterator[Text]:
        """The table, line by line, at most `width` columns wide."""
        layout = layout_for(width)
        yield from layout.summary(_COLUMNS, [_row(report) for report in self.reports])
        yield from self._verdict(layout)

    def _verdict(self, layout: Layout) -> Iterator[Text]:
        for report in self.reports:
            if not report.ok and report.replay:
                yield from layout.prose(f"look at {report.model.name}: {report.replay}")
        if self.exit_code == 130:
            done = sum(not report.findings.interrupted for report in self.reports)
            yield from layout.prose(
                f"PARTIAL  interrupted after {done} of {self.planned} models", style="yellow"
            )
        agreeing = sum(report.ok for report in self.reports)
        yield from layout.prose(
            f"{self.outcome.value.upper()}  {agreeing} of {self.planned} models verified.",
            style=STYLES[self.outcome],
        )

    def __repr__(self) -> str:
        return (
            f"<Summary {self.outcome.value}: "
            f"{', '.join(report.model.name for report in self.reports)}>"
        )

    @isolate
    def __str__(self) -> str:
        return "\n".join(line.plain.rstrip() for line in self.lines(WIDTH))


def _section(report: Report) -> Table:
    """A model's parameters, named by it."""
    name = report.model.name
    return replace(parameter_table(report.findings), title=name, caption=report.replay or name)


def _row(report: Report) -> list[tuple[str, ...]]:
    compared = sum(component.compared for component in report.components)
    agrees = sum(component.outcomes[Outcome.AGREES] for component in report.components)
    digits = [
        component.least_digits
        for component in report.components
        if not math.isnan(component.least_digits)
    ]
    return [
        (report.model.name,),
        (str(report.findings.done),),
        (str(agrees),),
        (str(compared - agrees) if compared > agrees else "–",),
        (f"{abs(min(digits)):.1f}" if digits else "–",),
        (max((ratio(component) for component in report.components), key=_size),),
        ("interrupted" if report.findings.interrupted else report.outcome.value,),
    ]


def _size(ratio: str) -> float:
    return -1.0 if ratio == "–" else float(ratio)


@isolate
def train_all(
    models: Iterable[Model], *, keep_going: Callable[[int, int], bool] = always, **settings: Any
) -> Summary:
    """Train each model with its own settings, but for those given, and judge every step.

    Raises InputError for settings that do not fit.

    >>> import verifier
    >>> print(verifier.train_all([verifier.load("linear")], epochs=2).outcome)
    agrees
    """
    reports: list[Report] = []
    chosen = tuple(models)
    if not chosen:
        raise InputError("there is no model to train: give at least one")
    for model in chosen:
        if reports and (reports[-1].findings.interrupted or not keep_going(0, 0)):
            break
        reports.append(train(model, keep_going=keep_going, **settings))
    return Summary(tuple(reports), len(chosen))
