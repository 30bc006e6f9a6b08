"""Explanation: how one step's gradient comes about, shown as text, as a page and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from rich.console import Console, ConsoleOptions
from rich.text import Text

from verifier.errors import GradientError
from verifier.explaining.as_html import explanation_page
from verifier.explaining.as_text import explanation_lines
from verifier.explaining.records import Edge as Edge
from verifier.explaining.records import ExplainedStep, Node
from verifier.process.isolation import isolate
from verifier.process.values import Facts
from verifier.reporting.data.training_json import (
    FORMAT,
    clean,
    comparison_document,
    model_document,
    settings_document,
    versions,
)
from verifier.reporting.text.layout import WIDTH, layout_for


@dataclass(frozen=True, eq=False)
class Explanation(ExplainedStep):
    """How the gradient of one step comes about. `print(explanation)` shows it."""

    @isolate
    def raise_for_failure(self) -> None:
        """Raise GradientError, with the explanation as its message, unless it is ok."""
        if not self.ok:
            raise GradientError(f"{self.model.name}: {self.outcome.value}\n{self}")

    @isolate
    def to_json(self) -> Facts:
        """The explanation in the format `verifier/1`, in JSON's own types."""
        cleaned: Facts = clean(
            {
                "format": FORMAT,
                "command": "explain",
                "versions": versions(),
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

    @isolate
    def to_html(self) -> str:
        """The explanation as a page: one HTML file that needs no other, and no network."""
        return explanation_page(self).html()

    @isolate
    def _repr_html_(self) -> str:
        return explanation_page(self).fragment()

    def lines(self, width: int) -> Iterator[Text]:
        """Graph, forward, backward, chain rule, tensors and update, at most `width` columns
        wide.
        """
        return explanation_lines(self, layout_for(width))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        yield from self.lines(options.max_width)

    @isolate
    def __str__(self) -> str:
        return "\n".join(line.plain.rstrip() for line in self.lines(WIDTH))


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
