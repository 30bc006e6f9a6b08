"""Causes on trial: each kind of mistake is planted in random formulas, and is it the one that is
named?

Honest code and mistakes for which there is no rule are tried as well: nothing may be named there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from verifier.errors import InputError
from verifier.judging.causes import find_causes
from verifier.judging.finding import Finding
from verifier.judging.verdict import Outcome
from verifier.testing.mutants import MistakeKind
from verifier.testing.mutation_operators import HONEST
from verifier.testing.random_formulas import Generator

DTYPES = ("float64", "float32")
TRIES = 60
"""Formulas drawn until one is found in which the mistake is one and is found."""


@dataclass(frozen=True)
class CauseResult:
    """A mistake in a random formula, and what was named."""

    planted: str
    """The cause's name; empty where nothing may be named."""
    kind: str
    """What exactly was done."""
    formula: str
    dtype: str
    named: tuple[str, ...]

    @property
    def is_right(self) -> bool:
        """Whether what is there is named, or where there is nothing, nothing."""
        return self.planted in self.named if self.planted else not self.named

    @property
    def wrongly(self) -> tuple[str, ...]:
        """What is named though it is not there."""
        return tuple(name for name in self.named if name != self.planted)


def try_causes(mistake: MistakeKind, numbers: Iterable[int], seed: int) -> Iterator[CauseResult]:
    """A random formula with the mistake for each number, the dtypes in turn."""
    for number in numbers:
        dtype = DTYPES[number % len(DTYPES)]
        for turn in range(TRIES):
            generator = np.random.default_rng([seed, number, turn, *mistake.kind.encode()])
            found = _try_cause(mistake, generator, dtype)
            if found is not None:
                yield found
                break


def _try_cause(mistake: MistakeKind, generator: Generator, dtype: str) -> CauseResult | None:
    """What is named; None where there is no mistake or the judge did not find it."""
    mutant = mistake.done(generator, dtype)
    if mutant is None:
        return None
    try:
        before = () if mutant.before is None else mutant.examine(mutant.before).parts
        found = mutant.examine(mutant.inputs)
    except InputError:
        return None
    if found.outcome is not Outcome.DISAGREES and mistake.kind != HONEST:
        return None
    finding = Finding("reverse", mutant.dtype, parts=found.parts, examination=found)
    named = tuple(dict.fromkeys(cause.cause for cause in find_causes(finding, before).causes))
    return CauseResult(mistake.cause, mistake.kind, mutant.seeded.text, mutant.dtype, named)
