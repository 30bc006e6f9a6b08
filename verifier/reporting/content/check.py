"""What a person sees of a check, and how it ends."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from verifier.capture.statements import REVERSE
from verifier.checking.labels import component_title, digits_phrase, point_text, with_noun
from verifier.checking.tally.count import Tally
from verifier.judging.examination import NotReplayed
from verifier.judging.verdict import Note, Outcome
from verifier.reporting.content.blocks import (
    NOTHING_DISAGREES,
    Blank,
    Block,
    Labelled,
    Sentence,
    Verdict,
)
from verifier.reporting.content.check_failures import failure_blocks
from verifier.reporting.content.check_tables import LABEL, component_blocks, heading, tally_blocks


def check_content(tally: Tally) -> Iterator[Block]:
    """The target, the checks, the components, what fails and why, and the verdict."""
    yield from heading(tally)
    yield Blank()
    yield from tally_blocks(tally)
    yield from component_blocks(tally)
    yield Blank()
    yield from failure_blocks(tally)
    yield from remarks(tally)
    yield verdict(tally)
    if tally.outcome is Outcome.UNDECIDED and tally.exit_code == 0:
        yield Sentence(NOTHING_DISAGREES)


def remarks(tally: Tally) -> Iterator[Block]:
    """What the reader should know beside what fails."""
    checked = tally.checked
    if checked.simplest:
        simplest = f"{point_text(checked.simplest)} ({checked.simplest.dtype})"
        yield Labelled("simplest failing point", simplest, width=LABEL)
    for note in checked.notes:
        yield Labelled("note", note)
    yield from _inaccurate(tally)
    if checked.interrupted:
        yield Sentence("PARTIAL  interrupted: what was done before is shown", "yellow")
    elif checked.not_reached:
        yield Sentence(f"PARTIAL  {partial_sentence(tally)}", "yellow")


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
    named = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    count = sum(component.inaccurate for component in found)
    sentence = f"{with_noun(count, 'number')} of {named}: {Note.INACCURATE}"
    yield Labelled("warning", sentence, "yellow")


def verdict(tally: Tally) -> Verdict:
    """The outcome, and what follows it."""
    so_far = " SO FAR" if tally.checked.not_reached else ""
    word = f"{tally.outcome.value.upper()}{so_far}"
    return Verdict(word, _verdict_sentence(tally), tally.outcome)


def _verdict_sentence(tally: Tally) -> str:
    """What follows the outcome: how many numbers have it, what else fails, and how the formula came
    out.
    """
    compared = tally.outcomes.total()
    told = [
        f"{tally.outcomes[tally.outcome]:,} of {compared:,}" if compared else "nothing was compared"
    ]
    if compared and tally.empty_dtypes:
        told.append(f"nothing was compared in {', '.join(tally.empty_dtypes)}")
    failing = {one.check for one in tally.checks if one.failing}
    if failing:
        told.append(
            f"{with_noun(len(failing), 'check')} {'fails' if len(failing) == 1 else 'fail'} apart "
            "from numbers"
        )
    if tally.too_few_digits:
        short_of = with_noun(len(tally.too_few_digits), "component")
        have = "has" if len(tally.too_few_digits) == 1 else "have"
        told.append(f"{short_of} {have} fewer than {tally.checked.settings.digits:g} digits")
    return f"{', '.join(told)}; {formula_sentence(tally)}."


def formula_sentence(tally: Tally) -> str:
    """How the code's graph came out in exact arithmetic."""
    formula = tally.checked.formula
    if not tally.same_function:
        return (
            "code and formula are different functions, and the gradient is held against the code's "
            "own forward"
        )
    if isinstance(formula, NotReplayed):
        return f"the formula was not replayed: {formula.reason.removesuffix('.')}"
    wrong = _wrong_formulas(tally)
    if wrong:
        names = ", ".join(wrong[:3]) + (f" and {len(wrong) - 3} more" if len(wrong) > 3 else "")
        return f"the formula of {names} is wrong: replayed exactly, {digits_phrase(formula.digits)}"
    return f"the formula replays to {int(formula.digits)} digits"


def _wrong_formulas(tally: Tally) -> list[str]:
    """The components whose formula is wrong; what is derived from wrong gradients is not told
    beside them.
    """
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
