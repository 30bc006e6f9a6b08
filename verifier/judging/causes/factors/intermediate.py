"""A factor that is no constant: an input, or something computed on the way, is missing from the
gradient, or is there once too often.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from verifier.capture.code_at_point import SEED, TANGENT
from verifier.judging.causes.describe_term import short_text
from verifier.judging.causes.replays import replay_results
from verifier.judging.causes.rule import Mistake
from verifier.judging.causes.suspect import Suspect
from verifier.judging.conditioning import Point
from verifier.operations.arrays import Balls, Floats
from verifier.program.evaluation.arithmetic import balls, middle, precision
from verifier.program.evaluation.balls import LAST_BITS
from verifier.program.program import CONSTANT, INPUT, Program

MOST_NODES = 1_000
"""Programs of more nodes are not searched."""
DISTINCT = 1e-3
"""A factor has sizes that differ by more than this part, or it is a constant of this point."""


@dataclass(frozen=True, eq=False)
class _Factor:
    """Something that the gradient may be multiplied by."""

    text: str
    values: Balls
    """As many as the gradient has numbers."""


def explain_missing_factor(suspect: Suspect) -> Mistake | None:
    """The exact gradient divided by a factor, or multiplied by it."""
    point = suspect.point
    if point is None or suspect.part.quantity == "value" or not suspect.disagreeing.any():
        return None
    if len(point.program.nodes) > MOST_NODES:
        return None
    with precision(LAST_BITS):
        for factor in _factors(suspect, point):
            suspect.check_deadline()
            without = _divided(suspect, factor)
            if suspect.fits(without, _allowed(suspect, without)):
                sentence = f"the factor {factor.text} is missing"
                return Mistake("missing factor", sentence, without)
            twice = suspect.exact * factor.values
            if suspect.fits(twice, _allowed(suspect, twice)):
                sentence = f"there is a factor {factor.text} too many"
                return Mistake("extra factor", sentence, twice)
    return None


def _divided(suspect: Suspect, factor: _Factor) -> Balls:
    """The exact numbers without a factor; where that is 0 nobody knows what they would be."""
    zero = middle(factor.values) == 0
    divided = suspect.exact / np.where(zero, 1, factor.values)
    return np.where(zero & (suspect.centre == 0), suspect.stated, divided)


def _allowed(suspect: Suspect, predicted: Balls) -> Floats:
    """What rounding allows the exact numbers, carried over to others."""
    with np.errstate(all="ignore"):
        carried = suspect.allowed * np.abs(middle(predicted) / suspect.centre)
    return np.where(np.isfinite(carried), carried, 0.0)


def _factors(suspect: Suspect, point: Point) -> Iterator[_Factor]:
    """What is computed for the gradient, inputs first, with other sizes in other places."""
    program, shape = point.program, suspect.part.shape
    places = [place for place in _own_places(program) if _fits(program.nodes[place].shape, shape)]
    texts = {place: text for place in places if (text := short_text(program, place))}
    found = replay_results(replace(point, program=Program(program.nodes, tuple(texts))), None)
    for text, values in [
        *zip(texts.values(), found, strict=True),
        *_inputs_not_used(point, shape),
    ]:
        flat = np.ravel(np.broadcast_to(values, shape))
        if _is_factor(suspect, middle(flat)):
            yield _Factor(text, flat)


def _inputs_not_used(point: Point, shape: tuple[int, ...]) -> Iterator[tuple[str, Balls]]:
    """The inputs that the exact gradient does not depend on, which can only be there too often."""
    for name, numbers in point.arguments.items():
        is_other = name in point.program.inputs or name.startswith((SEED, TANGENT))
        if not is_other and _fits(np.shape(numbers), shape):
            yield name, np.asarray(balls(np.asarray(numbers, dtype=np.float64)))


def _own_places(program: Program) -> list[int]:
    """The inputs, then what is made of them: no conditions, and nothing that grad_output or a
    tangent is part of.
    """
    derived: set[int] = set()
    for place, node in enumerate(program.nodes):
        is_seed = node.operation == INPUT and str(node.payload).startswith((SEED, TANGENT))
        if is_seed or not derived.isdisjoint(node.arguments):
            derived.add(place)
    own = [
        place
        for place, node in enumerate(program.nodes)
        if place not in derived and node.operation != CONSTANT and not program.truths[place]
    ]
    return sorted(own, key=lambda place: program.nodes[place].operation != INPUT)


def _fits(shape: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether an array of one shape multiplies each element of one of the other shape."""
    try:
        return np.broadcast_shapes(shape, other) == tuple(other)
    except ValueError:
        return False


def _is_factor(suspect: Suspect, values: Floats) -> bool:
    """Whether it is no constant where the gradient is wrong."""
    sizes = np.abs(values[suspect.known & suspect.disagreeing])
    sizes = sizes[np.isfinite(sizes)]
    return bool(sizes.size and sizes.max() > (1.0 + DISTINCT) * sizes.min())
