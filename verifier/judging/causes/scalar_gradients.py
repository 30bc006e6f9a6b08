"""The causes of wrong gradients that are single numbers: those of a training's step.

Each gradient becomes a part of one element, and the rules of a check are asked about it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from verifier.judging.causes import find_causes
from verifier.judging.examination import Examination, NotReplayed, Part
from verifier.judging.finding import CheckPoint, Finding
from verifier.judging.outcome import Note, Outcome
from verifier.judging.verdict import Case, Comparison, Verdicts
from verifier.operations.arrays import Floats
from verifier.operations.formats import CODE_FORMATS
from verifier.process.deadline import Deadline
from verifier.process.internal_errors import InternalErrors
from verifier.program.evaluation.arithmetic import middle, radius

_WHAT = "the search for causes"


@dataclass(frozen=True)
class Cause:
    """A mistake that explains what was stated for a component at a step."""

    cause: str
    """In a word or two, as a check names it: sign flipped, path detached."""
    component: str
    """The parameter's name."""
    step: int
    sentence: str
    evidence: str


@dataclass(frozen=True, eq=False)
class StepGradient:
    """The gradient that was stated at a step, with what is known of the step."""

    number: int
    """The step's, counted from 1."""
    gradient: Mapping[str, Comparison]
    """By the parameter's name."""
    dtype: str
    examination: Examination | None = None
    """Of the code at this step; None where nobody looked."""

    def finding(self) -> Finding:
        """The gradient as parts. Those of the examination are taken where they state the same
        numbers; else the code that was examined is not what stated these, and only the exact
        numbers are taken from it.
        """
        known = self.examination
        parts = tuple(_part_of(name, judged, self.dtype) for name, judged in self.gradient.items())
        if known is not None and all(_is_stated_by(known, part) for part in parts):
            parts = tuple(_examined_part(known, part) for part in parts)
        elif known is not None:
            known = replace(known, formula=_NOT_THIS_CODE, coded=None)
        point = CheckPoint(self.number, "step", self.dtype, {})
        return Finding("reverse", self.dtype, point, parts=parts, examination=known)


_NOT_THIS_CODE = NotReplayed("the gradients were stated by other code")


def _examined_part(examination: Examination, part: Part) -> Part:
    """The part of the examination that has this name."""
    return next(
        one for one in examination.parts if (one.name, one.quantity) == (part.name, part.quantity)
    )


def _is_stated_by(examination: Examination, part: Part) -> bool:
    """Whether the examined code stated the same number, or NaN as well."""
    one, other = _examined_part(examination, part).verdicts.stated[0], part.verdicts.stated[0]
    return bool(one == other or (np.isnan(one) and np.isnan(other)))


def causes_at_step(
    step: StepGradient,
    before: StepGradient | None,
    errors: InternalErrors,
    deadline: Deadline = Deadline.NEVER,
) -> list[Cause]:
    """The mistakes that explain what disagrees at a `step`; at most one for each gradient.

    `before` is the step before it, if there is one. What a rule raises is added to `errors`. When
    `deadline` passes, the search ends with what was found so far.
    """
    if not any(one.outcome is Outcome.DISAGREES for one in step.gradient.values()):
        return []
    earlier = () if before is None else before.finding().parts
    return errors.run(_WHAT, lambda: _search(step, earlier, errors, deadline), [])


def _search(
    step: StepGradient, before: Sequence[Part], errors: InternalErrors, deadline: Deadline
) -> list[Cause]:
    found = find_causes(step.finding(), before, deadline)
    for error in found.errors:
        errors.add(_WHAT, error)
    return [
        Cause(one.cause, one.component, step.number, one.sentence, one.evidence)
        for one in found.causes
    ]


def _part_of(name: str, judged: Comparison, dtype: str) -> Part:
    reference = np.array([judged.enclosure], dtype=object)
    known = np.isfinite(radius(reference))
    note = list(Note).index(judged.note)
    allowed = _one_number(judged.allowed)
    case = Case(
        format=CODE_FORMATS[dtype],
        stated=_one_number(judged.stated),
        symbolic=_one_number(judged.symbolic),
        reference=reference,
        known=known,
        allowed=allowed,
        terms=_one_number(np.nan),
        kink=np.array([judged.note is Note.KINK]),
        usable=np.array([judged.note is not Note.NOT_FINITE]),
    )
    verdicts = Verdicts(
        stated=case.stated,
        symbolic=case.symbolic,
        enclosure=reference,
        centre=np.where(known, middle(reference), np.nan),
        error=_one_number(judged.error),
        allowed=allowed,
        ulp=_one_number(judged.ulp),
        digits=_one_number(judged.digits),
        severity=np.array([judged.outcome.severity]),
        note=np.array([note]),
    )
    nowhere = np.zeros(1, dtype=bool)
    return Part(name, "reverse", dtype, (), "proved", verdicts, nowhere, case)


def _one_number(number: float) -> Floats:
    return np.array([number], dtype=np.float64)


__all__ = ["Cause", "StepGradient", "causes_at_step"]
