"""Checks: the gradient of a target asked for in different ways, each answer held against exact values.

Each check is a small object that makes findings of a target at one point. A check that cannot be made says why.
"""

from verifier.checks.asked import Expanded, Strided, Structured, Undefined, Vmapped
from verifier.checks.conduct import Determinism, Form, Overwriting, Reach
from verifier.checks.quantities import Both, Forward, Quantity, Second
from verifier.checks.trial import Check, Trial
from verifier.subject import REVERSE

__all__ = ["AT_EVERY_POINT", "AT_ONE_POINT", "NAMES", "Check", "Trial"]

AT_EVERY_POINT: tuple[Check, ...] = (Quantity("value"), Quantity(REVERSE))
AT_ONE_POINT: tuple[Check, ...] = (
    Forward(), Both(), Second(), Vmapped(), Strided(), Expanded(), Structured(), Undefined(), Determinism(),
    Overwriting(), Form(), Reach(),
)  # fmt: skip
NAMES = tuple(check.name for check in (*AT_EVERY_POINT, *AT_ONE_POINT))
