"""Report: findings with their verdict, for people, for machines and for tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rich.text import Text

from verifier.formula.model import Model
from verifier.judging.causes.scalar_gradients import Cause
from verifier.judging.verdict import Outcome
from verifier.operations.arrays import Array
from verifier.process.isolation import isolate
from verifier.process.values import Facts
from verifier.reporting.base_report import PageReport
from verifier.reporting.content.blocks import Block
from verifier.reporting.content.detail import Detail
from verifier.reporting.content.training import DEFAULT_VIEW, View, training_content
from verifier.reporting.content.training_verdict import outcome_of
from verifier.reporting.data.document import json_object
from verifier.reporting.data.training_frame import frame
from verifier.reporting.data.training_json import (
    TrainingDocument,
    TrainingVerdict,
    training_document,
)
from verifier.reporting.html.page import Page
from verifier.reporting.html.picture import Picture, image
from verifier.reporting.html.training import NOTEBOOK_ROWS, ROWS, training_page
from verifier.reporting.html.training_plots import pictures
from verifier.reporting.text.ascii_plots import sketches
from verifier.training.findings import Component, Drift, Findings
from verifier.training.runner import Prediction, Step

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, repr=False, eq=False)
class Report(PageReport):
    """What a training showed. `print(report)` shows the tables; in a rich console they have
    colour.
    """

    model: Model
    findings: Findings
    replay: str | None
    """The command that shows it again; None where only Python can (data or a model given in
    code).
    """
    view: View = DEFAULT_VIEW

    @property
    def outcome(self) -> Outcome:
        """The worst outcome of all components."""
        return outcome_of(self.findings)

    @property
    def exit_code(self) -> int:
        """0 verified, 1 something disagrees, 3 a component has no decided comparison or the
        training could not go on to its end, 130 interrupted.
        """
        if self.findings.interrupted:
            return 130
        if self.outcome is Outcome.DISAGREES:
            return 1
        if self.findings.ended:
            return 3
        return 0 if all(component.decided for component in self.components) else 3

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps that were kept: all of a run of up to 10,000."""
        return self.findings.steps

    @property
    def components(self) -> tuple[Component, ...]:
        """What was compared: the loss, and the gradient by each trained parameter."""
        return self.findings.components

    @property
    def drift(self) -> dict[str, Drift]:
        """How far the two trainings' parameters are apart, by name."""
        return dict(self.findings.drift)

    @property
    def parameters(self) -> dict[str, Array | float]:
        """All parameters after the last step of the training by autograd, in its dtype, by name:
        what `model.numpy` takes to predict.
        """
        return dict(self.findings.parameters)

    @property
    def predictions(self) -> tuple[Prediction, ...]:
        """What both trained models predict at points of the data; empty where the model has no
        inputs.
        """
        return self.findings.predictions

    @property
    def causes(self) -> tuple[Cause, ...]:
        """The likely reasons for what disagrees; empty where none was found."""
        return self.findings.causes

    @property
    def _summary(self) -> str:
        return f"{self.model.name}: {self.outcome.value}"

    def _failures(self) -> str:
        return str(replace(self, view=View(only_failing=True)))

    @isolate
    def to_json(self) -> Facts:
        """The report as the format `verifier/1`, in JSON's own types."""
        return json_object(self.document)

    @property
    def document(self) -> TrainingDocument:
        """The report as a document of the format `verifier/1`."""
        verdict: TrainingVerdict = {"replay": self.replay, "outcome": self.outcome, "ok": self.ok}
        return training_document(self.model, self.findings, verdict)

    @isolate
    def to_frame(self) -> pandas.DataFrame:
        """A pandas frame with a row for each judged number: the loss and each gradient of the steps
        that were kept.

        Its columns are step, epoch and sample (missing for a batch), name and quantity ("value" for
        the loss, "reverse" for a gradient), parameter (its value before the step), autograd and
        symbolic, exact (a decimal string), error, allowed, ulps, digits, outcome and note; with a
        third opinion also finite_differences.

        Raises InputError where pandas is not installed.
        """
        return frame(self.findings)

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """The pictures of the training; each shows itself in a notebook, and `svg()` writes it."""
        return pictures(self.model, self.findings)

    def image(self, suffix: str) -> bytes:
        """The pictures below each other, as a file of the kind `suffix`: .svg, .png or .pdf."""
        return image(self.pictures, f"{self.model.name}: {self.outcome.value}", suffix)

    def sketches(self, width: int) -> Iterator[Text]:
        """The pictures drawn with characters, at most `width` columns wide."""
        return sketches(self.findings, width)

    def content(self, detail: Detail = Detail.SHORT) -> Iterator[Block]:
        """Verdict, first failure, steps, parameters, drift and predictions, at that `detail`."""
        return training_content(self.findings, self.view, self._advice, detail)

    def _page(self) -> Page:
        return self._page_of(ROWS)

    def _cell(self) -> Page:
        return self._page_of(NOTEBOOK_ROWS)

    def _page_of(self, rows: int) -> Page:
        first = next((cause.step for cause in self.causes), self.steps[0].number)
        return training_page(self.model, self.findings, self.replay, self._advice(first), rows)

    def __repr__(self) -> str:
        compared = sum(part.compared for part in self.findings.gradients)
        return (
            f"<Report {self.model.name}: {self.outcome.value}, {compared} gradients in "
            f"{self.findings.done} steps>"
        )

    def _advice(self, step: int) -> str:
        """What to try next at a step that fails."""
        if not self.model.is_scalar:
            call = f"verifier.train({self.model.name}, stop_on_failure=True)"
            return call if self.replay is None else f"{self.replay} --stop-on-failure"
        if self.replay is None:
            return f"verifier.explain(..., step={step})"
        training = self.replay.partition(" --predict ")[0]
        return f"{training.replace('verifier train', 'verifier explain', 1)} --step {step}"
