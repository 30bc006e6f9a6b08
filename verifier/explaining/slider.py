"""Slider: what a page of an explanation shows at the other steps of the training.

All of it is computed when the page is made. Each text stands once in a list, and the steps name its
place, since most numbers come twice or more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from verifier.errors import printable
from verifier.explaining.drawing.graph_svg import Boxes, graph_boxes, graph_words
from verifier.explaining.explained_step import ExplainedStep, Node
from verifier.judging.outcome import Outcome
from verifier.operations.number_text import number
from verifier.process.values import Facts
from verifier.reporting.content.blocks import Table
from verifier.reporting.html.page import Formulas, Page, Slider
from verifier.reporting.html.page_table import Cell, page_table, six_digits

STEPS = 300
"""At most so many steps are embedded."""
NUMBERS = 9_000
"""And of a large graph so many that no more numbers than these are judged for them: a few seconds.
"""


def chosen_steps(shown: ExplainedStep, total: int) -> list[int]:
    """The steps that have a position, of a training of `total` steps: evenly spread, the first, the
    last and the one that is `shown` among them.
    """
    numbers = sum(map(_numbers_of_node, shown.nodes))
    count = max(2, min(total, STEPS - 1, NUMBERS // max(1, numbers)))
    spread = {1 + round(place * (total - 1) / (count - 1)) for place in range(count)}
    return sorted({*spread, shown.place.step} if total > 1 else {1})


def _numbers_of_node(node: Node) -> int:
    edges = sum(len(edge.numbers) for edge in node.edges)
    return len(node.values) + len(node.adjoints) + edges


def short_number(value: float) -> str:
    """A number with six digits."""
    return six_digits(number(value))


@dataclass
class _Texts:
    """Each text once."""

    places: dict[str, int] = field(default_factory=dict)

    def place(self, text: str) -> int:
        return self.places.setdefault(text, len(self.places))

    def written(self) -> list[str]:
        return [*map(printable, self.places)]


def has_one_graph(steps: Sequence[ExplainedStep]) -> bool:
    """Whether all of them have the same lines in the same boxes, so that one drawing has room for
    each.
    """
    return len({_shape(graph_boxes(step)) for step in steps}) == 1


def slider_of(steps: Sequence[ExplainedStep], pages: Sequence[Page], shown: int) -> Slider:
    """The slider over these steps, which have one graph, with the pages that they would have."""
    full, short = ([graph_boxes(step, write) for step in steps] for write in (number, short_number))
    at = next(place for place, step in enumerate(steps) if step.place.step == shown)
    texts = _Texts()
    data = [
        {
            **_page_data(page, texts),
            "graph": _graph_data(of_step, in_short, texts),
            "caption": [texts.place(words) for words in graph_words(step)],
        }
        for step, page, of_step, in_short in zip(steps, pages, full, short, strict=True)
    ]
    positions = [f"step {step.place.step}" for step in steps]
    return Slider("Step", positions, at, {"texts": texts.written(), "steps": data})


def _shape(boxes: Boxes) -> tuple[tuple[str, int], ...]:
    return tuple((name, len(box.lines)) for name, box in boxes.items())


def _page_data(page: Page, texts: _Texts) -> Facts:
    return {
        "title": texts.place(page.title),
        "outcome": texts.place(page.outcome.value),
        "verdict": [texts.place(text) for text in (page.verdict, *page.sentences)],
        "tables": {
            section.title: _table_data(section, texts)
            for section in page.sections
            if isinstance(section, Table)
        },
        "formulas": [
            [texts.place(formula.text), *_numbers_of(formula.text, texts)]
            for section in page.sections
            if isinstance(section, Formulas)
            for formula in section.entries
        ],
    }


def _numbers_of(text: str, texts: _Texts) -> list[int]:
    """The right side in short and in full."""
    right = text.partition(" = ")[2]
    return [texts.place(short_numbers(right)), texts.place(right)]


def short_numbers(text: str) -> str:
    """The text with six digits in each of its numbers.

    >>> short_numbers("(-0.12345678901) · 1.0 = 3.25")
    '(-0.123457) · 1.0 = 3.25'
    """
    words = text.split(" ")
    return " ".join(
        word.replace(word.strip("()"), six_digits(word.strip("()"))) if word.strip("()") else word
        for word in words
    )


def _table_data(table: Table, texts: _Texts) -> Facts:
    """The table's note, its headings, and of each row the outcome and the cells."""
    shown = page_table(table)
    return {
        "note": texts.place(table.note),
        "headings": [
            [texts.place(heading.title), int(heading.is_word)] for heading in shown.headings
        ],
        "rows": [
            [texts.place(outcome), *(_cell_data(cell, texts) for cell in cells)]
            for outcome, cells in shown.rows
        ],
    }


def _cell_data(cell: Cell, texts: _Texts) -> list[int]:
    full = [texts.place(cell.full)] if cell.full else []
    return [texts.place(cell.kinds), int(cell.is_header), texts.place(cell.short), *full]


def _graph_data(full: Boxes, short: Boxes, texts: _Texts) -> Facts:
    """Of each line its label, its numbers in short and in full, and whether it disagrees."""
    pairs = [
        (one, other)
        for name, box in full.items()
        for one, other in zip(box.lines, short[name].lines, strict=True)
    ]
    return {
        "boxes": [int(box.wrong) for box in full.values()],
        "lines": [
            [
                int(one.outcome is Outcome.DISAGREES),
                *map(
                    texts.place,
                    (one.label, other.torch, other.symbolic, one.torch, one.symbolic),
                ),
            ]
            for one, other in pairs
        ],
    }
