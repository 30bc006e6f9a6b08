"""Blame on trial: each kind of mistake is planted in random formulas, and is it the one that is
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
from verifier.testing.mutants import Deed
from verifier.testing.mutation_operators import HONEST
from verifier.testing.random_formulas import Generator

DTYPES = ("float64", "float32")
TRIES = 60
"""Formulas drawn until one is found in which the mistake is one and is found."""


@dataclass(frozen=True)
class Accused:
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


def trial(deed: Deed, numbers: Iterable[int], seed: int) -> Iterator[Accused]:
    """A random formula with the mistake for each number, the dtypes in turn."""
    for number in numbers:
        dtype = DTYPES[number % len(DTYPES)]
        for turn in range(TRIES):
            generator = np.random.default_rng([seed, number, turn, *deed.kind.encode()])
            found = _tried(deed, generator, dtype)
            if found is not None:
                yield found
                break


def _tried(deed: Deed, generator: Generator, dtype: str) -> Accused | None:
    """What is named; None where there is no mistake or the judge did not find it."""
    scene = deed.done(generator, dtype)
    if scene is None:
        return None
    try:
        before = () if scene.before is None else scene.examined(scene.before).parts
        found = scene.examined(scene.inputs)
    except InputError:
        return None
    if found.outcome is not Outcome.DISAGREES and deed.kind != HONEST:
        return None
    finding = Finding("reverse", scene.dtype, parts=found.parts, examination=found)
    named = tuple(dict.fromkeys(cause.cause for cause in find_causes(finding, before).causes))
    return Accused(deed.cause, deed.kind, scene.seeded.text, scene.dtype, named)
