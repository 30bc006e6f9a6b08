"""Mistakes of rounding: the formula is right as far as anybody can see, and the numbers are not."""

from __future__ import annotations

import numpy as np

from verifier.judging.causes.rule import Found
from verifier.judging.causes.suspect import Told
from verifier.judging.examination import Replayed
from verifier.operations.formats import BFLOAT16, FLOAT16, FLOAT32, Format
from verifier.program.evaluation.stochastic import DEVIATIONS, arithmetic_for, deviations

ENOUGH_BITS = 24
"""That many bits must all be 0 by chance before numbers are taken for those of a narrower
format.
"""
LOST = 1000.0
"""Terms must be so many times larger than what is left of them, to speak of cancellation."""
UNITS = 32.0
"""Units of roundoff of the largest term that cancellation explains."""


def narrower(told: Told) -> Found | None:
    """Every number is one of a narrower format, and its rounding explains the error."""
    if told.is_in_graph or not np.isfinite(told.part.verdicts.stated).all():
        return None
    for narrow in (FLOAT32, BFLOAT16, FLOAT16):
        if narrow.precision < told.format.precision and (
            _holds(told, narrow) or _computes(told, narrow)
        ):
            sentence = (
                f"all numbers are those of {narrow.name}, and its rounding explains the error"
            )
            if not _holds(told, narrow):
                sentence = (
                    f"the backward computes in {narrow.name}, and its rounding explains the error"
                )
            return Found("narrower dtype", sentence)
    return None


def _holds(told: Told, format: Format) -> bool:
    stated = told.part.verdicts.stated
    numbers = [number for number in stated.tolist() if number != 0]
    bits = (told.format.precision - format.precision) * len(numbers)
    if bits < ENOUGH_BITS or not all(map(format.holds, numbers)):
        return False
    if all(map(format.holds, told.centre[stated != 0].tolist())):
        return False
    wider = format.unit_roundoff / told.format.unit_roundoff
    rounded = format.unit_roundoff * np.abs(told.centre)
    allowed = told.part.verdicts.allowed * wider + rounded
    return bool((told.part.verdicts.error <= allowed)[told.disagreeing].all())


def _computes(told: Told, format: Format) -> bool:
    """Whether the code's graph rounds to that format behind its forward, and that explains the
    error.
    """
    if told.coded is None or told.place is None:
        return False
    program = told.coded.point.program
    if not any(node.format == format for node in program.nodes):
        return False
    told.go_on()
    with np.errstate(all="ignore"):
        deviation = deviations(program, told.coded.point.arguments, arithmetic_for(program))[
            told.place
        ]
        allowed = told.part.verdicts.allowed + DEVIATIONS * np.ravel(deviation)
        return bool((told.part.verdicts.error <= allowed)[told.disagreeing].all())


def cancellation(told: Told) -> Found | None:
    """A rounding of the largest term is as large as the error, and what is left of the terms is
    small.
    """
    if not told.is_replayed and told.coded is not None:
        return None
    wrong, verdicts = told.disagreeing, told.part.verdicts
    terms = np.ravel(told.part.case.terms)
    with np.errstate(all="ignore"):
        explained = verdicts.error <= UNITS * told.format.unit_roundoff * terms
        lost = terms >= LOST * np.abs(verdicts.centre)
    if not (explained & lost & np.isfinite(verdicts.stated))[wrong].all():
        return None
    element = told.worst()
    sentence = (
        f"terms of {terms[element]:.3g} cancel to {verdicts.centre[element]:.3g}, and their "
        "rounding is left"
    )
    return Found("cancellation", sentence)


def kernel(told: Told) -> Found | None:
    """The formula replays, and the numbers are off."""
    examination = told.examination
    if not told.is_replayed or examination is None or not isinstance(examination.formula, Replayed):
        return None
    if not np.isfinite(told.part.verdicts.stated[told.disagreeing]).all():
        return None
    constants = ", ".join(
        f"{number!r}, a number of float32" for number in examination.formula.narrow
    )
    told_ = f", which has {constants}," if constants else ""
    size = told.part.relative_error()
    by = (
        f"{size:.0e}"
        if np.isfinite(size)
        else f"{float(np.max(told.part.verdicts.error[told.disagreeing])):.0e}"
    )
    return Found(
        "kernel outside its budget", f"the formula replays, the kernel{told_} is off by {by}"
    )
