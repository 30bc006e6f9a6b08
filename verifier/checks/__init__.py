"""Checks: the gradient of a target asked for in different ways, each answer held against exact values.

Each check is a small object that makes findings of a target at one point. A check that cannot be made says why.
"""

from verifier.checks.asked import Expanded, Strided, Structured, Undefined, Vmapped
from verifier.checks.conduct import Determinism, Form, Overwriting, Reach
from verifier.checks.quantities import Both, Forward, Quantity, Second
from verifier.checks.trial import Check, Trial
from verifier.subject import REVERSE

__all__ = ["AT_EVERY_POINT", "CHEAP", "COSTLY", "NAMES", "Check", "Trial"]

AT_EVERY_POINT: tuple[Check, ...] = (Quantity("value"), Quantity(REVERSE))
CHEAP: tuple[Check, ...] = (
    Determinism(), Form(), Reach(), Overwriting(), Strided(), Structured(), Undefined(), Forward(), Both(), Expanded(),
)  # fmt: skip
"""At one point, before any edge point is looked for."""
COSTLY: tuple[Check, ...] = (Vmapped(), Second())
"""At one point, after all others."""
NAMES = (
    "value", "reverse", "forward", "both", "second", "vmap", "strided", "expanded", "structured", "undefined",
    "determinism", "overwriting", "form", "reach",
)  # fmt: skip
"""In the order in which they are shown."""
