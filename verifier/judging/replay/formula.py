"""Formula replay: whether the code's own graph gives the exact gradient in exact arithmetic.

Rounding plays no part here, so that a right backward agrees to dozens of digits. Rounded decimals
in the code are granted half a unit of their last digit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

import numpy as np
from flint import arb

from verifier.judging.compared_programs import ComparedPrograms
from verifier.judging.examination import Replayed
from verifier.judging.kinks.hull import reach_of
from verifier.judging.replay.joint import JointReplay
from verifier.judging.replay.other_branches import other_branches
from verifier.operations.arrays import Array, Balls, Truths
from verifier.operations.formats import FLOAT32, FLOAT64, Format
from verifier.program.builder import Builder
from verifier.program.evaluation.arithmetic import middle, radius
from verifier.program.evaluation.balls import SHORT_DIGITS, BallArithmetic, replay
from verifier.program.evaluation.term_sizes import term_sizes
from verifier.program.program import CONSTANT, Node

MOST_DIGITS = 77.0
"""What 256 bits hold."""
TABLE_SIZE = 64
"""Arrays of more numbers are data, which nobody typed."""
_ROUNDINGS = 16
"""That many constants may be off at once."""
NAMED = 16
"""Of at most so many literals those are named that make the difference, of more all."""

Wrong = list[Truths]
"""For each array of statements where their formulas do not replay."""


@dataclass(frozen=True, eq=False)
class FormulaReplay:
    """Whether everything replays, and where not."""

    summary: Replayed
    wrong: Wrong
    """With rounded decimals granted, and float32 numbers as such."""
    unexplained: Wrong
    """Without taking a constant for a float32 number, which makes the formula right and the numbers
    not.
    """
    unbounded: Wrong
    """Where it replays in another branch than the code took, rounding decides between the two, and
    nothing bounds what the other one may state.
    """


def formula_replay(pair: ComparedPrograms, found: JointReplay) -> FormulaReplay:
    """How the code's formulas compare with the exact ones."""
    trial = _Trial(pair, found)
    unexplained, literals = trial.granted(trial.wrong(()), trial.wrong)
    wrong, narrow = trial.granted(unexplained, trial.wrong_as_float32)
    branches = other_branches(pair, found, wrong)
    near, unbounded = branches.near, branches.unbounded
    unexplained, wrong = (_without(_without(one, near), unbounded) for one in (unexplained, wrong))
    names = _names_with(pair, wrong)
    numbers = _numbers(pair.builder, literals)
    floats = tuple(number for number in _numbers(pair.builder, narrow) if FLOAT32.holds(number))
    digits = _least_digits(pair, found)
    summary = Replayed(digits, numbers, names, floats, _names_with(pair, near))
    return FormulaReplay(summary, wrong, unexplained, unbounded)


@dataclass(frozen=True, eq=False)
class _Trial:
    """The code's graph with some of its literals taken for rounded decimals."""

    pair: ComparedPrograms
    found: JointReplay

    def wrong(self, granted: Iterable[int]) -> Wrong:
        """Where the formula does not replay with these literals granted half a unit of their last
        digit.
        """
        return self._wrong(granted, narrowed=False)

    def wrong_as_float32(self, granted: Iterable[int]) -> Wrong:
        """The same, with half an ulp of float32 for those that are numbers of it."""
        return self._wrong(granted, narrowed=True)

    def _wrong(self, granted: Iterable[int], *, narrowed: bool) -> Wrong:
        """Constants of float64 that are off by a rounding explain no more than some roundings."""
        granted = frozenset(granted)
        wide = {index for index in granted if self.pair.tables.get(index) is FLOAT64}
        found = self._replayed(granted, narrowed=narrowed)
        if not wide:
            return found
        without = self._replayed(granted - wide, narrowed=narrowed)
        return [
            one & (other | far) for one, other, far in zip(without, found, self._far, strict=True)
        ]

    @cached_property
    def _far(self) -> Wrong:
        """Where the code's graph is further from the exact value than by some roundings of an
        array's largest number to float64.
        """
        apart = _differences(self.found.code, self.found.exact)
        limit = _ROUNDINGS * FLOAT64.unit_roundoff
        return [
            np.abs(middle(one)) > limit * _largest(exact)
            for one, exact in zip(apart, self.found.exact, strict=True)
        ]

    def _replayed(self, granted: frozenset[int], *, narrowed: bool) -> Wrong:
        places = frozenset(self.pair.places[index] for index in granted)
        tables = {
            self.pair.places[index]: width
            for index, width in self.pair.tables.items()
            if index in granted
        }
        code = self.found.code
        if places:
            arithmetic = BallArithmetic(
                self.found.decisions, places - tables.keys(), narrowed, rounded=tables
            )
            code = replay(self.found.program, self.pair.given, arithmetic)[: len(code)]
        return [
            _excludes_zero(difference) & ~kink
            for difference, kink in zip(
                _differences(code, self.found.exact), self.found.kinks.masks, strict=True
            )
        ]

    def granted(
        self, wrong: Wrong, wrong_with: Callable[[Iterable[int]], Wrong]
    ) -> tuple[Wrong, set[int]]:
        """What is still wrong with literals granted, and which of them make the difference."""
        literals = set(self.pair.literals | self.pair.tables.keys())
        if not literals or not any(part.any() for part in wrong):
            return wrong, set()
        granted = wrong_with(literals)
        if _same(wrong, granted):
            return wrong, set()
        return granted, _needed(literals, lambda chosen: _same(wrong_with(chosen), granted))


def _names_with(pair: ComparedPrograms, found: Wrong) -> tuple[str, ...]:
    labels = zip(pair.point.labels, found, strict=True)
    return tuple(name for (name, _), part in labels if part.any())


def _without(wrong: Wrong, near: Wrong) -> Wrong:
    return [part & ~one for part, one in zip(wrong, near, strict=True)]


def _numbers(builder: Builder, literals: Iterable[int]) -> tuple[float, ...]:
    numbers = [builder[index].array for index in literals]
    return tuple(sorted({float(one) for array in numbers for one in np.ravel(array)}))


def _least_digits(pair: ComparedPrograms, found: JointReplay) -> float:
    """To how many digits all statements agree with the exact ones; NaN where nothing is known."""
    terms = term_sizes(pair.exact_program, pair.given)
    sizes = [float(np.max(size, where=np.isfinite(size), initial=0.0)) for size in terms]
    differences = _differences(found.code, found.exact)
    digits = [
        _digits(*columns)
        for columns in zip(differences, found.exact, found.kinks.masks, sizes, strict=True)
    ]
    return min((number for number in digits if not math.isnan(number)), default=math.nan)


def _differences(code: Sequence[Balls], exact: Sequence[Balls]) -> list[Balls]:
    return [np.asarray(np.subtract(one, other)) for one, other in zip(code, exact, strict=True)]


def rounded_constants(builder: Builder, code: Sequence[int], forward: Sequence[int]) -> set[int]:
    """The constants that may be rounded decimals among the nodes `code` of `builder` and those
    below them, without the constants that define the nodes `forward`. The constants are returned as
    places in the builder.
    """
    reached, defining = builder.places_in(*code), builder.places_in(*forward)
    return {
        index for index in reached if index not in defining and _is_rounded(builder[index].number)
    }


def rounded_tables(
    builder: Builder, code: Sequence[int], forward: Sequence[int], lowest: Format
) -> dict[int, Format]:
    """The constants of some nodes that may be off by one rounding, with its format: numbers that
    define them (a forward) too, which the backward may have for another reason, as Python rounds
    them, and arrays of short decimals, which are rounded to `lowest`.
    """
    reached, defining = builder.places_in(*code), builder.places_in(*forward)
    shared = reached.keys() & defining.keys()
    arrays = {index for index in reached.keys() - shared if builder[index].number is None}
    chosen = [
        *((index, FLOAT64) for index in shared),
        *((index, builder[index].format or lowest) for index in arrays),
    ]
    return {index: width for index, width in chosen if _is_short(builder[index], width)}


def _is_short(node: Node, format: Format) -> bool:
    """Whether a constant is a decimal, or an array of some, that somebody wrote: of few digits in
    its format.
    """
    if node.operation != CONSTANT or node.array.dtype == bool or node.array.size > TABLE_SIZE:
        return False
    numbers = node.array.ravel()
    return any(map(_is_rounded, numbers.tolist())) and all(
        len(Decimal(_shortest(number, format)).as_tuple().digits) < SHORT_DIGITS
        for number in numbers
        if math.isfinite(number)
    )


def _shortest(number: float, format: Format) -> str:
    """The shortest decimal that a format rounds to that number; 16 bits have few anyway."""
    narrow = format.precision <= FLOAT32.precision
    return str(np.float32(number) if narrow else np.float64(number))


def _is_rounded(number: float | None) -> bool:
    """Whether a constant is no short binary number, so that it may stand for one that is not a
    float.
    """
    return (
        number is not None
        and math.isfinite(number)
        and math.frexp(number)[0] * 2.0**11 % 1.0 != 0.0
    )


def _same(some: Sequence[Array], others: Sequence[Array]) -> bool:
    return all(np.array_equal(one, other) for one, other in zip(some, others, strict=True))


def _needed(literals: set[int], suffice: Callable[[set[int]], bool]) -> set[int]:
    """The literals without those that can be left out; of very many all."""
    needed = set(literals)
    for index in sorted(literals) if len(literals) <= NAMED else ():
        if suffice(needed - {index}):
            needed.remove(index)
    return needed


def _largest(balls: Balls) -> float:
    sizes = np.abs(middle(balls)) if balls.size else np.zeros(1)
    return float(np.nanmax(np.where(np.isfinite(sizes), sizes, 0.0), initial=0.0))


def _excludes_zero(difference: Balls) -> Truths:
    """Where two balls are proved to be different numbers; NaN proves nothing."""
    return np.asarray(np.not_equal(difference, arb(0)), dtype=bool) & np.isfinite(
        radius(difference)
    )


def _are_same(difference: Balls) -> Truths:
    """Where two balls are not proved to be different numbers, and are known."""
    return np.isfinite(radius(difference)) & ~_excludes_zero(difference)


def _digits(difference: Balls, exact: Balls, kink: Truths, terms: float) -> float:
    """Agreeing digits of the largest difference, against the largest entry; NaN where nothing is
    known.

    Where every entry may be 0, they are measured against the terms that cancel.
    """
    known = np.isfinite(radius(difference)) & ~kink
    if not known.any():
        return math.nan
    size = _largest(exact) if _excludes_zero(exact).any() else terms
    # Relative to the size as balls: a difference may be smaller than any float64.
    worst = float(np.max(reach_of(difference / arb(size or 1.0), _ZERO), where=known, initial=0.0))
    if size == 0:
        return MOST_DIGITS if worst < 1e-300 else 0.0
    return max(0.0, min(MOST_DIGITS, -math.log10(max(worst, 10.0**-MOST_DIGITS))))


_ZERO = arb(0)
