"""Markdown: a check as the summary of a CI job, in GitHub's flavour. Text from people never becomes
markup.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from rich.text import Text

from verifier.checking.tally.components import CheckComponent
from verifier.checking.tally.count import Tally
from verifier.judging.verdict import Outcome
from verifier.reporting.text.check import remark_lines, verdict
from verifier.reporting.text.check_failures import failure_lines
from verifier.reporting.text.check_tables import (
    COLUMNS,
    component_row,
    heading_lines,
    tally_lines,
    worst_of,
)
from verifier.reporting.text.layout import layout_for
from verifier.reporting.text.markdown_escape import code, escaped, fenced

ROWS = 50
"""At most so many components are in the table, the worst."""
WIDTH = 80
_MARKS = {Outcome.AGREES: "✅", Outcome.UNDECIDED: "⚠️", Outcome.DISAGREES: "❌"}


def check_markdown(tally: Tally) -> str:
    """The verdict, then the components as a table, then the checks and what fails, as in a
    terminal.
    """
    outcome = tally.outcome
    return "\n\n".join(
        [
            f"{_MARKS[outcome]} **{outcome.value.upper()}** {escaped(verdict(tally))}",
            f"{code(tally.checked.target)} against {code(tally.checked.against)}",
            *_table(tally.components),
            fenced(_lines(tally)),
        ]
    )


def _table(components: Sequence[CheckComponent]) -> Iterator[str]:
    if components:
        shown = worst_of(components, ROWS)
        titles = ["outcome", "dtype", *chain.from_iterable(column.labels for column in COLUMNS)]
        rows = [
            _row(["---"] * 3 + ["---:"] * (len(titles) - 3)),
            *(_row(_cells(component)) for component in shown),
        ]
        yield "\n".join([_row(titles), *rows])
        if len(shown) < len(components):
            yield f"The worst {ROWS} of {len(components):,} components."


def _cells(component: CheckComponent) -> list[str]:
    (name,), *numbers = component_row(component)
    told = [escaped(cell.strip()) for cell in chain.from_iterable(numbers)]
    return [
        f"{_MARKS[component.outcome]} {component.outcome.value}",
        escaped(component.dtype),
        code(name),
        *told,
    ]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _lines(tally: Tally) -> list[str]:
    layout = layout_for(WIDTH)
    blank = (Text(),)
    found = chain(
        heading_lines(tally, layout), blank, tally_lines(tally, layout), blank,
        failure_lines(tally, layout), remark_lines(tally, layout),
    )  # fmt: skip
    lines = [line.plain.rstrip() for line in found]
    return lines if lines[-1] else lines[:-1]
