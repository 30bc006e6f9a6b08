"""Mistakes of place: the exact components, but not where they belong."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from verifier.judging.causes.rule import Found
from verifier.judging.causes.suspect import Told
from verifier.judging.verdict import Outcome

MOST_ROLLS = 64
"""Components are rolled by the smallest distances, so many of them."""


def misplaced(told: Told) -> Found | None:
    """The components transposed, rolled or swapped, or those of another gradient."""
    if int(told.known.sum()) > 1:
        for cause, sentence, order in _orders(told.part.shape):
            told.go_on()
            if not told.screened(told.centre[order], told.allowed[order]):
                continue
            predicted = told.exact[order]
            if told.fits(predicted, told.allowed[order]):
                return Found(cause, sentence, predicted)
    return _swapped(told) or _exchanged(told)


def _orders(shape: tuple[int, ...]) -> Iterator[tuple[str, str, Any]]:
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
                f"the components are rolled by {_signed(by, count)}",
                np.roll(places.ravel(), by),
            )
    for axis, length in enumerate(shape if len(shape) > 1 else ()):
        for by in sorted(range(1, length), key=lambda by: min(by, length - by))[:MOST_ROLLS]:
            told = f"the components are rolled by {_signed(by, length)} along axis {axis}"
            yield "rolled", told, np.roll(places, by, axis).ravel()
    if count > 2:
        yield "components swapped", "the components come in reverse order", places.ravel()[::-1]


def _signed(by: int, length: int) -> int:
    return by if by <= length - by else by - length


def _swapped(told: Told) -> Found | None:
    """What disagrees has the right numbers at each other's places."""
    wrong = np.flatnonzero(told.disagreeing & told.known)
    if len(wrong) < 2:
        return None
    exact, stated = (
        told.centre[wrong],
        np.array([float(told.stated[place].mid()) for place in wrong]),
    )
    order = np.arange(told.part.verdicts.stated.size)
    order[wrong[np.argsort(stated, kind="stable")]] = wrong[np.argsort(exact, kind="stable")]
    predicted = told.exact[order]
    if not told.fits(predicted, told.allowed[order]):
        return None
    if len(wrong) == 2:
        sentence = f"{told.named(wrong[0])} and {told.named(wrong[1])} are swapped"
    else:
        sentence = f"{len(wrong)} components stand at each other's places"
    return Found("components swapped", sentence, predicted)


def _exchanged(told: Told) -> Found | None:
    """The gradient by another input in its place."""
    for other in told.others:
        alike = other.quantity == told.part.quantity != "second" and other.shape == told.part.shape
        wrong, place = other.outcome is Outcome.DISAGREES, told.place_of(other)
        if alike and wrong and told.measured is not None and place is not None:
            predicted = np.ravel(told.measured.exact[place])
            if told.fits(predicted, other.verdicts.allowed):
                sentence = (
                    f"it is the gradient by {other.name}: the two may be returned in the wrong "
                    "order"
                )
                return Found("components swapped", sentence, predicted)
    return None
