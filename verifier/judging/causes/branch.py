"""Mistakes of branch: a condition decided the other way, or a convention of its own at a kink."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from verifier.judging.causes.cut_path import MOST_ELEMENTS
from verifier.judging.causes.describe_term import spelled
from verifier.judging.causes.replays import overlap, replay_of
from verifier.judging.causes.rule import Found
from verifier.judging.causes.screen import screened
from verifier.judging.causes.suspect import SCREEN, Told
from verifier.operations.operation import Operation
from verifier.program.evaluation.arithmetic import middle
from verifier.program.evaluation.balls import ToOneSide
from verifier.program.evaluation.batches import BatchArithmetic
from verifier.program.program import Node, Program, evaluate

_Flip = tuple[int, Any]
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
class _Flipped:
    """A comparison decided the other way where the mask says so."""

    mask: Any
    inner: Any = None
    """What is decided about it otherwise."""

    def __call__(self, operation: Operation, decided: Any) -> Any:
        if self.inner is not None:
            decided = self.inner(operation, decided)
        other = -decided if operation.name == "sign" else np.logical_not(decided)
        return np.where(self.mask, other, decided).astype(object)


class _FlippedInFloats(BatchArithmetic):
    """The same in float64, each variant with a flip of its own."""

    def __init__(self, flips: Sequence[_Flip]) -> None:
        self.flips = flips

    def row(self, place: int, node: Node, *arguments: Any) -> Any:
        value = super().row(place, node, *arguments)
        own = {row: mask for row, (flipped, mask) in enumerate(self.flips) if flipped == place}
        if not own:
            return value
        masks = np.zeros((len(self.flips), *node.shape), dtype=bool)
        masks[list(own)] = list(own.values())
        other = -value if node.operation == "sign" else np.logical_not(value)
        return np.where(masks, other, value)


def wrong_branch(told: Told) -> Found | None:
    """One condition is decided the other way, in all elements or where it disagrees, or in one
    element.
    """
    if (
        told.point is None
        or told.part.quantity == "value"
        or told.point.program.elements > MOST_ELEMENTS
    ):
        return None
    program = told.point.program
    return _one_condition(told, program) or _several_conditions(told, program)


def _one_condition(told: Told, program: Program) -> Found | None:
    for place, mask in screened(told, program, _flips(program), partial(_possible, told)):
        flipped = _flipped(told, place, mask)
        # Each component has its own element of the condition, which may be decided rightly.
        chosen = np.where(told.as_exact & ~told.disagreeing, told.exact, flipped)
        for predicted in (flipped, chosen):
            if told.fits(predicted, _slack(told, middle(flipped))):
                return Found(
                    "wrong branch", _sentence(told, [_condition(program, place)]), predicted
                )
    return None


def _several_conditions(told: Told, program: Program) -> Found | None:
    """Each component that disagrees has one of its conditions decided the other way."""
    predicted, left, used = told.exact.copy(), told.disagreeing.copy(), []
    for place, mask in _whole(program)[:MOST_CONDITIONS]:
        flipped = _flipped(told, place, mask)
        fitting = told.near(flipped, _slack(told, middle(flipped))) & left
        if fitting.any():
            predicted[fitting] = flipped[fitting]
            left &= ~fitting
            used.append(_condition(program, place))
    if left.any() or not told.fits(predicted, _slack(told, middle(predicted))):
        return None
    return Found("wrong branch", _sentence(told, used), predicted)


def _flipped(told: Told, place: int, mask: Any) -> Any:
    """The exact numbers with a condition decided the other way."""
    point = told.point
    if point is None:
        return None
    return told.exact_at(point, {}, {place: _Flipped(mask, point.decisions.get(place))})


def _slack(told: Told, flipped: Any) -> Any:
    """What rounding may do to the numbers of another branch, whose allowance is not known."""
    finite = np.isfinite(flipped)
    largest = np.max(np.abs(flipped), axis=-1, keepdims=True, where=finite, initial=0.0)
    return np.broadcast_to(UNITS * told.format.unit_roundoff * largest, flipped.shape)


def _condition(program: Program, place: int) -> str:
    node = program.nodes[place]
    return (
        f"the sign of {spelled(program, node.arguments[0])}"
        if node.operation == "sign"
        else spelled(program, place)
    )


def _sentence(told: Told, conditions: list[str]) -> str:
    count, many = int(told.disagreeing.sum()), told.disagreeing.size
    where = f", in {count} of {many} components" if many > 1 else ""
    return (
        f"it is the gradient with {' or '.join(dict.fromkeys(conditions))} decided the other "
        f"way{where}"
    )


def _whole(program: Program) -> list[_Flip]:
    """Conditions as a whole."""
    places = [place for place, node in enumerate(program.nodes) if node.operation in CONDITIONS]
    return [(place, np.ones(program.nodes[place].shape, dtype=bool)) for place in places]


def _flips(program: Program) -> Iterator[_Flip]:
    """Conditions as a whole, then their single elements."""
    yield from _whole(program)
    for place, whole in _whole(program):
        shape = whole.shape
        count = int(np.prod(shape))
        for element in range(count if 1 < count <= MOST_FLIPS else 0):
            mask = np.zeros(shape, dtype=bool)
            mask.flat[element] = True
            yield place, mask


def _possible(told: Told, flips: Sequence[_Flip]) -> Any:
    """For each flip whether float64 leaves it open that it explains what disagrees (bools)."""
    if told.point is None:
        return np.zeros(len(flips), dtype=bool)
    given = {name: np.asarray(value)[None] for name, value in told.point.arguments.items()}
    (found,) = evaluate(told.point.program, _FlippedInFloats(flips), given)
    wrong = told.disagreeing & told.known
    with np.errstate(all="ignore"):
        stated, flipped = told.stated_in_floats, found.reshape(len(flips), -1)
        slack = SCREEN * np.maximum(np.abs(stated), told.size) + told.allowed
        slack = slack + told.relative * np.abs(flipped) + _slack(told, flipped)
        return np.all((np.abs(stated - flipped) <= 2.0 * slack)[:, wrong], axis=-1)


def kink_convention(told: Told) -> Found | None:
    """Only where both sides of a condition are the same number, and right beside it."""
    case = told.part.case
    wrong = told.disagreeing
    if told.part.quantity == "value" or not np.isfinite(told.part.verdicts.stated[wrong]).all():
        return None
    if bool(case.kink[wrong].all()):
        element = told.worst()
        middle_, reach = told.part.verdicts.centre[element], told.part.verdicts.allowed[element]
        sides = f"{middle_ - reach:.6g} and {middle_ + reach:.6g}"
        return Found(
            "kink convention", f"at a kink it is outside the one-sided derivatives, {sides}"
        )
    if not told.is_in_graph or told.coded is None or told.place is None or told.point is None:
        return None
    point = told.coded.point
    if not point.ties:
        return None
    for greater in (True, False):
        told.go_on()
        code = {place: ToOneSide(mask, greater) for place, mask in point.ties.items()}
        own = {place: ToOneSide(mask, greater) for place, mask in told.point.ties.items()}
        (found,) = replay_of(point, told.place, told.coded.literals, code)
        exact = told.exact_at(told.point, {}, own)
        if overlap(found, exact):
            sentence = (
                "only at a kink, where both sides of a condition are equal: beside it the backward "
                "is right"
            )
            return Found("kink convention", sentence)
    return None
