"""Mistakes of rounding: the formula is right as far as anybody can see, and the numbers are not."""

from __future__ import annotations

import numpy as np

from verifier.judging.causes.rule import Mistake
from verifier.judging.causes.suspect import Suspect
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


def explain_narrower_dtype(suspect: Suspect) -> Mistake | None:
    """Every number is one of a narrower format, and its rounding explains the error."""
    if suspect.is_in_graph or not np.isfinite(suspect.part.verdicts.stated).all():
        return None
    for narrow in (FLOAT32, BFLOAT16, FLOAT16):
        if narrow.precision < suspect.format.precision and (
            _are_numbers_of(suspect, narrow) or _backward_rounds_to(suspect, narrow)
        ):
            sentence = (
                f"all numbers are those of {narrow.name}, and its rounding explains the error"
            )
            if not _are_numbers_of(suspect, narrow):
                sentence = (
                    f"the backward computes in {narrow.name}, and its rounding explains the error"
                )
            return Mistake("narrower dtype", sentence)
    return None


def _are_numbers_of(suspect: Suspect, format: Format) -> bool:
    stated = suspect.part.verdicts.stated
    numbers = [number for number in stated.tolist() if number != 0]
    bits = (suspect.format.precision - format.precision) * len(numbers)
    if bits < ENOUGH_BITS or not all(map(format.holds, numbers)):
        return False
    if all(map(format.holds, suspect.centre[stated != 0].tolist())):
        return False
    wider = format.unit_roundoff / suspect.format.unit_roundoff
    rounded = format.unit_roundoff * np.abs(suspect.centre)
    allowed = suspect.part.verdicts.allowed * wider + rounded
    return bool((suspect.part.verdicts.error <= allowed)[suspect.disagreeing].all())


def _backward_rounds_to(suspect: Suspect, format: Format) -> bool:
    """Whether the code's graph rounds to that format behind its forward, and that explains the
    error.
    """
    if suspect.coded is None or suspect.place is None:
        return False
    program = suspect.coded.point.program
    if not any(node.format == format for node in program.nodes):
        return False
    suspect.check_deadline()
    with np.errstate(all="ignore"):
        deviation = deviations(program, suspect.coded.point.arguments, arithmetic_for(program))[
            suspect.place
        ]
        allowed = suspect.part.verdicts.allowed + DEVIATIONS * np.ravel(deviation)
        return bool((suspect.part.verdicts.error <= allowed)[suspect.disagreeing].all())


def explain_cancellation(suspect: Suspect) -> Mistake | None:
    """The largest term's rounding is as large as the error, and little is left of the terms."""
    if not suspect.is_replayed and suspect.coded is not None:
        return None
    wrong, verdicts = suspect.disagreeing, suspect.part.verdicts
    terms = np.ravel(suspect.part.case.terms)
    with np.errstate(all="ignore"):
        explained = verdicts.error <= UNITS * suspect.format.unit_roundoff * terms
        lost = terms >= LOST * np.abs(verdicts.centre)
    if not (explained & lost & np.isfinite(verdicts.stated))[wrong].all():
        return None
    element = suspect.worst()
    sentence = (
        f"terms of {terms[element]:.3g} cancel to {verdicts.centre[element]:.3g}, and their "
        "rounding is left"
    )
    return Mistake("cancellation", sentence)


def explain_kernel(suspect: Suspect) -> Mistake | None:
    """The formula replays, and the numbers are off by more than rounding explains."""
    examination = suspect.examination
    if (
        not suspect.is_replayed
        or not suspect.is_own
        or examination is None
        or not isinstance(examination.formula, Replayed)
    ):
        return None
    if not np.isfinite(suspect.part.verdicts.stated[suspect.disagreeing]).all():
        return None
    constants = ", ".join(
        f"{number!r}, a number of float32" for number in examination.formula.narrow
    )
    which = f", which has {constants}," if constants else ""
    size = suspect.part.relative_error()
    by = (
        f"{size:.0e}"
        if np.isfinite(size)
        else f"{float(np.max(suspect.part.verdicts.error[suspect.disagreeing])):.0e}"
    )
    return Mistake(
        "kernel outside its budget", f"the formula replays, the kernel{which} is off by {by}"
    )
