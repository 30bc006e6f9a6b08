"""The floating-point formats that verifier judges."""

from __future__ import annotations

import math
from dataclasses import dataclass

from verifier.errors import InputError


@dataclass(frozen=True)
class Format:
    """A binary floating-point format of IEEE 754.

    >>> FLOAT32.unit_roundoff == 2.0**-24, FLOAT32.smallest_subnormal == 2.0**-149
    (True, True)
    """

    name: str
    precision: int
    """Bits of the significand, the hidden one counted."""
    smallest_exponent: int
    """Exponent of the smallest normal number."""
    largest: float

    @property
    def unit_roundoff(self) -> float:
        """Half the distance from 1 to the next float: the relative error of one rounding."""
        return 2.0**-self.precision

    @property
    def smallest_normal(self) -> float:
        """The smallest positive number with all bits of the significand."""
        return 2.0**self.smallest_exponent

    @property
    def smallest_subnormal(self) -> float:
        """The distance between neighbours around 0: the smallest positive number of the format."""
        return 2.0 ** (self.smallest_exponent - self.precision + 1)

    @property
    def least_factor(self) -> float:
        """A product of matrices may take factors and results below this number for 0.

        Processors' own instructions for products in bfloat16, which add up in float32, do so with
        every subnormal (VDPBF16PS in Intel's Software Developer's Manual, volume 2).

        >>> FLOAT32.least_factor == FLOAT32.smallest_normal, FLOAT64.least_factor
        (True, 0.0)
        """
        return self.smallest_normal if self in (FLOAT32, BFLOAT16) else 0.0

    @property
    def decimal_digits(self) -> float:
        """Decimal digits that one rounding leaves right."""
        return self.precision * math.log10(2.0)

    def holds(self, number: float) -> bool:
        """Whether the float64 `number` is a number of this format, a normal one or 0; infinities
        and NaN are.

        >>> FLOAT32.holds(0.5), FLOAT32.holds(0.1)
        (True, False)
        """
        if number == 0 or not math.isfinite(number):
            return True
        mantissa, exponent = math.frexp(number)
        whole = (mantissa * 2.0**self.precision).is_integer()
        return whole and exponent > self.smallest_exponent and abs(number) <= self.largest


FLOAT32 = Format("float32", 24, -126, (2.0 - 2.0**-23) * 2.0**127)
FLOAT64 = Format("float64", 53, -1022, (2.0 - 2.0**-52) * 2.0**1023)
FLOAT16 = Format("float16", 11, -14, 65504.0)
BFLOAT16 = Format("bfloat16", 8, -126, (2.0 - 2.0**-7) * 2.0**127)
FORMATS = {known.name: known for known in (FLOAT32, FLOAT64)}

CODE_FORMATS = {known.name: known for known in (FLOAT64, FLOAT32, BFLOAT16, FLOAT16)}
"""The formats that torch code may compute in."""


def format_named(name: str) -> Format:
    """The format of that `name`: "float32" or "float64".

    Raises InputError where verifier does not train in it.
    """
    try:
        return FORMATS[name]
    except (KeyError, TypeError):
        raise InputError(
            f"dtype {name!r} is not one that verifier trains in: use {' or '.join(FORMATS)}"
        ) from None
