"""Explanation: how one step's gradient comes about, shown as text, as a page and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field

from verifier.explaining.as_html import explanation_page
from verifier.explaining.as_text import explanation_content
from verifier.explaining.explained_step import Edge as Edge
from verifier.explaining.explained_step import ExplainedStep, Node
from verifier.process.internal_errors import InternalErrors
from verifier.process.isolation import isolate
from verifier.process.values import Facts
from verifier.reporting.base_report import PageReport
from verifier.reporting.content.blocks import Block
from verifier.reporting.content.detail import Detail
from verifier.reporting.data.document_head import head
from verifier.reporting.data.training_json import (
    clean,
    comparison_document,
    model_document,
    settings_document,
)
from verifier.reporting.html.page import Page


@dataclass(frozen=True, eq=False)
class Explanation(ExplainedStep, PageReport):
    """How the gradient of one step comes about. `print(explanation)` shows it."""

    others: Callable[[], Sequence[ExplainedStep]] = field(default=tuple, repr=False)
    """Explains more steps of the training, for the slider of the page."""

    @isolate
    def to_json(self) -> Facts:
        """The explanation in the format `verifier/1`, in JSON's own types."""
        cleaned: Facts = clean(
            {
                **head("explain"),
                "settings": settings_document(self.settings),
                "replay": self.replay,
                "model": model_document(self.model),
                "outcome": self.outcome.value,
                "ok": self.ok,
                **asdict(self.place),
                "judged_rows": self.judged_rows,
                "loss": comparison_document(self.loss, "autograd"),
                "gradient": {
                    name: comparison_document(found, "autograd")
                    for name, found in self.gradient.items()
                },
                "nodes": [_node_document(node) for node in self.nodes],
                "tensors": [asdict(tensor) for tensor in self.tensors],
                "updates": [asdict(update) for update in self.updates],
                "parting": asdict(self.parting) if self.parting else None,
                "causes": [asdict(cause) for cause in self.causes],
                "notes": self.notes,
                "internal_errors": self.internal_errors,
            }
        )
        return cleaned

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


def _node_document(node: Node) -> Facts:
    return {
        "name": node.name,
        "role": node.role.value,
        "formula": node.formula,
        "arguments": list(node.arguments),
        "users": list(node.users),
        "rows": node.rows,
        "value": [comparison_document(value, "autograd") for value in node.values]
        or [asdict(condition) for condition in node.conditions],
        "derivatives": [
            {
                "by": edge.argument,
                "formula": edge.formula,
                "value": [comparison_document(number, "autograd") for number in edge.numbers],
            }
            for edge in node.edges
        ],
        "adjoint": [comparison_document(adjoint, "autograd") for adjoint in node.adjoints],
        "arrived": node.arrived,
        "requires_grad": node.tracked,
    }
