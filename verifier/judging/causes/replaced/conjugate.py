"""The missing conjugate: a backward on complex numbers with the derivative in the place of its
conjugate.
"""

from __future__ import annotations

from collections.abc import Iterator

from verifier.judging.causes.rule import Mistake
from verifier.judging.causes.suspect import Suspect
from verifier.judging.examination import Part
from verifier.judging.verdict import Outcome
from verifier.program.evaluation.arithmetic import precision
from verifier.program.evaluation.balls import LAST_BITS

REAL, IMAG = ".real", ".imag"
MOST_SEEDS = 8
"""Of more results it is not tried which of them are imaginary parts."""


def explain_missing_conjugate(suspect: Suspect) -> Mistake | None:
    """The gradient by a part of a complex input, with the derivative in the place of its conjugate.

    The right gradient of a holomorphic function is conj(f'(z)) times what comes in, g; without the
    conjugate it is f'(z) g, which is the conjugate of the right one for conj(g).
    """
    part, point = suspect.part, suspect.point
    is_part = part.quantity == "reverse" and part.name.endswith((REAL, IMAG))
    if point is None or not is_part:
        return None
    name = part.name.removesuffix(REAL).removesuffix(IMAG)
    sign = -1 if part.name.endswith(IMAG) else 1
    for turned in _imaginary_seeds(suspect.seeds()):
        if not turned and (sign > 0 or _is_wrong(suspect.others, f"{name}{REAL}")):
            continue
        arguments = {seed: -point.arguments[seed] for seed in turned}
        with precision(LAST_BITS):
            predicted = sign * suspect.exact_at(point, arguments)
        if suspect.fits(predicted):
            sentence = (
                f"a conj() is missing: the gradient by {name} is taken with the derivative in the "
                "place of its conjugate"
            )
            return Mistake("conjugate missing", sentence, predicted)
    return None


def _imaginary_seeds(names: list[str]) -> Iterator[list[str]]:
    """What may multiply the imaginary parts of results: nothing where they are real, every other
    one where they are complex, or a single one.
    """
    yield []
    if 1 < len(names) <= MOST_SEEDS:
        yield names[1::2]
        yield from ([name] for name in names if len(names) > 2)


def _is_wrong(parts: tuple[Part, ...], name: str) -> bool:
    return any(part.name == name and part.outcome is Outcome.DISAGREES for part in parts)
