"""A check as the summary of a CI job, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from verifier.checking.tally.components import CheckComponent
from verifier.checking.tally.count import Tally
from verifier.reporting.content.blocks import Verdict
from verifier.reporting.content.check import check_content
from verifier.reporting.content.check_tables import FIELDS, worst_of
from verifier.reporting.content.check_verdict import verdict
from verifier.reporting.content.component_rows import CAPTION, OUTCOME
from verifier.reporting.content.detail import Detail
from verifier.reporting.content.fields import Field, table_of, words
from verifier.reporting.text.markdown import code, fenced_block, table_lines, verdict_line
from verifier.reporting.text.terminal import WIDTH, lines_of

ROWS = 50
"""At most so many components are in the table, the worst."""


def check_markdown(tally: Tally) -> str:
    """The verdict, what fails and what was checked, as in a terminal, then the components as a
    table.
    """
    return "\n\n".join(
        [
            verdict_line(verdict(tally)),
            f"{code(tally.checked.target)} compared with {code(tally.checked.against)}",
            fenced_block(_lines(tally)),
            *_components(tally.components),
        ]
    )


def _components(components: Sequence[CheckComponent]) -> Iterator[str]:
    if components:
        shown = worst_of(components, ROWS)
        dtype: Field[CheckComponent] = words("dtype", lambda one: one.dtype)
        fields: tuple[Field[CheckComponent], ...] = (OUTCOME, dtype, *FIELDS)
        yield table_lines(table_of("Components", CAPTION, fields, shown, header=2))
        if len(shown) < len(components):
            yield f"The worst {ROWS} of {len(components):,} components."


def _lines(tally: Tally) -> list[str]:
    """The report but for its verdict."""
    blocks = [
        block for block in check_content(tally, Detail.SHORT) if not isinstance(block, Verdict)
    ]
    return [line.plain.rstrip() for line in lines_of(blocks[1:], WIDTH)]
