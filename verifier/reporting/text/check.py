"""Check verdict: a whole check as lines, and how it ends."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from rich.text import Text

from verifier.capture.statements import REVERSE
from verifier.checking.labels import (
    component_title,
    digits_phrase,
    point_text,
    with_noun,
)
from verifier.checking.tally.count import Tally
from verifier.judging.examination import NotReplayed
from verifier.judging.verdict import Note, Outcome
from verifier.reporting.text.check_failures import failure_lines
from verifier.reporting.text.check_tables import component_lines, heading_lines, tally_lines
from verifier.reporting.text.layout import STYLES, Layout


def check_lines(tally: Tally, layout: Layout) -> Iterator[Text]:
    """The target, the checks, the components, what fails and why, and the verdict."""
    yield from heading_lines(tally, layout)
    yield Text()
    yield from tally_lines(tally, layout)
    yield from component_lines(tally, layout)
    yield Text()
    yield from failure_lines(tally, layout)
    yield from remark_lines(tally, layout)
    yield from _verdict(tally, layout)


def remark_lines(tally: Tally, layout: Layout) -> Iterator[Text]:
    """What the reader should know beside what fails."""
    checked = tally.checked
    if checked.simplest:
        yield from layout.labelled(
            "simplest failing point   ",
            f"{point_text(checked.simplest)} ({checked.simplest.dtype})",
        )
    for note in checked.notes:
        yield from layout.labelled("note  ", note)
    yield from _inaccurate(tally, layout)
    if checked.interrupted:
        yield from layout.prose(
            "PARTIAL  interrupted: what was done before is shown", style="yellow"
        )
    elif checked.not_reached:
        yield from layout.prose(f"PARTIAL  {partial_sentence(tally)}", style="yellow")


def partial_sentence(tally: Tally) -> str:
    """What was not looked at, and why."""
    checked = tally.checked
    ended = f"{checked.ended}; " if checked.ended else ""
    return f"{ended}not reached: {'; '.join(checked.not_reached)}"


def _inaccurate(tally: Tally, layout: Layout) -> Iterator[Text]:
    found = [component for component in tally.components if component.inaccurate]
    if not found:
        return
    names = [f"{component_title(one.name, one.quantity)} in {one.dtype}" for one in found]
    told = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    count = sum(component.inaccurate for component in found)
    yield from layout.labelled(
        "warning  ",
        f"{with_noun(count, 'number')} of {told}: {Note.INACCURATE}",
        style="yellow",
    )


def _verdict(tally: Tally, layout: Layout) -> Iterator[Text]:
    outcome = tally.outcome
    style = f"bold {STYLES[outcome].removeprefix('bold ')}"
    so_far = " SO FAR" if tally.checked.not_reached else ""
    yield from layout.prose(f"{outcome.value.upper()}{so_far}  {verdict(tally)}", style=style)
    if outcome is Outcome.UNDECIDED and tally.exit_code == 0:
        yield from layout.prose(
            "nothing disagrees, and every component has decided comparisons: exit code 0."
        )


def verdict(tally: Tally) -> str:
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
