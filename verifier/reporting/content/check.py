"""What a person sees of a check: the verdict, the first failure, and what was checked."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from verifier.capture.code_at_point import REVERSE
from verifier.checking.labels import (
    component_title,
    digits_phrase,
    point_text,
    with_noun,
    words_text,
)
from verifier.checking.settings import EFFORTS, NORMAL, CheckSettings
from verifier.checking.tally.count import Tally
from verifier.judging.examination import NotReplayed
from verifier.judging.verdict import Note
from verifier.reporting.content.blocks import Blank, Block, Labelled, Sentence
from verifier.reporting.content.check_failures import undecided_blocks, wrong_blocks
from verifier.reporting.content.check_tables import (
    LABEL,
    check_named,
    component_blocks,
    heading,
    tally_blocks,
)
from verifier.reporting.content.check_verdict import verdict
from verifier.reporting.content.checked_table import checked_table, limit_sentence, points_sentence
from verifier.reporting.content.detail import Detail


def check_content(tally: Tally, detail: Detail) -> Iterator[Block]:
    """The verdict, what fails and why, what was checked, and what else there is to know."""
    yield verdict(tally)
    if detail is Detail.QUIET:
        return
    yield Blank()
    yield from wrong_blocks(tally, detail)
    yield from _all_tables(tally) if detail is Detail.VERBOSE else _small_table(tally)
    yield from undecided_blocks(tally)
    yield from remarks(tally, detail)


def _small_table(tally: Tally) -> Iterator[Block]:
    if tally.checks:
        yield checked_table(tally)
        yield Blank()
    sentences = (points_sentence(tally), formula_sentence(tally), limit_sentence(tally))
    yield Sentence(" ".join(filter(None, sentences)))


def _all_tables(tally: Tally) -> Iterator[Block]:
    yield from heading(tally)
    yield Sentence(formula_sentence(tally))
    yield Blank()
    yield from tally_blocks(tally)
    yield from component_blocks(tally)
    yield Blank()


def remarks(tally: Tally, detail: Detail) -> Iterator[Block]:
    """What the reader should know beside what fails."""
    checked = tally.checked
    if checked.simplest and detail is Detail.VERBOSE:
        simplest = f"{point_text(checked.simplest)} ({checked.simplest.dtype})"
        yield Labelled("simplest failing point", simplest, width=LABEL)
    for note in checked.notes:
        yield Labelled("note", note)
    yield from _inaccurate(tally)
    yield from _effort(checked.settings)
    if checked.interrupted:
        yield Sentence("PARTIAL  Interrupted: the report has what was done before.", "yellow")
    elif checked.not_reached:
        yield Sentence(f"PARTIAL  {partial_sentence(tally)}", "yellow")


def _effort(settings: CheckSettings) -> Iterator[Labelled]:
    """What more or less effort than usual means."""
    effort = EFFORTS[settings.effort]
    if effort is NORMAL:
        return
    few = effort.share < 1
    share = f"1 in {1 / effort.share:g} of" if few else f"{effort.share:g} times"
    sentence = f"--{effort.name} looks at {share} the usual points near borders"
    names = [check_named(name).title for name in effort.left_out]
    without = f", and leaves out: {words_text(names, len(names))}" if names else ""
    yield Labelled("note", f"{sentence}{without}")


def partial_sentence(tally: Tally) -> str:
    """What was not looked at, and why."""
    checked = tally.checked
    ended = f"{checked.ended}; " if checked.ended else ""
    return f"{ended}not reached: {'; '.join(checked.not_reached)}"


def _inaccurate(tally: Tally) -> Iterator[Labelled]:
    found = [component for component in tally.components if component.inaccurate]
    if not found:
        return
    names = [f"{component_title(one.name, one.quantity)} in {one.dtype}" for one in found]
    count = sum(component.inaccurate for component in found)
    sentence = f"{with_noun(count, 'number')} of {words_text(names, most=3)}: {Note.INACCURATE}"
    yield Labelled("warning", sentence, "yellow")


def formula_sentence(tally: Tally) -> str:
    """How the code came out in exact arithmetic, where nothing is rounded."""
    formula = tally.checked.formula
    if not tally.same_function:
        return (
            "Code and formula are different functions; the gradient is compared with the "
            "derivative of the code's own forward."
        )
    if isinstance(formula, NotReplayed):
        return f"The formula was not replayed: {formula.reason.removesuffix('.')}."
    wrong = _wrong_formulas(tally)
    if wrong:
        digits = digits_phrase(formula.digits)
        return f"In exact arithmetic the formula of {words_text(wrong, most=3)} is wrong: {digits}."
    return f"The formula replays exactly, to {int(formula.digits)} digits."


def _wrong_formulas(tally: Tally) -> list[str]:
    """The components whose formula is wrong; what is derived from wrong gradients is left out."""
    found = {
        (one.name, one.quantity): None
        for one in tally.components
        if any(np.any(statement.part.wrong_formula) for statement in one.statements)
    }
    gradients = [name for name, quantity in found if quantity == REVERSE]
    return (
        gradients
        or [component_title(name, quantity) for name, quantity in found]
        or list(tally.wrong_formulas)
    )
