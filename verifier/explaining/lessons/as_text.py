"""Chalk: a lesson in the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from io import StringIO

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.markdown import Markdown
from rich.padding import Padding
from rich.syntax import Syntax
from rich.text import Text
from rich.theme import Theme

from verifier.explaining.lessons.reader import ClaimResult, Code, Passage, Script
from verifier.explaining.lessons.wording import WORDING, Wording
from verifier.operations.number_text import number

_THEME = Theme({"markdown.code": "cyan", "markdown.h2": "bold", "markdown.item.bullet": "none"})
"""Rich's own has words on black, which a light terminal has nothing of."""
MOST_COLUMNS = 80
"""Longer lines are hard to read."""


def lesson_lines(
    script: Script, parts: Sequence[Passage | Code | ClaimResult], width: int
) -> Iterator[Text]:
    """The text, the code with what it printed, and the claims, at most `width` columns wide."""
    width = max(20, min(width, MOST_COLUMNS))
    words = WORDING[script.language]
    title = f"{script.number}  {script.title}"
    yield from _rendered_lines(Text(title, style="bold"), width)
    yield Text("─" * min(cell_len(title), width), style="dim")
    for part in parts:
        yield Text()
        match part:
            case Passage(text):
                yield from _rendered_lines(Markdown(text, hyperlinks=False), width)
            case Code():
                yield from _code_lines(part, width)
            case _:
                yield from _claim_lines(part, words, width)
    yield Text()
    ok = all(part.holds for part in parts if isinstance(part, ClaimResult))
    outcome = words.all_hold if ok else words.not_all_hold
    yield from _rendered_lines(Text(outcome, style="bold green" if ok else "bold red"), width)


def _code_lines(code: Code, width: int) -> Iterator[Text]:
    source = Syntax(
        code.source.rstrip(),
        "python",
        theme="ansi_dark",
        background_color="default",
        word_wrap=True,
    )
    yield from _rendered_lines(Padding(source, (0, 0, 0, 4)), width)
    for line in code.printed.splitlines():
        for part in textwrap.wrap(
            line, width - 6, subsequent_indent="  ", break_on_hyphens=False
        ) or [""]:
            yield Text.assemble(("    │ ", "dim"), part)


def _claim_lines(checked: ClaimResult, words: Wording, width: int) -> Iterator[Text]:
    claim = checked.claim
    mark, style = (words.holds, "green") if checked.holds else (words.fails, "bold red")
    yield from _rendered_lines(Text.assemble((words.claim, "bold"), f"  {claim.quantity}"), width)
    for label, text in (
        (words.claimed, number(claim.value)),
        (words.measured, number(checked.measured)),
        (words.checked, words.how(claim.digits)),
        (words.command, claim.command),
    ):
        yield from _rendered_lines(
            Padding(Text(f"{label}{' ' * (10 - cell_len(label))}{text}"), (0, 0, 0, 2)), width
        )
    yield from _rendered_lines(Padding(Text(mark, style=style), (0, 0, 0, 2)), width)


def _rendered_lines(what: RenderableType, width: int) -> Iterator[Text]:
    """What rich makes of it, line by line, without the blanks at the ends."""
    console = Console(
        file=StringIO(),
        width=width,
        color_system="standard",
        force_terminal=True,
        legacy_windows=False,
        theme=_THEME,
    )
    for segments in console.render_lines(what, pad=False):
        line = Text.assemble(
            *((segment.text, segment.style or "") for segment in segments if not segment.control)
        )
        line.rstrip()
        yield line
