"""Markdown: a check as the summary of a CI job, in GitHub's flavour. Text from people never becomes markup."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain

from rich.text import Text

from verifier.checkcomponents import CheckComponent
from verifier.checkfailures import failure_lines
from verifier.checktables import COLUMNS, component_row, heading_lines, tally_lines, worst_of
from verifier.checkverdict import remark_lines, verdict
from verifier.errors import printable
from verifier.judge import Outcome
from verifier.layout import layout_for
from verifier.tally import Tally

ROWS = 50
"""At most so many components are in the table, the worst."""
WIDTH = 80
_SPECIAL = re.compile(r"""[^\w ,;()'"%=+.:-]|_|:(?! )|(?<=www)\.""", re.ASCII)
_MARKS = {Outcome.AGREES: "✅", Outcome.UNDECIDED: "⚠️", Outcome.DISAGREES: "❌"}


def check_markdown(tally: Tally) -> str:
    """The verdict, then the components as a table, then the checks and what fails, as in a terminal."""
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
        rows = [_row(["---"] * 3 + ["---:"] * (len(titles) - 3)), *(_row(_cells(component)) for component in shown)]
        yield "\n".join([_row(titles), *rows])
        if len(shown) < len(components):
            yield f"The worst {ROWS} of {len(components):,} components."


def _cells(component: CheckComponent) -> list[str]:
    (name,), *numbers = component_row(component)
    told = [escaped(cell.strip()) for cell in chain.from_iterable(numbers)]
    return [f"{_MARKS[component.outcome]} {component.outcome.value}", escaped(component.dtype), code(name), *told]


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


def fenced(lines: Sequence[str]) -> str:
    """The lines as they stand, in a block of code that none of them ends.

    >>> print(fenced(["a ``` b"]))
    ````text
    a ``` b
    ````
    """
    fence = "`" * max(3, 1 + _longest_run("\n".join(lines)))
    return "\n".join([f"{fence}text", *lines, fence])


def code(text: str) -> str:
    """The text as code in a line or in a cell of a table, whatever stands in it.

    >>> print(code("a`b"), code("a|b"))
    `` a`b `` `a`&#124;`b`
    """
    pieces = re.split(r"(\|)", printable(text))
    return "".join("&#124;" if piece == "|" else _span(piece) for piece in pieces if piece.strip())


def _span(text: str) -> str:
    fence = "`" * (1 + _longest_run(text))
    inner = f" {text} " if "`" in text else text
    return f"{fence}{inner}{fence}"


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


def escaped(text: str) -> str:
    """The text as itself: nothing in it is markup, a link or somebody's name.

    >>> print(escaped("<b> & *x* @you"))
    &#60;b&#62; &#38; &#42;x&#42; &#64;\u200byou
    """
    return _SPECIAL.sub(_entity, printable(text))


def _entity(found: re.Match[str]) -> str:
    character = found[0]
    if not character.isascii():
        return character
    # GitHub looks for names and numbers in what is shown, where an entity is no entity any more.
    return f"&#{ord(character)};" + ("\u200b" if character in "@#" else "")
