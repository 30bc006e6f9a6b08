"""Critical: what is watched of each row of the operations table while an input moves.

A watch gives every element a small whole number, its code, and something happens where the code
changes: a branch is taken or left, an argument passes 0, a function reaches its limit, a sum
swallows one of its terms, a result leaves the range of the format.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from scipy import special

from verifier.operations.formats import Format


class Kind(IntEnum):
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


Code = Callable[[Format, Any, Sequence[Any]], Any]
"""From the format, an operation's result and its arguments to the codes."""
_NO_NUMBER = 2


@dataclass(frozen=True)
class Watch:
    """One thing that can happen in an operation."""

    kind: Kind
    code: Code
    exact: bool = False
    """Whether code 0 says that it happens right there, between the codes -1 and 1."""


def _order(one: Any, other: Any) -> Any:
    """-1, 0 or 1 for less, the same and greater."""
    found = (one > other).astype(np.int8) - (one < other).astype(np.int8)
    return np.where(np.isnan(one) | np.isnan(other), np.int8(_NO_NUMBER), found)


def _sides(kind: Kind) -> Watch:
    """One argument against the other."""
    return Watch(
        kind, lambda own, result, arguments: _order(arguments[0], arguments[1]), exact=True
    )


def _at(kind: Kind, number: float = 0.0, argument: int = 0) -> Watch:
    """An argument against a number."""
    return Watch(
        kind, lambda own, result, arguments: _order(arguments[argument], number), exact=True
    )


def _tail(where: Callable[[Format], float]) -> Watch:
    """The argument against a number that depends on the format."""
    return Watch(
        Kind.TAIL, lambda own, result, arguments: _order(arguments[0], where(own)), exact=True
    )


def _tails(where: Callable[[Format], float]) -> tuple[Watch, Watch]:
    """The same on either side of 0."""
    return _tail(where), _tail(lambda own: -where(own))


def _wholes(kind: Kind, unit: float = 1.0) -> Watch:
    """The argument passes a multiple of the unit."""

    def code(format: Format, result: Any, arguments: Sequence[Any]) -> Any:
        return _whole(np.asarray(arguments[0], dtype=np.float64) / unit)

    return Watch(kind, code)


def _whole(numbers: Any) -> Any:
    """The whole part, as far as neighbouring ones differ."""
    parts = np.floor(numbers) % 64.0
    return np.where(np.isfinite(parts), parts, -1.0).astype(np.int8)


def _ranged(numbers: Any, format: Format) -> Any:
    sizes = np.abs(numbers)
    limits = (format.smallest_subnormal, format.smallest_normal, format.largest)
    # What is not a number is in no range.
    return sum((sizes >= limit).astype(np.int8) for limit in limits) - np.isnan(sizes).astype(
        np.int8
    )


def _swallowed_by_one(own: Format, result: Any, arguments: Sequence[Any]) -> Any:
    return _order(np.abs(arguments[0]), _half_ulp(own))


def _swallows(format: Format, result: Any, arguments: Sequence[Any]) -> Any:
    """Which of two terms is less than half an ulp of the other, or neither."""
    one, other = np.abs(arguments[0]), np.abs(arguments[1])
    share = format.unit_roundoff / 2.0
    return (other <= share * one).astype(np.int8) - (one <= share * other).astype(np.int8)


_RANGE = Watch(Kind.RANGE, lambda own, result, arguments: _ranged(result, own))
_SQUARED = (
    Watch(Kind.RANGE, lambda own, result, arguments: _ranged(arguments[0] ** 2, own)),
    Watch(Kind.RANGE, lambda own, result, arguments: _ranged(arguments[1] ** 2, own)),
)
_SWALLOWED = Watch(Kind.SWALLOWED, _swallows)
_CORNER, _PLACED = _at(Kind.BORDER), _sides(Kind.BORDER)
_ZERO, _ONE, _MINUS_ONE = _at(Kind.SINGULAR), _at(Kind.SINGULAR, 1.0), _at(Kind.SINGULAR, -1.0)
_SECOND_ZERO = _at(Kind.SINGULAR, argument=1)


def _half_ulp(format: Format) -> float:
    """What is subtracted from 1 without changing it."""
    return format.unit_roundoff / 2.0


def _logistic(format: Format) -> float:
    """Where exp(-x) is that."""
    return -math.log(_half_ulp(format))


def _hyperbolic(format: Format) -> float:
    """Where 1 - tanh(x), which is nearly 2 exp(-2 x), is."""
    return 0.5 * math.log(2.0 / _half_ulp(format))


def _error(format: Format) -> float:
    """Where 1 - erf(x) is."""
    return float(special.erfcinv(_half_ulp(format)))


def _normal(format: Format) -> float:
    return math.sqrt(2.0) * _error(format)


def _underflow(format: Format) -> float:
    """Where exp(-x) is no normal number any more."""
    return -math.log(format.smallest_normal)


def _large(format: Format) -> float:
    """Where 1 is swallowed by the square."""
    return 1.0 / math.sqrt(_half_ulp(format))


_LOGISTIC = (*_tails(_logistic), *_tails(_underflow))
WATCHED: dict[str, tuple[Watch, ...]] = {
    **dict.fromkeys(
        ("less", "less_equal", "greater", "greater_equal", "equal", "not_equal"), (_PLACED,)
    ),
    **dict.fromkeys(("maximum", "minimum"), (_PLACED,)),
    **dict.fromkeys(("abs", "relu", "sign"), (_CORNER,)),
    **dict.fromkeys(("floor", "ceiling"), (_wholes(Kind.BORDER),)),
    "remainder": (
        Watch(Kind.BORDER, lambda own, result, arguments: _whole(arguments[0] / arguments[1])),
    ),
    "sqrt": (_ZERO,),
    **dict.fromkeys(("log", "log2", "log10"), (_ZERO, _at(Kind.FACTOR, 1.0))),
    "log1p": (_MINUS_ONE, _at(Kind.FACTOR), Watch(Kind.SWALLOWED, _swallowed_by_one, exact=True)),
    "divide": (_SECOND_ZERO, _RANGE),
    "power": (_ZERO, _SECOND_ZERO, _at(Kind.BORDER, 1.0, 1), _RANGE),
    "square": (_ZERO, _RANGE),
    **dict.fromkeys(("acos", "asin", "atanh", "erfinv"), (_ONE, _MINUS_ONE)),
    "acosh": (_ONE,),
    "logit": (_ZERO, _ONE),
    "xlogy": (_ZERO, _SECOND_ZERO),
    **dict.fromkeys(("atan2", "hypot"), (_ZERO, _SECOND_ZERO, *_SQUARED)),
    "tan": (_wholes(Kind.SINGULAR, math.pi / 2.0),),
    **dict.fromkeys(("loggamma", "digamma"), (_ZERO, _wholes(Kind.SINGULAR))),
    "zeta": (_ONE,),
    "tanh": _tails(_hyperbolic),
    **dict.fromkeys(("sigmoid", "softplus", "logsigmoid"), _LOGISTIC),
    "erf": _tails(_error),
    "erfc": (*_tails(_error), _RANGE),
    "ndtr": (*_tails(_normal), _RANGE),
    "log_ndtr": (*_tails(_normal), *_tails(_large)),
    "erfcx": (*_tails(_large), _RANGE),
    **dict.fromkeys(("exp", "exp2"), (_RANGE,)),
    "expm1": (*_tails(_logistic), _RANGE),
    **dict.fromkeys(("sinh", "cosh", "i0", "i1"), (_RANGE,)),
    **dict.fromkeys(("add", "subtract"), (_SWALLOWED,)),
    "multiply": (_at(Kind.FACTOR), _at(Kind.FACTOR, argument=1)),
}
"""By the name of a row what is watched of it."""
