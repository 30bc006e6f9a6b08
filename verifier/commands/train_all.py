"""Summary: the reports of several models in one table, with one verdict."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from verifier.checking.labels import with_noun
from verifier.commands.train import train
from verifier.errors import InputError
from verifier.formula.model import Model
from verifier.judging.outcome import worst
from verifier.judging.verdict import Outcome
from verifier.process.isolation import isolate
from verifier.process.values import Facts
from verifier.reporting.base_report import PageReport
from verifier.reporting.content.blocks import (
    Blank,
    Block,
    Sentence,
    Table,
    Verdict,
    sentences_of,
)
from verifier.reporting.content.component_rows import DASH, DIGITS, RATIO, known_or_dash, ratio
from verifier.reporting.content.detail import Detail
from verifier.reporting.content.fields import Field, numbers, table_of, words
from verifier.reporting.data.document import FORMAT, Head, json_object, versions
from verifier.reporting.data.training_json import TrainingDocument
from verifier.reporting.html.page import Page
from verifier.reporting.html.training import parameter_table
from verifier.reporting.training_report import Report
from verifier.training.runner import always


class SummaryDocument(Head):
    """Several trainings: train --all."""

    command: Literal["train"]
    outcome: Outcome
    ok: bool
    """Whether the exit code is 0."""
    reports: list[TrainingDocument]


@dataclass(frozen=True, repr=False, eq=False)
class Summary(PageReport):
    """The reports of several models. `print(summary)` shows a row for each."""

    reports: tuple[Report, ...]
    planned: int
    """How many models were to be trained."""

    @property
    def outcome(self) -> Outcome:
        """The worst outcome of all reports."""
        return worst(report.outcome for report in self.reports)

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
    def to_json(self) -> Facts:
        """All reports in one document of the format `verifier/1`."""
        document: SummaryDocument = {
            "format": FORMAT,
            "command": "train",
            "versions": versions(),
            "outcome": self.outcome,
            "ok": self.ok,
            "reports": [report.document for report in self.reports],
        }
        return json_object(document)

    def content(self, detail: Detail = Detail.SHORT) -> Iterator[Block]:
        """The verdict, and a row for each model; the same at any `detail`."""
        yield from self._verdict()
        yield Blank()
        yield self._table()

    def _verdict(self) -> Iterator[Block]:
        agreeing = sum(report.ok for report in self.reports)
        open_ = sum(report.ok and report.outcome is not Outcome.AGREES for report in self.reports)
        undecided = f", {open_} of them with numbers that could not be decided" if open_ else ""
        sentence = f"{agreeing} of {with_noun(self.planned, 'model')} verified{undecided}."
        yield Verdict(self._word, sentence, Outcome.AGREES if self.ok else self.outcome)
        if self.exit_code == 130:
            done = sum(not report.findings.interrupted for report in self.reports)
            partial = f"PARTIAL  Interrupted after {done} of {self.planned} models."
            yield Sentence(partial, "yellow")
        for report in self.reports:
            if not report.ok and report.replay:
                yield Sentence(f"look at {report.model.name}: {report.replay}")

    @property
    def _word(self) -> str:
        if self.ok:
            return "VERIFIED"
        return "NOT VERIFIED" if self.outcome is Outcome.AGREES else self.outcome.value.upper()

    def _table(self) -> Table:
        caption = "The worst of each model's losses and gradients."
        return table_of("Models", caption, _FIELDS, self.reports)

    @property
    def _summary(self) -> str:
        return f"{self.planned} models: {self.outcome.value}"

    def _page(self) -> Page:
        headline, *more = sentences_of(self._verdict())
        return Page(
            title=f"verifier: {self.planned} models",
            outcome=self.outcome,
            verdict=headline,
            sentences=more,
            sections=[self._table(), *(_section(report) for report in self.reports)],
        )

    def __repr__(self) -> str:
        return (
            f"<Summary {self.outcome.value}: "
            f"{', '.join(report.model.name for report in self.reports)}>"
        )


def _section(report: Report) -> Table:
    """A model's parameters, named by it."""
    name = report.model.name
    return replace(parameter_table(report.findings), title=name, caption=report.replay or name)


def _agrees(report: Report) -> int:
    return sum(component.outcomes[Outcome.AGREES] for component in report.components)


def _other(report: Report) -> str:
    others = sum(component.compared for component in report.components) - _agrees(report)
    return f"{others:,}" if others else DASH


def _least_digits(report: Report) -> str:
    digits = [component.least_digits for component in report.components]
    return known_or_dash(
        abs(min((one for one in digits if not math.isnan(one)), default=math.nan)), ".1f"
    )


def _worst_ratio(report: Report) -> str:
    worst = max(report.components, key=lambda one: -1.0 if ratio(one) == DASH else one.worst_ratio)
    return ratio(worst)


def _outcome(report: Report) -> str:
    return "interrupted" if report.findings.interrupted else report.outcome.value


_FIELDS: tuple[Field[Report], ...] = (
    words("model", lambda report: report.model.name),
    numbers("steps", lambda report: f"{report.findings.done:,}"),
    numbers("agrees", lambda report: f"{_agrees(report):,}"),
    numbers("other", _other),
    Field(DIGITS.column, _least_digits),
    Field(RATIO.column, _worst_ratio),
    words("outcome", _outcome),
)


@isolate
def train_all(
    models: Iterable[Model], *, keep_going: Callable[[int, int], bool] = always, **settings: Any
) -> Summary:
    """Train each of the `models` with its own settings, and judge every step.

    `settings` are those of `train`; what is given holds for all models. `keep_going` is asked
    before each step of a model, with the numbers of its steps done and planned, and with zeros
    between two models; its False ends the run.

    Raises InputError for no models and for settings that do not fit.

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
