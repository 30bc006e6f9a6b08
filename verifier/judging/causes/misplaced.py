"""Mistakes of place: the exact components, but not where they belong."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from verifier.judging.causes.rule import Mistake
from verifier.judging.causes.suspect import Suspect
from verifier.judging.verdict import Outcome
from verifier.operations.arrays import Indices

MOST_ROLLS = 64
"""Components are rolled by the smallest distances, so many of them."""


def explain_misplaced(suspect: Suspect) -> Mistake | None:
    """The components transposed, rolled or swapped, or those of another gradient."""
    if int(suspect.known.sum()) > 1:
        for cause, sentence, order in _reorderings(suspect.part.shape):
            suspect.check_deadline()
            if not suspect.is_possible(suspect.centre[order], suspect.allowed[order]):
                continue
            predicted = suspect.exact[order]
            if suspect.fits(predicted, suspect.allowed[order]):
                return Mistake(cause, sentence, predicted)
    return _swapped_components(suspect) or _other_input(suspect)


def _reorderings(shape: tuple[int, ...]) -> Iterator[tuple[str, str, Indices]]:
    """Ways to put all components elsewhere: what it is called, how it is said, where each one comes
    from.
    """
    count = math.prod(shape)
    places = np.arange(count).reshape(shape)
    if len(shape) > 1 and min(shape[-2:]) > 1:
        yield (
            "transposed",
            "the components are those of the transposed gradient",
            np.ravel(places.swapaxes(-1, -2)),
        )
    if count > 2:
        for by in sorted(range(1, count), key=lambda by: min(by, count - by))[:MOST_ROLLS]:
            yield (
                "rolled",
                f"the components are rolled by {_shortest_roll(by, count)}",
                np.roll(places.ravel(), by),
            )
    for axis, length in enumerate(shape if len(shape) > 1 else ()):
        for by in sorted(range(1, length), key=lambda by: min(by, length - by))[:MOST_ROLLS]:
            sentence = (
                f"the components are rolled by {_shortest_roll(by, length)} along axis {axis}"
            )
            yield "rolled", sentence, np.roll(places, by, axis).ravel()
    if count > 2:
        yield "components swapped", "the components come in reverse order", places.ravel()[::-1]


def _shortest_roll(by: int, length: int) -> int:
    return by if by <= length - by else by - length


def _swapped_components(suspect: Suspect) -> Mistake | None:
    """What disagrees has the right numbers at each other's places."""
    wrong = np.flatnonzero(suspect.disagreeing & suspect.known)
    if len(wrong) < 2:
        return None
    exact, stated = (
        suspect.centre[wrong],
        np.array([float(suspect.stated[place].mid()) for place in wrong]),
    )
    order = np.arange(suspect.part.verdicts.stated.size)
    order[wrong[np.argsort(stated, kind="stable")]] = wrong[np.argsort(exact, kind="stable")]
    predicted = suspect.exact[order]
    if not suspect.fits(predicted, suspect.allowed[order]):
        return None
    if len(wrong) == 2:
        sentence = (
            f"{suspect.element_name(wrong[0])} and {suspect.element_name(wrong[1])} are swapped"
        )
    else:
        sentence = f"{len(wrong)} components stand at each other's places"
    return Mistake("components swapped", sentence, predicted)


def _other_input(suspect: Suspect) -> Mistake | None:
    """The gradient by another input in its place."""
    for other in suspect.others:
        alike = (
            other.quantity == suspect.part.quantity != "second"
            and other.shape == suspect.part.shape
        )
        wrong, place = other.outcome is Outcome.DISAGREES, suspect.place_of(other)
        if alike and wrong and suspect.measured is not None and place is not None:
            predicted = np.ravel(suspect.measured.exact[place])
            if suspect.fits(predicted, other.verdicts.allowed):
                sentence = (
                    f"it is the gradient by {other.name}: the two may be returned in the wrong "
                    "order"
                )
                return Mistake("components swapped", sentence, predicted)
    return None
