"""Arguments replaced: the gradient for other numbers than those at which the code was run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from verifier.capture.code_at_point import SEED, TANGENT
from verifier.judging.causes.rule import Mistake
from verifier.judging.causes.suspect import Suspect
from verifier.operations.arrays import Floats


def explain_transposed_argument(suspect: Suspect) -> Mistake | None:
    """The exact gradient with a square matrix of the inputs, or grad_output, transposed."""
    point = suspect.point
    if point is None or suspect.part.quantity == "value":
        return None
    for name, numbers in _square_arguments(point.arguments):
        predicted = suspect.exact_at(point, {name: numbers.swapaxes(-1, -2)})
        if suspect.fits(predicted):
            text = "grad_output" if name.startswith(SEED) else name
            sentence = f"it is the gradient with {text} transposed"
            return Mistake("transposed", sentence, predicted)
    return None


def _square_arguments(arguments: Mapping[str, Floats]) -> Iterator[tuple[str, Floats]]:
    for name, value in arguments.items():
        numbers = np.asarray(value)
        if (
            not name.startswith(TANGENT)
            and numbers.ndim > 1
            and numbers.shape[-1] == numbers.shape[-2] > 1
        ):
            yield name, numbers


def explain_other_arguments(suspect: Suspect) -> Mistake | None:
    """The exact gradient at arguments that the circumstances of the check put in their place."""
    point = suspect.point
    if point is None:
        return None
    for other in suspect.circumstance.others:
        changed = {
            name: np.asarray(numbers, dtype=np.float64).reshape(np.shape(point.arguments[name]))
            for name, numbers in other.arguments.items()
            if name in point.arguments
        }
        if not changed:
            continue
        predicted = suspect.exact_at(point, changed)
        if suspect.fits(predicted):
            return Mistake(other.cause, f"it is the {suspect.noun} {other.text}", predicted)
    return None
