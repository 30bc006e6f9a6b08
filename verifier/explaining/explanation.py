"""Explanation: how one step's gradient comes about, shown as text, as a page and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypedDict

from verifier.explaining.as_html import explanation_page
from verifier.explaining.as_text import explanation_content
from verifier.explaining.explained_step import (
    Condition,
    ExplainedStep,
    FirstDivergence,
    Node,
    Role,
    Tensor,
    Update,
)
from verifier.explaining.explained_step import Edge as Edge
from verifier.judging.causes.scalar_gradients import Cause
from verifier.judging.outcome import Outcome
from verifier.process.internal_errors import InternalErrors
from verifier.process.isolation import isolate
from verifier.process.values import Facts
from verifier.reporting.base_report import PageReport
from verifier.reporting.content.blocks import Block
from verifier.reporting.content.detail import Detail
from verifier.reporting.data.document import FORMAT, Head, json_object, versions
from verifier.reporting.data.training_json import (
    JudgedAutograd,
    ModelDocument,
    TrainingSettings,
    judged_autograd,
    model_document,
    settings_document,
)
from verifier.reporting.html.page import Page


class DerivativeDocument(TypedDict):
    """The derivative of an operation by one of the nodes that it takes."""

    by: str
    formula: str
    """In the names of the nodes."""
    value: list[JudgedAutograd]


class NodeDocument(TypedDict):
    """A symbol or an operation."""

    name: str
    role: Role
    formula: str
    """In the names of the nodes that it takes; a symbol is its own name."""
    arguments: Sequence[str]
    users: Sequence[str]
    """The nodes that take this one, from the loss back."""
    rows: int | None
    """How many rows it has; null where it is one number."""
    value: list[JudgedAutograd] | Sequence[Condition]
    derivatives: list[DerivativeDocument]
    adjoint: list[JudgedAutograd]
    arrived: bool
    """Whether autograd passed anything back to it."""
    requires_grad: bool


class ExplanationDocument(Head):
    """How the gradient of one step comes about."""

    command: Literal["explain"]
    settings: TrainingSettings
    replay: str | None
    """The command that shows it again; null where only Python can."""
    model: ModelDocument
    outcome: Outcome
    ok: bool
    """Whether the exit code is 0."""
    step: int
    """As a training numbers them, from 1."""
    epoch: int
    """Counted from 0."""
    sample: int | None
    """The row of the data, counted from 0; null for a batch and for what is no row."""
    rows: int | None
    """Rows of a batch; null for one sample."""
    inputs: Mapping[str, float]
    """The sample's columns; empty for a batch of more than one row."""
    parameters: Mapping[str, float]
    """Before the update."""
    chosen: str
    """Why this step."""
    judged_rows: int
    """Of a batch, how many of its first rows have numbers of their own here."""
    loss: JudgedAutograd
    gradient: dict[str, JudgedAutograd]
    nodes: list[NodeDocument]
    tensors: Sequence[Tensor]
    updates: Sequence[Update]
    parting: FirstDivergence | None
    """Where the two first part."""
    causes: Sequence[Cause]
    notes: Sequence[str]
    """What failed beside the verdict."""
    internal_errors: Sequence[str]
    """The tracebacks of errors of verifier's own."""


@dataclass(frozen=True, eq=False)
class Explanation(ExplainedStep, PageReport):
    """How the gradient of one step comes about. `print(explanation)` shows it."""

    others: Callable[[], Sequence[ExplainedStep]] = field(default=tuple, repr=False)
    """Explains more steps of the training, for the slider of the page."""

    @isolate
    def to_json(self) -> Facts:
        """The explanation in the format `verifier/1`, in JSON's own types."""
        return json_object(self._document())

    def _document(self) -> ExplanationDocument:
        place = self.place
        return {
            "format": FORMAT,
            "command": "explain",
            "versions": versions(),
            "settings": settings_document(self.settings),
            "replay": self.replay,
            "model": model_document(self.model),
            "outcome": self.outcome,
            "ok": self.ok,
            "step": place.step,
            "epoch": place.epoch,
            "sample": place.sample,
            "rows": place.rows,
            "inputs": place.inputs,
            "parameters": place.parameters,
            "chosen": place.chosen,
            "judged_rows": self.judged_rows,
            "loss": judged_autograd(self.loss),
            "gradient": {name: judged_autograd(found) for name, found in self.gradient.items()},
            "nodes": [_node_document(node) for node in self.nodes],
            "tensors": self.tensors,
            "updates": self.updates,
            "parting": self.parting,
            "causes": self.causes,
            "notes": self.notes,
            "internal_errors": self.internal_errors,
        }

    def content(self, detail: Detail = Detail.SHORT) -> Iterator[Block]:
        """Verdict, graph, forward, backward, chain rule, tensors and update, at any `detail`."""
        return explanation_content(self)

    def _page(self) -> Page:
        # What else there is to see must not cost the page of this step.
        return explanation_page(self, InternalErrors().run("steps", self.others, ()))

    def _cell(self) -> Page:
        return explanation_page(self)

    @property
    def _summary(self) -> str:
        return f"{self.model.name}: {self.outcome.value}"


def _node_document(node: Node) -> NodeDocument:
    return {
        "name": node.name,
        "role": node.role,
        "formula": node.formula,
        "arguments": node.arguments,
        "users": node.users,
        "rows": node.rows,
        "value": [judged_autograd(value) for value in node.values] or node.conditions,
        "derivatives": [
            {
                "by": edge.argument,
                "formula": edge.formula,
                "value": [judged_autograd(number) for number in edge.numbers],
            }
            for edge in node.edges
        ],
        "adjoint": [judged_autograd(adjoint) for adjoint in node.adjoints],
        "arrived": node.arrived,
        "requires_grad": node.tracked,
    }
