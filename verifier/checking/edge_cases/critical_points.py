"""Critical points: what is watched of each row of the operations table while an input moves.

A watch gives every element a small whole number, its code, and something happens where the code
changes: a branch is taken or left, an argument passes 0, a function reaches its limit, a sum
swallows one of its terms, a result leaves the range of the format.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from statistics import NormalDist
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from verifier.operations.arrays import Floats
from verifier.operations.formats import Format


class CrossingKind(IntEnum):
    """What happens, the most interesting first."""

    BORDER = 0
    """A comparison, a tie, a corner."""
    SINGULAR = 1
    """An argument at which the derivative has no bound, or the function ends."""
    TAIL = 2
    """From here on the function is its limit, in this format."""
    SWALLOWED = 3
    """A sum is one of its terms, in this format."""
    RANGE = 4
    """A result underflows or overflows."""
    FACTOR = 5
    """A factor of a product is 0."""


Codes: TypeAlias = npt.NDArray[np.int8]
"""Small whole numbers, one for each element: something happens where it changes."""

WatchCode = Callable[[Format, Floats, Sequence[Floats]], Codes]
"""From the format, an operation's result and its arguments to the codes."""
_NO_NUMBER = 2


@dataclass(frozen=True)
class CrossingWatch:
    """One thing that can happen in an operation."""

    kind: CrossingKind
    code: WatchCode
    exact: bool = False
    """Whether code 0 says that it happens right there, between the codes -1 and 1."""


def _compare_numbers(one: Floats, other: Floats | float) -> Codes:
    """-1, 0 or 1 for less, the same and greater."""
    found = (one > other).astype(np.int8) - (one < other).astype(np.int8)
    return np.where(np.isnan(one) | np.isnan(other), np.int8(_NO_NUMBER), found)


def _argument_against_other(kind: CrossingKind) -> CrossingWatch:
    """One argument against the other."""
    return CrossingWatch(
        kind,
        lambda own, result, arguments: _compare_numbers(arguments[0], arguments[1]),
        exact=True,
    )


def _argument_against_number(
    kind: CrossingKind, number: float = 0.0, argument: int = 0
) -> CrossingWatch:
    """An argument against a number."""
    return CrossingWatch(
        kind,
        lambda own, result, arguments: _compare_numbers(arguments[argument], number),
        exact=True,
    )


def _argument_against_limit(where: Callable[[Format], float]) -> CrossingWatch:
    """The argument against a number that depends on the format."""
    return CrossingWatch(
        CrossingKind.TAIL,
        lambda own, result, arguments: _compare_numbers(arguments[0], where(own)),
        exact=True,
    )


def _argument_against_limits(
    where: Callable[[Format], float],
) -> tuple[CrossingWatch, CrossingWatch]:
    """The same on either side of 0."""
    return _argument_against_limit(where), _argument_against_limit(lambda own: -where(own))


def _argument_passes_multiples(kind: CrossingKind, unit: float = 1.0) -> CrossingWatch:
    """The argument passes a multiple of the unit."""

    def code(format: Format, result: Floats, arguments: Sequence[Floats]) -> Codes:
        return _whole_part_code(np.asarray(arguments[0], dtype=np.float64) / unit)

    return CrossingWatch(kind, code)


def _whole_part_code(numbers: Floats) -> Codes:
    """The whole part, as far as neighbouring ones differ."""
    parts = np.floor(numbers) % 64.0
    return np.where(np.isfinite(parts), parts, -1.0).astype(np.int8)


def _range_code(numbers: Floats, format: Format) -> Codes:
    sizes = np.abs(numbers)
    limits = (format.smallest_subnormal, format.smallest_normal, format.largest)
    # What is not a number is in no range.
    return sum((sizes >= limit).astype(np.int8) for limit in limits) - np.isnan(sizes).astype(
        np.int8
    )


def _swallowed_by_one(own: Format, result: Floats, arguments: Sequence[Floats]) -> Codes:
    return _compare_numbers(np.abs(arguments[0]), _half_ulp(own))


def _swallowed_term(format: Format, result: Floats, arguments: Sequence[Floats]) -> Codes:
    """Which of two terms is less than half an ulp of the other, or neither."""
    one, other = np.abs(arguments[0]), np.abs(arguments[1])
    share = format.unit_roundoff / 2.0
    return (other <= share * one).astype(np.int8) - (one <= share * other).astype(np.int8)


_RANGE = CrossingWatch(CrossingKind.RANGE, lambda own, result, arguments: _range_code(result, own))
_SQUARED = (
    CrossingWatch(
        CrossingKind.RANGE, lambda own, result, arguments: _range_code(arguments[0] ** 2, own)
    ),
    CrossingWatch(
        CrossingKind.RANGE, lambda own, result, arguments: _range_code(arguments[1] ** 2, own)
    ),
)
_SWALLOWED = CrossingWatch(CrossingKind.SWALLOWED, _swallowed_term)
_CORNER, _PLACED = (
    _argument_against_number(CrossingKind.BORDER),
    _argument_against_other(CrossingKind.BORDER),
)
_ZERO, _ONE, _MINUS_ONE = (
    _argument_against_number(CrossingKind.SINGULAR),
    _argument_against_number(CrossingKind.SINGULAR, 1.0),
    _argument_against_number(CrossingKind.SINGULAR, -1.0),
)
_SECOND_ZERO = _argument_against_number(CrossingKind.SINGULAR, argument=1)


def _half_ulp(format: Format) -> float:
    """What is subtracted from 1 without changing it."""
    return format.unit_roundoff / 2.0


def _logistic_limit(format: Format) -> float:
    """Where exp(-x) is that."""
    return -math.log(_half_ulp(format))


def _tanh_limit(format: Format) -> float:
    """Where 1 - tanh(x), which is nearly 2 exp(-2 x), is."""
    return 0.5 * math.log(2.0 / _half_ulp(format))


def _error_function_limit(format: Format) -> float:
    """Where 1 - erf(x) is."""
    return _normal_limit(format) / math.sqrt(2.0)


def _normal_limit(format: Format) -> float:
    return -NormalDist().inv_cdf(_half_ulp(format) / 2)


def _underflow_limit(format: Format) -> float:
    """Where exp(-x) is no normal number any more."""
    return -math.log(format.smallest_normal)


def _square_limit(format: Format) -> float:
    """Where 1 is swallowed by the square."""
    return 1.0 / math.sqrt(_half_ulp(format))


_LOGISTIC = (
    *_argument_against_limits(_logistic_limit),
    *_argument_against_limits(_underflow_limit),
)
WATCHED: dict[str, tuple[CrossingWatch, ...]] = {
    **dict.fromkeys(
        ("less", "less_equal", "greater", "greater_equal", "equal", "not_equal"), (_PLACED,)
    ),
    **dict.fromkeys(("maximum", "minimum"), (_PLACED,)),
    **dict.fromkeys(("abs", "relu", "sign"), (_CORNER,)),
    **dict.fromkeys(("floor", "ceiling"), (_argument_passes_multiples(CrossingKind.BORDER),)),
    "remainder": (
        CrossingWatch(
            CrossingKind.BORDER,
            lambda own, result, arguments: _whole_part_code(arguments[0] / arguments[1]),
        ),
    ),
    "sqrt": (_ZERO,),
    **dict.fromkeys(
        ("log", "log2", "log10"), (_ZERO, _argument_against_number(CrossingKind.FACTOR, 1.0))
    ),
    "log1p": (
        _MINUS_ONE,
        _argument_against_number(CrossingKind.FACTOR),
        CrossingWatch(CrossingKind.SWALLOWED, _swallowed_by_one, exact=True),
    ),
    "divide": (_SECOND_ZERO, _RANGE),
    "power": (_ZERO, _SECOND_ZERO, _argument_against_number(CrossingKind.BORDER, 1.0, 1), _RANGE),
    "square": (_ZERO, _RANGE),
    **dict.fromkeys(("acos", "asin", "atanh", "erfinv"), (_ONE, _MINUS_ONE)),
    "acosh": (_ONE,),
    "logit": (_ZERO, _ONE),
    "xlogy": (_ZERO, _SECOND_ZERO),
    **dict.fromkeys(("atan2", "hypot"), (_ZERO, _SECOND_ZERO, *_SQUARED)),
    "tan": (_argument_passes_multiples(CrossingKind.SINGULAR, math.pi / 2.0),),
    **dict.fromkeys(
        ("loggamma", "digamma"), (_ZERO, _argument_passes_multiples(CrossingKind.SINGULAR))
    ),
    "zeta": (_ONE,),
    "tanh": _argument_against_limits(_tanh_limit),
    **dict.fromkeys(("sigmoid", "softplus", "logsigmoid"), _LOGISTIC),
    "erf": _argument_against_limits(_error_function_limit),
    "erfc": (*_argument_against_limits(_error_function_limit), _RANGE),
    "ndtr": (*_argument_against_limits(_normal_limit), _RANGE),
    "log_ndtr": (
        *_argument_against_limits(_normal_limit),
        *_argument_against_limits(_square_limit),
    ),
    "erfcx": (*_argument_against_limits(_square_limit), _RANGE),
    **dict.fromkeys(("exp", "exp2"), (_RANGE,)),
    "expm1": (*_argument_against_limits(_logistic_limit), _RANGE),
    **dict.fromkeys(("sinh", "cosh", "i0", "i1"), (_RANGE,)),
    **dict.fromkeys(("add", "subtract"), (_SWALLOWED,)),
    "multiply": (
        _argument_against_number(CrossingKind.FACTOR),
        _argument_against_number(CrossingKind.FACTOR, argument=1),
    ),
}
"""By the name of a row what is watched of it."""
