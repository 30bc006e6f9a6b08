"""Check settings: how a target is checked."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Literal

MOST_POINTS = 10_000
LARGEST_SEED = 2**63 - 1
"""The largest whole number of 64 bits with a sign, which generators of torch and NumPy take."""
MOST_DIGITS = 77
"""So many are compared in exact arithmetic."""


@dataclass(frozen=True)
class Effort:
    """How far a check goes beyond the points that were asked for."""

    name: str
    share: Fraction = Fraction(1)
    """Of the usual number of further points: edges, points at which the code is compared in
    float64, and those of them that are examined.
    """
    left_out: tuple[str, ...] = ()
    """The checks that are not made, by name."""

    def of(self, usual: int) -> int:
        """So many in place of the usual number, at least one.

        >>> QUICK.of(144), QUICK.of(2), THOROUGH.of(4)
        (36, 1, 32)
        """
        return max(1, int(self.share * usual))


QUICK = Effort(
    "quick", Fraction(1, 4), ("second", "vmap", "again", "subset", "same", "size", "mode")
)
NORMAL = Effort("normal")
THOROUGH = Effort("thorough", Fraction(8))
EFFORTS = {effort.name: effort for effort in (QUICK, NORMAL, THOROUGH)}
"""By name."""


@dataclass(frozen=True)
class CheckSettings:
    """How a target is checked."""

    dtypes: tuple[str, ...] = ()
    """The dtypes tried: those of the tensors given, else float32 and float64."""
    points: int = 3
    """Random points for each dtype, where inputs are drawn."""
    seed: int = 0
    without: tuple[str, ...] = ()
    """Checks that are switched off, by name."""
    digits: float | None = None
    """How many digits must agree; None asks for no number of digits."""
    timeout: float | None = None
    """Seconds that the whole check may take. A call from Python ends after the step that it is at:
    in the same process nothing stops code that does not return, but for the first run at each
    point. None sets no limit.
    """
    honour_detach: bool = False
    """Whether what the code detaches is taken for a constant."""
    wrt: tuple[str, ...] = ()
    """What gradients are taken by: inputs and parameters by name, or by what their names begin
    with; empty means all inputs, and all parameters that are not frozen.
    """
    not_wrt: tuple[str, ...] = ()
    """What no gradient is taken by."""
    state: str | None = None
    """A file with a module's weights, as torch.save writes its state_dict."""
    train: bool = False
    """Whether a module is put into training mode; else it is checked in the mode that it has."""
    effort: Annotated[str, Literal["quick", "normal", "thorough"]] = NORMAL.name
    """quick, normal or thorough: how far the check goes beyond the points asked for."""

    def __post_init__(self) -> None:
        for name in ("wrt", "not_wrt"):
            value = getattr(self, name)
            names = value.split(",") if isinstance(value, str) else value
            object.__setattr__(self, name, tuple(str(one).strip() for one in names))
        if self.state is not None:
            object.__setattr__(self, "state", str(self.state))

    @property
    def unmade(self) -> tuple[str, ...]:
        """The checks that are not made, by name: those switched off, and those of less effort."""
        return tuple(dict.fromkeys((*self.without, *EFFORTS[self.effort].left_out)))
