"""Examination: what is known of the gradients that code states at one point."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from verifier.capture.code_at_point import Statements
from verifier.capture.trace_events import Events
from verifier.judging.conditioning import Accuracy, Point, accuracy, lacks_digits
from verifier.judging.verdict import Case, Note, Outcome, Verdicts
from verifier.operations.arrays import Balls, Floats, Truths
from verifier.operations.formats import CODE_FORMATS
from verifier.program.evaluation.arithmetic import middle, precision
from verifier.program.evaluation.balls import LAST_BITS, BallArithmetic, replay


@dataclass(frozen=True)
class Replayed:
    """How the code's own graph came out in exact arithmetic."""

    digits: float
    """To how many digits all components agree with the exact ones, at least."""
    literals: tuple[float, ...] = ()
    """Rounded decimals in the code that have to be granted half a unit of their last digit for
    that.
    """
    wrong: tuple[str, ...] = ()
    """The components whose formula is wrong."""
    narrow: tuple[float, ...] = ()
    """Literals that are granted half an ulp of float32 for that, though they are used in a wider
    format.
    """
    approximated: tuple[str, ...] = ()
    """The components of which a branch has an approximation that is near enough."""


@dataclass(frozen=True)
class NotReplayed:
    """Why there is no graph to replay."""

    reason: str


@dataclass(frozen=True, eq=False)
class Part:
    """One array of statements, judged element by element."""

    name: str
    quantity: str
    """value, reverse or second."""
    dtype: str
    shape: tuple[int, ...]
    tier: str
    """How the allowance was found: proved or estimated."""
    verdicts: Verdicts
    """In the order of the flattened array."""
    wrong_formula: Truths
    """Where the formula does not replay."""
    case: Case = field(repr=False, compare=False)
    """What the statements were compared with."""

    def restated(self, stated: Floats) -> Part:
        """The verdicts on other statements of the same numbers: `stated` is a flat float64 array,
        and is compared with the same exact ones.
        """
        verdicts = replace(self.case, stated=stated).verdicts()
        return replace(self, verdicts=verdicts, wrong_formula=np.zeros(stated.shape, dtype=bool))

    @property
    def outcome(self) -> Outcome:
        """The worst of its numbers; agrees where it has none."""
        worst = int(self.verdicts.severity.max(initial=0))
        return tuple(Outcome)[worst]

    def relative_error(self, where: Truths | bool = True) -> float:
        """The largest error of what disagrees, as a fraction of the exact value; NaN where that
        is 0. `where` is a flat array of bool, or True for all of them.
        """
        chosen = (
            (self.verdicts.severity == Outcome.DISAGREES.severity)
            & where
            & (self.verdicts.centre != 0)
        )
        with np.errstate(all="ignore"):
            ratios = self.verdicts.error / np.abs(self.verdicts.centre)
        return float(np.max(ratios[chosen], initial=0.0)) if chosen.any() else math.nan

    def count(self, outcome: Outcome) -> int:
        """How many of its numbers have that `outcome`."""
        return int(np.sum(self.verdicts.severity == outcome.severity))


@dataclass(frozen=True, eq=False)
class Exact:
    """The exact results as a program, for what is asked of them besides their values."""

    point: Point
    exact: Sequence[Balls]

    def at(self, arguments: Mapping[str, Floats]) -> list[Floats]:
        """The exact results where some arguments are others, as float64 arrays; NaN where there is
        none.

        Arguments are float64 arrays under the names of `point.arguments`: the inputs, and what
        multiplies the results' derivatives.
        """
        with precision(LAST_BITS):
            changed = {**self.point.arguments, **arguments}
            return [
                middle(found) for found in replay(self.point.program, changed, BallArithmetic({}))
            ]

    @cached_property
    def moved(self) -> list[Floats]:
        """How far the exact results move with the inputs."""
        with precision(LAST_BITS):
            return [np.ravel(far) for far in self.point.moved(self.exact)]

    def accuracy(self, place: int, part: Part) -> Accuracy:
        """How many digits agree, and how many the point allows, for the array of statements at that
        place.
        """
        return accuracy(
            part.name,
            CODE_FORMATS[part.dtype],
            part.verdicts.centre,
            part.verdicts.error,
            self.moved[place],
        )

    def noted(self, parts: Sequence[Part]) -> list[Part]:
        """The parts with a note where they agree and more than half of the digits are gone
        needlessly.
        """
        return [self._noted(place, part) for place, part in enumerate(parts)]

    def _noted(self, place: int, part: Part) -> Part:
        verdicts = part.verdicts
        plain = (verdicts.severity == Outcome.AGREES.severity) & (verdicts.note == 0)
        lacking = lacks_digits(CODE_FORMATS[part.dtype], verdicts.centre, verdicts.error)
        if not (plain & lacking).any():
            return part
        needless = plain & self.accuracy(place, part).is_needless
        return replace(part, verdicts=verdicts.with_note(needless, Note.INACCURATE))


@dataclass(frozen=True, eq=False)
class Coded:
    """The code as it was run and read, for what is asked of its statements besides their
    numbers.
    """

    statements: Statements
    point: Point
    """Its statements as a program; where no graph could be read, those of its formula."""
    literals: frozenset[int]
    """The places of constants that may be rounded decimals."""


@dataclass(frozen=True, eq=False)
class Examination:
    """What is known of the code's gradients at one point."""

    parts: tuple[Part, ...]
    formula: Replayed | NotReplayed
    operations: tuple[str, ...] = ()
    """The ATen operations of the joint graph, in order."""
    same_function: bool = True
    """Whether the code's value is that of the formula that was given."""
    detached: tuple[str, ...] = ()
    """Where the code takes values out of autograd, a phrase for each place."""
    events: Events = field(default_factory=Events, repr=False, compare=False)
    """What Python took out of tensors, and what was drawn."""
    lost_range: str = ""
    """Which operation of the forward leaves the range of its format, where that decides nothing."""
    exact: Exact | None = field(default=None, repr=False, compare=False)
    specified: Exact | None = field(default=None, repr=False, compare=False)
    """The results of the formula that was given, where the code is another function."""
    coded: Coded | None = field(default=None, repr=False, compare=False)

    @property
    def causes(self) -> tuple[str, ...]:
        """Why statements disagree, where the replay tells it: a sentence for each part, with its
        size.
        """
        return tuple(
            sentence
            for part in self.parts
            if part.outcome is Outcome.DISAGREES
            for sentence in self._causes(part)
        )

    def _causes(self, part: Part) -> Iterator[str]:
        if not self.same_function and part.quantity == "value":
            yield f"{part.name}: code and formula are different functions"
        elif part.wrong_formula.any():
            yield (
                f"{part.name}: the formula is wrong, by "
                f"{part.relative_error(part.wrong_formula):.0e} at most"
            )
        elif isinstance(self.formula, Replayed):
            constants = ", ".join(
                f"{number!r}, a number of float32" for number in self.formula.narrow
            )
            text = f", which has {constants}," if constants else ""
            yield (
                f"{part.name}: the formula replays, the kernel{text} is off by "
                f"{part.relative_error():.0e}"
            )

    @cached_property
    def accuracy(self) -> dict[str, Accuracy]:
        """By part, the digits that agree and those that the point itself allows; costs some
        replays.
        """
        if self.exact is None:
            return {}
        return {
            part.name: self.exact.accuracy(place, part) for place, part in enumerate(self.parts)
        }

    @property
    def outcome(self) -> Outcome:
        """The worst of its arrays of statements; undecided where there are none."""
        return max(
            (part.outcome for part in self.parts),
            key=lambda outcome: outcome.severity,
            default=Outcome.UNDECIDED,
        )

    def __getitem__(self, name: str) -> Part:
        return next(part for part in self.parts if part.name == name)
