"""Mistakes of branch: a condition decided the other way, or a convention of its own at a kink."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from verifier.judging.causes.cut_path import MOST_ELEMENTS
from verifier.judging.causes.describe_term import describe_node
from verifier.judging.causes.prediction_filter import possible_predictions
from verifier.judging.causes.replays import balls_overlap, replay_results
from verifier.judging.causes.rule import Mistake
from verifier.judging.causes.suspect import SCREEN, Suspect
from verifier.operations.arrays import Array, Balls, Floats, Truths
from verifier.operations.operation import Operation
from verifier.program.evaluation.arithmetic import middle
from verifier.program.evaluation.balls import Decision, ToOneSide
from verifier.program.evaluation.batches import BatchArithmetic
from verifier.program.program import Node, Program, evaluate

_Flip = tuple[int, Truths]
"""The place of a condition, and where it is decided the other way (array of bool)."""
CONDITIONS = frozenset(
    {"less", "less_equal", "greater", "greater_equal", "equal", "not_equal", "sign"}
)
UNITS = 64.0
"""Units of roundoff of the largest number."""
MOST_CONDITIONS = 16
"""So many conditions are tried together."""
MOST_FLIPS = 64
"""Single elements of a condition that are tried."""


@dataclass(frozen=True, eq=False)
class _FlippedCondition:
    """A comparison decided the other way where the mask says so."""

    mask: Truths
    inner: Decision | None = None
    """What is decided about it otherwise."""

    def __call__(self, operation: Operation, decided: Array) -> Array:
        if self.inner is not None:
            decided = self.inner(operation, decided)
        other = -decided if operation.name == "sign" else np.logical_not(decided)
        return np.where(self.mask, other, decided).astype(object)


class _FlippedArithmetic(BatchArithmetic):
    """The same in float64, each variant with a flip of its own."""

    def __init__(self, flips: Sequence[_Flip]) -> None:
        self.flips = flips

    def row(self, place: int, node: Node, *arguments: Array) -> Array:
        value: Array = super().row(place, node, *arguments)
        own = {row: mask for row, (flipped, mask) in enumerate(self.flips) if flipped == place}
        if not own:
            return value
        masks = np.zeros((len(self.flips), *node.shape), dtype=bool)
        masks[list(own)] = list(own.values())
        other = -value if node.operation == "sign" else np.logical_not(value)
        return np.where(masks, other, value)


def explain_wrong_branch(suspect: Suspect) -> Mistake | None:
    """One condition is decided the other way, in all elements or where it disagrees, or in one
    element.
    """
    if (
        suspect.point is None
        or suspect.part.quantity == "value"
        or suspect.point.program.elements > MOST_ELEMENTS
    ):
        return None
    program = suspect.point.program
    return _one_condition(suspect, program) or _several_conditions(suspect, program)


def _one_condition(suspect: Suspect, program: Program) -> Mistake | None:
    for place, mask in possible_predictions(
        suspect, program, _single_flips(program), partial(_possible_flips, suspect)
    ):
        flipped = _exact_with_flip(suspect, place, mask)
        # Each component has its own element of the condition, which may be decided rightly.
        chosen = np.where(suspect.where_exact & ~suspect.disagreeing, suspect.exact, flipped)
        for predicted in (flipped, chosen):
            if suspect.fits(predicted, _rounding_slack(suspect, middle(flipped))):
                return Mistake(
                    "wrong branch",
                    _flip_sentence(suspect, [_condition_text(program, place)]),
                    predicted,
                )
    return None


def _several_conditions(suspect: Suspect, program: Program) -> Mistake | None:
    """Each component that disagrees has one of its conditions decided the other way."""
    predicted, left, used = suspect.exact.copy(), suspect.disagreeing.copy(), []
    for place, mask in _whole_conditions(program)[:MOST_CONDITIONS]:
        flipped = _exact_with_flip(suspect, place, mask)
        fitting = suspect.near(flipped, _rounding_slack(suspect, middle(flipped))) & left
        if fitting.any():
            predicted[fitting] = flipped[fitting]
            left &= ~fitting
            used.append(_condition_text(program, place))
    if left.any() or not suspect.fits(predicted, _rounding_slack(suspect, middle(predicted))):
        return None
    return Mistake("wrong branch", _flip_sentence(suspect, used), predicted)


def _exact_with_flip(suspect: Suspect, place: int, mask: Truths) -> Balls:
    """The exact numbers with a condition decided the other way; those themselves where there is no
    program.
    """
    point = suspect.point
    if point is None:
        return suspect.exact
    return suspect.exact_at(point, {}, {place: _FlippedCondition(mask, point.decisions.get(place))})


def _rounding_slack(suspect: Suspect, flipped: Floats) -> Floats:
    """What rounding may do to the numbers of another branch, whose allowance is not known."""
    finite = np.isfinite(flipped)
    largest = np.max(np.abs(flipped), axis=-1, keepdims=True, where=finite, initial=0.0)
    return np.broadcast_to(UNITS * suspect.format.unit_roundoff * largest, flipped.shape)


def _condition_text(program: Program, place: int) -> str:
    node = program.nodes[place]
    return (
        f"the sign of {describe_node(program, node.arguments[0])}"
        if node.operation == "sign"
        else describe_node(program, place)
    )


def _flip_sentence(suspect: Suspect, conditions: list[str]) -> str:
    count, many = int(suspect.disagreeing.sum()), suspect.disagreeing.size
    where = f", in {count} of {many} components" if many > 1 else ""
    return (
        f"it is the gradient with {' or '.join(dict.fromkeys(conditions))} decided the other "
        f"way{where}"
    )


def _whole_conditions(program: Program) -> list[_Flip]:
    """Conditions as a whole."""
    places = [place for place, node in enumerate(program.nodes) if node.operation in CONDITIONS]
    return [(place, np.ones(program.nodes[place].shape, dtype=bool)) for place in places]


def _single_flips(program: Program) -> Iterator[_Flip]:
    """Conditions as a whole, then their single elements."""
    yield from _whole_conditions(program)
    for place, whole in _whole_conditions(program):
        shape = whole.shape
        count = int(np.prod(shape))
        for element in range(count if 1 < count <= MOST_FLIPS else 0):
            mask = np.zeros(shape, dtype=bool)
            mask.flat[element] = True
            yield place, mask


def _possible_flips(suspect: Suspect, flips: Sequence[_Flip]) -> Truths:
    """For each flip whether float64 leaves it open that it explains what disagrees (bools)."""
    if suspect.point is None:
        return np.zeros(len(flips), dtype=bool)
    given = {name: np.asarray(value)[None] for name, value in suspect.point.arguments.items()}
    (found,) = evaluate(suspect.point.program, _FlippedArithmetic(flips), given)
    wrong = suspect.disagreeing & suspect.known
    with np.errstate(all="ignore"):
        stated, flipped = suspect.stated_in_floats, found.reshape(len(flips), -1)
        slack = SCREEN * np.maximum(np.abs(stated), suspect.size) + suspect.allowed
        slack = slack + suspect.relative * np.abs(flipped) + _rounding_slack(suspect, flipped)
        result: Truths = np.all((np.abs(stated - flipped) <= 2.0 * slack)[:, wrong], axis=-1)
        return result


def explain_kink_convention(suspect: Suspect) -> Mistake | None:
    """Only where both sides of a condition are the same number, and right beside it."""
    case = suspect.part.case
    wrong = suspect.disagreeing
    if (
        suspect.part.quantity == "value"
        or not np.isfinite(suspect.part.verdicts.stated[wrong]).all()
    ):
        return None
    if bool(case.kink[wrong].all()):
        element = suspect.worst()
        middle_, reach = (
            suspect.part.verdicts.centre[element],
            suspect.part.verdicts.allowed[element],
        )
        sides = f"{middle_ - reach:.6g} and {middle_ + reach:.6g}"
        return Mistake(
            "kink convention", f"at a kink it is outside the one-sided derivatives, {sides}"
        )
    if (
        not suspect.is_in_graph
        or suspect.coded is None
        or suspect.place is None
        or suspect.point is None
    ):
        return None
    point = suspect.coded.point
    if not point.ties:
        return None
    for greater in (True, False):
        suspect.check_deadline()
        code = {place: ToOneSide(mask, greater) for place, mask in point.ties.items()}
        own = {place: ToOneSide(mask, greater) for place, mask in suspect.point.ties.items()}
        (found,) = replay_results(point, suspect.place, suspect.coded.literals, code)
        exact = suspect.exact_at(suspect.point, {}, own)
        if balls_overlap(found, exact):
            sentence = (
                "only at a kink, where both sides of a condition are equal: beside it the backward "
                "is right"
            )
            return Mistake("kink convention", sentence)
    return None
