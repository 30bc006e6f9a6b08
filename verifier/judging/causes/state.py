"""Mistakes of state: what was stated depends on earlier runs, or on nothing that can be known."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from verifier.capture.joint_graph import results_with_forward_draws
from verifier.capture.lowering import plain
from verifier.capture.statements import TANGENT
from verifier.judging.causes.rule import Found
from verifier.judging.causes.suspect import Told
from verifier.judging.examination import Part
from verifier.judging.verdict import Note
from verifier.program.evaluation.arithmetic import balls, precision
from verifier.program.evaluation.balls import LAST_BITS

SEEDS_APART = 2.0
"""What multiplies the results' derivatives is 1/2 at least, so that 1 in its place makes rounding
twice as large.
"""
_CHANGING = list(Note).index(Note.CHANGING)


def changing(told: Told) -> Found | None:
    """It is another one each time: it grows, it is late, or nobody knows."""
    if not (told.part.verdicts.note == _CHANGING).any():
        return None
    return _growing(told) or stale(told) or _unsteady(told)


def _runs(told: Told) -> list[Any]:
    """What was stated each time."""
    if (
        told.examination is None
        or told.examination.coded is None
        or told.place is None
        or not told.is_own
    ):
        return []
    return told.examination.coded.statements.runs(told.place)


def _growing(told: Told) -> Found | None:
    """Each run adds the exact gradient once more."""
    runs = _runs(told)
    if len(runs) < 2:
        return None
    exact, allowed = told.centre, told.part.verdicts.allowed
    for number, (one, other) in enumerate(pairwise(runs), start=2):
        slack = (number + 1) * (allowed + told.format.unit_roundoff * number * np.abs(exact))
        if not (np.abs(other - one - exact) <= slack).all():
            return None
    sentence = (
        f"each run adds the gradient once more: {len(runs)} runs, and no run clears what the one "
        "before left"
    )
    return Found("gradients accumulated", sentence, runs[0])


def _unsteady(told: Told) -> Found:
    runs = _runs(told)
    elements = np.flatnonzero(told.part.verdicts.note == _CHANGING)
    sentence = "it comes out differently when the code is run again"
    if runs:
        element = elements[0]
        other = next(
            (float(run[element]) for run in runs[1:] if run[element] != runs[0][element]),
            float("nan"),
        )
        sentence = (
            f"{sentence}: {told.named(int(element))} was {float(runs[0][element])!r}, then "
            f"{other!r}"
        )
    return Found("not deterministic", sentence)


def other_numbers(told: Told) -> Found | None:
    """The backward draws random numbers again, and they are not those of the forward."""
    examination, coded = told.examination, told.coded
    if examination is None or coded is None or told.place is None or not told.is_own:
        return None
    statements = coded.statements
    stated = results_with_forward_draws(statements.joint, statements.arguments, examination.events)
    if stated is None:
        return None
    found = stated[told.place]
    numbers = np.zeros(told.centre.shape) if found is None else np.ravel(plain(found))
    slack = told.part.verdicts.allowed + told.format.unit_roundoff * np.abs(told.centre)
    if not (np.abs(numbers - told.centre) <= slack)[told.known].all():
        return None
    drawn = next(draw for draw in examination.events.draws if draw.in_backward)
    where = f" in {drawn.place}" if drawn.place else ""
    sentence = (
        f"the backward draws random numbers again ({drawn.operation}{where}): with those of the "
        "forward it is right"
    )
    return Found("other random numbers", sentence)


def _earlier(told: Told) -> Part | None:
    """The same part at the point before; None where it is not known."""
    label = told.part.name, told.part.quantity, told.part.shape
    return next(
        (part for part in told.before if (part.name, part.quantity, part.shape) == label), None
    )


def stale(told: Told) -> Found | None:
    """The gradient at the point before."""
    earlier = _earlier(told)
    if earlier is None or not told.fits(earlier.case.reference, earlier.verdicts.allowed):
        return None
    sentence = f"it is the gradient at the {told.unit} before this one"
    return Found("stale", sentence, earlier.case.reference)


def accumulated(told: Told) -> Found | None:
    """The gradient at the point before is added: the exact one, or what was stated there."""
    earlier = _earlier(told)
    if earlier is None:
        return None
    sentence = f"the gradient at the {told.unit} before this one is added to it"
    for added in (earlier.case.reference, balls(earlier.verdicts.stated)):
        with precision(LAST_BITS):
            predicted = told.exact + added
        if told.fits(predicted, earlier.verdicts.allowed):
            return Found("gradients accumulated", sentence, predicted)
    return None


def incoming_ignored(told: Told) -> Found | None:
    """What multiplies the results' derivatives is taken for 1."""
    point, names = told.point, told.seeds()
    if point is None:
        return None
    for chosen in [names, *([name] for name in names if len(names) > 1)]:
        ones = {name: np.ones_like(point.arguments[name]) for name in chosen}
        if not ones:
            continue
        predicted = told.exact_at(point, ones)
        if told.fits(predicted, SEEDS_APART * told.allowed):
            what = "the tangent" if chosen[0].startswith(TANGENT) else "grad_output"
            return Found(
                "grad_output ignored", f"it is the gradient with {what} taken for 1", predicted
            )
    return None
