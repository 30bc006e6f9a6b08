"""Checks: the gradient of a target asked for in different ways, each answer compared with exact
values.

Each check is a small object that makes findings of a target at one point. A check that cannot be
made says why.
"""

from verifier.capture.code_at_point import REVERSE
from verifier.checking.variants.again import AgainCheck
from verifier.checking.variants.circumstances import ModeCheck, SizeCheck
from verifier.checking.variants.grad_outputs import SeedPatternCheck, UndefinedSeedCheck
from verifier.checking.variants.layout_and_vmap import (
    ExpandedCheck,
    StridesCheck,
    VmapCheck,
)
from verifier.checking.variants.quantities import (
    BothModesCheck,
    ForwardCheck,
    QuantityCheck,
    SecondOrderCheck,
)
from verifier.checking.variants.side_effects import (
    DeterminismCheck,
    FormCheck,
    OverwritingCheck,
    ReachCheck,
)
from verifier.checking.variants.subsets import SameTensorCheck, SubsetCheck
from verifier.checking.variants.target_at_point import Check, Trial

__all__ = ["AT_EVERY_POINT", "CHEAP", "COSTLY", "NAMES", "Check", "Trial"]

AT_EVERY_POINT: tuple[Check, ...] = (QuantityCheck("value"), QuantityCheck(REVERSE))
CHEAP: tuple[Check, ...] = (
    DeterminismCheck(), FormCheck(), ReachCheck(), OverwritingCheck(), StridesCheck(),
    SeedPatternCheck(), UndefinedSeedCheck(), ForwardCheck(), BothModesCheck(), ExpandedCheck(),
    AgainCheck(), SubsetCheck(), SameTensorCheck(), SizeCheck(), ModeCheck(),
)  # fmt: skip
"""At one point, before any edge point is looked for."""
COSTLY: tuple[Check, ...] = (VmapCheck(), SecondOrderCheck())
"""At one point, after all others."""
NAMES = (
    "value", "reverse", "forward", "both", "second", "vmap", "strided", "expanded", "structured",
    "undefined", "again", "subset", "same", "size", "mode", "determinism", "overwriting", "form",
    "reach",
)  # fmt: skip
"""In the order in which they are shown."""
