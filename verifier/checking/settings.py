"""Check settings: how a target is checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from os import PathLike
from typing import Annotated, Literal

from verifier.process.setting import (
    FILE,
    FLAG,
    arrays_of_texts,
    names_in,
    one_of,
    positive_numbers,
    require_settings,
    setting,
    settings_of,
    whole_numbers,
)
from verifier.process.values import UserValue
from verifier.process.workers.resource_limits import LONGEST, SECONDS

MOST_POINTS = 10_000
LARGEST_SEED = 2**63 - 1
"""The largest whole number of 64 bits with a sign, which generators of torch and NumPy take."""
MOST_DIGITS = 77
"""So many are compared in exact arithmetic."""


@dataclass(frozen=True)
class Effort:
    """How far a check goes beyond the points that were asked for."""

    name: str
    share: float = 1
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


QUICK = Effort("quick", 1 / 4, ("second", "vmap", "again", "subset", "same", "size", "mode"))
NORMAL = Effort("normal")
THOROUGH = Effort("thorough", 8)
EFFORTS = {effort.name: effort for effort in (QUICK, NORMAL, THOROUGH)}
"""By name."""


@dataclass(frozen=True)
class CheckSettings:
    """How a target is checked. Raises InputError for what a setting cannot be."""

    dtypes: tuple[str, ...] = field(
        default=(),
        metadata=setting(
            arrays_of_texts('names of dtypes, as in ["float32", "bfloat16"]'),
            "float64, float32, bfloat16 or float16; may be repeated.",
            option="--dtype",
        ),
    )
    """The dtypes tried: those of the tensors given, else float32 and float64."""
    points: int = field(
        default=3,
        metadata=setting(whole_numbers(1, MOST_POINTS), "Random points for each dtype; else 3."),
    )
    """Random points for each dtype, where inputs are drawn."""
    seed: int = field(
        default=0, metadata=setting(whole_numbers(0, LARGEST_SEED), "Seed of the random points.")
    )
    """What the random points are drawn with: the same seed gives the same points."""
    without: tuple[str, ...] = field(
        default=(),
        metadata=setting(
            arrays_of_texts('names of checks, as in ["second"]'),
            "A check to leave out, by its name; may be repeated.",
            metavar="CHECK",
        ),
    )
    """Checks that are switched off, by name."""
    digits: float | None = field(
        default=None,
        metadata=setting(
            positive_numbers(f"a number above 0, at most {MOST_DIGITS}", MOST_DIGITS),
            "So many digits must agree.",
        ),
    )
    """How many digits must agree; None asks for no number of digits."""
    timeout: float | None = field(
        default=None,
        metadata=setting(
            positive_numbers(f"seconds, a number above 0, at most {LONGEST:,.0f}", LONGEST),
            f"Seconds that a target may take in all; else {SECONDS:g}.",
            metavar="S",
        ),
    )
    """Seconds that the whole check may take. A call from Python ends after the step that it is at:
    in the same process nothing stops code that does not return, but for the first run at each
    point. None sets no limit.
    """
    honour_detach: bool = field(
        default=False, metadata=setting(FLAG, "Take what the code detaches for a constant.")
    )
    """Whether what the code detaches is taken for a constant."""
    wrt: tuple[str, ...] = field(
        default=(),
        metadata=setting(
            arrays_of_texts('names of inputs or parameters, as in ["weight"]'),
            "Take gradients by these inputs and parameters alone.",
            metavar="NAMES",
        ),
    )
    """What gradients are taken by: inputs and parameters by name, or by what their names begin
    with; empty means all inputs, and all parameters that are not frozen.
    """
    not_wrt: tuple[str, ...] = field(
        default=(),
        metadata=setting(
            arrays_of_texts('names of inputs or parameters, as in ["bias"]'),
            "Take no gradients by these.",
            metavar="NAMES",
        ),
    )
    """What no gradient is taken by."""
    state: str | None = field(
        default=None,
        metadata=setting(
            FILE, "A module's weights: its state_dict, by torch.save.", metavar="FILE"
        ),
    )
    """A file with a module's weights, as torch.save writes its state_dict."""
    train: bool = field(
        default=False,
        metadata=setting(FLAG, "Put a module into training mode; else as it comes."),
    )
    """Whether a module is put into training mode; else it is checked in the mode that it has."""
    effort: Annotated[str, Literal["quick", "normal", "thorough"]] = field(
        default=NORMAL.name,
        metadata=setting(
            one_of(EFFORTS),
            "How far the check goes beyond the points asked for.",
            flags=(
                ("quick", "Look at a quarter of the points, in fewer ways."),
                ("thorough", "Look at eight times as many points."),
            ),
        ),
    )
    """quick, normal or thorough: how far the check goes beyond the points asked for."""

    def __post_init__(self) -> None:
        for name, known in settings_of(type(self)).items():
            if known.kind.typed is list:
                object.__setattr__(self, name, names_in(getattr(self, name)))
        state: UserValue = self.state
        if isinstance(state, PathLike):
            object.__setattr__(self, "state", str(state))
        require_settings(self)

    @property
    def unmade(self) -> tuple[str, ...]:
        """The checks that are not made, by name: those switched off, and those of less effort."""
        return tuple(dict.fromkeys((*self.without, *EFFORTS[self.effort].left_out)))
