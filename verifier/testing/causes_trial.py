"""Causes on trial: each kind of mistake is planted in random formulas, and is it the one that is
named?

Honest code and mistakes for which there is no rule are tried as well: nothing may be named there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from verifier.capture.code_at_point import REVERSE
from verifier.checking.edge_cases.domain import Domain
from verifier.checking.shrink.search import find_simplest
from verifier.checking.shrink.start import Start
from verifier.errors import InputError
from verifier.judging.causes import find_causes
from verifier.judging.conditioning import worst_place
from verifier.judging.examination import Part
from verifier.judging.finding import CheckCause, CheckPoint, Finding
from verifier.judging.verdict import Outcome
from verifier.operations.formats import CODE_FORMATS
from verifier.process.deadline import Deadline
from verifier.testing.mutants import MistakeKind, Mutant
from verifier.testing.mutation_operators import HONEST
from verifier.testing.random_formulas import Generator

DTYPES = ("float64", "float32")
ALIKE = 1e-5
"""Ratios of wrong gradients to right ones that differ by less, as a fraction, are the same."""
TRIES_TO_SIMPLIFY = 24
"""So many simpler points are tried in each formula."""
AROUND = 1000.0
"""Inputs of simpler points are no larger."""
HELD_WITHIN = 16.0
"""Units of roundoff within which a prediction is what was stated, beside what is allowed."""
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
    shown: tuple[str, ...] | None = None
    """What was named at the simplest point found; None where none was looked for."""
    holds: bool = True
    """Whether each prediction is what was stated, at the point that a report would show."""

    @property
    def is_right(self) -> bool:
        """Whether what is there is named, or where there is nothing, nothing."""
        return self.planted in self.named if self.planted else not self.named

    @property
    def holds_where_shown(self) -> bool:
        """Whether what is there is named at the simplest point too, and is true there."""
        return self.holds and (self.shown is None or self.planted in self.shown or not self.planted)

    @property
    def wrongly(self) -> tuple[str, ...]:
        """What is named though it is not there."""
        every = dict.fromkeys((*self.named, *(self.shown or ())))
        return tuple(name for name in every if name != self.planted)


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
        finding = _finding_at(mutant, mutant.inputs)
    except InputError:
        return None
    if finding.outcome is not Outcome.DISAGREES and mistake.kind != HONEST:
        return None
    if mistake.cause == "one term missing" and _is_scaled(finding.parts):
        return None
    causes = find_causes(finding, before).causes
    named = _names(causes)
    result = CauseResult(
        mistake.cause, mistake.kind, mutant.seeded.text, mutant.dtype, named,
        holds=_all_hold(finding, causes),
    )  # fmt: skip
    return result if mutant.before is not None or not named else _at_simplest(mutant, result)


def _is_scaled(parts: Sequence[Part]) -> bool:
    """Whether what is wrong is the right gradient times a number: no term is known to lack."""
    wrong = [part.verdicts for part in parts if part.outcome is Outcome.DISAGREES]
    with np.errstate(all="ignore"):
        ratios = [one.stated / one.centre for one in wrong]
    known = [ratio[np.isfinite(ratio)] for ratio in ratios]
    return all(one.size and np.ptp(one) <= ALIKE * np.max(np.abs(one)) for one in known)


def _finding_at(mutant: Mutant, inputs: Mapping[str, torch.Tensor]) -> Finding:
    examination = mutant.examine(dict(inputs))
    point = CheckPoint(1, "given", mutant.dtype, inputs)
    return Finding(REVERSE, mutant.dtype, point, examination.parts, examination=examination)


def _names(causes: Sequence[CheckCause]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(cause.cause for cause in causes))


def _at_simplest(mutant: Mutant, result: CauseResult) -> CauseResult:
    """The result with what is named at the point that a report would show."""
    first = _finding_at(mutant, mutant.inputs)
    start = Start.of(first, find_causes(first).causes)

    def fails(inputs: Mapping[str, torch.Tensor]) -> bool:
        return start.is_kept_by(_finding_at(mutant, inputs), Deadline.NEVER)

    domains = dict.fromkeys(mutant.inputs, Domain(-AROUND, AROUND))
    try:
        simplest = find_simplest(mutant.inputs, fails, domains, TRIES_TO_SIMPLIFY)
    except InputError:
        # Code that is wrong now and then need not fail again.
        return result
    finding = _finding_at(mutant, simplest)
    if not start.is_kept_by(finding, Deadline.NEVER):
        # Code that keeps something from run to run is wrong in another way now.
        return result
    causes = find_causes(finding).causes
    return replace(result, shown=_names(causes), holds=_all_hold(finding, causes))


def _all_hold(finding: Finding, causes: Sequence[CheckCause]) -> bool:
    """Whether each prediction is the number that was stated, where the error is largest."""
    parts = {part.name: part for part in finding.parts}
    return all(
        cause.predicted is None or _holds(parts[cause.component], cause.predicted)
        for cause in causes
    )


def _holds(part: Part, predicted: float) -> bool:
    """Asked anew of the numbers alone, whatever the rule that named the cause has compared."""
    place = worst_place(part.verdicts)
    stated, allowed = float(part.verdicts.stated[place]), float(part.verdicts.allowed[place])
    if not math.isfinite(stated) or not math.isfinite(predicted):
        return math.isfinite(stated) == math.isfinite(predicted)
    size = max(abs(stated), abs(predicted))
    rounding = CODE_FORMATS[part.dtype].unit_roundoff * size
    exact = abs(float(part.verdicts.centre[place]))
    scaled = allowed * max(1.0, size / exact if exact else 1.0)
    return abs(stated - predicted) <= scaled + HELD_WITHIN * rounding
