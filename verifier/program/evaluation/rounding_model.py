"""The rounding model: how far one operation of a floating-point format may be from the exact one.

fl(a op b) = (a op b)(1 + d) + e with |d| at most the unit roundoff, and |e| at most half the
smallest subnormal (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 2.2;
the row's budget in ulps where an operation is not correctly rounded). Sums are bounded for every
order of their terms (the same book, section 4.2).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from flint import arb

from verifier.operations.arrays import Balls, Truths
from verifier.operations.formats import Format
from verifier.operations.operation import Call, Operation
from verifier.operations.table import REDUCTIONS
from verifier.program.evaluation.arithmetic import middle
from verifier.program.evaluation.balls import as_objects

_REDUCTIONS = frozenset(row.name for row in REDUCTIONS)
_DOUBLE_ROUNDING = 1.0 + 2.0**-10
"""Constants are worked out in Python's float64 and rounded again, a little more than half an
ulp.
"""


@dataclass(frozen=True)
class RoundingModel:
    """Widens balls of exact results by what a format may lose."""

    format: Format
    library: str
    """Whose budgets hold: torch or numpy."""

    @property
    def spread(self) -> arb:
        """The ball around 0 of one rounding's relative error."""
        return arb(0, self.format.unit_roundoff * _DOUBLE_ROUNDING)

    def constant(self, value: int | float) -> arb:
        """A number as the format has it."""
        exact = arb(value)
        if exact == float(value) and self.format.holds(float(value)):
            return exact
        return exact * (arb(1) + self.spread)

    def result(self, operation: Operation, exact: Balls, arguments: Sequence[Balls]) -> Balls:
        """The exact results of an operation widened by its rounding, underflow and overflow."""
        if operation.budget.of(self.library) == 0.0:
            return exact
        return self._ranged(self._widened(operation, exact, arguments), operation)

    def reduction(self, operation: Operation, rows: Balls) -> Balls:
        """A sum over rows: n - 1 additions, each wrong by at most the unit roundoff of the sum of
        the sizes; a mean divides once.
        """
        spread = self.spread * (rows.shape[-1] - 1)
        result = operation.arb(rows) + spread * operation.arb(np.abs(rows))
        if operation.name == "mean":
            result = self._widened(operation, result, [rows])
        return self._ranged(result, operation)

    def order_free_sum(self, result: Balls, sizes: Balls) -> Balls:
        """A sum of two that is part of a longer one, whose terms' sizes add up to `sizes`."""
        return self._overflowed(result + self.spread * sizes)

    def total(self, totals: Balls, sizes: Balls, terms: int) -> Balls:
        """A sum of so many terms, some of which may be products: each of its additions is off by at
        most the unit roundoff of the sum of the sizes, and a product may underflow.
        """
        if terms < 2:
            return totals
        spread = arb(0, self.format.unit_roundoff * (terms - 1) * _DOUBLE_ROUNDING)
        widened = as_objects(totals + sizes * spread)
        lost = arb(0, self.format.smallest_subnormal * terms)
        nonzero = np.asarray(np.not_equal(sizes, arb(0)), dtype=bool)
        return self._overflowed(np.where(nonzero, widened + lost, widened))

    def _widened(self, operation: Operation, result: Balls, arguments: Sequence[Balls]) -> Balls:
        # An ulp is at most twice the unit roundoff of the number.
        ulps, size = 2.0 * operation.budget.of(self.library), operation.budget.size
        if size is not None:
            return np.asarray(result + self.spread * ulps * size(result, *arguments))
        # A radius has 30 bits: a product with 1 would round it once more.
        return np.asarray(result * (arb(1) + (self.spread if ulps == 1.0 else self.spread * ulps)))

    def _ranged(self, result: Balls, operation: Operation) -> Balls:
        """Add what underflow may lose; nothing is known where the format overflows."""
        loss = arb(0, 1) * self._lost(operation)
        small = np.abs(middle(result)) < self.format.smallest_normal
        return self._overflowed(_replaced(result, small, lambda ball: _underflowed(ball, loss)))

    def _lost(self, operation: Operation) -> arb:
        """What an underflow may lose: a library's function may give 0 for a number below the
        smallest normal one.
        """
        if isinstance(operation.torch, Call) and operation.name not in _REDUCTIONS:
            return arb(self.format.smallest_normal)
        # As a float64, half of its smallest subnormal would be 0.
        return (
            arb(self.format.smallest_subnormal)
            * operation.budget.of(self.library)
            * _DOUBLE_ROUNDING
        )

    def _overflowed(self, result: Balls) -> Balls:
        """Nothing is known where the format overflows."""
        large = ~(np.abs(middle(result)) < self.format.largest / 2)
        return _replaced(result, large, lambda _: arb("nan"))


@cache
def rounding_model(format: Format, library: str) -> RoundingModel:
    """The model of a format with the budgets of a library."""
    return RoundingModel(format, library)


def _replaced(balls: Balls, chosen: Truths, function: Callable[[arb], arb]) -> Balls:
    """The balls, with what the function makes of those that are chosen."""
    if not np.any(chosen):
        return balls
    flat = np.array(balls, dtype=object).ravel()
    for place in np.flatnonzero(chosen):
        flat[place] = function(flat[place])
    return flat.reshape(np.shape(balls))


def _underflowed(ball: arb, loss: arb) -> arb:
    if ball == 0:
        return ball
    # A ball around 0 of infinite radius is how Arb says overflow.
    return ball + loss if ball.is_finite() else arb("nan")
