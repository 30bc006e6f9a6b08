"""Functions on NumPy's arrays that Arb computes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from flint import arb, ctx

from verifier.operations.arrays import Array, Ball, Numeric
from verifier.operations.operation import Call

_BITS = (64, 128, 256, 1024, 4096)
"""Arb computes in more and more bits until it knows a float64's digits and some more."""
_KNOWN_BITS = 60
"""The 53 of a float64 and seven more, so that the middle of the ball rounds to the right one."""


def by_arb(function: Callable[[Ball, Ball], Ball]) -> Callable[[Numeric, Numeric], Array]:
    """A function of two numbers that SciPy lacks or computes badly: the floats next to Arb's, in
    the dtype of both together.
    """

    def one(order: float, a: float) -> float:
        before = ctx.prec
        try:
            for ctx.prec in _BITS:
                found = function(arb(float(order)), arb(float(a)))
                if found.rel_accuracy_bits() >= _KNOWN_BITS:
                    break
            return float(found.mid())
        finally:
            ctx.prec = before

    on_numbers = np.frompyfunc(one, 2, 1)

    def of_numbers(order: Numeric, a: Numeric) -> Array:
        together = np.result_type(order, a)
        kind = together if together.kind == "f" else np.float64
        found: Array = np.asarray(on_numbers(order, a)).astype(kind)
        return found

    return of_numbers


def of_numbers(call: Call) -> Call:
    """The same call for plain numbers, which gives one."""
    function = call.own
    if function is None:
        return call
    return Call(f"{call.name}_of_numbers", own=lambda *numbers: float(function(*numbers)))
