"""Mistakes of branch: a condition decided the other way, or a convention of its own at a kink."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from verifier.arithmetic import middle
from verifier.arrays import ArrayNode, ArrayProgram, evaluate
from verifier.blame.paths import MOST_ELEMENTS
from verifier.blame.spelled import bare
from verifier.blame.told import SCREEN, Found, Told, exact_at, replay_of
from verifier.operations import Operation
from verifier.replay import ToOneSide
from verifier.terms import SizeArithmetic

CONDITIONS = frozenset({"less", "less_equal", "greater", "greater_equal", "equal", "not_equal", "sign"})
MOST_FLIPS = 64
"""Single elements of a condition that are tried."""


@dataclass(frozen=True)
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


class _FlippedInFloats(SizeArithmetic):
    """The same in float64."""

    def __init__(self, place: int, mask: Any) -> None:
        self.place, self.mask = place, mask

    def row(self, place: int, node: ArrayNode, *arguments: Any) -> Any:
        value, size = super().row(place, node, *arguments)
        if place != self.place:
            return value, size
        other = -value if node.operation == "sign" else np.logical_not(value)
        return np.where(self.mask, other, value), size


def wrong_branch(told: Told) -> Found | None:
    """One condition is decided the other way, in all elements or where it disagrees, or in one element."""
    if told.point is None or told.part.quantity == "value" or told.point.program.elements > MOST_ELEMENTS:
        return None
    program = told.point.program
    for place, mask in _flips(program):
        if not _screened(told, place, mask):
            continue
        flipped = exact_at(told.point, {}, {place: _Flipped(mask, told.point.decisions.get(place))})
        # Each component has its own element of the condition, which may be decided rightly.
        chosen = np.where(told.near(told.exact) & ~told.disagreeing, told.exact, flipped)
        for predicted in (flipped, chosen):
            if told.fits(predicted):
                return Found("wrong branch", _sentence(told, program, place), predicted)
    return None


def _sentence(told: Told, program: ArrayProgram, place: int) -> str:
    count, many = int(told.disagreeing.sum()), told.disagreeing.size
    where = f", in {count} of {many} components" if many > 1 else ""
    node = program.nodes[place]
    condition = f"the sign of {bare(program, node.arguments[0])}" if node.operation == "sign" else bare(program, place)
    return f"it is the gradient with {condition} decided the other way{where}"


def _flips(program: ArrayProgram) -> Iterator[tuple[int, Any]]:
    """Conditions as a whole, then their single elements."""
    places = [place for place, node in enumerate(program.nodes) if node.operation in CONDITIONS]
    for place in places:
        yield place, np.ones(program.nodes[place].shape, dtype=bool)
    for place in places:
        shape = program.nodes[place].shape
        count = int(np.prod(shape))
        for element in range(count if 1 < count <= MOST_FLIPS else 0):
            mask = np.zeros(shape, dtype=bool)
            mask.flat[element] = True
            yield place, mask


def _screened(told: Told, place: int, mask: Any) -> bool:
    """Whether float64 leaves it open that a flip explains what disagrees."""
    if told.point is None:
        return False
    (found,) = evaluate(told.point.program, _FlippedInFloats(place, mask), told.point.arguments)
    wrong = told.disagreeing & told.known
    with np.errstate(all="ignore"):
        stated, flipped = middle(told.stated), np.ravel(found[0])
        slack = SCREEN * np.maximum(np.abs(stated), told.size) + np.maximum(
            told.allowed, told.relative * np.abs(flipped)
        )
        return bool((np.abs(stated - flipped) <= 2.0 * slack)[wrong].all())


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
        return Found("kink convention", f"at a kink it is outside the one-sided derivatives, {sides}")
    if not told.is_in_graph or told.coded is None or told.place is None or told.point is None:
        return None
    point = told.coded.point
    if not point.ties:
        return None
    for greater in (True, False):
        code = {place: ToOneSide(mask, greater) for place, mask in point.ties.items()}
        own = {place: ToOneSide(mask, greater) for place, mask in told.point.ties.items()}
        (found,) = replay_of(point, told.place, told.coded.literals, code)
        exact = exact_at(told.point, {}, own)
        if bool((np.ravel(_overlaps(np.ravel(found), exact))).all()):
            sentence = "only at a kink, where both sides of a condition are equal: beside it the backward is right"
            return Found("kink convention", sentence)
    return None


_overlaps = np.frompyfunc(lambda one, other: bool(one.overlaps(other)) and one.is_finite(), 2, 1)
