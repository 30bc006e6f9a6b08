"""Code and formula are different functions: at best one that is reduced in another way."""

from __future__ import annotations

import math

from verifier.judging.causes.rule import Mistake
from verifier.judging.causes.suspect import Suspect


def explain_different_function(suspect: Suspect) -> Mistake | None:
    """Code and formula are different functions, by the value."""
    if (
        suspect.examination is None
        or suspect.examination.same_function
        or suspect.part.quantity != "value"
    ):
        return None
    return _other_reduction(suspect) or Mistake(
        "different functions", "code and formula are different functions"
    )


def _other_reduction(suspect: Suspect) -> Mistake | None:
    """A sum where the formula takes the mean, or the other way round."""
    counts = {
        count
        for shape in suspect.shapes().values()
        for count in (math.prod(shape), *shape)
        if count > 1
    }
    for count in sorted(counts, reverse=True):
        suspect.check_deadline()
        ways = (
            ("takes the sum", "the mean", float(count)),
            ("takes the mean", "the sum", 1.0 / count),
        )
        for code, formula, factor in ways:
            predicted = suspect.exact * count if factor > 1 else suspect.exact / count
            if suspect.fits(predicted, suspect.allowed * factor):
                sentence = f"the code {code} of {count}, the formula {formula}"
                return Mistake("wrong reduction", sentence, predicted)
    return None
