"""A lesson as blocks: the text, the code with what it printed, and the claims."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from verifier.explaining.lessons.reader import ClaimResult, Code, Passage, Plot, Script
from verifier.explaining.lessons.wording import WORDING, Wording
from verifier.judging.outcome import Outcome
from verifier.operations.number_text import number
from verifier.reporting.content import blocks

_LABEL = 10
"""Columns for what a figure of a claim is called."""


def lesson_content(
    script: Script, parts: Sequence[Passage | Code | ClaimResult | Plot]
) -> Iterator[blocks.Block]:
    """The `parts` of the lesson `script` in their order, and whether every claim holds."""
    words = WORDING[script.language]
    yield blocks.Title(f"{script.number}  {script.title}")
    for part in parts:
        if isinstance(part, Plot):
            # A figure is for pages.
            continue
        yield blocks.Blank()
        match part:
            case Passage(text):
                yield blocks.Passage(text)
            case Code(source, printed):
                yield blocks.Code(source, printed)
            case _:
                yield from _claim(part, words)
    yield blocks.Blank()
    ok = all(part.holds for part in parts if isinstance(part, ClaimResult))
    word, _, sentence = (words.all_hold if ok else words.not_all_hold).partition("  ")
    yield blocks.Verdict(word, sentence, Outcome.AGREES if ok else Outcome.DISAGREES)


def _claim(checked: ClaimResult, words: Wording) -> Iterator[blocks.Block]:
    claim = checked.claim
    mark, style = (words.holds, "green") if checked.holds else (words.fails, "bold red")
    yield blocks.Sentence(f"{words.claim}  {claim.quantity}", "bold")
    for label, text in (
        (words.claimed, number(claim.value)),
        (words.measured, number(checked.measured)),
        (words.checked, words.how(claim.digits)),
        (words.command, claim.command),
    ):
        yield blocks.Labelled(label, text, indent=2, width=_LABEL)
    yield blocks.Sentence(mark, style, indent=2)
