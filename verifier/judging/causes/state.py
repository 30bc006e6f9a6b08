"""Mistakes of state: what was stated depends on earlier runs, or on nothing that can be known."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from verifier.capture.code_at_point import TANGENT
from verifier.capture.joint_graph import results_with_forward_draws, results_with_other_draws
from verifier.capture.lowering import plain
from verifier.judging.causes.rule import Mistake
from verifier.judging.causes.suspect import Suspect
from verifier.judging.examination import Part
from verifier.judging.verdict import Note
from verifier.operations.arrays import Floats
from verifier.program.evaluation.arithmetic import balls, precision
from verifier.program.evaluation.balls import LAST_BITS

SEEDS_APART = 2.0
"""What multiplies the results' derivatives is 1/2 at least, so that 1 in its place makes rounding
twice as large.
"""
_CHANGING = list(Note).index(Note.CHANGING)


def explain_changing_results(suspect: Suspect) -> Mistake | None:
    """What is stated changes from run to run: it grows, it is late, or nobody knows."""
    if not (suspect.part.verdicts.note == _CHANGING).any():
        return None
    return (
        _growing_by_gradient(suspect)
        or explain_stale_gradient(suspect)
        or _changing_without_pattern(suspect)
    )


def _stated_in_runs(suspect: Suspect) -> list[Floats]:
    """What was stated each time."""
    if (
        suspect.examination is None
        or suspect.examination.coded is None
        or suspect.place is None
        or not suspect.is_own
    ):
        return []
    return suspect.examination.coded.statements.runs(suspect.place)


def _growing_by_gradient(suspect: Suspect) -> Mistake | None:
    """Each run adds the exact gradient once more."""
    runs = _stated_in_runs(suspect)
    if len(runs) < 2:
        return None
    exact, allowed = suspect.centre, suspect.part.verdicts.allowed
    for number, (one, other) in enumerate(pairwise(runs), start=2):
        slack = (number + 1) * (allowed + suspect.format.unit_roundoff * number * np.abs(exact))
        if not (np.abs(other - one - exact) <= slack).all():
            return None
    sentence = (
        f"each run adds the gradient once more: {len(runs)} runs, and no run clears what the one "
        "before left"
    )
    return Mistake("gradients accumulated", sentence, runs[0])


def _changing_without_pattern(suspect: Suspect) -> Mistake:
    runs = _stated_in_runs(suspect)
    elements = np.flatnonzero(suspect.part.verdicts.note == _CHANGING)
    sentence = "it comes out differently when the code is run again"
    if runs:
        element = elements[0]
        other = next(
            (float(run[element]) for run in runs[1:] if run[element] != runs[0][element]),
            float("nan"),
        )
        name, first = suspect.element_name(int(element)), float(runs[0][element])
        sentence = f"{sentence}: {name} was {first!r}, then {other!r}"
    return Mistake("not deterministic", sentence)


def explain_other_random_numbers(suspect: Suspect) -> Mistake | None:
    """The backward draws random numbers again, and they are not those of the forward."""
    examination, coded = suspect.examination, suspect.coded
    if examination is None or coded is None or suspect.place is None or not suspect.is_own:
        return None
    statements = coded.statements
    stated = results_with_forward_draws(statements.joint, statements.arguments, examination.events)
    if stated is None:
        return _drawn_in_backward_alone(suspect)
    found = stated[suspect.place]
    numbers = np.zeros(suspect.centre.shape) if found is None else np.ravel(plain(found))
    slack = suspect.part.verdicts.allowed + suspect.format.unit_roundoff * np.abs(suspect.centre)
    if not (np.abs(numbers - suspect.centre) <= slack)[suspect.known].all():
        return None
    drawn = next(draw for draw in examination.events.draws if draw.in_backward)
    where = f" in {drawn.place}" if drawn.place else ""
    sentence = (
        f"the backward draws random numbers again ({drawn.operation}{where}): with those of the "
        "forward it is right"
    )
    return Mistake("other random numbers", sentence)


def _drawn_in_backward_alone(suspect: Suspect) -> Mistake | None:
    """The backward draws random numbers though the forward draws none, and each component that is
    wrong depends on them.
    """
    examination, coded = suspect.examination, suspect.coded
    if examination is None or coded is None or suspect.place is None:
        return None
    draws = examination.events.draws
    if any(not draw.in_backward for draw in draws):
        return None
    statements = coded.statements
    suspect.check_deadline()
    others = results_with_other_draws(statements.joint, statements.arguments, examination.events)
    found = None if others is None else others[suspect.place]
    if found is None:
        return None
    moved = np.ravel(plain(found)) != suspect.part.verdicts.stated
    # A number in the middle stays where it is in reverse order.
    if int((suspect.disagreeing & ~moved).sum()) > 1 or not (suspect.disagreeing & moved).any():
        return None
    where = f" in {draws[0].place}" if draws[0].place else ""
    sentence = (
        f"the backward draws random numbers ({draws[0].operation}{where}), and the forward draws "
        "none"
    )
    return Mistake("other random numbers", sentence)


def _part_at_point_before(suspect: Suspect) -> Part | None:
    """The same part at the point before; None where it is not known."""
    label = suspect.part.name, suspect.part.quantity, suspect.part.shape
    return next(
        (part for part in suspect.before if (part.name, part.quantity, part.shape) == label), None
    )


def explain_stale_gradient(suspect: Suspect) -> Mistake | None:
    """It is the gradient at the point before."""
    earlier = _part_at_point_before(suspect)
    if earlier is None or not suspect.fits(earlier.case.reference, earlier.verdicts.allowed):
        return None
    sentence = f"it is the gradient at the {suspect.unit} before this one"
    return Mistake("stale", sentence, earlier.case.reference)


def explain_accumulated_gradient(suspect: Suspect) -> Mistake | None:
    """The gradient at the point before is added: the exact one, or what was stated there."""
    earlier = _part_at_point_before(suspect)
    adds_to_something = (suspect.centre != 0)[suspect.disagreeing & suspect.known]
    if earlier is None or not adds_to_something.all():
        # The same mistake at both points looks alike where the exact number is 0.
        return None
    sentence = f"the gradient at the {suspect.unit} before this one is added to it"
    for added in (earlier.case.reference, balls(earlier.verdicts.stated)):
        with precision(LAST_BITS):
            predicted = suspect.exact + added
        if suspect.fits(predicted, earlier.verdicts.allowed):
            return Mistake("gradients accumulated", sentence, predicted)
    return None


def explain_ignored_seed(suspect: Suspect) -> Mistake | None:
    """What multiplies the results' derivatives (grad_output, or the tangent) is taken for 1."""
    point, names = suspect.point, suspect.seeds()
    if point is None:
        return None
    for chosen in [names, *([name] for name in names if len(names) > 1)]:
        ones = {name: np.ones_like(point.arguments[name]) for name in chosen}
        # Where it is 1, as in a training, that changes nothing.
        if all(np.array_equal(one, point.arguments[name]) for name, one in ones.items()):
            continue
        predicted = suspect.exact_at(point, ones)
        if suspect.fits(predicted, SEEDS_APART * suspect.allowed):
            what = "the tangent" if chosen[0].startswith(TANGENT) else "grad_output"
            return Mistake(
                "grad_output ignored", f"it is the gradient with {what} taken for 1", predicted
            )
    return None
