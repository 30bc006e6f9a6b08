"""grad_output replaced: the backward changes it first, or each component has only that of its own
result.
"""

from __future__ import annotations

import math

import numpy as np

from verifier.capture.code_at_point import TANGENT
from verifier.judging.causes.cut_path import MOST_ELEMENTS, is_condition
from verifier.judging.causes.describe_term import short_text
from verifier.judging.causes.rule import Mistake
from verifier.judging.causes.suspect import Suspect
from verifier.judging.conditioning import Point
from verifier.operations.arrays import Floats
from verifier.program.evaluation.arithmetic import balls, precision
from verifier.program.evaluation.balls import LAST_BITS
from verifier.program.evaluation.batches import BatchArithmetic
from verifier.program.program import CONSTANT, INPUT, RESHAPE, ROUND, Program, evaluate

MOST_CHANGED = 32
"""So many things that are made of grad_output are tried in its place."""
SEVERAL = 2
"""So many components at least are off by the same number, to name it."""
MOST_RESULTS = 64
"""Of more results it is not tried whether each component has only that of its own."""


def explain_changed_seed(suspect: Suspect) -> Mistake | None:
    """The exact gradient with something in the place of grad_output that the code makes of it."""
    coded, point = suspect.coded, suspect.point
    if coded is None or point is None or not suspect.is_own:
        return None
    for name in suspect.seeds():
        for text, numbers in _made_of(name, coded.point, np.shape(point.arguments[name])):
            predicted = suspect.exact_at(point, {name: numbers})
            if suspect.fits(predicted):
                sentence = f"it is the gradient with {text} in the place of {_name_of(name)}"
                return Mistake("grad_output changed", sentence, predicted)
    return None


def _name_of(seed: str) -> str:
    return "the tangent" if seed.startswith(TANGENT) else "grad_output"


def _made_of(name: str, point: Point, shape: tuple[int, ...]) -> list[tuple[str, Floats]]:
    """What a program makes of one of its inputs alone, of the shape of that, each with its text."""
    program = point.program
    if program.elements > MOST_ELEMENTS:
        return []
    places = _places_made_of(program, name, shape)[:MOST_CHANGED]
    given = {one: np.asarray(value)[None] for one, value in point.arguments.items()}
    found = evaluate(Program(program.nodes, tuple(places)), BatchArithmetic(), given)
    own, made = np.asarray(point.arguments[name]), []
    for place, numbers in zip(places, found, strict=True):
        changed = np.array(np.broadcast_to(numbers[0], shape))
        text = short_text(program, place)
        if text and np.isfinite(changed).all() and not np.array_equal(changed, own):
            made.append((text, changed))
    return made


_SCALING = frozenset({"multiply", "divide", "negative", RESHAPE, ROUND})
"""What these make of grad_output and a number is a factor."""


def _places_made_of(program: Program, name: str, shape: tuple[int, ...]) -> list[int]:
    seed = {
        place
        for place, node in enumerate(program.nodes)
        if node.operation == INPUT and node.payload == name
    }
    made, scaled = set(seed), set(seed)
    for place, node in enumerate(program.nodes):
        own = [one for one in node.arguments if program.nodes[one].operation != CONSTANT]
        if own and made.issuperset(own):
            made.add(place)
        if len(own) == 1 and scaled.issuperset(own) and node.operation in _SCALING:
            scaled.add(place)
    return [
        place
        for place in sorted(made - scaled)
        if not is_condition(program, place) and _broadcasts(program.nodes[place].shape, shape)
    ]


def _broadcasts(shape: tuple[int, ...], other: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(shape, other) == other
    except ValueError:
        return False


def explain_diagonal_alone(suspect: Suspect) -> Mistake | None:
    """Each component has what the result at its own place contributes, and nothing else."""
    point, names, shape = suspect.point, suspect.seeds(), suspect.part.shape
    count = math.prod(shape)
    if point is None or len(names) != 1 or not 1 < count <= MOST_RESULTS:
        return None
    seed = np.asarray(point.arguments[names[0]], dtype=np.float64)
    if seed.shape != shape or point.program.elements * count > MOST_ELEMENTS:
        return None
    alone = seed.reshape(-1) * np.eye(count)
    given = {name: np.asarray(value)[None] for name, value in point.arguments.items()}
    given[names[0]] = alone.reshape(count, *shape)
    (found,) = evaluate(point.program, BatchArithmetic(), given)
    rows = np.broadcast_to(found, (count, *shape)).reshape(count, count)
    if not suspect.is_possible(np.diagonal(rows)):
        return None
    with precision(LAST_BITS):
        predicted = np.array([
            suspect.exact_at(point, {names[0]: row.reshape(shape)})[place]
            for place, row in enumerate(alone)
        ])  # fmt: skip
    if not suspect.fits(predicted):
        return None
    sentence = (
        "each component has only what the result at its own place contributes: what it adds to the "
        "others is missing"
    )
    return Mistake("one term missing", sentence, predicted)


def explain_other_axis(suspect: Suspect) -> Mistake | None:
    """grad_output along another axis of the same length than the one that it belongs to."""
    point, names, shape = suspect.point, suspect.seeds(), suspect.part.shape
    if point is None or len(names) != 1 or np.ndim(point.arguments[names[0]]) != 1:
        return None
    seed = np.asarray(point.arguments[names[0]], dtype=np.float64)
    axes = [axis for axis, length in enumerate(shape) if length == seed.size > 1]
    if len(axes) < SEVERAL:
        return None
    alone = suspect.exact_at(point, {names[0]: np.ones_like(seed)}).reshape(shape)
    for axis in axes:
        along = seed.reshape([-1 if one == axis else 1 for one in range(len(shape))])
        with precision(LAST_BITS):
            predicted = np.ravel(alone * np.asarray(balls(np.broadcast_to(along, shape))))
        if suspect.fits(predicted):
            sentence = f"it is the gradient with {_name_of(names[0])} along axis {axis}"
            return Mistake("transposed", sentence, predicted)
    return None


def explain_extra_term(suspect: Suspect) -> Mistake | None:
    """The exact gradient with grad_output, or one number in several components, added to it."""
    point, shape = suspect.point, suspect.part.shape
    if point is None or suspect.part.quantity == "value":
        return None
    terms: list[tuple[str, Floats]] = [
        (_name_of(name), np.ravel(np.asarray(point.arguments[name], dtype=np.float64)))
        for name in suspect.seeds()
        if np.shape(point.arguments[name]) == shape
    ]
    for text, numbers in [*terms, *_number_added(suspect)]:
        with precision(LAST_BITS):
            predicted = suspect.exact + np.asarray(balls(numbers))
        if suspect.fits(predicted):
            return Mistake("extra term", f"{text} is added to the exact gradient", predicted)
    return None


def _number_added(suspect: Suspect) -> list[tuple[str, Floats]]:
    """The number by which components are off, where it is a simple one and several are."""
    wrong = np.flatnonzero(suspect.disagreeing & suspect.known)
    if wrong.size < SEVERAL:
        return []
    apart = float((suspect.stated_in_floats - suspect.centre)[wrong[0]])
    number = float(f"{apart:.3g}")
    return [(f"{number:g}", np.full(suspect.centre.shape, number))]
