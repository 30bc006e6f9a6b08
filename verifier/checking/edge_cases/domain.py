"""Domain: an open interval of numbers, and the floats of a format in it.

The floats of a format are counted through, 0 being number 0 and the next one number 1, so that a
neighbour is one further and what lies halfway between two floats is halfway between their numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from verifier.errors import InputError
from verifier.operations.arrays import Floats, Indices, Truths
from verifier.operations.formats import Format

_WINDOWS = (10.0, 100.0, 1000.0)
"""Around 0, where the functions of the table have their borders and tails."""


@dataclass(frozen=True)
class Domain:
    """The numbers between two ends, the ends left out; they may be infinite.

    >>> 0.5 in Domain(0.0, 1.0), 1.0 in Domain(0.0, 1.0)
    (True, False)
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise InputError(
                f"a domain from {self.low} to {self.high} has no numbers: give its low end first, "
                "then its high end"
            )

    def __contains__(self, number: float) -> bool:
        return self.low < number < self.high

    def inside(self, numbers: Floats) -> Truths:
        """Where `numbers`, an array of any shape, are in it."""
        return (numbers > self.low) & (numbers < self.high)

    def ends(self, format: Format) -> tuple[float, float]:
        """The smallest and the largest float of `format` in it.

        The first is above the second where there is none.
        """
        low, high = (
            float(end)
            for end in round_to_floats(
                np.clip([self.low, self.high], -format.largest, format.largest), format
            )
        )
        return (low if low > self.low else float_beside(low, 1, format)), (
            high if high < self.high else float_beside(high, -1, format)
        )

    def grid(self, format: Format, count: int) -> Floats:
        """Floats of `format` in it, sorted, each once: of even distances and of even ratios.

        `count`, 2 or more, is how many there are of each kind about.
        """
        low, high = self.ends(format)
        if low > high:
            return np.empty(0)
        shares = np.linspace(0.0, 1.0, count)
        parts = [np.array([0.0])]
        for reach in (*_WINDOWS, np.inf):
            one, other = max(low, -reach), min(high, reach)
            parts.append(one * (1.0 - shares) + other * shares)
        last = int(_float_number(max(abs(low), abs(high)), format))
        counted = _float_at([1 + (last - 1) * step // (count - 1) for step in range(count)], format)
        near = 2.0 ** -np.linspace(0.0, 2.0 * format.precision, count)
        width = high / 2 - low / 2
        parts += [counted, -counted, near, -near, low + width * near, high - width * near]
        numbers = round_to_floats(np.concatenate(parts), format)
        return np.unique(numbers[self.inside(numbers)]) + 0.0


def round_to_floats(numbers: npt.ArrayLike, format: Format) -> Floats:
    """The nearest floats of the format, as float64; infinite where a number overflows.

    >>> from verifier.operations.formats import FLOAT16
    >>> float(round_to_floats(0.1, FLOAT16)), float(round_to_floats(1e-9, FLOAT16))
    (0.0999755859375, 0.0)
    """
    numbers = np.asarray(numbers, dtype=np.float64)
    with np.errstate(all="ignore"):
        unit = np.maximum(np.frexp(numbers)[1], format.smallest_exponent + 1) - format.precision
        found = np.ldexp(np.rint(np.ldexp(numbers, -unit)), unit)
        found = np.where(np.abs(found) > format.largest, np.copysign(np.inf, numbers), found)
    return np.where(np.isfinite(numbers), found, numbers)


def float_beside(number: float, steps: int, format: Format) -> float:
    """The float so many steps above a finite float of the format, or below it.

    It is infinite behind the last one.

    >>> from verifier.operations.formats import FLOAT32
    >>> float_beside(0.0, 1, FLOAT32) == FLOAT32.smallest_subnormal
    True
    >>> float_beside(1.0, -1, FLOAT32) == 1 - 2.0**-24
    True
    """
    return float(_float_at(_float_number(number, format) + steps, format))


def float_halfway(low: npt.ArrayLike, high: npt.ArrayLike, format: Format) -> Floats:
    """The floats of the format that lie halfway in number; one of the two where none lies between.

    >>> from verifier.operations.formats import FLOAT32
    >>> float(float_halfway(1.0, 4.0, FLOAT32))
    2.0
    """
    one, other = _float_number(low, format), _float_number(high, format)
    return _float_at((one >> 1) + (other >> 1) + (one & other & 1), format)


def _float_number(numbers: npt.ArrayLike, format: Format) -> Indices:
    """How many floats lie between 0 and each number, which is a float of the format; negative ones
    count back.
    """
    numbers = np.asarray(numbers, dtype=np.float64)
    sizes = np.abs(numbers)
    # To frexp the exponent of 0 is 0.
    exponent = np.where(
        sizes == 0,
        format.smallest_exponent,
        np.maximum(np.frexp(sizes)[1] - 1, format.smallest_exponent),
    )
    within = np.ldexp(sizes, format.precision - 1 - exponent).astype(np.int64)
    steps = (exponent - format.smallest_exponent).astype(np.int64) << (format.precision - 1)
    result: Indices = np.where(numbers < 0, -(steps + within), steps + within)
    return result


def _float_at(places: npt.ArrayLike, format: Format) -> Floats:
    """The float at each place; infinite behind the largest."""
    places = np.asarray(places, dtype=np.int64)
    bits, sizes = format.precision - 1, np.abs(places)
    steps = np.maximum((sizes >> bits) - 1, 0)
    within = sizes - (steps << bits)
    with np.errstate(over="ignore"):
        found = np.ldexp(within.astype(np.float64), steps + format.smallest_exponent - bits)
    found = np.where(found > format.largest, np.inf, found)
    return np.where(places < 0, -found, found)
