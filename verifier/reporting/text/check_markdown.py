"""A check as the summary of a CI job, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from verifier.checking.tally.components import CheckComponent
from verifier.checking.tally.count import Tally
from verifier.reporting.content.blocks import (
    Blank,
    Block,
)
from verifier.reporting.content.check import remarks, verdict
from verifier.reporting.content.check_failures import failure_blocks
from verifier.reporting.content.check_tables import FIELDS, heading, tally_blocks, worst_of
from verifier.reporting.content.components import CAPTION, OUTCOME
from verifier.reporting.content.fields import Field, table_of, words
from verifier.reporting.text.markdown import code, fenced, table_lines, verdict_line
from verifier.reporting.text.terminal import WIDTH, lines_of

ROWS = 50
"""At most so many components are in the table, the worst."""


def check_markdown(tally: Tally) -> str:
    """The verdict, then the components as a table, then the checks and what fails, as in a
    terminal.
    """
    return "\n\n".join(
        [
            verdict_line(verdict(tally)),
            f"{code(tally.checked.target)} against {code(tally.checked.against)}",
            *_components(tally.components),
            fenced(_lines(tally)),
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
    blank: tuple[Block, ...] = (Blank(),)
    blocks = chain(
        heading(tally), blank, tally_blocks(tally), blank, failure_blocks(tally), remarks(tally)
    )
    lines = [line.plain.rstrip() for line in lines_of(blocks, WIDTH)]
    return lines if lines[-1] else lines[:-1]
