"""Checks: the gradient of a target asked for in different ways, each answer held against exact
values.

Each check is a small object that makes findings of a target at one point. A check that cannot be
made says why.
"""

from verifier.capture.statements import REVERSE
from verifier.checking.variants.at_point import Check, Trial
from verifier.checking.variants.layout_and_seed import (
    Expanded,
    Strided,
    Structured,
    Undefined,
    Vmapped,
)
from verifier.checking.variants.quantities import Both, Forward, Quantity, Second
from verifier.checking.variants.side_effects import Determinism, Form, Overwriting, Reach

__all__ = ["AT_EVERY_POINT", "CHEAP", "COSTLY", "NAMES", "Check", "Trial"]

AT_EVERY_POINT: tuple[Check, ...] = (Quantity("value"), Quantity(REVERSE))
CHEAP: tuple[Check, ...] = (
    Determinism(), Form(), Reach(), Overwriting(), Strided(), Structured(), Undefined(), Forward(),
    Both(), Expanded(),
)  # fmt: skip
"""At one point, before any edge point is looked for."""
COSTLY: tuple[Check, ...] = (Vmapped(), Second())
"""At one point, after all others."""
NAMES = (
    "value", "reverse", "forward", "both", "second", "vmap", "strided", "expanded", "structured",
    "undefined", "determinism", "overwriting", "form", "reach",
)  # fmt: skip
"""In the order in which they are shown."""
