"""Code and formula are different functions: at best one that is reduced in another way."""

from __future__ import annotations

import math

from verifier.judging.causes.rule import Found
from verifier.judging.causes.suspect import Told


def different(told: Told) -> Found | None:
    """The value is not the formula's."""
    if told.examination is None or told.examination.same_function or told.part.quantity != "value":
        return None
    return _reduction(told) or Found(
        "different functions", "code and formula are different functions"
    )


def _reduction(told: Told) -> Found | None:
    """A sum where the formula takes the mean, or the other way round."""
    counts = {
        count
        for shape in told.shapes().values()
        for count in (math.prod(shape), *shape)
        if count > 1
    }
    for count in sorted(counts, reverse=True):
        told.go_on()
        ways = (
            ("takes the sum", "the mean", float(count)),
            ("takes the mean", "the sum", 1.0 / count),
        )
        for code, formula, factor in ways:
            predicted = told.exact * count if factor > 1 else told.exact / count
            if told.fits(predicted, told.allowed * factor):
                sentence = f"the code {code} of {count}, the formula {formula}"
                return Found("wrong reduction", sentence, predicted)
    return None
