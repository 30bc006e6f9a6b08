"""Judged numbers as rows of tables: what was stated, what is right, and how far rounding goes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from verifier.judging.outcome import Note, Outcome
from verifier.judging.verdict import Comparison
from verifier.operations.number_text import number, short
from verifier.reporting.content.blocks import Column, Row
from verifier.reporting.content.component_rows import DASH
from verifier.reporting.content.fields import Field, columns_of, numbers, row_cells, words

CAPTION = "Errors and allowances in ulps of the exact value; at an exact 0 both are absolute."


NEARLY_ZERO = "many ulps, as the gradient is nearly 0 here: its terms cancel"
"""Stands below a right gradient that is many ulps from the exact one."""
_MANY = 1_000.0
"""More ulps than a reader takes for rounding."""


def is_nearly_zero(judged: Comparison) -> bool:
    """Whether a right gradient is so small beside its terms that rounding moves it by many ulps."""
    is_right = judged.outcome is Outcome.AGREES and not judged.exact_is_zero
    return is_right and is_known(judged) and judged.ulps >= _MANY


def is_known(judged: Comparison) -> bool:
    """Whether there is an exact value."""
    return math.isfinite(float(judged.enclosure))


def _error(judged: Comparison) -> str:
    """In ulps; absolute at an exact 0, where ulps say nothing."""
    if not is_known(judged):
        return DASH
    return short(judged.error if judged.exact_is_zero else judged.ulps)


def _allowed(judged: Comparison) -> str:
    if not is_known(judged):
        return DASH
    return short(judged.allowed if judged.exact_is_zero else judged.allowed_ulps)


AUTOGRAD: Field[Comparison] = numbers("autograd", lambda one: number(one.stated))
SYMBOLIC: Field[Comparison] = numbers("symbolic", lambda one: number(one.symbolic))
EXACT: Field[Comparison] = numbers("exact", lambda one: one.exact if is_known(one) else DASH)
ERROR: Field[Comparison] = numbers("error", _error, "ulps")
ALLOWED: Field[Comparison] = numbers("allowed", _allowed)
OUTCOME: Field[Comparison] = words("outcome", lambda one: one.outcome.value)
NOTE: Field[Comparison] = words("note", lambda one: one.note.value)

SHORT = (AUTOGRAD, SYMBOLIC, ERROR, ALLOWED, OUTCOME)
"""What a terminal of 80 columns has room for, behind the name."""
FULL = (AUTOGRAD, SYMBOLIC, EXACT, ERROR, ALLOWED, OUTCOME, NOTE)
"""What a page shows."""
SHORT_COLUMNS = (Column("", justify="left"), *columns_of(SHORT))
FULL_COLUMNS = columns_of(FULL)


def short_row(name: str, judged: Comparison) -> Row:
    """The row of a terminal. In a narrow one error and allowance stand in full."""
    stated = {
        "autograd": judged.stated,
        "symbolic": judged.symbolic,
        "ulps": judged.ulps,
        "allowed": judged.allowed,
    }
    fields = [(label, number(value)) for label, value in stated.items()]
    outcome = ("outcome", judged.outcome.value)
    return Row((name, *row_cells(SHORT, judged)), judged.outcome, (*fields, outcome))


def full_row(names: Sequence[str], judged: Comparison) -> Row:
    """The row of a page for the number `judged`, behind the cells `names` that say what the number
    is.
    """
    return Row((*names, *row_cells(FULL, judged)), judged.outcome)


def note_style(note: Note) -> str:
    """How a terminal shows a note: at a kink nothing is amiss."""
    return "dim" if note is Note.KINK else "yellow"
